"""dokhae demo."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return demo


def demo(out: Path = Path("runs/demo"), overwrite: bool = False) -> None:
    """The main road on packaged data, offline: make a tiny encoder, fine-tune it for a minute, score it, ask it.

    Example: dokhae demo --out runs/demo

    Args:
        out: folder for the encoder and the run
        overwrite: replace the folder of an earlier demo
    """
    from rich.console import Console

    from dokhae import demo as demonstration
    from dokhae.cli.ask import show
    from dokhae.cli.evaluate import show as show_scores

    report, answers = demonstration.run(out, overwrite)
    show_scores(report["scores"], report["benchmark"])
    console = Console(highlight=False)
    for example, prediction in answers:
        console.print(f"\n[bold]{example.question}[/bold]  (gold: {example.answers[0].text})")
        show(prediction, example.context, top=3)
    sys.stdout.flush()
    sys.stderr.write(
        f"\n{report['null_threshold']}\nThe encoder knew nothing a minute ago, and its passages are invented: these "
        f"scores say that the road works, no more.\nrun: {out / 'run'}\n"
    )
