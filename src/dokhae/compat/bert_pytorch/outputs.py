"""A run's model as the old scripts left it: pytorch_model.bin, config.json, bert_config.json and vocab.txt."""

from __future__ import annotations

import logging
from pathlib import Path

from dokhae.compat import road
from dokhae.files import atomic_path, write_text

log = logging.getLogger("dokhae")
WEIGHTS = "pytorch_model.bin"


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
    """The entries of a WordPiece tokenizer, one a line; of other tokenizers nothing."""
    from dokhae.model import wordpieces

    entries = wordpieces.entries_of(model / "tokenizer.json")
    if entries is not None:
        write_text(path, entries)
        log.info("wrote %s", path)
