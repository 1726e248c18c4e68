"""Whole pages: how fast HTML becomes text, and what memory the pages of a training take. `python -m speed.whole_pages`.

Pages are generated (speed/pages.py), in the lengths and with the structure of KorQuAD 2.1, because its archives cannot
be had everywhere; --pages takes a folder of real ones.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path

from dokhae.data import read_korquad2
from dokhae.files import json_files
from dokhae.pages.text import PageConfig, page_text
from speed.command import run_command
from speed.epoch import single
from speed.korean import timed
from speed.pages import write_pages
from speed.report import Row, publish
from speed.shared import results_file, shared_file
from speed.turns import Turn, ratio, summary, take

MB = 2.0  # of HTML a second on one core, required
GIB = 2048.0  # MiB for all training pages of KorQuAD 2.1, at most
TRAINING_PAGES = 38_496
SOME = 300  # pages whose text is timed


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is read, and where it is written."""

    pages: Path | None = None  # folder of KorQuAD 2.x files of 1,000 pages each; None: generated ones
    documents: tuple[int, ...] = (2_000, 6_000, 10_000)
    repeats: int = 5
    seed: int = 3
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    out: Path = results_file("whole_pages")


class Plain(HTMLParser):
    """The text of a page as Python's own parser gives it, without places."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.pieces.append(data)


def run(arguments: Arguments) -> int:
    """Measure, print, write."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.pages or Path(made)
        if arguments.pages is None:
            write_pages(folder, max(arguments.documents), arguments.seed, "real")
            sys.stderr.write("pages: done\n")
        rows = [*reading(folder, arguments.repeats), *memory(folder, arguments)]
    settings = {name: value for name, value in asdict(arguments).items() if name not in ("data", "out")}
    return publish(rows, settings, begun, arguments.out)


def reading(folder: Path, repeats: int) -> list[Row]:
    """MB of HTML a second, in one thread, against parsers that give the text alone."""
    examples = read_korquad2(json_files(folder)[0])
    pages = list(dict.fromkeys(example.context for example in examples))[:SOME]
    size = sum(len(page.encode()) for page in pages) / 1e6
    ways: dict[str, Callable[[], object]] = {
        "text with places": lambda: [page_text(page, PageConfig()) for page in pages],
        "Python's html.parser": lambda: [Plain(page) for page in pages],
        "BeautifulSoup with lxml": lambda: [souped(page) for page in pages],
    }
    seconds, others = timed(ways, repeats)
    rates = {name: [size / one for one in found] for name, found in seconds.items()}
    own, *baselines = rates
    return [
        Row(f"pages to {own}", summary(rates[own]), "MB/s", required=MB, others_share=others,
            details={"pages": len(pages), "MB": size}),
        *(Row(f"pages to {own}", summary(rates[own]), "MB/s", f"{name}, which gives text alone",
              ratio(rates[own], rates[name]), others_share=others) for name in baselines),
    ]  # fmt: skip


def souped(page: str) -> str:
    """The text that BeautifulSoup and lxml give."""
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(BeautifulSoup(page, "lxml").get_text())


def memory(folder: Path, arguments: Arguments) -> list[Row]:
    """Peak memory of reading pages and making their features; the last row goes on to all of KorQuAD 2.1's training."""
    vocabulary = shared_file("vocab/bert-base-multilingual-cased.txt", arguments.data)
    peaks: list[float] = []
    rows: list[Row] = []
    for documents in arguments.documents:
        with tempfile.TemporaryDirectory() as part, tempfile.TemporaryDirectory() as cache:
            for file in json_files(folder)[: documents // 1000]:
                (Path(part) / file.name).symlink_to(file)
            given = {"folder": part, "vocabulary": str(vocabulary), "cache": cache}
            turn = take(Turn("speed.works:pages", given, {"OMP_NUM_THREADS": "2"}, timed=False))
        peaks.append(turn["peak_mib"])
        kept = ("questions", "tokens", "windows", "read", "made", "read_peak_mib", "kept_mib")
        details = {name.replace("_", " "): turn[name] for name in kept}
        rows.append(Row(f"memory of {documents:,} pages, at most", single(peaks[-1]), "MiB", details=details))
    slope = growth(arguments.documents, peaks)
    all_pages = peaks[-1] + slope * (TRAINING_PAGES - arguments.documents[-1])
    rows.append(
        Row(f"the same, taken on to {TRAINING_PAGES:,} pages", single(all_pages), "MiB", required=GIB, at_most=True,
            details={"KiB a page": 1024 * slope})
    )  # fmt: skip
    return rows


def growth(counts: Sequence[int], peaks: Sequence[float]) -> float:
    """MiB a page, from the fewest to the most."""
    return (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
