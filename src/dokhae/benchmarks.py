"""One row per data set: how it is read and how it is scored. Differences between data sets are differences of rows."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dokhae import data, metrics
from dokhae.errors import SettingsError
from dokhae.types import Example

Read = Callable[[Path, bool], list[Example]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Data set version + reader + scoring rule."""

    name: str
    read: Read  # (path, labelled) -> examples
    rule: metrics.Rule
    aliases: tuple[str, ...] = ()
    trainable: bool = True  # whether its contexts are text (KorQuAD 2.x has whole web pages)


BENCHMARKS = (
    Benchmark("squad-1.1", data.read_examples, metrics.ENGLISH_WORDS),
    Benchmark("squad-2.0", data.read_examples, metrics.ENGLISH_WORDS_WITH_NULL),
    Benchmark("korquad-1.0", data.read_examples, metrics.KOREAN_CHARACTERS),
    Benchmark(
        "korquad-2.1", data.read_korquad2, metrics.KOREAN_CHARACTERS_HTML, aliases=("korquad-2.0",), trainable=False
    ),
)


def names() -> list[str]:
    """Every name that `find` knows."""
    return [name for row in BENCHMARKS for name in (row.name, *row.aliases)]


def find(name: str) -> Benchmark:
    """The row of a benchmark; SettingsError with the nearest name where there is none."""
    for row in BENCHMARKS:
        if name.lower() in (row.name, *row.aliases):
            return row
    near = difflib.get_close_matches(name.lower(), names(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise SettingsError(f"benchmark {name!r} is not known; {hint}known are {', '.join(names())}")
