"""The tables of docs/performance.md, korean.md and pages.md, from the results files. `python -m speed.render`.

Each table stands between `<!-- NAME -->` and `<!-- end -->`; what is around them is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from dokhae.files import read_json, read_text, write_text
from speed import korean_trained, parity
from speed.report import Row, table
from speed.shared import FOLDER, RESULTS

PAGES = tuple(FOLDER.parent / "docs" / f"{name}.md" for name in ("performance", "korean", "pages"))
COMMANDS = {
    "latest": "make speed",
    "training": "python -m speed.training",
    "levers": "python -m speed.levers",
    "inference": "python -m speed.inference",
    "epoch": "python -m speed.epoch",
    "parity": "make parity",
    "growth": "python -m speed.growth",
    "processes": "python -m speed.growth --rows processes",
    "gpu": "make speed-gpu",
    "korean": "python -m speed.korean",
    "whole_pages": "python -m speed.whole_pages",
    "budget": "python -m speed.budget PAGES --model RUN",
    "pages_trained": "python -m speed.pages_trained",
    "korean_sample": "python -m speed.korean_trained --data sample",
    "korean_korquad": "python -m speed.korean_trained --data korquad",
}
TRAINED = ("korean_sample", "korean_korquad")
PLACE = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def page(text: str, results: Path = RESULTS) -> str:
    """The page with every table as the results are now."""
    return PLACE.sub(lambda found: f"<!-- {found[1]} -->\n{part(found[1], results)}\n<!-- end -->", text)


def part(name: str, results: Path) -> str:
    """A table for each kind of processor it was measured on, with where and when; or that it was not."""
    if name == "parity" and (results / "parity.json").exists():
        return parity_part(read_json(results / "parity.json"))
    trained = results / f"{name.replace('_', '-')}.json"
    if name in TRAINED and trained.exists():
        return trained_part(read_json(trained))
    files = sorted(results.glob(f"*/{name}.json"))
    return "\n".join(map(measured, files)) or f"Not measured yet: `{COMMANDS[name]}`."


def measured(file: Path) -> str:
    """The table of one results file."""
    report = read_json(file)
    if file.stem in ("latest", "budget"):  # whose tables are of another form
        return f"{read_text(file.with_suffix('.md')).partition(chr(10) * 2)[0]}\n\n{measured_on(report)}\n"
    return f"{table([Row(**row) for row in report['rows']])}\n{measured_on(report)}\n"


def parity_part(rows: list[dict[str, Any]]) -> str:
    """The comparison of the two sides, for each settings that both have been trained with, the newest first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in parity.current(rows):
        groups.setdefault(json.dumps(row["settings"], sort_keys=True), []).append(row)
    whole = [group for group in groups.values() if {row["side"] for row in group} == set(parity.SIDES)]
    parts = [f"{trained_with(group)}:\n\n{parity.table(group)}\n" for group in reversed(whole)]
    return "\n".join(parts) or f"Not measured yet: `{COMMANDS['parity']}`."


def trained_with(group: list[dict[str, Any]]) -> str:
    """What differs from one run of the command to the other, and every machine and commit, the last one first."""
    told = group[-1]["settings"]
    machines = dict.fromkeys(machine(row["surroundings"]) for row in reversed(group))
    return (
        f"Batches of {told['batch_size']} windows, learning rate {told['learning_rate']:g}, {told['precision']}; "
        f"{'; '.join(machines)}"
    )


def trained_part(report: dict[str, Any]) -> str:
    """The comparison of Korean's fixes, with the settings and the machine of its trainings."""
    last = report["trainings"][-1]
    settings = ", ".join(f"{name} {value}" for name, value in last["settings"].items())
    return (
        f"{korean_trained.table(report['comparison'])}\nEach training: {settings}. {machine(last['surroundings'])}.\n"
    )


def measured_on(report: dict[str, Any]) -> str:
    """One line: when, on what, with what, at which commit."""
    device = f", {report['settings']['device_name']}" if "device_name" in report["settings"] else ""
    return f"{report['date']}, {machine(report['surroundings'], device)}; {report['seconds']} s in all."


def machine(here: dict[str, Any], device: str = "") -> str:
    """Processor, software and commit."""
    versions = here["versions"]
    software = f"torch {versions['torch']}, transformers {versions['transformers']}, commit {here['commit']}"
    return f"{here['cores']} cores of {here['processor']}{device}, {software}"


def main() -> None:
    """Write the pages again."""
    for path in PAGES:
        write_text(path, page(read_text(path)))
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
