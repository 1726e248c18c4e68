"""What is worked on together, and by which process: portions of examples, batches of windows, shares of batches.

The reader, the classifier and validation during training divide their work here, in one process or in several.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Features, Layout, sequence_lengths
from dokhae.errors import SettingsError
from dokhae.types import Example

Item = TypeVar("Item")
QUESTIONS = 512  # of a portion, at most; the next one is being prepared meanwhile
CHARACTERS = 1 << 20  # of its contexts, at most, unless it is one question


class World(Protocol):
    """The processes that share the work."""

    @property
    def rank(self) -> int:
        """The number of this one, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def gather(self, part: Any) -> list[Any]:  # noqa: ANN401 - whatever each of them has
        """The parts of all processes in the order of their ranks; the same in each of them."""

    def together(self) -> contextlib.AbstractContextManager[None]:
        """A block that all processes run: where it ends with a DokhaeError in one of them, it does in all."""


class Alone:
    """The world of one process."""

    rank, size = 0, 1

    def gather(self, part: Any) -> list[Any]:  # noqa: ANN401
        """The only part."""
        return [part]

    def together(self) -> contextlib.AbstractContextManager[None]:
        """A block as any other."""
        return contextlib.nullcontext()


ALONE = Alone()


def portions(examples: Sequence[Example]) -> Iterator[range]:
    """The numbers of examples that are worked on together: enough to find windows of one length, few for the memory.

    They hang on the examples alone: what is predicted is the same however many processes there are.
    """
    first = characters = 0
    for number, example in enumerate(examples):
        characters += len(example.context)
        if number - first == QUESTIONS or (characters > CHARACTERS and number > first):
            yield range(first, number)
            first, characters = number, len(example.context)
    if first < len(examples):
        yield range(first, len(examples))


def plan(
    features: Features,
    layout: Layout,
    batch_size: int,
    windows: NDArray[np.int64] | None = None,
    tokens: int | None = None,
) -> list[NDArray[np.int64]]:
    """Batches of windows, longest first, so that padding is little and a lack of memory shows at once.

    windows: the ascending numbers of those that are read; None: of all. tokens: of a batch, at most, unless it is one
    window; None: any number. Raises SettingsError for a batch_size below 1.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; at least 1 is needed")
    windows = np.arange(features.window_count) if windows is None else windows
    lengths = sequence_lengths(features, layout, windows)
    places = np.argsort(-lengths, kind="stable")
    order, longest = windows[places], lengths[places].tolist()
    batches, first = [], 0
    while first < len(order):
        fitting = batch_size if tokens is None else min(max(tokens // longest[first], 1), batch_size)
        batches.append(order[first : first + fitting])
        first += fitting
    return batches


def most_tokens(score: Any) -> int | None:  # noqa: ANN401 - of any kind
    """Tokens of a batch that a score is fastest with; None: it does not say."""
    found: int | None = getattr(score, "most_tokens", None)
    return found


def deal(batches: Sequence[Item], world: World) -> Sequence[Item]:
    """One process's share of batches. They are composed before they are dealt, so no window has other neighbours."""
    return batches[world.rank :: world.size]


def refuse_sharing(processes: int) -> None:
    """SettingsError where the latency of questions is asked for, and several processes would share them."""
    if processes > 1:
        raise SettingsError(f"{processes} processes share the questions, but a latency is that of one question after "
                            "another; ask for one device, or bound the windows alone (max_windows)")  # fmt: skip
