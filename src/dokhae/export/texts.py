"""README.md and Dockerfile of a bundle, with the names and numbers of its run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from dokhae.benchmarks import Benchmark, Leaderboard
from dokhae.errors import SettingsError
from dokhae.export.manifest import Dev, Manifest

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]*")  # what CodaLab takes for the name of a bundle
SHOWN = ("torch", "transformers", "tokenizers", "numpy")  # of the pinned versions
UNKNOWN_DATA, UNKNOWN_DEV, UNKNOWN_MACRO = "DEV_DATA_OF_THE_GUIDE", "DEV_DATA", "MACRO_OF_THE_GUIDE"
UNKNOWN = """
{names} not known to dokhae; the guide has {them}.
"""
TAGGED = """
What is submitted is marked by a tag:

    cl edit predictions-{name} --tags {tag}
"""
UNTAGGED = """
Whether what is submitted has to be marked (`cl edit predictions-... --tags ...`), the guide says.
"""


def template(name: str) -> str:
    """The text of a template."""
    return (files("dokhae.export") / "templates" / name).read_text(encoding="utf-8")


def usable_name(text: str) -> str:
    """A name as CodaLab takes it, from that of a folder."""
    name = re.sub(r"[^a-zA-Z0-9_.-]+", "-", text).strip("-.")
    return name if NAME.fullmatch(name) else f"model-{name}".rstrip("-")


def check_name(name: str) -> None:
    """SettingsError for a name that CodaLab does not take."""
    if not NAME.fullmatch(name):
        raise SettingsError(f"--name {name!r}: CodaLab's names begin with a letter or _, and have letters, digits, _, "
                            f". and - alone; for instance {usable_name(name)}")  # fmt: skip


def image(name: str) -> str:
    """What the Docker image is called: lower case, digits and single hyphens, which Docker takes."""
    return f"ACCOUNT/{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-') or 'reader'}"


def dockerfile(name: str, python: str) -> str:
    """The Dockerfile; python: 3.11."""
    return Template(template("Dockerfile")).substitute(python=python, image=image(name))


def readme(
    manifest: Manifest, row: Benchmark, board: Leaderboard, out: Path, pins: Mapping[str, str], sizes: tuple[int, int]
) -> str:
    """README.md. out: the bundle's zip; sizes: in bytes, of the weights and of the whole bundle."""
    name, data = manifest.name, board.dev_name or UNKNOWN_DEV
    return Template(template("README.md")).substitute(
        name=name,
        folder=shlex.quote(out.stem),
        zip=shlex.quote(out.name),
        title=row.release.title,
        benchmark=row.name,
        dokhae=manifest.dokhae,
        python=manifest.python,
        encoder=manifest.encoder or "not known (packed from a model folder)",
        input="INPUT is a folder of .json files" if board.folder_input else "INPUT is a .json file",
        weights=megabytes(sizes[0]),
        size=megabytes(sizes[1]),
        versions=", ".join(f"{one} {pins[one]}" for one in SHOWN),
        scores=_scores(manifest.dev),
        compares=", which compares these scores" if manifest.dev else "",
        same="The scores have to be those above.\n" if manifest.dev else "",
        image=image(name),
        data=data,
        add_data=f"cl add bundle {board.dev_data or UNKNOWN_DATA}",
        evaluate=f"cl macro {board.evaluation or UNKNOWN_MACRO} predictions-{name}",
        unknown=_unknown(board),
        tagged=TAGGED.format(name=name, tag=board.tag) if board.tag else UNTAGGED,
        guide=board.guide,
    )  # fmt: skip


def _unknown(board: Leaderboard) -> str:
    """Which of the names in the commands are not known."""
    names = [name for name, known in ((UNKNOWN_DATA, board.dev_data), (UNKNOWN_DEV, board.dev_name),
                                      (UNKNOWN_MACRO, board.evaluation)) if known is None]  # fmt: skip
    if not names:
        return ""
    one = len(names) == 1
    return UNKNOWN.format(names=f"{', '.join(names)} {'is' if one else 'are'}", them="it" if one else "them")


def megabytes(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e6:,.1f} MB"


def _scores(dev: Dev | None) -> str:
    if dev is None:
        return "None: this was packed from a model folder, or for another benchmark; the run folder has its scores."
    rows = [f"| {name} | {value:.2f} |" if isinstance(value, float) else f"| {name} | {value} |"
            for name, value in dev.scores.items()]  # fmt: skip
    asked = "" if dev.questions is None else f", {dev.questions:,} questions"
    threshold = f"\n\nWith the {dev.null_threshold}." if dev.null_threshold else ""
    return "\n".join(["| | |", "|---|---|", *rows]) + f"\n\n`{dev.file}`{asked}, SHA-256 `{dev.sha256}`{threshold}"
