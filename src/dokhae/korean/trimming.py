"""Where particles stand behind nouns in a text: what may be trimmed off the end of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from dokhae.errors import SettingsError
from dokhae.korean import analysis
from dokhae.korean.morphemes import Analyser, Morpheme
from dokhae.korean.remembering import Remembered

Trim = Literal["none", "kiwi", "mecab"]
REMEMBERED = 1 << 22  # characters of contexts: validation asks for the same ones after every epoch


class Particles(NamedTuple):
    """The particles of a text that stand behind something, each with those before it; all (particle,)."""

    starts: NDArray[np.int32]  # the character where the first particle behind the same noun begins
    ends: NDArray[np.int32]  # the character after this one, ascending


class Trimmer:
    """Finds particles by an analyser, in their context."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser
        self._remembered = Remembered(self._found, REMEMBERED)

    def particles(self, texts: Sequence[str]) -> list[Particles]:
        """The particles of each text."""
        return self._remembered.of(texts)

    def _found(self, texts: Sequence[str]) -> list[Particles]:
        analysed = self._analyser.analyse(texts)
        return [_particles(morphemes, text) for morphemes, text in zip(analysed, texts, strict=True)]


def trimmer(trim: Trim) -> Trimmer | None:
    """What a setting stands for; None: answers stay as they are. MissingExtra where the analyser is not installed."""
    if trim not in get_args(Trim):
        raise SettingsError(f"korean_trim is {trim!r}; it can be {', '.join(get_args(Trim))}")
    return None if trim == "none" else Trimmer(analysis.find(trim))


def _particles(morphemes: Sequence[Morpheme], text: str) -> Particles:
    found: dict[int, int] = {}
    first: int | None = None  # where the run of particles began
    last = -1
    copula = False
    for one in morphemes:
        # the copula and its endings are glued to nouns just as postpositions are
        copula = one.tag == "VCP" or (copula and one.tag[0] == "E")
        if one.tag[0] != "J" and not copula:
            first = None
        # glued to what is before it, which in odd texts ends with a space, and not fused with it
        elif first is None and one.start == last and not text[last - 1 : last].isspace():
            first = one.start
        if first is not None and one.end > first:
            found.setdefault(one.end, first)
        last = one.end
    ends = np.array(sorted(found), dtype=np.int32)
    return Particles(np.array([found[end] for end in ends.tolist()], dtype=np.int32), ends)
