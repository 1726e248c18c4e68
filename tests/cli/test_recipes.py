"""dokhae recipes, dokhae train --recipe."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import pytest
import yaml

from dokhae import benchmarks, recipes, records
from dokhae.cli.configuration import with_config
from dokhae.cli.train import train
from dokhae.training.config import TrainConfig

HEAD = ["recipe", "encoder", "em", "f1", "reproduced_em", "reproduced_f1", "runs", "changed", "needs"]
KOELECTRA = "kor-squad-pl/korquad-1.0/koelectra-base-v3"


@pytest.fixture
def listed(dokhae, tmp_path, monkeypatch):
    """`listed("korquad-1.0", ...)`: recipe -> its line as a mapping."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        outcome = dokhae("recipes", *arguments)
        assert (outcome.code, outcome.err) == (0, "")
        head, *lines = (line.split("\t") for line in outcome.out.splitlines())
        assert head == HEAD
        return {line[0]: dict(zip(head, line, strict=True)) for line in lines}

    return run


def test_every_packaged_row_is_listed(listed):
    assert list(listed()) == [row.name for row in recipes.rows()]


@pytest.mark.parametrize(
    ("what", "count"),
    [
        ("kor-squad-pl", 40),
        ("korquad-2.1", 15),
        ("kor-squad-pl/korquad-1.0", 8),
        ("korquad-1.0", 24),
        ("squad-2.0", 36),
        ("etri", 1),
    ],
)
def test_a_table_or_a_benchmark_or_both_choose_rows(listed, what, count):
    found = listed(what)
    assert len(found) == count
    assert all(f"/{what}/" in f"/{name}" for name in found)


def test_a_line_has_the_encoder_and_the_published_scores(listed):
    line = listed("kor-squad-pl")[KOELECTRA]
    assert list(line.values()) == [
        KOELECTRA, "monologg/koelectra-base-v3-discriminator", "83.92", "92.92", "", "", "", "", "",
    ]  # fmt: skip
    lines = listed("lyeoni")
    assert [(line["em"], line["f1"]) for line in lines.values()][:2] == [("70.298", "90.081"), ("70.80", "90.104")]


def test_rows_that_cannot_run_yet_say_what_they_need(listed):
    assert {line["needs"] for line in listed("gluonnlp").values()} == {"joint answerability head"}
    assert [line["needs"] for line in listed("etri").values()] == [""]
    assert listed("modern/squad-2.0")["modern/squad-2.0/ModernBERT-base"]["needs"] == ""


def test_a_full_name_prints_a_file_that_config_takes(dokhae, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = dokhae("recipes", KOELECTRA)
    assert outcome.out.startswith(f"# {KOELECTRA}: KorSQuAD-pl, https://github.com/Se-Hun/KorSQuAD-pl\n")
    assert "# Published, dev: EM 83.92, F1 92.92.\n" in outcome.out
    content = yaml.safe_load(outcome.out)
    config = records.from_mapping(TrainConfig, content, "stdout")
    assert config == recipes.config_of(recipes.find(KOELECTRA))
    arguments = with_config(["--config", str(write("row.yaml", outcome.out)), "--train", "a", "--dev", "b"], train)
    assert arguments[arguments.index("--recipe") + 1] == KOELECTRA


def test_all_that_was_published_of_a_row_is_told(dokhae):
    text = dokhae("recipes", "lyeoni/korquad-1.0/mbert").out
    assert (
        "# Published, test: EM 71.14, F1 89.61.\n# Published: 7,587 optimizer steps, 80,917 training windows.\n" in text
    )
    text = dokhae("recipes", "gluonnlp/squad-2.0/albert-base-v2").out
    assert "# Published, by the model's authors, on dev: EM 79.30, F1 82.10.\n" in text
    assert "# Published: 8,160 to 8,164 optimizer steps.\n# Trained on 4 devices; " in text
    assert "# It needs what this version of dokhae does not have yet: joint answerability head.\n" in text
    text = dokhae("recipes", "etri/korquad-1.0/etri-morpheme-bert").out
    assert "# The linear schedule, warm-up 0.1 and clipping at 1 are not published; " in text
    assert "# Its weights are on no hub: give the encoder with --model FOLDER.\n" in text
    assert yaml.safe_load(text)["morphemes"] == "mecab"
    text = dokhae("recipes", "gluonnlp/squad-2.0/gluonnlp-bert-base-cased-v1-fp16").out
    assert "# Its weights are on no hub: give the encoder with --model FOLDER.\n" in text
    assert "model" not in yaml.safe_load(text)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("korqad-1.0", "'korqad-1.0' is no recipe, table or benchmark with recipes, and no .yaml file; did you mean k"),
        ("lyeoni/korquad-1.0/mbert-51", "'lyeoni/korquad-1.0/mbert-51' is no recipe, table or benchmark with recipes, "
            "and no .yaml file; did you mean lyeoni/korquad-1.0/mbert-512?"),
        ("none.yaml", "none.yaml: no such file"),
    ],
)  # fmt: skip
def test_what_is_not_there_names_the_nearest(refusal, what, message):
    assert refusal("recipes", what).startswith(message)


def test_the_faults_of_a_file_of_rows_are_one_line(refusal, write):
    path = write("mine.yaml", "title: t\nurl: u\ndefaults: {epoch: 3}\nencoders: {}\nrows: {}")
    assert refusal("recipes", path) == f"{path}: defaults: 'epoch' is not a setting; did you mean epochs?"


@pytest.fixture
def own(write, questions, tiny_bert):
    """A table of one's own: one row on the tiny BERT."""
    content = {
        "title": "Mine",
        "url": "https://example.org",
        "encoders": {"tiny": {"model": str(tiny_bert)}},
        "defaults": {"max_length": 48, "step": 8, "epochs": 1, "train": str(questions), "dev": str(questions)},
        "rows": {"squad-1.1/tiny": {"em": 90, "f1": 95.5, "settings": {"max_steps": 1, "device": "cpu"}}},
    }
    return write("mine.yaml", yaml.safe_dump(content))


def test_a_run_of_a_row_shows_in_its_line(dokhae, listed, own, tmp_path):
    name = f"{own}/squad-1.1/tiny"
    assert listed(own, "--runs", "none")[name]["reproduced_em"] == ""
    outcome = dokhae("train", "--recipe", name)
    assert outcome.code == 0, outcome.err
    run = tmp_path / "runs" / "mine" / "squad-1.1" / "tiny"
    scores = json.loads((run / "scores.json").read_text())["scores"]
    line = listed(own)[name]
    assert (line["em"], line["f1"]) == ("90.00", "95.50")
    assert float(line["reproduced_em"]) == pytest.approx(scores["exact_match"], abs=0.001)
    assert float(line["reproduced_f1"]) == pytest.approx(scores["f1"], abs=0.001)
    # the row is of SQuAD 1.1, and this was neither its training nor its dev file
    assert (line["runs"], line["changed"]) == (
        "1", "train questions.json, not the official file; dev questions.json, not the official file",
    )  # fmt: skip


def test_a_run_shows_however_its_table_is_named(dokhae, listed, own, tmp_path):
    outcome = dokhae("train", "--recipe", "mine.yaml/squad-1.1/tiny")  # the fixture `listed` has gone to that folder
    assert outcome.code == 0, outcome.err
    recipe = yaml.safe_load((tmp_path / "runs" / "mine" / "squad-1.1" / "tiny" / "config.yaml").read_text())["recipe"]
    assert recipe == f"{own}/squad-1.1/tiny"
    for table in ("mine.yaml", own):
        assert [(name, line["runs"]) for name, line in listed(table).items()] == [(recipe, "1")]
    for name in ("mine.yaml/squad-1.1/tiny", recipe):
        assert yaml.safe_load(dokhae("recipes", name).out)["recipe"] == recipe


@pytest.fixture
def past_run(tmp_path):
    """`past_run("a", em=80, started="2026-01-02")`: a run folder as a training on the official files leaves it."""
    official = [file.sha256 for file in benchmarks.find("korquad-1.0").release.files]

    def write(place, em=80.0, started="2026-01-01T00:00:00Z", status="finished", hashes=official, **changed):
        run = tmp_path / "runs" / place
        run.mkdir(parents=True)
        config = recipes.config_of(recipes.find(KOELECTRA), train="/train.json", dev="/dev.json", **changed)
        data = dict(zip(("/train.json", "/dev.json"), hashes, strict=False))
        history = [{"started": "2020-01-01T00:00:00Z"}, {"started": started}]
        (run / "config.yaml").write_text(yaml.safe_dump(records.to_mapping(config)), encoding="utf-8")
        (run / "run.json").write_text(json.dumps({"status": status, "data": data, "history": history}))
        (run / "scores.json").write_text(json.dumps({"scores": {"exact_match": em, "f1": em + 5}}))
        return run

    return write


def reproduced(listed):
    line = listed("kor-squad-pl/korquad-1.0")[KOELECTRA]
    return line["reproduced_em"], line["reproduced_f1"], line["runs"], line["changed"]


def test_a_run_of_the_very_row_has_no_changes(listed, past_run):
    past_run("a", em=83.5, seed=1, device="cpu", out="/elsewhere")
    assert reproduced(listed) == ("83.50", "88.50", "1", "")


def test_of_several_runs_the_newest_counts_and_not_the_best(listed, past_run):
    past_run("a", em=83, started="2026-01-01T00:00:00Z")
    past_run("b/c", em=81.25, started="2026-03-01T00:00:00Z")
    past_run("d", em=82, started="2026-02-01T00:00:00Z")
    assert reproduced(listed) == ("81.25", "86.25", "3", "")


def test_changed_settings_are_named(listed, past_run):
    past_run("a", epochs=1, optimizer={"clip": 1}, max_train_examples=500)
    assert reproduced(listed)[2:] == ("1", "epochs 1.0; max_train_examples 500; optimizer.clip 1.0")


def test_other_data_is_named(listed, past_run):
    past_run("a", hashes=["0" * 64])
    assert reproduced(listed)[3] == "train train.json, not the official file; dev dev.json, not the official file"


def test_only_finished_runs_with_scores_count(listed, past_run):
    past_run("a", status="running")
    (past_run("b") / "scores.json").unlink()
    (past_run("c") / "run.json").unlink()
    past_run("d", em=80)
    past_run("d/checkpoints/copy", em=90, started="2027-01-01T00:00:00Z")
    assert reproduced(listed) == ("80.00", "85.00", "1", "")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("run.json", "{", "run.json: stops in the middle"),
        ("scores.json", "{", "scores.json: stops in the middle"),
        ("config.yaml", "- a", "config.yaml: has to be a mapping"),
        ("config.yaml", f"recipe: {KOELECTRA}\nmodle: x", "config.yaml: 'modle' is not a setting; did you mean model?"),
    ],
)
def test_a_run_that_cannot_be_read_is_told_and_left_out(dokhae, past_run, tmp_path, file, text, message):
    past_run("good", em=80)
    (past_run("bad") / file).write_text(text)
    outcome = dokhae("recipes", "kor-squad-pl", "--runs", tmp_path / "runs")
    assert outcome.code == 0
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert outcome.err.endswith("; this run is left out\n")
    assert f"{KOELECTRA}\tmonologg/koelectra-base-v3-discriminator\t83.92\t92.92\t80.00\t85.00\t1\t\t\n" in outcome.out


@pytest.mark.parametrize("content", ["[]", "{}", '{"scores": 3}', '{"scores": {"exact_match": "x"}}'])
def test_a_run_without_numbers_shows_none(listed, past_run, content):
    (past_run("a") / "scores.json").write_text(content)
    assert reproduced(listed) == ("", "", "1", "")


def test_the_families_of_encoders_are_listed_with_what_they_support(dokhae):
    head, *lines = (line.split("\t") for line in dokhae("recipes", "encoders").out.splitlines())
    assert head == ["family", "model_type", "examples", "tokenizer", "fast_tokenizer", "packing", "onnx", "note"]
    bert = dict(zip(head, lines[0], strict=True))
    assert (bert["family"], bert["model_type"], bert["packing"], bert["onnx"]) == ("BERT", "bert", "yes", "yes")
    families = [line[0] for line in lines]
    assert len(set(families)) == len(families) > 10
    assert {len(line) for line in lines} == {len(head)}


def on_a_terminal(folder, *arguments):
    """What a command writes where stdout is a terminal of 100 columns."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "dokhae", *arguments], stdout=theirs, cwd=folder, env=environment, timeout=60
    )
    os.close(theirs)
    assert ended.returncode == 0
    return read_all(ours)


def read_all(descriptor):
    parts = []
    with contextlib.suppress(OSError):  # Linux says so at the end
        while part := os.read(descriptor, 65536):
            parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_people_see_tables_with_whole_names_and_a_mark_at_changed_runs(past_run, tmp_path):
    past_run("a", em=80, epochs=1)
    text = on_a_terminal(tmp_path, "recipes", "korquad-1.0")
    assert "KorSQuAD-pl: EM and F1 on korquad-1.0\nhttps://github.com/Se-Hun/KorSQuAD-pl\n" in text
    assert "not yet: " not in text
    assert "not yet: dokhae lacks the joint answerability head\n" in on_a_terminal(tmp_path, "recipes", "gluonnlp")
    cells = {
        line.split()[0]: line.split()[1:] for line in text.splitlines() if line.count("/") == 2 and ":" not in line
    }
    assert cells["kor-squad-pl/korquad-1.0/distilbert-base-multilingual-cased"] == ["62.91", "83.28"]
    assert cells["modern/korquad-1.0/mmBERT-small"] == ["-"]
    marked = next(line for line in text.splitlines() if KOELECTRA in line)
    assert marked.split() == [KOELECTRA, "83.92", "92.92", "80.00", "85.00*", "changed:", "epochs", "1.0"]
    assert text.rstrip().endswith("* of a run with other settings or data than the row's")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_people_see_the_families_as_a_table_with_notes_below(tmp_path):
    text = on_a_terminal(tmp_path, "recipes", "encoders")
    assert " google-bert/bert-base-multilingual-cased " in text
    assert any(line.startswith("MobileBERT: ") for line in text.splitlines())
