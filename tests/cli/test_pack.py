"""dokhae pack."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest

from dokhae.settings import ReaderSettings


@pytest.fixture
def model(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "koelectra")
    ReaderSettings("korquad-1.0").save(folder)
    return folder


def test_it_says_what_it_wrote_and_what_comes_next(dokhae, model, tmp_path):
    out = tmp_path / "new" / "b.zip"
    outcome = dokhae("pack", model, "--for", "korquad-1.0", "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert f"wrote {out} (" in outcome.err
    assert "koelectra for korquad-1.0" in outcome.err
    assert f"dokhae rehearse {out} --data DEV" in outcome.err
    assert [path.name for path in out.parent.iterdir()] == ["b.zip"]


def test_options_may_come_from_a_file(dokhae, model, write, tmp_path):
    out = tmp_path / "b.zip"
    settings = write("pack.yaml", f"for: squad-1.1\nname: mine\nout: {out}\n")
    outcome = dokhae("pack", model, "--config", settings)
    assert outcome.code == 0, outcome.err
    assert "was trained for korquad-1.0, and is packed for squad-1.1" in outcome.err
    with zipfile.ZipFile(out) as archive:
        told = json.loads(archive.read("b/bundle.json"))
    assert (told["name"], told["benchmark"]) == ("mine", "squad-1.1")


def test_mistakes_are_one_line(refusal, model, tmp_path):
    out = tmp_path / "new" / "b.zip"
    assert "no such folder" in refusal("pack", tmp_path / "no", "--for", "korquad-1.0", "--out", out)
    assert "no leaderboard is known" in refusal("pack", model, "--for", "klue-mrc", "--out", out)
    assert "did you mean for?" in refusal("pack", model, "--fro", "korquad-1.0", "--out", out)
    assert not out.parent.exists()
