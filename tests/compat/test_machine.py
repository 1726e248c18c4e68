"""GPUs of an old command line, on a machine that may have none."""

from __future__ import annotations

import logging

import pytest
import torch

from dokhae.compat import machine
from dokhae.compat.names import hub_name
from dokhae.errors import SettingsError

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")


@no_gpu
@pytest.mark.parametrize(
    ("gpus", "accumulate", "said"),
    [
        ("-1", 3, []),
        ("0", 3, ["--gpus 0: there is no GPU here; the CPU takes its place"]),
        (
            "0,1,2,3",
            12,
            ["--gpus 0,1,2,3: there is no GPU here; one process on the CPU takes 4 batches a step in their place"],
        ),
    ],
)
def test_without_a_gpu_a_step_sees_as_many_windows(gpus, accumulate, said, caplog):
    with caplog.at_level(logging.INFO, "dokhae"):
        assert machine.place(gpus, "--gpus", 3) == {"device": "cpu", "optimizer.accumulate": accumulate}
    assert caplog.messages == said


def test_under_torchrun_its_processes_are_the_devices(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert machine.place("0,1,2,3", "--gpus", 3) == {"optimizer.accumulate": 3}


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ("all", "--gpus is 'all'; it has to be numbers of GPUs with commas, such as 0,1"),
        ("0,0", "--gpus is '0,0'; a GPU is named twice"),
    ],
)
def test_what_is_no_list_of_gpus(gpus, said):
    with pytest.raises(SettingsError, match=said.replace("(", "\\(")):
        machine.place(gpus, "--gpus")


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("bert-base-uncased", "google-bert/bert-base-uncased"),
        ("albert-base-v2", "albert/albert-base-v2"),
        ("xlnet-large-cased", "xlnet/xlnet-large-cased"),
        ("monologg/kobert", "monologg/kobert"),
        ("my-own", "my-own"),
    ],
)
def test_short_names_of_old(old, now):
    assert hub_name(old) == now


def test_a_folder_of_the_old_name_comes_first(here):
    (here / "bert-base-uncased").mkdir()
    assert hub_name("bert-base-uncased") == "bert-base-uncased"
