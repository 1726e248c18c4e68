"""The device and the precision that "auto" stands for, by what is here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dokhae.errors import OutOfMemory, SettingsError
from dokhae.model.answering import explained_memory
from dokhae.model.devices import autocast, bf16_units, choose_device, choose_precision, fastest, usable_precision


@pytest.mark.parametrize(
    ("capabilities", "units"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, "amx_bf16"),
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "avx512_bf16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, None),
        ({"neon": True, "bf16": True}, "bf16"),
        ({"neon": True, "bf16": False}, None),
        ({}, None),
    ],
)
def test_a_cpu_has_bf16_where_it_has_instructions_for_it(capabilities, units):
    assert bf16_units(capabilities) == units


@pytest.mark.parametrize(
    ("capabilities", "onednn", "found"),
    [
        ({"avx512_bf16": True}, True, ("bf16", "this CPU has avx512_bf16")),
        ({"avx512_bf16": True}, False, ("fp32", "this CPU has avx512_bf16, but this torch is built without oneDNN")),
        ({"avx2": True}, True, ("fp32", "this CPU has no instructions for bf16")),
    ],
)
def test_a_cpu_computes_in_bf16_where_it_and_torch_can(capabilities, onednn, found, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    assert fastest("cpu") == found
    assert choose_precision("auto", "cpu") == found[0]


@pytest.mark.parametrize(
    ("bf16", "capability", "precision"),
    [(True, (9, 0), "bf16"), (True, (8, 0), "bf16"), (False, (7, 5), "fp16"), (False, (6, 1), "fp32")],
)
def test_a_gpu_computes_in_what_its_matrix_units_take(bf16, capability, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert choose_precision("auto", "cuda") == precision


def test_other_devices_compute_in_full_precision():
    assert choose_precision("auto", "mps") == "fp32"


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_the_best_device(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == chosen


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_here_is_refused(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=f"device '{device}' is not here; this machine has cpu"):
        choose_device(device)


def test_a_precision_that_the_device_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(SettingsError, match="fp16 needs a GPU"):
        choose_precision("fp16", "cpu")
    with pytest.raises(SettingsError, match="this GPU has no bf16"):
        choose_precision("bf16", "cuda")
    for precision, device in (("fp32", "cpu"), ("bf16", "cpu"), ("fp16", "cuda"), ("fp32", "cuda")):
        assert choose_precision(precision, device) == precision


def test_a_model_is_scored_in_fp32_where_its_own_precision_is_not_to_be_had(monkeypatch):
    assert usable_precision("fp16", "cpu") == "fp32"
    for onednn, taken in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("dokhae.model.devices.onednn_takes", lambda dtype, found=onednn: found)
        assert usable_precision("bf16", "cpu") == taken


def test_fp32_is_not_mixed():
    with autocast(torch.device("cpu"), "fp32"):
        assert not torch.is_autocast_enabled("cpu")
    with autocast(torch.device("cpu"), "bf16"):
        assert torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("make", [lambda: torch.empty(1 << 44), lambda: np.empty(1 << 46)])
def test_memory_that_a_cpu_does_not_have_is_explained_too(make):
    with pytest.raises(OutOfMemory, match="too little memory on the device .*lower batch_size"), explained_memory():
        make()
    with pytest.raises(RuntimeError, match="something else"), explained_memory():
        raise RuntimeError("something else")
