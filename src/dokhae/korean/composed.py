"""Texts in composed form (NFC), and where each of its characters stands in the text as it was given."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def composed(text: str) -> tuple[str, NDArray[np.int32] | None]:
    """The text with letters and marks, and the jamo of syllables, put together.

    Beside it where each of its characters begins in `text`, and where the last one ends: (character + 1,); None where
    nothing changes. What NFC moves over the border of a letter with its marks is left as it is.
    """
    if unicodedata.is_normalized("NFC", text):
        return text, None
    borders = [place for place, character in enumerate(text) if place == 0 or not joins(character)] + [len(text)]
    pieces: list[str] = []
    starts: list[int] = []
    for first, after in pairwise(borders):
        piece = unicodedata.normalize("NFC", text[first:after])
        pieces.append(piece)
        starts += [first] * len(piece)
    # a piece that stays of several characters is one for whoever cuts: all of them begin where it begins
    return "".join(pieces), np.array([*starts, len(text)], dtype=np.int32)


def joins(character: str) -> bool:
    """Whether NFC may put a character together with the one before it: a mark, a vowel or final jamo."""
    return (
        unicodedata.combining(character) != 0 or "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"
    )
