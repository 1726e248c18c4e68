"""What was worked out of texts lately, so that it is not worked out again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """A function of texts with a short memory, for several threads: a reader may be asked by many."""

    def __init__(self, make: Callable[[list[str]], list[Made]], characters: int) -> None:
        self._make = make
        self._most = characters  # of all texts that are remembered
        self._known: OrderedDict[str, Made] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, texts: Sequence[str]) -> list[Made]:
        """What is made of each text."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            found = dict(zip(new, self._make(new), strict=True))
            answers = [found[text] if text in found else self._known[text] for text in texts]
            self._known.update(found)
            self._size += sum(map(len, found))
            while self._size > self._most:
                text, _ = self._known.popitem(last=False)
                self._size -= len(text)
            return answers
