"""dokhae rehearse."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from dokhae.export.rehearsal.report import Report

DAY = 86_400.0  # seconds


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return rehearse


def rehearse(
    bundle: Positional[Path],
    data: Path,
    wheels: Path | None = None,
    here: bool = False,
    docker: bool = False,
    report: Path | None = None,
    timeout: float = DAY,
    keep: Path | None = None,
) -> None:
    """Try a bundle of `dokhae pack` out as its leaderboard would, before it is uploaded.

    It is unpacked elsewhere, gets its own packages and no network, and its predict.py is run on questions without
    answers. Every question has to have an answer and nothing else, and the official scores have to be the run's. What
    was found goes to stderr as a table, to stdout as JSON; exit code 1 where something does not hold.

    Example: dokhae rehearse koelectra.zip --data KorQuAD_v1.0_dev.json --wheels wheels

    Args:
        bundle: the zip
        data: labelled data, best the file that the run was scored on (for korquad-2.1 also a folder)
        wheels: folder with wheels of the bundle's requirements.txt, for a fresh environment; `pip download
            -r requirements.txt -d wheels` in the unzipped bundle brings them
        here: use the packages of this interpreter instead, which is quick, and says nothing of requirements.txt
        docker: build the bundle's image and run that instead; needs an engine, and a network to build with
        report: file for the JSON, in place of stdout
        timeout: seconds after which a command is given up
        keep: new folder in which the unpacked bundle, its environment and its answers stay
    """
    from dokhae.errors import SettingsError
    from dokhae.export.rehearsal.commands import RehearsalFailed
    from dokhae.export.rehearsal.rehearse import rehearse
    from dokhae.files import make_folder, refuse_folder, write_json
    from dokhae.records import to_mapping

    if (wheels is not None) + here + docker > 1:
        raise SettingsError("--wheels, --here and --docker exclude each other; give one of them")
    if report is not None:
        refuse_folder(report)
        if report.resolve() in (bundle.resolve(), data.resolve()):
            raise SettingsError(f"{report}: writing there would replace what is read; name another --report")
        make_folder(report.parent)
        report.unlink(missing_ok=True)  # a rehearsal that fails is not to leave the verdict of another
    packages: Path | Literal["here", "docker"] | None = "here" if here else "docker" if docker else wheels
    found = rehearse(bundle, data, packages, timeout, keep)
    show(found)
    if report is None:
        sys.stdout.write(json.dumps(to_mapping(found), ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()
    else:
        write_json(report, to_mapping(found))
    if not found.held:
        raise RehearsalFailed(f"{bundle}: {'; '.join(found.faults)}")


def show(found: Report) -> None:
    """The report as a table on stderr."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("rehearsal", escape(f"{found.name}, {found.benchmark}"), box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in rows(found):
        table.add_row(name, escape(value))
    Console(stderr=True).print(table)


def rows(found: Report) -> list[tuple[str, str]]:
    """What the table says."""
    where, sizes, speed = found.where, found.sizes, found.speed
    scores = ", ".join(
        f"{name} {value:.2f}" for name, value in (found.scores or {}).items() if isinstance(value, float)
    )
    warm = ", ".join(f"{name.replace('_', ' ')} {value:.3f} s" for name, value in speed.warm.items())
    return [
        ("held", "yes" if found.held else "NO"),
        ("questions", f"{found.questions:,}, each answered" if found.scores else f"{found.questions:,}"),
        ("scores", scores or "none"),
        ("compared", found.compared),
        ("packages", where.packages),
        ("network", where.network),
        (
            "size",
            f"zip {size(sizes.zip)}, unpacked {size(sizes.bundle)}, packages {size(sizes.packages)}",
        ),
        ("peak memory", size(speed.peak_bytes)),
        ("all questions", f"{speed.seconds:.1f} s, {speed.questions_per_second:.1f} questions a second"),
        ("one question", f"{speed.one_question_seconds:.1f} s with start and loading"),
        ("warm", f"{warm} ({speed.warm_questions} questions, each alone)"),
        ("machine", f"Python {where.python}, {where.machine}"),
    ]


def size(count: int | None) -> str:
    """Bytes for people, who may not be told."""
    from dokhae.export.texts import megabytes

    return "not known" if count is None else megabytes(count)
