"""dokhae scratch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return scratch


def scratch(
    vocabulary: Path,
    out: Path,
    layers: int = 4,
    hidden_size: int = 128,
    heads: int = 4,
    lower_case: bool = False,
    max_length: int = 512,
    seed: int = 0,
) -> None:
    """Make an untrained BERT encoder with a WordPiece vocabulary: a baseline, or a model to try the road out with.

    Example: dokhae scratch --vocabulary vocab.txt --layers 4 --hidden_size 128 --out encoders/tiny

    Args:
        vocabulary: WordPiece vocab.txt
        out: folder to create
        layers: transformer layers
        hidden_size: width
        heads: attention heads per layer
        lower_case: lower-case and strip accents before tokenizing (never for Korean)
        max_length: longest window in tokens
        seed: of the random weights
    """
    from dokhae.files import refuse_full_folder
    from dokhae.model.scratch import new_encoder

    refuse_full_folder(out)
    new_encoder(out, vocabulary, layers, hidden_size, heads, lower_case, max_length, seed)
    logging.getLogger("dokhae").info("wrote %s", out)
