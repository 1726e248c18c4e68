from __future__ import annotations

import subprocess
import sys

import pytest

from dokhae.errors import MissingExtra
from dokhae.metrics import Curve
from dokhae.report.plots import draw_squad2_images

CURVES = {name: Curve((0.0, 0.5, 1.0), (1.0, 1.0, 0.7), 85.0) for name in ("pr_exact", "pr_f1", "pr_oracle")}
NA_PROBS = {"q1": 0.1, "q2": 0.9}


def test_images_have_the_official_names(tmp_path):
    pytest.importorskip("matplotlib")
    written = draw_squad2_images(tmp_path / "images", CURVES, NA_PROBS, {"q1": True, "q2": False})
    names = ["pr_exact.png", "pr_f1.png", "pr_oracle.png", "na_prob_hist_hasAns.png", "na_prob_hist_noAns.png"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted(names)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_subset_without_questions_gets_no_image(tmp_path):
    pytest.importorskip("matplotlib")
    assert draw_squad2_images(tmp_path, {}, NA_PROBS, {"q2": False}) == [tmp_path / "na_prob_hist_noAns.png"]


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtra, match=r"dokhae\[report\]"):
        draw_squad2_images(tmp_path, CURVES, NA_PROBS, {})


def test_importing_the_plots_loads_no_matplotlib():
    code = "import sys, dokhae.report.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
