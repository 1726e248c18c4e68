"""dokhae demo."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dokhae.demo import Row


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return demo


def demo(out: Path = Path("runs/demo"), overwrite: bool = False) -> None:
    """The main road on packaged data, offline: fine-tune a small encoder, score it on names it never saw, ask it.

    Example: dokhae demo --out runs/demo

    Args:
        out: run folder
        overwrite: replace the folder of an earlier demo
    """
    from rich.console import Console

    from dokhae import demo as demonstration
    from dokhae.cli.ask import show

    report = demonstration.run(out, overwrite)
    console = Console(highlight=False)
    console.print()
    show_table(report.rows)
    for example, prediction in report.asked:
        console.print(f"\n[bold]{example.question}[/bold]  [dim](gold: {example.answers[0].text})[/dim]")
        show(prediction, example.context, top=1)
    sys.stdout.flush()
    sys.stderr.write(
        f"\n{report.threshold}\nThe passages are invented and the encoder is tiny: the table says that the road works, "
        f"not how well a real model reads.\nrun: {out}\nask it yourself: echo 'The Grey Otter was launched in 1803 at "
        f"Kestford.' | dokhae ask --model {out} --context - 'When was the Grey Otter launched?'\n"
    )


def show_table(rows: list[Row]) -> None:
    """Scores of each part of the sample, in both languages."""
    from rich.console import Console
    from rich.table import Table

    from dokhae.demo import LANGUAGES, PARTS

    for part, title in PARTS.items():
        table = Table("", title=title, title_justify="left", title_style="bold")
        for language in LANGUAGES.values():
            for column in ("EM", "F1", "no answer"):
                table.add_column(f"{language}\n{column}", justify="right")
        for row in (row for row in rows if row.part == part):
            cells = [
                f"{value:.1f}"
                for scores in row.scores.values()
                for value in (scores.exact_match, scores.f1, scores.no_answer)
            ]
            table.add_row(row.name, *cells, style="bold" if row.name == "fine-tuned" else None)
        Console().print(table)
