"""Settings that mean nothing are refused before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dokhae.errors import SettingsError
from dokhae.records import from_mapping, to_mapping
from dokhae.training import KeepConfig, OptimizerConfig, TrainConfig
from training.small import config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it has to be at least 1"),
        ({"epochs": -1.0}, "epochs is -1.0; it has to be above 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0; it has to be above 0"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"max_train_examples": 0}, "max_train_examples is 0"),
        ({"epochs": float("inf")}, "epochs is inf; it has to be finite"),
        ({"epochs": 0.0}, "epochs is 0; it has to be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "has to be below"),
        ({"optimizer": OptimizerConfig(power=2.0)}, "optimizer.power is 2.0, but optimizer.schedule is linear"),
        ({"null_threshold": float("nan")}, "null_threshold is not a number"),
        ({"optimizer": OptimizerConfig(clip=float("nan"))}, r"optimizer\.clip is nan"),
        ({"optimizer": OptimizerConfig(weight_decay=-1.0)}, r"optimizer\.weight_decay is -1"),
        ({"step": 16, "overlap": 16}, "give step or overlap, not both"),
        ({"max_length": 4}, "max_length is 4 tokens"),
        ({"optimizer": OptimizerConfig(accumulate=0)}, r"optimizer\.accumulate is 0"),
        ({"optimizer": OptimizerConfig(warmup=-0.1)}, r"optimizer\.warmup is -0\.1"),
        ({"keep": KeepConfig(best=0)}, r"keep\.best is 0"),
        ({"keep": KeepConfig(patience=0)}, r"keep\.patience is 0"),
        ({"keep": KeepConfig(patience=1), "dev": None}, "needs a dev file"),
        ({"keep": KeepConfig(patience=1, best_by="last")}, "keep.best_by can be loss, em, f1$"),
        ({"keep": KeepConfig(best_by="f2")}, "keep.best_by is 'f2'; it can be loss, em, f1, last"),
    ],
)
def test_a_setting_without_meaning_names_itself(changes, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        config(tmp_path, tmp_path, tmp_path, **changes)


def test_text_passes_for_paths():
    settings = TrainConfig(benchmark="squad-1.1", model="m", train="train.json", dev="dev.json", out="runs/x")  # type: ignore[arg-type]
    assert (settings.train, settings.dev, settings.out) == (Path("train.json"), Path("dev.json"), Path("runs/x"))


def test_a_config_survives_yaml(tmp_path):
    settings = config(tmp_path, tmp_path / "d.json", tmp_path / "run", optimizer=OptimizerConfig(warmup=500, clip=0.5))
    text = yaml.safe_dump(to_mapping(settings))
    assert from_mapping(TrainConfig, yaml.safe_load(text), "config.yaml") == settings


def test_epochs_and_steps_say_how_long_it_takes(tmp_path):
    from dokhae.training.fit import step_count

    settings = config(tmp_path, tmp_path, tmp_path, epochs=2, optimizer=OptimizerConfig(accumulate=4))
    assert step_count(settings, batches=10) == 6  # 3 steps an epoch: 4 + 4 + 2 batches
    assert step_count(config(tmp_path, tmp_path, tmp_path, max_steps=7), batches=10) == 7
    assert step_count(config(tmp_path, tmp_path, tmp_path, epochs=0.01), batches=10) == 1


def test_windows_longer_than_the_positions_are_refused():
    from dokhae.model.inputs import check_length

    with pytest.raises(SettingsError, match="the positions of encoder end at 512; use --max_length 512"):
        check_length(513, 512, "encoder")
    check_length(512, 512, "encoder")
    check_length(100_000, None, "encoder")
