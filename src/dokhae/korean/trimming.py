"""Where particles stand behind nouns in a text: what may be trimmed off the end of an answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.korean import analysis
from dokhae.korean.morphemes import Analyser, Morpheme

Trim = Literal["none", "kiwi", "mecab"]
REMEMBERED = 4096  # contexts, some kilobytes each: validation asks for the same ones after every epoch


class Particles(NamedTuple):
    """The particles of a text that stand behind something, each with those before it; all (particle,)."""

    starts: NDArray[np.int32]  # the character where the first particle behind the same noun begins
    ends: NDArray[np.int32]  # the character after this one, ascending


class Trimmer:
    """Finds particles by an analyser, in their context."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser
        self._remembered: OrderedDict[str, Particles] = OrderedDict()
        self._lock = threading.Lock()

    def particles(self, texts: Sequence[str]) -> list[Particles]:
        """The particles of each text."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._remembered]
            found = dict(zip(new, map(_particles, self._analyser.analyse(new)), strict=True))
            answers = [found[text] if text in found else self._remembered[text] for text in texts]
            self._remembered.update(found)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
            return answers


def trimmer(trim: Trim) -> Trimmer | None:
    """What a setting stands for; None: answers stay as they are. MissingExtra where the analyser is not installed."""
    return None if trim == "none" else Trimmer(analysis.find(trim))


def _particles(morphemes: Sequence[Morpheme]) -> Particles:
    found: dict[int, int] = {}
    first: int | None = None  # where the run of particles began
    last = -1
    copula = False
    for one in morphemes:
        # the copula and its endings are glued to nouns just as postpositions are
        copula = one.tag == "VCP" or (copula and one.tag[0] == "E")
        if one.tag[0] != "J" and not copula:
            first = None
        elif first is None and one.start == last:  # glued to what is before it, and not fused with it
            first = one.start
        if first is not None and one.end > first:
            found.setdefault(one.end, first)
        last = one.end
    ends = np.array(sorted(found), dtype=np.int32)
    return Particles(np.array([found[end] for end in ends.tolist()], dtype=np.int32), ends)
