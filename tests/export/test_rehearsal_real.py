"""Bundles of `dokhae pack` in fresh environments, from wheels that pip has brought."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dokhae.export.rehearsal.rehearse import rehearse


@pytest.mark.slow
def test_a_packed_run_scores_in_a_fresh_environment_what_it_has_scored(packed, tmp_path):
    wheels, pins = tmp_path / "wheels", packed.folder / "requirements.txt"
    bring = [sys.executable, "-m", "pip", "download", "--quiet", "-r", str(pins), "-d", str(wheels)]
    subprocess.run(bring, check=True, timeout=1200)
    report = rehearse(packed.zip, packed.data, wheels, 600.0, tmp_path / "kept")
    assert (report.held, report.faults, report.questions) == (True, (), 6)
    assert report.scores == report.run_scores
    assert report.compared == "what the run has scored, to the last digit"
    for name in ("predictions.json", "nbest_predictions.json"):
        assert (tmp_path / "kept" / "all" / "out" / name).read_bytes() == (packed.run / name).read_bytes()
    assert report.sizes.packages > 5e8  # torch
    assert 1e8 < report.speed.peak_bytes < 2e9
    assert 0 < report.speed.warm["median"] < 1
    assert report.speed.one_question_seconds > report.speed.warm["longest"]
