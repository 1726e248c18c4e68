"""Examples on whole pages: their contexts are kept compressed, and made text again where one is looked at."""

from __future__ import annotations

import functools
import zlib
from typing import Any

from dokhae.types import Answer, Example


class PackedExample(Example):
    """An Example whose context takes a fifth of the memory; the questions of a page share it.

    KorQuAD 2.1's training pages are 1 GB as text.
    """

    __slots__ = ("_packed", "file")
    _packed: bytes
    file: str  # that it is from; "" where that is not known

    def __init__(
        self,
        id: str,
        question: str,
        context: str | bytes,
        answers: tuple[Answer, ...] = (),
        title: str = "",
        file: str = "",
    ) -> None:
        """context: the text, or what `packed` made of it."""
        object.__setattr__(self, "file", file)
        for name, value in (("id", id), ("question", question), ("answers", answers), ("title", title)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_packed", packed(context) if isinstance(context, str) else context)

    @property
    def context(self) -> str:
        """The page."""
        return _unpacked(self._packed)

    def __eq__(self, other: object) -> bool:
        """As any Example with these fields."""
        return self is other or (isinstance(other, Example) and _fields(self) == _fields(other))

    def __hash__(self) -> int:
        return hash(_fields(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedExample, (self.id, self.question, self._packed, self.answers, self.title, self.file)


def packed(context: str) -> bytes:
    """A context compressed: level 1 takes little time, and a page is mostly tags."""
    return zlib.compress(context.encode("utf-8", "surrogatepass"), 1)


@functools.lru_cache(maxsize=2)  # questions of one page stand together, and two threads may be at work
def _unpacked(content: bytes) -> str:
    return zlib.decompress(content).decode("utf-8", "surrogatepass")


def _fields(example: Example) -> tuple[Any, ...]:
    return example.id, example.question, example.context, example.answers, example.title
