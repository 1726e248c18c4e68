"""dokhae convert pytorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return pytorch


def pytorch(
    old_bin: Positional[Path],
    out: Path,
    config: Path | None = None,
    vocab: Path | None = None,
    casing: Literal["auto", "cased", "uncased"] = "auto",
) -> None:
    """Write an old pytorch_model.bin (gamma and beta, with or without a head) as a Hugging Face folder.

    Nothing in the file is run: one with anything else than weights is refused.

    Example: dokhae convert pytorch kobert_old --out encoders/kobert

    Args:
        old_bin: pytorch_model.bin, or the folder with it
        out: folder to create
        config: the model's settings; without, config.json or bert_config.json beside the weights
        vocab: vocab.txt or a SentencePiece .model; without, vocab.txt or spiece.model beside the weights
        casing: auto: as do_lower_case in the config or a tokenizer_config.json says, else as the vocabulary shows
    """
    from dokhae.cli.convert.tf import tell
    from dokhae.convert.folders import Wanted, convert_pytorch, files_of
    from dokhae.errors import optional

    with optional("a conversion", "train"):
        import transformers  # noqa: F401
    path, settings, entries = files_of(old_bin, config, vocab)
    tell(convert_pytorch(path, Wanted(settings, entries, out, casing)), out)
