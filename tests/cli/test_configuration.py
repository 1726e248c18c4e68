"""--config FILE.yaml"""

from __future__ import annotations

import pytest

from dokhae.cli.configuration import with_config
from dokhae.cli.predict import predict
from dokhae.cli.train import train
from dokhae.errors import DataError, SettingsError


@pytest.fixture
def config(write):
    return lambda text: str(write("settings.yaml", text))


def test_a_file_stands_for_the_options_in_it(config):
    path = config("model: runs/k\nbatch_size: 4\nnull_threshold: -2\n")
    options = ["--model", "runs/k", "--batch_size", "4", "--null_threshold", "-2"]
    assert with_config(["dev.json", "--config", path], predict) == [*options, "dev.json"]
    assert with_config([f"--config={path}", "dev.json"], predict) == [*options, "dev.json"]


def test_options_on_the_command_line_win_however_they_are_spelt(config):
    path = config("model: runs/k\nbatch-size: 4\n")
    assert with_config(["--batch-size", "8", "--config", path], predict) == ["--model", "runs/k", "--batch-size", "8"]
    assert with_config(["--batch_size=8", "--config", path], predict) == ["--model", "runs/k", "--batch_size=8"]


def test_groups_are_nested_mappings(config):
    path = config("epochs: 3\noptimizer:\n  warmup: 0.2\n  weight-decay: 0\nkeep: {best: 2}\ndecoding:\n")
    assert with_config(["--config", path, "--optimizer.warmup", "10"], train) == [
        "--epochs", "3", "--optimizer.weight_decay", "0", "--keep.best", "2", "--optimizer.warmup", "10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("trust_remote_code: true", ["--trust_remote_code"]),
        ("trust_remote_code: false", []),
        ("benchmark: null", []),
    ],
)
def test_true_is_a_bare_option_and_false_or_null_is_none(config, text, options):
    assert with_config(["--config", config(text)], predict) == options


def test_of_several_files_each_is_read_and_the_later_one_comes_later(write):
    first, second = write("a.yaml", "model: a\nout: p.json"), write("b.yaml", "model: b")
    assert with_config(["--config", str(first), "--config", str(second)], predict) == [
        "--model", "a", "--out", "p.json", "--model", "b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: x", "modle is not a setting; did you mean model?"),
        ("optimizer: {warmpu: 1}", "optimizer.warmpu is not a setting; did you mean optimizer.warmup?"),
        ("7: x", "7 is not a setting; known are benchmark, model, "),
        ("optimizer: 3", "optimizer is a group of settings, not one value"),
        ("model: {name: x}", "model is one value, not a group of settings"),
        ("trust_remote_code: yes please", "trust_remote_code: is 'yes please'; it has to be true or false"),
        ("epochs: true", "epochs: is True; it has to be one value"),
        ("model: [a, b]", r"model: is \['a', 'b'\]; it has to be one value"),
        ("model: [a", "is not YAML: "),
        ("- a\n- b", "has to be a mapping of setting: value"),
        ("just text", "has to be a mapping of setting: value"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(config, text, message):
    with pytest.raises(SettingsError, match=f"^[^ ]*settings.yaml: {message}"):
        with_config(["--config", config(text)], train)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="none.yaml: no such file"):
        with_config(["--config", str(tmp_path / "none.yaml")], train)


@pytest.mark.parametrize("arguments", [["--config"], ["--config="]])
def test_config_needs_a_file(arguments):
    with pytest.raises(SettingsError, match="--config needs a file"):
        with_config(arguments, train)


def test_a_verb_runs_from_a_file(dokhae, write, questions, tiny_bert):
    path = write("settings.yaml", f"benchmark: squad-1.1\nmodel: {tiny_bert}\nmax-length: 40\nstep: 8\n")
    outcome = dokhae("ceiling", questions, "--config", path)
    assert outcome.code == 0
    assert "exact match" in outcome.out


def test_the_faults_of_a_file_are_one_line(refusal, write):
    assert refusal("train", "--config", write("a.yaml", "modle: x")).endswith("; did you mean model?")
