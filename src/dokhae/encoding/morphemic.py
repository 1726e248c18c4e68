"""Texts as morphemes, lemma/TAG_ between spaces: what ETRI's morpheme BERT reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from dokhae.encoding.rewriting import Rewritten
from dokhae.korean.morphemes import Analyser, Morpheme


class Morphemic:
    """A Rewriter that writes the morphemes of an analyser."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    @property
    def identity(self) -> str:
        """See Rewriter."""
        return f"lemma/TAG_ of {self._analyser.identity}"

    def prepared(self, tokenizer: Tokenizer) -> Tokenizer:
        """See Rewriter: the one that has the entries is ready."""
        return tokenizer

    def rewrite(self, texts: Sequence[str]) -> Rewritten:
        """See Rewriter."""
        written: list[str] = []
        places: list[tuple[int, int]] = []
        for text, morphemes in zip(texts, self._analyser.analyse(texts), strict=True):
            units = []
            for one in morphemes:
                lemma = "".join(one.lemma.split())  # a space would make two units of it
                units.append(f"{lemma}/{one.tag}_ ")
                places += _places(units[-1], lemma, one, text)
            written.append("".join(units))
            places.append((len(text), len(text)))
        starts, ends = np.array(places, dtype=np.int32).reshape(-1, 2).T
        return Rewritten(written, starts, ends)


def _places(unit: str, lemma: str, morpheme: Morpheme, text: str) -> list[tuple[int, int]]:
    """The characters of the text that each character of a unit stands for.

    Those of the lemma stand for themselves where the text has them; the tag for the last one, so that an answer which
    ends there ends with the last piece of the unit. A contracted morpheme stands for all that it is contracted into.
    """
    start, end = morpheme.start, morpheme.end
    if not lemma or text[start:end] != lemma:
        return [(start, end)] * len(unit)
    own = [(place, place + 1) for place in range(start, end)]
    return own + own[-1:] * (len(unit) - len(own))


def reads_morphemes(tokenizer: Tokenizer) -> bool:
    """Whether the entries of a tokenizer are pieces of lemma/TAG_."""
    return any(entry.endswith("/NNG_") for entry in tokenizer.get_vocab())
