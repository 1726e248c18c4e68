"""dokhae convert verify."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from dokhae.convert.verify import Comparison


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return verify


def verify(
    checkpoint: Positional[Path],
    folder: Positional[Path],
    config: Path | None = None,
    text: Path | None = None,
    electra: Literal["discriminator", "generator"] = "discriminator",
) -> None:
    """Run a TensorFlow checkpoint and the folder made from it on the same texts, and show how far they are apart.

    TensorFlow computes its side from the variables alone, with its own operations, in float32. Exit code 1 where the
    standard deviation of a layer is over 9e-7, of logits over 1e-5, or the mean losses are more than 2.5e-7 apart.

    Example: dokhae convert verify bert_model.ckpt encoders/bert --config bert_config.json

    Args:
        checkpoint: bert_model.ckpt for bert_model.ckpt.index and its .data files, or the folder with them
        folder: what `dokhae convert tf` has written
        config: bert_config.json of the checkpoint; without, the one beside it, or else the folder's config.json
        text: file of texts of up to 512 tokens, one a line, a pair as `first ||| second`; without, 16 packaged pairs
        electra: which half of an ELECTRA the folder is
    """
    from dokhae.cli.convert.quiet import import_quietly
    from dokhae.convert.verify import compare, refuse_differences

    import_quietly()
    found = compare(checkpoint, folder, config, text, electra)
    _show(found)
    refuse_differences(found.differences, checkpoint, folder)
    sys.stdout.write("the same: no standard deviation, and no mean loss, is over its bound\n")


def _show(found: Comparison) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("output", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("standard deviation", "maximum", "bound"):
        table.add_column(name, justify="right")
    for one in found.differences:
        numbers = (f"{number:.2e}" for number in (one.deviation, one.most, one.bound))
        table.add_row(one.name, *numbers, style="red" if one.is_too_large else None)
        if one.name == "loss":
            table.add_row("  mean of the texts", "", f"{one.held:.2e}", "")
    console = Console(highlight=False)
    console.print(table)
    if found.not_compared:
        console.print(f"not compared: {', '.join(found.not_compared)}", soft_wrap=True, markup=False)
