"""An old command line is read by its table."""

from __future__ import annotations

import logging

import pytest

from dokhae.compat.reading import read
from dokhae.compat.road import options
from dokhae.compat.table import Flag, Script, bare, rest, truth
from dokhae.errors import SettingsError

FLAGS = (
    Flag("--max_seq_length", int, 384, to="max_length"),
    Flag("--learning_rate", float, 5e-5, to="learning_rate"),
    Flag("--warmup_proportion", float, 0.1, to="optimizer.warmup"),
    Flag("--seed", int, to="seed"),
    Flag("--do_train", bare, note="trains"),
    Flag("--verbose_logging", bare, gone="what is skipped is always counted and said"),
    Flag("--use_tpu", truth, False, note="-"),
    Flag("--version", choices=("1.1", "2.0"), default="2.0", note="-"),
    Flag("--na-prob-file", also=("-n",), note="-"),
)
SCRIPT = Script("old", "run.py", "trains", FLAGS, run=lambda given: None)


def test_what_is_not_typed_is_as_it_was_there():
    given = read(SCRIPT, ["--learning_rate", "3e-5"])
    assert given.settings() == {"max_length": 384, "learning_rate": 3e-5, "optimizer.warmup": 0.1}
    assert given.typed == {"learning_rate"}
    assert (given["do_train"], given["use_tpu"], given["version"], given["na_prob_file"]) == (False, False, "2.0", None)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("--max_seq_length=128", "max_seq_length", 128),
        ("--max_seq 128", "max_seq_length", 128),  # as argparse of old took the beginning of a name
        ("--do_train", "do_train", True),
        ("--use_tpu=True", "use_tpu", True),
        ("--use_tpu false", "use_tpu", False),
        ("--use_tpu", "use_tpu", True),
        ("--nouse_tpu", "use_tpu", False),
        ("--na-prob-file -1,-2", "na_prob_file", "-1,-2"),
        ("-n odds.json", "na_prob_file", "odds.json"),
        ("--na-prob-file odds.json", "na_prob_file", "odds.json"),
    ],
)
def test_every_way_to_type_an_option(words, key, value):
    assert read(SCRIPT, words.split())[key] == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--max_seqlen 3", "old/run.py: --max_seqlen is not one of its options; did you mean --max_seq_length?"),
        ("--max_seq_length many", "old/run.py: argument --max_seq_length: invalid int value: 'many'"),
        ("--version 3.0", "old/run.py: argument --version: invalid choice: '3.0' (choose from 1.1, 2.0)"),
        ("dev.json", "old/run.py: dev.json is not one of its options"),
        ("--seed", "old/run.py: argument --seed: expected one argument"),
        ("--use_tpu=perhaps", "old/run.py: argument --use_tpu: invalid truth value: 'perhaps'"),
    ],
)
def test_what_it_never_took_is_refused(words, said):
    with pytest.raises(SettingsError) as refused:
        read(SCRIPT, words.split())
    assert str(refused.value).replace("'1.1', '2.0'", "1.1, 2.0") == said


def test_what_means_nothing_any_more_is_said_where_it_is_typed(caplog):
    with caplog.at_level(logging.INFO, "dokhae"):
        read(SCRIPT, ["--verbose_logging"])
        read(SCRIPT, [])
    assert caplog.messages == ["--verbose_logging: what is skipped is always counted and said"]


def test_a_whole_command_stays_as_it_is():
    launcher = Script("old", "run", "-", (Flag("-np", int), Flag("command", rest)), run=lambda given: None)
    given = read(launcher, ["-np", "4", "python3", "run.py", "--do_train", "-np", "2"])
    assert (given["np"], given["command"]) == (4, ["python3", "run.py", "--do_train", "-np", "2"])


def test_settings_as_words():
    assert options({"epochs": 2.0, "compile": True, "no_block_head": False, "seed": None, "optimizer.clip": 0}) == [
        "--epochs=2.0", "--compile", "--optimizer.clip=0",
    ]  # fmt: skip
