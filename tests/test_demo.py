"""`dokhae demo`, shortened: the road from the packaged sample to answers."""

from __future__ import annotations

import dataclasses

import pytest

from dokhae import demo
from dokhae.cli import main
from dokhae.errors import SettingsError


@pytest.fixture
def short(monkeypatch):
    full = demo.settings
    monkeypatch.setattr(demo, "settings", lambda out: dataclasses.replace(full(out), max_steps=5))


def test_the_demo_trains_scores_and_answers_in_both_languages(short, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    out, err = capsys.readouterr()
    assert "gold: 우란재" in out
    assert "exact" in err
    assert "these scores say that the road works, no more" in " ".join(err.split())
    assert (tmp_path / "demo" / "run" / "scores.json").exists()
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert main(["demo", "--out", str(tmp_path / "demo"), "--overwrite"]) == 0


def test_the_demo_replaces_only_what_a_demo_made(tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(SettingsError, match="is not an empty folder"):
        demo.prepare(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()
