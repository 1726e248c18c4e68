"""Reading a page within a budget: how often the answer is within what was read, and what one question takes.

`python -m speed.budget PAGES`, with `--model RUN` for EM, F1 and the time of one question. PAGES: a file or folder of
KorQuAD 2.x, or what `python -m speed.pages` writes. Windows are read best first (BM25); beside it stands how often the
answer would be within as many windows in the order of the page, or in an order drawn by chance.
"""

from __future__ import annotations

import datetime
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from dokhae import benchmarks, metrics
from dokhae.budget import latency
from dokhae.encoding import Features, PairTokenizer, WindowConfig, build_features
from dokhae.encoding.pages import add_markers
from dokhae.encoding.ranking import best_first
from dokhae.files import write_json, write_text
from dokhae.pages.text import PageConfig
from dokhae.reader import Reader
from dokhae.types import Example
from speed.command import run_command
from speed.measure import MOST_OF_OTHERS, Others
from speed.shared import results_file, shared_file, surroundings

KORQUAD = benchmarks.find("korquad-2.1")
PORTION = 64  # questions whose features are in memory at once
Ranks = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is read, with what, and where it is written."""

    pages: Annotated[Path, tyro.conf.Positional]
    model: Path | None = None  # run or model folder of a reader of pages; None: only how often the answer is read
    max_windows: tuple[int, ...] = (1, 2, 4, 8, 16, 32)  # rows; a last one reads everything
    latency_ms: tuple[float, ...] = ()  # further rows, with a model
    questions: int | None = None  # only the first ones
    windows: WindowConfig = WindowConfig(384, overlap=128, lead=32)  # without a model, which has its own
    vocabulary: Path | None = None  # WordPiece's, without a model; None: multilingual BERT's of the shared data
    device: str = "auto"
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    out: Path = results_file("budget")  # with a table in markdown beside it


@dataclass(frozen=True, slots=True)
class Places:
    """Of each question: its windows, and how many are read until one has the whole answer; infinite where none has."""

    windows: NDArray[np.int64]
    holding: NDArray[np.int64]  # windows that have the whole answer
    best_first: Ranks
    in_order: Ranks

    def within(self, read: NDArray[Any]) -> dict[str, float]:
        """Percent of the questions whose answer is within so many windows: best first, in page order, by chance."""
        drawn = [missed(*each) for each in zip(self.windows, self.holding, read, strict=True)]
        return {
            "best_first": 100 * float(np.mean(self.best_first <= read)),
            "in_order": 100 * float(np.mean(self.in_order <= read)),
            "by_chance": 100 * (1 - float(np.mean(drawn))),
        }


def missed(windows: int, holding: int, read: float) -> float:
    """The probability that none of so many windows, drawn without replacement, is one of those that hold the answer."""
    windows, holding, read = int(windows), int(holding), int(min(read, windows))
    return math.comb(windows - holding, read) / math.comb(windows, read)


def places(examples: Sequence[Example], tokenizer: PairTokenizer, windows: WindowConfig) -> Places:
    """Where the answers are, in the windows of a tokenizer."""
    rows: list[tuple[float, ...]] = []
    for first in range(0, len(examples), PORTION):
        part = examples[first : first + PORTION]
        features = build_features(part, tokenizer, windows)
        rows += [place(features, tokenizer, example) for example in range(len(part))]
    columns = np.array(rows).T
    return Places(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3])


def place(features: Features, tokenizer: PairTokenizer, example: int) -> tuple[float, ...]:
    """Of one example: windows, those that hold its answer, how many have to be read best first, and in page order."""
    order = best_first(features, example, tokenizer.layout)
    start, end = features.answer_start[example], features.answer_end[example]
    holds = (features.window_start[order] <= start) & (end < features.window_end[order]) & (start >= 0)
    ranks = np.flatnonzero(holds), np.sort(order[holds]) - order.min()
    return (len(order), int(holds.sum()), *(float(one[0]) + 1 if len(one) else math.inf for one in ranks))


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status: 1 where others disturbed it."""
    begun, others = time.perf_counter(), Others()
    examples = KORQUAD.read(arguments.pages, True)[: arguments.questions]
    if arguments.model is None:
        reader, tokenizer, windows = None, plain(arguments), arguments.windows
    else:
        reader = Reader.load(arguments.model, arguments.device)
        tokenizer, windows = reader.tokenizer, reader.settings.windows
    found = places(examples, tokenizer, windows)
    bounds: list[dict[str, Any]] = [{"max_windows": most} for most in (*arguments.max_windows, None)]
    bounds += [{"latency_ms": most} for most in arguments.latency_ms if reader is not None]
    rows = [row(examples, found, reader, bound) for bound in bounds]
    share = others.share() if reader is not None else 0.0  # without a model nothing is timed
    report = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "seconds": round(time.perf_counter() - begun),
        "settings": {
            "pages": arguments.pages.name, "questions": len(examples), "windows": asdict(windows),
            "model": arguments.model and arguments.model.name, "device": arguments.device, "others_share": share,
        },
        "surroundings": surroundings(),
        "rows": rows,
    }  # fmt: skip
    text = as_markdown(report)
    sys.stdout.write(text)
    if share > MOST_OF_OTHERS:
        sys.stderr.write(f"error: disturbed, others used {share:.0%} of the processor; measure again\n")
        return 1
    write_json(arguments.out, report)
    write_text(arguments.out.with_suffix(".md"), text)
    return 0


def plain(arguments: Arguments) -> PairTokenizer:
    """WordPiece with a vocabulary, cased, and tokens for tags."""
    from transformers import BertTokenizer

    file = arguments.vocabulary or shared_file("vocab/bert-base-multilingual-cased.txt", arguments.data)
    fast = BertTokenizer(vocab=str(file), do_lower_case=False)
    add_markers(fast)
    return PairTokenizer.of(fast, pages=PageConfig())


def row(examples: Sequence[Example], found: Places, reader: Reader | None, bound: dict[str, Any]) -> dict[str, Any]:
    """A line of the table: a budget, what is read in it, and what that is good for."""
    if reader is None:
        read, quality = np.minimum(found.windows, bound["max_windows"] or np.inf), {}
    else:
        read, quality = answered(examples, reader.with_budget(**bound))
    shares = {"read": float(read.mean()), "windows": float(found.windows.mean())}
    return bound | shares | found.within(read) | quality


def answered(examples: Sequence[Example], reader: Reader) -> tuple[NDArray[np.int64], dict[str, float]]:
    """How many windows of each question were read; EM, F1, and the seconds of one question."""
    read, seconds, texts = [0], [], {}
    for prediction, took in reader.predict_alone(examples):
        read.append(reader.meter.read)
        seconds.append(took)
        texts[prediction.id] = prediction.text
    scores = metrics.evaluate(examples, texts, KORQUAD.rule)
    times = latency(seconds)
    return np.diff(read), {
        "exact_match": float(scores["exact_match"]), "f1": float(scores["f1"]),
        "median_seconds": times["median"], "seconds_95": times["percentile_95"],
    }  # fmt: skip


COLUMNS = {
    "read": ("windows read", ".1f"),
    "best_first": ("answer within them, %", ".1f"),
    "by_chance": ("drawn by chance, %", ".1f"),
    "in_order": ("first of the page, %", ".1f"),
    "exact_match": ("EM", ".2f"),
    "f1": ("F1", ".2f"),
    "median_seconds": ("one question, median s", ".3f"),
    "seconds_95": ("95th percentile, s", ".3f"),
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in markdown, with the columns that they have."""
    shown = {name: column for name, column in COLUMNS.items() if name in rows[0]}
    lines = ["| budget | " + " | ".join(title for title, _ in shown.values()) + " |", "|---" * (len(shown) + 1) + "|"]
    for one in rows:
        cells = (format(one[name], form) for name, (_, form) in shown.items())
        lines.append(f"| {budget(one)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def budget(one: dict[str, Any]) -> str:
    """The budget of a row, in words."""
    if one.get("latency_ms"):
        return f"{one['latency_ms']:g} ms"
    most = one["max_windows"]
    return f"all {one['windows']:.1f}" if most is None else f"{most} window{'s' * (most > 1)}"


def as_markdown(report: dict[str, Any]) -> str:
    """A results file as people read it."""
    facts = report["settings"] | report["surroundings"]
    lines = [table(report["rows"]), f"{report['seconds']} s in all. {report['date']}.", ""]
    return "\n".join([*lines, *(f"- {name}: {value}" for name, value in facts.items())]) + "\n"


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
