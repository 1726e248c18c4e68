"""MeCab-ko (python-mecab-ko) as an analyser."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from dokhae.errors import optional
from dokhae.korean.morphemes import Morpheme

# MeCab-ko's own tags -> Sejong's; SY, the other symbols, are told apart by SYMBOLS.
SEJONG = {"SC": "SP", "SSO": "SS", "SSC": "SS", "NNBC": "NNB", "UNKNOWN": "UNK", "UN": "UNK"}
SYMBOLS = {**dict.fromkeys(".?!", "SF"), **dict.fromkeys(",·:/", "SP"), **dict.fromkeys("~-∼－～", "SO")}
SYMBOLS |= dict.fromkeys("\"'“”‘’`()[]{}<>〈〉《》「」『』【】―", "SS") | dict.fromkeys("…", "SE")
PART = re.compile(r"(.+?)/([A-Z]+)/[^+]*(?:\+|$)")  # of an expression: 하/XSV/*+았/EP/*
UNCOUNTED = " \t\n\v\r"


class Mecab:
    """It holds Python's lock while it works, so it works on one core; on two it is still faster than kiwi on both."""

    def __init__(self) -> None:
        self._mecab = _loaded()

    @property
    def identity(self) -> str:
        """Name and versions of program and dictionary."""
        return f"mecab {version('python-mecab-ko')} {version('python-mecab-ko-dic')}"

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """See Analyser."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[Morpheme]:
        """It takes a NUL for the end of a text, and does not count the white space that a text begins with."""
        seen = text.replace("\0", " ")
        begin = len(seen) - len(seen.lstrip(UNCOUNTED))
        return _sejong(self._mecab.parse(seen[begin:]), begin)


@functools.cache
def _loaded() -> Any:  # noqa: ANN401 - a mecab.MeCab
    with optional("the analyser mecab", "korean"):
        import mecab
    return mecab.MeCab()


def _sejong(parsed: Sequence[Any], begin: int) -> list[Morpheme]:
    found: list[Morpheme] = []
    for one in parsed:
        start, end, tag = begin + one.span.start, begin + one.span.end, one.feature.pos
        if tag == "SY":
            found += [Morpheme(character, SYMBOLS.get(character, "SW"), start + place, start + place + 1)
                      for place, character in enumerate(one.surface) if not character.isspace()]  # fmt: skip
        elif "+" in tag:
            found += _parts(one.surface, PART.findall(one.feature.expression), start)
        else:
            found.append(Morpheme(one.surface, SEJONG.get(tag, tag), start, end))
    return found


def _parts(surface: str, parts: Sequence[tuple[str, str]], start: int) -> list[Morpheme]:
    """The morphemes of a fused one: each on its own characters where they are written out, else all on all of them."""
    end = start + len(surface)
    if "".join(lemma for lemma, _ in parts) != surface:
        return [Morpheme(_compatible(lemma), tag, start, end) for lemma, tag in parts]
    found = []
    for lemma, tag in parts:
        found.append(Morpheme(lemma, tag, start, start + len(lemma)))
        start += len(lemma)
    return found


def _compatible(lemma: str) -> str:
    """With the letters that stand alone, ㄴ, in place of the final ones of a syllable, ᆫ."""
    return lemma.translate(FINALS)


FINALS = dict(zip(range(0x11A8, 0x11C3), "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ", strict=True))
