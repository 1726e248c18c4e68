"""The best legal spans of each window, found exactly, or with the pruned search of the old decoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dokhae.errors import SettingsError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_ANSWER_LENGTH = 30  # tokens; BERT's, and that of all who descend from it
NO_SPAN = 0x7FFFFFFF << 32  # behind every span where they are sorted


@dataclass(frozen=True, slots=True)
class DecodingConfig:
    """What a legal span is, and how many are kept."""

    n_best: int = 20  # candidates kept per window and per example
    max_answer_length: int | None = None  # tokens; None: 30, and in web pages as many as a window holds
    search: Literal["exact", "pruned"] = "exact"  # pruned: only the n_best best starts and ends, as the old decoders

    def __post_init__(self) -> None:
        """Refuse settings that allow no span."""
        for name, value in (("n_best", self.n_best), ("max_answer_length", self.max_answer_length)):
            if value is not None and value < 1:
                raise SettingsError(f"decoding: {name} is {value}; at least 1 is needed")

    @property
    def longest(self) -> int:
        """Tokens of the longest answer."""
        return MAX_ANSWER_LENGTH if self.max_answer_length is None else self.max_answer_length

    def for_contexts(self, html: bool, window: int) -> DecodingConfig:
        """The same with what was left open filled in; html: contexts are pages. window: tokens of one."""
        if self.max_answer_length is not None:
            return self
        return replace(self, max_answer_length=window if html else MAX_ANSWER_LENGTH)


@dataclass(frozen=True, slots=True)
class WindowSpans:
    """What is left of some windows: K spans each, best first, and the null score. -inf pads windows with fewer."""

    windows: Ints  # (windows,) their numbers
    start: Ints  # (windows, K) column of the first token
    end: Ints  # (windows, K) column of the last token, inclusive
    start_logit: Floats  # (windows, K)
    end_logit: Floats  # (windows, K)
    score: Floats  # (windows, K) their sum; -inf = no span
    null_score: Floats  # (windows,) start + end logit at the CLS column


def best_spans(
    windows: Ints, start: Floats, end: Floats, legal: tuple[Mask, Mask], cls: Ints, config: DecodingConfig
) -> WindowSpans:
    """Reduce logits to the best spans of each window.

    start, end: logits, (window, column). legal: columns where an answer may begin, and where it may end. cls: (window,)
    the column of the CLS token. A span is legal when both its ends are, its end is not before its start and it has at
    most `max_answer_length` tokens. Ties are broken by the earlier start, then the earlier end.
    """
    rows = np.arange(len(windows))
    null_score = start[rows, cls] + end[rows, cls]
    search = _exact if config.search == "exact" else _pruned
    first, last, score = search(start, end, legal, config)
    return WindowSpans(
        windows=windows,
        start=first,
        end=last,
        start_logit=start[rows[:, None], first],
        end_logit=end[rows[:, None], last],
        score=score,
        null_score=null_score,
    )


def _exact(start: Floats, end: Floats, legal: tuple[Mask, Mask], config: DecodingConfig) -> tuple[Ints, Ints, Floats]:
    """The n_best best of ALL legal spans.

    The best end for each start is a sliding maximum. The n_best best starts begin a span each, and the least of these
    is a bound: nothing below it is wanted, nor any start whose best span is.
    """
    columns = start.shape[1]
    length = min(config.longest, columns)
    starts = np.where(legal[0], start, -np.inf)
    ends = np.full((len(end), columns + length - 1), -np.inf, dtype=np.float32)  # no span leaves the window
    np.copyto(ends[:, :columns], end, where=legal[1])
    best = starts + _sliding_maximum(ends, length)
    lowest = np.full((len(start), 1), np.finfo(np.float32).min)  # -inf is no span
    if config.n_best <= columns:
        nth = columns - config.n_best
        lowest = np.maximum(lowest, np.partition(best, nth, axis=1)[:, nth, None])
    window, first = np.divmod(np.flatnonzero(best >= lowest), columns)  # faster than nonzero of two dimensions
    scores = starts[window, first, None] + sliding_window_view(ends, length, axis=1)[window, first]  # (start, end)
    found = np.flatnonzero(scores >= lowest[window])
    row, more = np.divmod(found, length)
    return _top(window[row], first[row], first[row] + more, scores.ravel()[found], config.n_best, len(start))


def _pruned(start: Floats, end: Floats, legal: tuple[Mask, Mask], config: DecodingConfig) -> tuple[Ints, Ints, Floats]:
    """The old decoders' search: the n_best highest starts and ends of the WHOLE window, legal or not, paired."""
    firsts = np.sort(np.argsort(-start, axis=1, kind="stable")[:, : config.n_best], axis=1)[:, :, None]
    lasts = np.sort(np.argsort(-end, axis=1, kind="stable")[:, : config.n_best], axis=1)[:, None, :]
    rows = np.arange(len(start))[:, None, None]
    allowed = legal[0][rows, firsts] & legal[1][rows, lasts] & (lasts >= firsts)
    allowed &= lasts - firsts < config.longest
    window, row, column = np.nonzero(allowed)  # (window, start, end)
    first, last = firsts[window, row, 0], lasts[window, 0, column]
    return _top(window, first, last, start[window, first] + end[window, last], config.n_best, len(start))


def _sliding_maximum(values: Floats, length: int) -> Floats:
    """Maximum over [i, i + length) for every column i that has so many after it, by doubling; (window, column)."""
    maximum, reach = values, 1
    while reach < length:
        shift = min(reach, length - reach)
        maximum = np.maximum(maximum[:, :-shift], maximum[:, shift:])
        reach += shift
    return maximum


def _top(window: Ints, first: Ints, last: Ints, score: Floats, count: int, windows: int) -> tuple[Ints, Ints, Floats]:
    """The `count` best spans of each window, best first, of spans that come ordered by window, start and end.

    They are sorted as integers with the place of each span in the lower half: ties fall to the earlier span, and it
    is several times as fast as sorting places by scores.
    """
    sizes = np.bincount(window, minlength=windows)
    column = np.arange(len(window)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keys = np.full((windows, sizes.max(initial=0)), NO_SPAN)
    keys[window, column] = (descending(score) << 32) | np.arange(len(window))
    keys.sort(axis=1)
    keys = keys[:, :count]
    chosen = keys & 0xFFFFFFFF
    return first[chosen], last[chosen], np.where(keys < NO_SPAN, score[chosen], -np.inf)


def descending(scores: Floats) -> Ints:
    """Integers of 32 bits (in 64) that are in order when the scores go down."""
    bits = np.add(scores, 0, dtype=np.float32).view(np.int32)  # -0.0 becomes 0.0
    return ~(bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)


def beside(spans: WindowSpans, others: WindowSpans) -> WindowSpans:
    """The spans of two heads for the same windows together, best first, with the null score of the first one."""
    both = {name: np.concatenate([getattr(spans, name), getattr(others, name)], axis=1)
            for name in ("start", "end", "start_logit", "end_logit", "score")}  # fmt: skip
    order = np.argsort(-both["score"], axis=1, kind="stable")
    ordered = {name: np.take_along_axis(values, order, axis=1) for name, values in both.items()}
    return WindowSpans(windows=spans.windows, null_score=spans.null_score, **ordered)


def concatenate(parts: Sequence[WindowSpans]) -> WindowSpans:
    """The spans of all batches together; batches may differ in K."""
    width = max((part.score.shape[1] for part in parts), default=0)

    def joined(name: str, filler: float = 0.0) -> NDArray[Any]:
        return np.concatenate([_widen(getattr(part, name), width, filler) for part in parts])

    return WindowSpans(
        windows=np.concatenate([part.windows for part in parts]),
        start=joined("start"),
        end=joined("end"),
        start_logit=joined("start_logit"),
        end_logit=joined("end_logit"),
        score=joined("score", -np.inf),
        null_score=np.concatenate([part.null_score for part in parts]),
    )


def _widen(values: NDArray[Any], width: int, filler: float) -> NDArray[Any]:
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing)), constant_values=filler) if missing else values
