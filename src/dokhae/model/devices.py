"""Which devices are here, which precisions each computes in, and in which it is fastest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Literal

import torch

from dokhae.errors import SettingsError

Precision = Literal["fp32", "bf16", "fp16"]
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
TENSOR_CORES = (7, 0)  # the compute capability from which on a GPU's matrix units take fp16
BF16_UNITS = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")  # a CPU's instructions as torch names them, the best first


def choose_device(device: str) -> str:
    """Turn "auto" into the best device here; SettingsError for one that is not here."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available.get(device, False):
        here = ", ".join(name for name, yes in available.items() if yes)
        raise SettingsError(f"device {device!r} is not here; this machine has {here} (see `dokhae doctor`)")
    return device


def choose_precision(precision: str, device: str) -> Precision:
    """Turn "auto" into the fastest precision of a device; SettingsError for one that it cannot train or run in."""
    if precision == "auto":
        return fastest(device)[0]
    if precision not in ("fp32", *AUTOCAST):
        raise SettingsError(f"precision is {precision!r}; it can be fp32, {', '.join(AUTOCAST)} or auto")
    if precision == "fp16" and device == "cpu":
        raise SettingsError("precision fp16 needs a GPU; on the CPU use bf16 or fp32")
    if precision == "bf16" and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SettingsError("this GPU has no bf16; use --precision fp16")
    return precision  # type: ignore[return-value]


def usable_precision(precision: str, device: str) -> Precision:
    """The precision that a model was trained in, or fp32 where this device cannot compute in it, or only very slowly.

    A CPU without AVX512 has no kernels for bf16: torch's own loops took 6 times as long as fp32.
    """
    try:
        chosen = choose_precision(precision, device)
    except SettingsError:
        return "fp32"
    return chosen if device != "cpu" or onednn_takes(AUTOCAST.get(chosen, torch.float32)) else "fp32"


def fastest(device: str) -> tuple[Precision, str]:
    """The precision that a device is fastest in, and why."""
    return {"cpu": _of_cpu, "cuda": _of_gpu}.get(device, _of_others)()


def bf16_units(capabilities: Mapping[str, Any] | None = None) -> str | None:
    """The instructions by which a CPU (this one, unless its capabilities are given) multiplies bf16, None without."""
    if capabilities is None:
        capabilities = torch.cpu.get_capabilities()
    return next((name for name in BF16_UNITS if capabilities.get(name)), None)


def onednn_takes(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes with such numbers on this CPU: bf16 needs AVX512, and torch may be built without it."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision for the models' matrix products; nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])


def _of_cpu() -> tuple[Precision, str]:
    units = bf16_units()
    if units is None:
        return "fp32", "this CPU has no instructions for bf16"
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # it is what uses them
        return "fp32", f"this CPU has {units}, but this torch is built without oneDNN"
    return "bf16", f"this CPU has {units}"


def _of_gpu() -> tuple[Precision, str]:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16", "this GPU has bf16"
    if torch.cuda.get_device_capability() >= TENSOR_CORES:
        return "fp16", "this GPU has matrix units for fp16, but no bf16"
    return "fp32", "this GPU has no matrix units for 16 bits"


def _of_others() -> tuple[Precision, str]:
    return "fp32", "mixed precision has not been measured on it"
