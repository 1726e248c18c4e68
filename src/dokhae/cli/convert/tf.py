"""dokhae convert tf."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from dokhae.convert.folders import Conversion

log = logging.getLogger("dokhae")
SHOWN = 3  # names of each kind of what is left out


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return tf


def tf(
    checkpoint: Positional[Path],
    config: Path,
    vocab: Path,
    out: Path,
    casing: Literal["auto", "cased", "uncased"] = "auto",
    electra: Literal["discriminator", "generator"] = "discriminator",
) -> None:
    """Write a TensorFlow 1 checkpoint of BERT, ALBERT or ELECTRA as a Hugging Face folder: weights, config, tokenizer.

    Every variable is loaded, or left out for a reason that is told, or nothing is written. The class follows from the
    variables: with a span head BertForQuestionAnswering, with the heads of pretraining BertForPreTraining, and so on.

    Example: dokhae convert tf bert_model.ckpt --config bert_config.json --vocab vocab.txt --out encoders/bert

    Args:
        checkpoint: bert_model.ckpt for bert_model.ckpt.index and its .data files, or the folder with them
        config: bert_config.json (albert_config.json, or for ELECTRA its sizes as transformers names them)
        vocab: vocab.txt, or ALBERT's SentencePiece .model
        out: folder to create
        casing: auto: as do_lower_case in the config or a tokenizer_config.json says, else as the vocabulary shows
        electra: which half of an ELECTRA to convert
    """
    from dokhae.cli.convert.quiet import import_quietly
    from dokhae.convert.folders import Wanted, convert_tensorflow
    from dokhae.errors import optional
    from dokhae.files import refuse_full_folder
    from dokhae.model.tensorflow import open_checkpoint

    refuse_full_folder(out)  # now, not when TensorFlow is loaded
    with optional("a conversion", "train"):
        import transformers  # noqa: F401
    import_quietly()
    tell(convert_tensorflow(open_checkpoint(checkpoint), Wanted(config, vocab, out, casing), electra), out)


def tell(done: Conversion, out: Path) -> None:
    """What was loaded, what not, and what the folder is."""
    rest = sum(len(names) for names in done.left_out.values())
    log.info("%s: all accounted for: %d loaded, %d left out", done.source, done.loaded, rest)
    for reason, names in done.left_out.items():
        more = ", …" if len(names) > SHOWN else ""
        log.info("left out: %s (%d): %s%s", reason, len(names), ", ".join(names[:SHOWN]), more)
    if done.unknown_settings:
        log.info("settings that transformers has not, left out: %s", ", ".join(done.unknown_settings))
    log.info("%s", done.casing)
    log.info("wrote %s: %s", out, done.class_name)
