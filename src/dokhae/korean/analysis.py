"""The analysers by name. Whatever they are, a text is composed before they see it, and what they say is checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import numpy as np

from dokhae.errors import AnalyserError, SettingsError
from dokhae.korean.composed import composed
from dokhae.korean.kiwi import Kiwi
from dokhae.korean.mecab import Mecab
from dokhae.korean.morphemes import Analyser, Morpheme
from dokhae.korean.remembering import Remembered

NAMES = ("kiwi", "mecab")
REMEMBERED = 1 << 19  # characters, of a portion of questions, which several ask for; some 150 bytes each
LONGEST = 10_000  # characters at once: ETRI's API refuses more, and the time of the others grows with the square
SENTENCE_END = re.compile(r"""[.?!…。？！]["'”’)\]〉》」』]*\s+|\n\s*""")
UP_TO_A_SPACE = re.compile(r".*\s", re.DOTALL)


@functools.cache
def find(name: str) -> Analyser:
    """The analyser of a name: kiwi, mecab, or the address of a service that speaks ETRI's form.

    Raises MissingExtra where it is not installed, SettingsError where there is none of that name.
    """
    if is_address(name):
        from dokhae.korean.service import Service

        return Analysis(Service(name))
    if name not in NAMES:
        raise SettingsError(f"analyser {name!r} is not known; known are {', '.join(NAMES)}, "
                            "and the address of a service, http://...")  # fmt: skip
    return Analysis(Kiwi() if name == "kiwi" else Mecab())


def is_address(name: str | None) -> bool:
    """Whether an analyser is a service, to which texts are sent."""
    return name is not None and name.startswith(("http://", "https://"))


class Analysis:
    """An analyser made safe: texts are composed and not too long, what it says is checked and remembered."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser
        self._remembered = Remembered(self._analysed, REMEMBERED)

    @property
    def identity(self) -> str:
        """That of the analyser."""
        return self._analyser.identity

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """See Analyser; a text that was asked for lately is not analysed again."""
        return self._remembered.of(texts)

    def _analysed(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        forms = [composed(text) for text in texts]
        answers = self._in_parts([form for form, _ in forms])
        return [
            morphemes if places is None else [
                Morpheme(one.lemma, one.tag, int(places[one.start]), int(places[one.end])) for one in morphemes
            ]
            for (_, places), morphemes in zip(forms, answers, strict=True)
        ]  # fmt: skip

    def _in_parts(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """Each text in parts that are not too long, its morphemes put together again."""
        parts = [
            (number, first, text[first:after])
            for number, text in enumerate(texts)
            for first, after in parts_of(text, LONGEST)
            if text[first:after].strip()
        ]
        found: list[list[Morpheme]] = [[] for _ in texts]
        answers = self._analyser.analyse([part for _, _, part in parts])
        for (number, first, part), morphemes in zip(parts, answers, strict=True):
            check(part, morphemes, self.identity)
            moved = [one._replace(start=one.start + first, end=one.end + first) for one in morphemes] if first else None
            found[number] += moved or morphemes
        return found


def parts_of(text: str, longest: int) -> list[tuple[int, int]]:
    """Where parts of at most `longest` characters begin and end, the whole where it is short enough."""
    parts: list[tuple[int, int]] = []
    first = 0
    while len(text) - first > longest:
        after = _border(text, first, first + longest)
        parts.append((first, after))
        first = after
    return [*parts, (first, len(text))]


def _border(text: str, first: int, last: int) -> int:
    """After the last sentence in the second half, else after the last white space, else at the end."""
    for sentence in reversed(list(SENTENCE_END.finditer(text, (first + last) // 2, last))):
        return sentence.end()
    space = UP_TO_A_SPACE.match(text, first, last + 1)
    return min(space.end(), last) if space else last


def check(text: str, morphemes: Sequence[Morpheme], identity: str) -> None:
    """AnalyserError where morphemes lie outside of a text, or step back."""
    places = np.array([(one.start, one.end) for one in morphemes], dtype=np.int64).reshape(-1, 2)
    starts, ends = places[:, 0], places[:, 1]
    in_order = (np.diff(places, axis=0) >= 0).all() and (starts <= ends).all()
    if not in_order or (len(places) and (starts[0] < 0 or ends[-1] > len(text))):
        raise AnalyserError(f"{identity}: its morphemes of {text[:60]!r} are not in the order of the text, or lie "
                            "outside of it; take another analyser")  # fmt: skip
