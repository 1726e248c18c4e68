"""dokhae data audit."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dokhae.data.audit.findings import Case, Finding
    from dokhae.data.audit.repair import Repair
    from dokhae.data.audit.report import Audit

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return audit


def audit(
    file: Positional[Path],
    against: Path | None = None,
    benchmark: str | None = None,
    repair: Path | None = None,
    format: Literal["text", "json"] = "text",
    show: int = 3,
    strict: bool = False,
) -> None:
    """What is in a data file and what is wrong with it: offsets, ids, repeats, odd characters, overlap with training.

    --repair OUT writes a copy in which everything is mended that is certain, and OUT.diff.txt with every change. What
    training would refuse and cannot be mended is left out of the copy, and listed.

    Example: dokhae data audit dev.json --against train.json --repair dev.mended.json

    Args:
        file: .json (SQuAD, KorQuAD 1.0 and 2.x, or rows), .jsonl, .csv, .tsv or .parquet
        against: training file; contexts, questions and ids that it has too are reported
        benchmark: what the file is for; squad-1.1 and korquad-1.0 know no questions without an answer
        repair: mended copy to write, in the format of the file
        format: tables with some examples, or an object with every case
        show: examples of each finding in the tables
        strict: exit with 2 where training would refuse the file
    """
    from dokhae import benchmarks
    from dokhae.data import audit_file, repair_file
    from dokhae.data.audit.repair import check_repair_target, diff_path
    from dokhae.data.audit.report import as_mapping
    from dokhae.errors import DataError, SettingsError

    if show < 0:
        raise SettingsError(f"show is {show}; it has to be at least 0")
    row = benchmarks.find(benchmark) if benchmark else None
    if repair is not None:
        check_repair_target(file, repair)  # now, not when all is looked through
    has_null = row is None or row.rule.has_null
    found = audit_file(file, against, has_null)
    done = None if repair is None else repair_file(file, repair, has_null)
    if format == "json":
        mapping = as_mapping(found) | ({} if done is None else {"repair": _repair_mapping(done, repair)})
        text = json.dumps(mapping, ensure_ascii=False)
        sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    else:
        _show(found, show, hint=done is None)
    sys.stdout.flush()
    if done is not None and repair is not None:
        log.info("wrote %s, %d of %d questions; every change is in %s\n%s", repair, done.kept, len(done.questions),
                 diff_path(repair), _counted(done.counts) or "nothing was to be mended")  # fmt: skip
        if row is not None:
            log.info("%s: %s: %s", row.release.title, row.release.licence.name, row.release.licence.meaning)
    if strict and found.refused:
        raise DataError(f"{file}: training would refuse it: {_refusals(found)}")


def _repair_mapping(done: Repair, out: Path | None) -> dict[str, Any]:
    return {"out": str(out), "kept": done.kept, "left_out": len(done.questions) - done.kept, "changes": done.counts}


def _show(audit: Audit, most: int, hint: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    counts = audit.counts
    console.print(audit.file, style="bold", soft_wrap=True, markup=False)
    console.print(
        f"{counts.titles:,} titles, {counts.contexts:,} contexts, {counts.questions:,} questions "
        f"({counts.answerable:,} answerable, {counts.unanswerable:,} unanswerable), {counts.answers:,} answers"
        + (f", {_per_question(counts.answers_per_question)} a question" if counts.answers else ""),
        soft_wrap=True,
    )
    console.print(_lengths_table(audit))
    console.print(_forms_table(audit))
    found = [finding for finding in audit.findings if finding.cases]
    if found:
        console.print(_findings_table(found))
    for finding in found if most else []:
        _show_cases(console, finding, most)
    if audit.refused:
        console.print(f"training refuses this file: {_refusals(audit)}", style="red", soft_wrap=True)
        if hint:
            console.print("--repair OUT writes a copy in which everything is mended that is certain", soft_wrap=True)
    else:
        console.print("training takes this file" + ("" if found else "; nothing was found"), style="green")


def _lengths_table(audit: Audit) -> Table:
    table = _table("characters of a", "least", "median", "90 % up to", "most")
    for name, lengths in audit.lengths.items():
        if lengths is not None:
            numbers = (lengths.least, lengths.median, lengths.ninetieth, lengths.most)
            table.add_row(name, *(f"{number:,}".removesuffix(".0") for number in numbers))
    return table


def _forms_table(audit: Audit) -> Table:
    table = _table("Unicode form of", *audit.unicode_forms["context"])
    for name, counts in audit.unicode_forms.items():
        total = sum(counts.values())
        table.add_row(f"{total:,} {name}s", *(_share(count, total) for count in counts.values()))
    return table


def _findings_table(found: list[Finding]) -> Table:
    table = _table("found", "count", "of", "share", "training")
    for finding in found:
        count = len(finding.cases)
        table.add_row(
            finding.title,
            f"{count:,}",
            f"{finding.total:,} {finding.unit}",
            _share(count, finding.total),
            "refuses" if finding.refused else "",
            style="red" if finding.refused else None,
        )
    return table


def _show_cases(console: Console, finding: Finding, most: int) -> None:
    from dokhae.data.audit.report import kinds_of
    from dokhae.data.audit.texts import visible

    console.print(f"{finding.title} ({_counted(kinds_of(finding))})", style="bold", soft_wrap=True, markup=False)
    for case in _of_every_kind(finding)[:most]:
        console.print(
            f"  {visible(case.id)}  {case.found}" if case.id else f"  {case.found}", soft_wrap=True, markup=False
        )
    more = len(finding.cases) - most
    console.print(f"  and {more:,} more\n" if more > 0 else "", style="dim")


def _of_every_kind(finding: Finding) -> list[Case]:
    """The cases, first one of each kind, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for case in finding.cases:
        ranked.append((seen[case.kind], case))
        seen[case.kind] += 1
    return [case for _, case in sorted(ranked, key=lambda one: one[0])]


def _table(first: str, *numbers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(first, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _per_question(numbers: dict[int, int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least}" if least == most else f"{least} to {most}"


def _counted(counts: dict[str, int]) -> str:
    return "; ".join(f"{name}: {count:,}" for name, count in counts.items())


def _refusals(audit: Audit) -> str:
    return _counted({finding.title: len(finding.cases) for finding in audit.refused})


def _share(count: int, total: int) -> str:
    if not count:
        return "-"
    return f"{100 * count / total:.1f} %" if count / total >= 0.0005 else "< 0.1 %"
