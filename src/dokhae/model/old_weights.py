"""The weights of a BERT from before transformers, under the names that transformers has for them now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dokhae.errors import ModelError
from dokhae.model.tensorflow import read_checkpoint
from dokhae.model.variables import each_once

SAFE, TORCH, CHECKPOINT = "model.safetensors", "pytorch_model.bin", "*.ckpt*.index"
OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}  # endings, of LayerNorm alone
PARALLEL = "module."  # before every name, of a model that was saved as several GPUs had it
# Of an encoder; where they stand alone, it was saved without a head.
PARTS = ("embeddings.", "embeddings_project.", "encoder.", "pooler.")


def read_weights(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The file in a folder that has the weights, and the weights by name. ModelError where there is none, or damage.

    MissingExtra where they are TensorFlow's, which is not installed.
    """
    path = _find(folder)
    if path.suffix == ".index":
        return path, read_checkpoint(path.with_suffix(""))
    return path, read_old(path)


def read_old(path: Path, model: str = "bert") -> dict[str, Any]:
    """The weights in a file of PyTorch's or safetensors, by name; model: what the names of an encoder begin with.

    Nothing in the file is run. ModelError where it holds no weights, two for one, or is damaged.
    """
    weights = _read(path)
    called = each_once(((_renamed(name, model), name) for name in weights), path)
    return {name: weights[own] for name, own in called.items()}


def _find(folder: Path) -> Path:
    checkpoints = sorted(folder.glob(CHECKPOINT))
    for path in (folder / SAFE, folder / TORCH, *checkpoints[:1]):
        if path.exists():
            if path in checkpoints[:1] and len(checkpoints) > 1:
                raise ModelError(f"{folder}: has the checkpoints {', '.join(one.name for one in checkpoints)}; leave "
                                 "the files of one of them")  # fmt: skip
            return path
    raise ModelError(f"{folder}: has no weights: neither {SAFE}, {TORCH} nor a TensorFlow checkpoint (*.ckpt.index, "
                     "*.ckpt.data-…); copy them beside bert_config.json")  # fmt: skip


def _read(path: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import load_file

    try:
        content = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # whatever zipfile, pickle, safetensors or torch say of a damaged file
        raise ModelError(f"{path}: cannot be read as weights alone ({_reason(error)}); copy it again, or have them "
                         f"saved as {SAFE} where it came from") from None  # fmt: skip
    named = isinstance(content, dict) and all(isinstance(weight, torch.Tensor) for weight in content.values())
    if not named or not content:
        raise ModelError(f"{path}: has no weights by name; take the file with the model's state_dict")
    return {str(name): weight for name, weight in content.items()}


def _reason(error: Exception) -> str:
    """In a line. What torch refuses to run it names only after advice to run it all the same."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "weights_only" not in line]
    return (told or [type(error).__name__])[0].partition(". ")[0].rstrip(".")


def _renamed(name: str, model: str) -> str:
    name = name.removeprefix(PARALLEL)
    for old, new in OLD_NAMES.items():
        name = name.removesuffix(old) + new if name.endswith(f"LayerNorm{old}") else name
    return f"{model}.{name}" if name.startswith(PARTS) else name
