"""The best legal spans of each window, found exactly, or with the pruned search of the old decoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dokhae.errors import SettingsError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DecodingConfig:
    """What a legal span is, and how many are kept."""

    n_best: int = 20  # candidates kept per window and per example
    max_answer_length: int = 30  # tokens
    search: Literal["exact", "pruned"] = "exact"  # pruned: only the n_best best starts and ends, as the old decoders

    def __post_init__(self) -> None:
        """Refuse settings that allow no span."""
        for name in ("n_best", "max_answer_length"):
            if getattr(self, name) < 1:
                raise SettingsError(f"decoding: {name} is {getattr(self, name)}; at least 1 is needed")


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
    windows: Ints, start: Floats, end: Floats, legal: Mask, cls: Ints, config: DecodingConfig
) -> WindowSpans:
    """Reduce logits to the best spans of each window.

    start, end: logits, (window, column). legal: columns where an answer may begin and end. cls: (window,) the column
    of the CLS token. A span is legal when both its ends are, its end is not before its start and it has at most
    `max_answer_length` tokens. Ties are broken by the earlier start, then the earlier end.
    """
    rows = np.arange(len(windows))
    null_score = start[rows, cls] + end[rows, cls]
    search = _exact if config.search == "exact" else _pruned
    first, last, score = search(start, end, legal, config)
    return WindowSpans(
        windows=windows,
        start=first,
        end=last,
        start_logit=np.take_along_axis(start, first, axis=1),
        end_logit=np.take_along_axis(end, last, axis=1),
        score=score,
        null_score=null_score,
    )


def _exact(start: Floats, end: Floats, legal: Mask, config: DecodingConfig) -> tuple[Ints, Ints, Floats]:
    """The n_best best of ALL legal spans.

    The best end for each start is a sliding maximum. The k-th best span begins at one of the k starts whose best
    span scores highest: any other start has k spans before it. So k starts times the answer length are enough.
    """
    starts, ends = np.where(legal, start, -np.inf), np.where(legal, end, -np.inf)
    columns = start.shape[1]
    length = min(config.max_answer_length, columns)
    best_end = _sliding_maximum(ends, length)
    candidates = np.argsort(-(starts + best_end), axis=1, kind="stable")[:, : config.n_best]
    candidates.sort(axis=1)  # by position, so that ties fall to the earlier start
    lasts = candidates[:, :, None] + np.arange(length)  # (window, start, end)
    outside = lasts >= columns
    lasts = np.minimum(lasts, columns - 1)
    rows = np.arange(len(starts))[:, None, None]
    scores = np.take_along_axis(starts, candidates, axis=1)[:, :, None] + ends[rows, lasts]
    scores[outside] = -np.inf
    firsts = np.broadcast_to(candidates[:, :, None], scores.shape)
    return _top(firsts, lasts, scores, config.n_best)


def _pruned(start: Floats, end: Floats, legal: Mask, config: DecodingConfig) -> tuple[Ints, Ints, Floats]:
    """The old decoders' search: the n_best highest starts and ends of the WHOLE window, legal or not, paired."""
    firsts = np.sort(np.argsort(-start, axis=1, kind="stable")[:, : config.n_best], axis=1)[:, :, None]
    lasts = np.sort(np.argsort(-end, axis=1, kind="stable")[:, : config.n_best], axis=1)[:, None, :]
    rows = np.arange(len(start))[:, None, None]
    allowed = legal[rows, firsts] & legal[rows, lasts] & (lasts >= firsts)
    allowed &= lasts - firsts < config.max_answer_length
    scores = np.where(allowed, start[rows, firsts] + end[rows, lasts], -np.inf)  # (window, start, end)
    return _top(np.broadcast_to(firsts, scores.shape), np.broadcast_to(lasts, scores.shape), scores, config.n_best)


def _sliding_maximum(values: Floats, length: int) -> Floats:
    """Maximum over [i, i + length) for every column i, by doubling; (window, column)."""
    maximum, reach = values, 1
    while reach < length:
        shift = min(reach, length - reach)
        ahead = np.full_like(maximum, -np.inf)
        ahead[:, : maximum.shape[1] - shift] = maximum[:, shift:]
        maximum, reach = np.maximum(maximum, ahead), reach + shift
    return maximum


def _top(firsts: Ints, lasts: Ints, scores: Floats, count: int) -> tuple[Ints, Ints, Floats]:
    """The `count` highest of a (window, start, end) grid, best first, ties by start then end."""
    grid = scores.reshape(len(scores), -1)
    order = np.argsort(-grid, axis=1, kind="stable")[:, :count]

    def picked(values: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(values.reshape(grid.shape), order, axis=1)

    return picked(firsts), picked(lasts), picked(grid)


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
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=filler)
