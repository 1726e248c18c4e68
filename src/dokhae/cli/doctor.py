"""dokhae doctor."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = {
    "core": ("numpy", "tokenizers", "tyro", "rich", "beautifulsoup4", "lxml", "httpx2", "bm25s"),
    "train": ("torch", "transformers", "lightning", "safetensors", "sentencepiece", "tensorboard"),
    "data": ("pyarrow",),
    "korean": ("kiwipiepy", "python-mecab-ko"),
    "tf": ("tensorflow-cpu",),
    "report": ("matplotlib",),
    "sweep": ("optuna",),
    "mlflow": ("mlflow-skinny",),
    "wandb": ("wandb",),
}
REFUSED = {"lightning": ("2.6.2", "2.6.3")}  # these releases were compromised


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return doctor


def doctor(offline: bool = False) -> None:
    """Say what this machine and this installation can do: Python, packages, devices, caches, the hub.

    Example: dokhae doctor

    Args:
        offline: do not try to reach the hub
    """
    rows = [("python", f"{platform.python_version()} on {platform.platform()}"), ("cores", str(os.cpu_count()))]
    rows += [(f"{extra}: {name}", found(name)) for extra, names in PACKAGES.items() for name in names]
    rows += [*devices(), *caches()]
    if not offline:
        rows.append(("hub", hub()))
    width = max(len(name) for name, _ in rows)
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in rows))


def found(package: str) -> str:
    """The installed version of a package, or how to get it."""
    try:
        installed = version(package)
    except PackageNotFoundError:
        extra = next(extra for extra, names in PACKAGES.items() if package in names)
        return f"not installed (pip install 'dokhae[{extra}]')"
    bad = installed in REFUSED.get(package, ())
    return f"{installed}  DANGER: this release was compromised; remove it" if bad else installed


def devices() -> list[tuple[str, str]]:
    """What torch can compute on, with memory and bf16, and in what precision training is."""
    try:
        import torch
    except ImportError:
        return [("devices", "torch is not installed: data and scores work, models do not")]
    from dokhae.model.devices import bf16_units, choose_device, fastest

    rows = [("cpu", f"{torch.get_num_threads()} threads, bf16 {bf16_units() or 'emulated (slow)'}")]
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        bf16 = "yes" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
        rows.append((f"cuda:{index}", f"{torch.cuda.get_device_name(index)}, {free / 2**30:.1f} of {total / 2**30:.1f} "
                                      f"GiB free, bf16 {bf16}"))  # fmt: skip
    if not torch.cuda.device_count():
        rows.append(("cuda", "none" if torch.version.cuda else "none (this torch is a CPU build)"))
    rows.append(("mps", "yes" if torch.backends.mps.is_available() else "none"))
    device = choose_device("auto")
    precision, why = fastest(device)
    rows.append(("precision auto", f"{precision} on {device}: {why}"))
    return rows


def caches() -> list[tuple[str, str]]:
    """Where features and downloaded models are kept."""
    from dokhae.encoding.cache import cache_folder

    rows = [("cache: features", str(cache_folder()))]
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return rows
    return [*rows, ("cache: models", str(HF_HUB_CACHE))]


def hub() -> str:
    """Whether the model hub answers."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        return "not asked: huggingface_hub is not installed"
    try:
        HfApi().model_info("google-bert/bert-base-multilingual-cased", timeout=5)
    except Exception as error:  # whatever HTTP library the hub client uses
        return f"not reachable ({error or type(error).__name__}); local folders and cached models work"
    return "reachable"
