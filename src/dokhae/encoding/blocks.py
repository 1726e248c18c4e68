"""The blocks of pages as tokens: each begins with a marker and ends before the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.layout import Layout

SHORT = 30  # tokens: an answer of one block that has no more is text, not a block


class Leads:
    """What stands in front of windows: the headings that a window belongs to, each with its marker."""

    def __init__(self, longest: int, layout: Layout) -> None:
        self._longest, self._layout = longest, layout
        self._numbers: dict[tuple[int, tuple[int, ...]], int] = {}  # by context and headings
        self.ids: list[NDArray[Any]] = [np.empty(0, dtype=np.int32)]  # the first one is empty

    def of(self, context: int, ids: NDArray[Any], starts: Sequence[int]) -> list[int]:
        """The numbers of the leads of a context's windows, which begin at these of its tokens."""
        if not self._longest or len(starts) < 2:
            return [0] * len(starts)
        markers = np.flatnonzero(np.isin(ids, self._layout.markers))
        after = np.append(markers, len(ids))
        levels = [markers[ids[markers] == level] for level in self._layout.headings]
        return [self._number(context, _path(levels, start), ids, markers, after) for start in starts]

    def _number(
        self, context: int, path: tuple[int, ...], ids: NDArray[Any], markers: NDArray[Any], after: NDArray[Any]
    ) -> int:
        if not path:
            return 0
        if (context, path) not in self._numbers:
            self._numbers[context, path] = len(self.ids)
            headings = [ids[one : after[np.searchsorted(markers, one) + 1]] for one in path]
            self.ids.append(np.concatenate(headings)[: self._longest])
        return self._numbers[context, path]


def _path(levels: Sequence[NDArray[np.intp]], start: int) -> tuple[int, ...]:
    """Where the headings begin that a window from `start` on is under, the highest first."""
    path: list[int] = []
    for places in levels:
        before = int(np.searchsorted(places, start))
        if before < len(places) and places[before] == start:  # it begins with that heading, and is under none beside it
            break
        if before and (not path or places[before - 1] > path[-1]):  # else it is of another part
            path.append(int(places[before - 1]))
    return tuple(path)


class Blocks(NamedTuple):
    """Where blocks begin and end in a batch, and whose answers they are."""

    starts: NDArray[np.bool_]  # (T,) markers, but those of an end
    ends: NDArray[np.bool_]  # (T,) last tokens of blocks, and markers of an end
    answered: NDArray[np.bool_]  # (R,) windows whose answer is a range of blocks


def text_of_one_block(
    ids: NDArray[Any], visible: NDArray[np.bool_], first: int, last: int, markers: Sequence[int]
) -> int:
    """Where the text of an answer begins, tokens [first, last]: behind its marker, where it is short and has but one.

    `<td>2016</td>` is an answer like any other; `<table>...</table>` is a range of blocks. visible: which tokens stand
    for characters; the space behind a marker may be a token that stands for none.
    """
    if last - first > SHORT or ids[first] not in markers or np.isin(ids[first + 1 : last + 1], markers).any():
        return first
    behind = np.flatnonzero(visible[first + 1 : last + 1])
    return first + 1 + int(behind[0]) if len(behind) else first
