"""dokhae evaluate."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from dokhae.report.korean_errors import ErrorExample, KoreanErrors
    from dokhae.report.page_kinds import KindScore


def command(args: list[str]) -> Callable[..., Any]:
    """Score a file of predictions, or (with --run) the checkpoints of a run."""
    from dokhae.cli.configuration import option, option_types
    from dokhae.errors import SettingsError

    given = [option(arg) for arg in args if arg.startswith("--")]
    chosen, other = (evaluate_run, evaluate) if "run" in given else (evaluate, evaluate_run)
    strange = option_types(other).keys() - option_types(chosen).keys()
    for name in given:
        if name in strange and chosen is evaluate_run:
            raise SettingsError(f"--{name} does not go with --run, which takes a run's own dev file; leave it out")
        if name in strange:
            raise SettingsError(f"--{name} goes with --run only; name the run, or leave it out")
    return chosen


def evaluate(
    data: Positional[Path],
    predictions: Positional[Path],
    benchmark: str,
    na_probs: Path | None = None,
    na_prob_thresh: float = 1.0,
    out_image_dir: Path | None = None,
    out: Path | None = None,
    errors: bool = False,
    errors_out: Path | None = None,
    error_examples: int = 3,
    kinds_out: Path | None = None,
) -> None:
    """Score predictions with the official rule of a benchmark; the official JSON alone goes to stdout, or to --out.

    `dokhae evaluate --run RUN --checkpoints last|best|all` scores the checkpoints of a run on its dev file.

    Example: dokhae evaluate dev-v2.0.json predictions.json --benchmark squad-2.0 --na_probs na_probs.json

    Args:
        data: gold answers (for korquad-2.1 a folder of files, or one of them)
        predictions: JSON object, question id -> answer text
        benchmark: squad-1.1, squad-2.0, korquad-1.0, korquad-2.1, klue-mrc
        na_probs: JSON object, question id -> probability (or any score) of no answer; adds the best thresholds
        na_prob_thresh: predict no answer above it
        out_image_dir: folder for precision-recall curves and histograms; needs --na_probs
        out: file for the official JSON, in one line, in place of stdout
        errors: for Korean data: what the wrong answers miss by, what that costs, and examples, on stderr
        errors_out: JSON file for the same; implies --errors
        error_examples: examples of each kind of error
        kinds_out: for korquad-2.1: JSON file for the scores by kind of answer, which are shown on stderr
    """
    from dokhae import evaluation
    from dokhae.errors import SettingsError
    from dokhae.files import write_json, write_text

    if out and out.resolve() in {path.resolve() for path in (data, predictions, na_probs) if path}:
        raise SettingsError(f"{out}: writing there would replace what is scored; name another --out")
    given = evaluation.read(data, predictions, benchmark, na_probs, na_prob_thresh, out_image_dir)
    found = evaluation.korean_errors(given, error_examples) if errors or errors_out else None
    scores, kinds = evaluation.score(given), evaluation.kinds(given)
    if kinds_out and not kinds:
        raise SettingsError(f"{benchmark} has no kinds of answers; leave out --kinds_out")
    if found and errors_out:
        write_json(errors_out, found.content())
    if out:
        write_text(out, json.dumps(scores))
    else:
        sys.stdout.write(json.dumps(scores, indent=2 if "total" in scores else None) + "\n")
        sys.stdout.flush()
    show(scores, benchmark)
    if kinds_out:
        write_json(kinds_out, {one.kind: one._asdict() for one in kinds})
    if kinds:
        show_kinds(kinds)
    if found:
        show_errors(found)


def evaluate_run(
    run: Path,
    checkpoints: Literal["last", "best", "all"] = "best",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    trust_remote_code: bool = False,
) -> None:
    """Score checkpoints of a run on its dev file; the scores of the best of them go to stdout.

    Writes best_results.json into the run folder: every scored checkpoint, and the best of them by number.

    Example: dokhae evaluate --run runs/koelectra --checkpoints all

    Args:
        run: the run folder
        checkpoints: the last one, the best by the dev score, or all that were kept (--keep.best in training)
        device: where the model runs
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import training

    report = training.evaluate_run(run, checkpoints, device, trust_remote_code=trust_remote_code)
    sys.stdout.write(json.dumps(report["best"]["scores"]) + "\n")
    sys.stdout.flush()
    for entry in report["checkpoints"]:
        mark = ", the best" if entry is report["best"] else ""
        show(entry["scores"], f"{entry['checkpoint']} (step {entry['step']}{mark})")
        if "null_threshold" in entry:
            sys.stderr.write(f"{entry['null_threshold']}\n")


def show(scores: dict[str, float | int], title: str) -> None:
    """The scores as a table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table("score", title)
    for name, value in scores.items():
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    Console(stderr=True).print(table)


def show_kinds(kinds: list[KindScore]) -> None:
    """The scores by kind of answer as a table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table("gold answer", "questions", "EM", "F1")
    for one in kinds:
        table.add_row(one.kind, str(one.questions), f"{one.exact_match:.2f}", f"{one.f1:.2f}")
    Console(stderr=True).print(table)


def show_errors(found: KoreanErrors) -> None:
    """The classes of errors as a table on stderr, and below it the examples of each."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("error", "questions", "share", "EM if fixed", "what it is")
    for each in found.classes:
        if each.count:
            share, fixed = f"{100 * each.share:.1f} %", f"{each.exact_match_if_fixed:.2f}"
            table.add_row(each.name, str(each.count), share, fixed, each.meaning)
    table.add_section()
    table.add_row("all", str(found.wrong), f"{100 * found.wrong / found.questions:.1f} %", "100.00",
                  f"of {found.questions} questions; EM now {found.exact_match:.2f}")  # fmt: skip
    console.print(table)
    for each in found.classes:
        for number, one in enumerate(each.examples):
            title = "" if number else f"\n{each.name}\n"
            console.print(f"{title}{_as_text(one)}", markup=False, highlight=False, soft_wrap=True)


def _as_text(one: ErrorExample) -> str:
    from dokhae.data.fields import shortened

    said = "nothing" if one.prediction is None else shortened(one.prediction, 120)
    question, context = " ".join(one.question.split()), " ".join(one.context.split())
    return f"  {shortened(one.gold, 120)} -> {said}\n    {question} ({one.id})\n    {context[:200]}"
