"""Where the windows of a context begin and end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dokhae.errors import SettingsError

LEAD = 32  # tokens; what a training on pages has in front of its windows unless told otherwise
DEFAULT_STEP = 128  # tokens; BERT's "doc stride", kept by every recipe that descends from it


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How a context is cut: give `step` or `overlap`, not both; neither means a step of 128."""

    max_length: int = 384  # tokens of a window, the question and special tokens included
    step: int | None = None  # tokens by which the next window advances ("doc stride" in BERT's code)
    overlap: int | None = None  # tokens shared by neighbouring windows ("doc stride" in Hugging Face's fast path)
    max_question_length: int = 64  # tokens; what is longer is cut at the end, counted and reported
    lead: int = 0  # tokens at most of a page's title and headings in front of each window that does not begin with them

    def __post_init__(self) -> None:
        """Refuse what no window can hold."""
        if self.step is not None and self.overlap is not None:
            raise SettingsError("windows: give step or overlap, not both (next window advances by `step` tokens, "
                                "or shares `overlap` tokens with its neighbour)")  # fmt: skip
        if self.max_length < 8:
            raise SettingsError(f"windows: max_length is {self.max_length} tokens; at least 8 are needed")
        if self.step is not None and self.step < 1:
            raise SettingsError(f"windows: step is {self.step}; windows have to advance by at least 1 token")
        if self.overlap is not None and self.overlap < 0:
            raise SettingsError(f"windows: overlap is {self.overlap}; it cannot be negative")
        if self.lead < 0:
            raise SettingsError(f"windows: lead is {self.lead}; it cannot be negative")
        if self.max_question_length < 1:
            raise SettingsError(f"windows: max_question_length is {self.max_question_length}; at least 1 is needed")

    def advance(self, capacity: int, question: str) -> int:
        """Tokens from one window's start to the next, for windows that hold `capacity` tokens of the context.

        Raises SettingsError, naming the question, where the window cannot hold the question, the step or the overlap.
        """
        if capacity < 1:
            lead, lower = (", the lead", " or lead") if self.lead else ("", "")
            raise SettingsError(
                f"{question}: the question{lead} and the special tokens leave no room for the context in "
                f"{self.max_length} tokens; raise max_length or lower max_question_length{lower}"
            )
        if self.overlap is not None:
            if self.overlap >= capacity:
                raise SettingsError(
                    f"{question}: an overlap of {self.overlap} tokens does not fit: the question leaves room for "
                    f"{capacity} tokens of the context; lower overlap or raise max_length"
                )
            return capacity - self.overlap
        step = DEFAULT_STEP if self.step is None else self.step
        if step > capacity:
            raise SettingsError(f"{question}: a step of {step} tokens would skip text: the question leaves room for "
                                f"{capacity} tokens of the context; lower step or raise max_length")  # fmt: skip
        return step


def context_spans(length: int, size: int, advance: int, borders: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Half-open token ranges of the windows over `length` tokens, each of at most `size`, the last at the end.

    borders: ascending places where a window had better begin: it does where that is at most an eighth of the advance
    earlier. An empty context has one empty window, so that every question has a null score.
    """
    spans = [(0, min(size, length))]
    while spans[-1][1] < length:
        start = spans[-1][0] + advance
        border = borders[place - 1] if (place := bisect_right(borders, start)) else 0
        if border >= start - advance // 8:
            start = max(border, spans[-1][0] + 1)
        spans.append((start, min(start + size, length)))
    return spans
