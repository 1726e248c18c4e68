"""`dokhae demo`: the road from the packaged sample to a table and two answers."""

from __future__ import annotations

import dataclasses

import pytest

from dokhae import demo
from dokhae.cli import main
from dokhae.data import read_examples, sample_path
from dokhae.errors import SettingsError
from dokhae.files import read_json


@pytest.fixture
def short(monkeypatch):
    full = demo.settings
    monkeypatch.setattr(demo, "settings", lambda out: dataclasses.replace(full(out), max_steps=5))


def row(rows, part, name):
    return next(row["scores"] for row in rows if (row["part"], row["name"]) == (part, name))


def test_the_demo_trains_scores_beside_baselines_and_answers_in_both_languages(short, tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    shown, said = capsys.readouterr()
    first = [one for one in read_examples(sample_path("test")) if one.answers]
    for language in demo.LANGUAGES:
        example = demo.of_language(first, language)[0]
        assert f"{example.question} (gold: {example.answers[0].text})" in " ".join(shown.split())
    assert "fitted for F1 on dev.json" in said
    rows = read_json(out / "demo.json")
    for part in demo.PARTS:
        for scores in row(rows, part, "never answers").values():
            assert scores == {"exact_match": 0.0, "f1": 0.0, "no_answer": 100.0}
        for scores in row(rows, part, "ceiling").values():
            assert 95 <= scores["exact_match"] <= 100
        for language, scores in row(rows, part, "untrained").items():
            assert scores["exact_match"] < 5, language
    assert {path.name for path in out.iterdir()} >= {
        "config.yaml", "run.json", "model", "checkpoints", "metrics.csv", "scores.json", "demo.json",
        "predictions.json", "nbest_predictions.json", "null_odds.json",
    }  # fmt: skip
    assert main(["demo", "--out", str(out)]) == 2
    assert main(["demo", "--out", str(out), "--overwrite"]) == 0


def test_the_demo_replaces_only_a_run_on_the_packaged_sample(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(SettingsError, match="is not an empty folder"):
        demo.prepare(tmp_path, overwrite=True)
    (tmp_path / "config.yaml").write_text("benchmark: squad-2.0\nmodel: a\ntrain: b.json\nout: c\n")
    with pytest.raises(SettingsError, match="is not an empty folder"):
        demo.prepare(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.slow
def test_the_whole_demo_learns_to_read_names_that_it_never_saw(tmp_path):
    report = demo.run(tmp_path / "demo")
    for language, scores in next(row.scores for row in report.rows if row.name == "fine-tuned").items():
        assert scores.exact_match >= 70, language
        assert scores.no_answer >= 70, language
