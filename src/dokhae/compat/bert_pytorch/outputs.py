"""A run's model as the old scripts left it: pytorch_model.bin, config.json, bert_config.json and vocab.txt."""

from __future__ import annotations

import logging
from pathlib import Path

from dokhae.compat import road
from dokhae.files import atomic_path, read_json, write_text

log = logging.getLogger("dokhae")
WEIGHTS = "pytorch_model.bin"


def is_trained(run: Path) -> bool:
    """Whether a training has ended in this folder."""
    return (run / "model" / "config.json").exists()


def leave(run: Path) -> None:
    """Write the model of a finished run beside the run's own files under its old names; only the first process does."""
    if not road.speaks():
        return
    model = run / "model"
    save_weights(model, run / WEIGHTS)
    road.name_as(model, {"config.json": "config.json"}, run)
    road.name_as(model, {"config.json": "bert_config.json"}, run)
    save_vocabulary(model, run / "vocab.txt")


def save_weights(model: Path, path: Path) -> None:
    """What torch.save makes of a model folder's weights: a state dict with transformers' names."""
    import torch

    from dokhae.model.old_weights import SAFE, read_old

    weights = read_old(model / SAFE)
    with atomic_path(path) as temporary:
        torch.save(weights, temporary)
    log.info("wrote %s: the weights of %s once more (%.0f MB)", path, model / SAFE, path.stat().st_size / 1e6)


def save_vocabulary(model: Path, path: Path) -> None:
    """A WordPiece tokenizer's entries in the order of their ids, one a line; of other tokenizers nothing."""
    content = read_json(model / "tokenizer.json")["model"]
    if content.get("type") != "WordPiece":
        return
    entries = sorted(content["vocab"], key=content["vocab"].__getitem__)
    # an entry with a space stands for an empty line, whose id it keeps
    write_text(path, "".join(f"{'' if ' ' in entry else entry}\n" for entry in entries))
    log.info("wrote %s", path)
