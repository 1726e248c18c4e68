"""Where Korean words are cut before a tokenizer sees them: at particles or morphemes, and at changes of script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dokhae.korean import analysis
from dokhae.korean.composed import composed
from dokhae.korean.morphemes import Analyser
from dokhae.korean.particles import PARTICLES, particle_starts
from dokhae.korean.texts import ATTACHED, HANGUL, SPACE, Codes, joined, scripts

Split = Literal["none", "particles", "kiwi", "mecab"]


class Joined(NamedTuple):
    """Texts as one, with a space behind each, and where it may be cut."""

    codes: Codes  # (character,)
    begins: NDArray[np.int64]  # (text + 1,) where each text begins
    cuts: NDArray[np.intp]  # (cut,) ascending; each stands before the character of that number
    before: NDArray[np.intp]  # (cut,) the character before it, without marks and such
    words: NDArray[np.intp]  # (character,) which word it belongs to


class Splitter(Protocol):
    """A way to cut words. Only words with Hangul are cut, and never a character and its marks."""

    @property
    def identity(self) -> str:
        """Everything that decides about the cuts, as text."""

    def cut(self, texts: Sequence[str]) -> Joined:
        """Where these texts are cut."""


def splitter(split: Split) -> Splitter | None:
    """What a setting stands for; None: words stay whole. MissingExtra where its analyser is not installed."""
    if split == "none":
        return None
    return ByParticles() if split == "particles" else ByMorphemes(analysis.find(split))


class ByParticles:
    """At changes of script, and where a word may end in particles."""

    @property
    def identity(self) -> str:
        """The list itself."""
        return f"particles {sorted(PARTICLES)}"

    def cut(self, texts: Sequence[str]) -> Joined:
        """See Splitter."""
        forms = [composed(text) for text in texts]
        codes, begins = joined([form for form, _ in forms])
        kinds, bearers = scripts(codes)
        hangul = kinds == HANGUL
        ends = np.flatnonzero(hangul & ~np.append(hangul[1:], False)) + 1
        words = np.cumsum(kinds == SPACE)
        cuts = _inside_of_words(kinds, words, particle_starts(codes, ends))
        if all(places is None for _, places in forms):
            return Joined(codes, begins, cuts, bearers[cuts - 1], words)
        # where they are in the texts as they were given
        number = np.searchsorted(begins, cuts, side="right") - 1
        given, given_begins = joined(texts)
        moved = np.concatenate([np.arange(len(form) + 1) if places is None else places for form, places in forms])
        cuts = np.unique(moved[cuts] + given_begins[number])
        kinds, bearers = scripts(given)
        return Joined(given, given_begins, cuts, bearers[cuts - 1], np.cumsum(kinds == SPACE))


class ByMorphemes:
    """At changes of script, and between the morphemes that an analyser finds."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    @property
    def identity(self) -> str:
        """The analyser's."""
        return f"morphemes {self._analyser.identity}"

    def cut(self, texts: Sequence[str]) -> Joined:
        """See Splitter."""
        codes, begins = joined(texts)
        borders = np.zeros(len(codes), dtype=bool)
        for begin, morphemes in zip(begins.tolist(), self._analyser.analyse(texts), strict=False):
            borders[[begin + place for one in morphemes for place in (one.start, one.end)]] = True
        kinds, bearers = scripts(codes)
        words = np.cumsum(kinds == SPACE)
        cuts = _inside_of_words(kinds, words, borders & (bearers == np.arange(len(codes))))
        return Joined(codes, begins, cuts, bearers[cuts - 1], words)


def _inside_of_words(kinds: NDArray[np.uint8], words: NDArray[np.intp], borders: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Borders, and changes of script, that are inside of a word with Hangul."""
    with_hangul = np.bincount(words[kinds == HANGUL], minlength=len(kinds) + 1)[words] > 0
    before = np.append(SPACE, kinds)[:-1]
    # a text that begins with characters that nobody sees has its first word behind them
    inside = with_hangul & (kinds != SPACE) & (before != SPACE) & (before != ATTACHED)
    return np.flatnonzero(inside & (borders | (kinds != before)))
