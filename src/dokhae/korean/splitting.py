"""Where Korean words are cut before a tokenizer sees them: at particles or morphemes, and at changes of script."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from dokhae.errors import SettingsError
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


class Splitter(ABC):
    """A way to cut words. Only words with Hangul are cut, and never a character and its marks."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Everything that decides about the cuts, as text."""

    def cut(self, texts: Sequence[str]) -> Joined:
        """Where these texts are cut: at the borders of this way, and at changes of script."""
        codes, begins = joined(texts)
        kinds, bearers = scripts(codes)
        words = np.cumsum(kinds == SPACE)
        with_hangul = np.bincount(words[kinds == HANGUL], minlength=len(kinds) + 1)[words] > 0
        before = np.append(SPACE, kinds)[:-1]
        # a text that begins with characters that nobody sees has its first word behind them
        inside = with_hangul & (kinds != SPACE) & (before != SPACE) & (before != ATTACHED)
        borders = self._borders(texts, codes, begins, kinds) & (bearers == np.arange(len(codes)))
        cuts = np.flatnonzero(inside & (borders | (kinds != before)))
        return Joined(codes, begins, cuts, bearers[cuts - 1], words)

    @abstractmethod
    def _borders(
        self, texts: Sequence[str], codes: Codes, begins: NDArray[np.int64], kinds: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        """For each character of the joined texts whether a part of a word may begin with it."""


def splitter(split: Split) -> Splitter | None:
    """What a setting stands for; None: words stay whole. MissingExtra where its analyser is not installed."""
    if split not in get_args(Split):
        raise SettingsError(f"korean_split is {split!r}; it can be {', '.join(get_args(Split))}")
    if split == "none":
        return None
    return ByParticles() if split == "particles" else ByMorphemes(analysis.find(split))


class ByParticles(Splitter):
    """Where a word may end in particles."""

    @property
    def identity(self) -> str:
        """The list's."""
        return f"particles {hashlib.sha256(' '.join(sorted(PARTICLES)).encode()).hexdigest()[:12]}"

    def _borders(
        self, texts: Sequence[str], codes: Codes, begins: NDArray[np.int64], kinds: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        forms = [composed(text) for text in texts]
        if all(places is None for _, places in forms):
            return _particle_starts(codes, kinds)
        form_codes, form_begins = joined([form for form, _ in forms])
        starts = np.flatnonzero(_particle_starts(form_codes, scripts(form_codes)[0])[1:]) + 1
        moved = np.concatenate([np.arange(len(form) + 1) if places is None else places for form, places in forms])
        starts = starts[moved[starts] != moved[starts - 1]]  # not inside of what does not compose to one character
        borders = np.zeros(len(codes), dtype=bool)
        borders[moved[starts] + begins[np.searchsorted(form_begins, starts, side="right") - 1]] = True
        return borders


class ByMorphemes(Splitter):
    """Between the morphemes that an analyser finds."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    @property
    def identity(self) -> str:
        """The analyser's."""
        return f"morphemes of {self._analyser.identity}"

    def _borders(
        self, texts: Sequence[str], codes: Codes, begins: NDArray[np.int64], kinds: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        borders = np.zeros(len(codes), dtype=bool)
        for begin, morphemes in zip(begins.tolist(), self._analyser.analyse(texts), strict=False):
            borders[[begin + place for one in morphemes for place in (one.start, one.end)]] = True
        return borders


def _particle_starts(codes: Codes, kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    hangul = kinds == HANGUL
    return particle_starts(codes, np.flatnonzero(hangul & ~np.append(hangul, False)[1:]) + 1)
