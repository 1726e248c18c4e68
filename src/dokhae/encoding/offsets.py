"""Token offsets -> exact character ranges of the original text, and answers -> tokens."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.korean.texts import BLANKS, code_points

Ints = NDArray[np.int32]


def tidy(text: str, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Character ranges of the tokens of `text`, without surrounding white space and without cut characters.

    starts, ends: (token,) as the tokenizers library gives them. Three things are mended: byte-level BPE and
    SentencePiece count the space before a word to the word; normalisers that compose (NFC, NFKC) or strip accents
    leave the combining marks and Hangul jamo after the first one outside of every token; offsets that step back.
    Returns arrays of the same shape; an empty range (start == end) is a token that stands for no visible character.
    """
    if not len(starts):
        return starts, ends
    codes = code_points(text)
    space = BLANKS[np.minimum(codes, len(BLANKS) - 1)]
    starts, ends = _trim(space, starts, ends)
    covered = np.cumsum(np.bincount(starts, minlength=len(text) + 1) - np.bincount(ends, minlength=len(text) + 1))[:-1]
    left_out = (covered == 0) & ~space
    for position in np.flatnonzero(left_out).tolist():
        left_out[position] = continues(text[position])
    ends = np.where(starts < ends, _next_outside(left_out)[ends], ends)
    return np.maximum.accumulate(starts), np.maximum.accumulate(ends)


def continues(character: str) -> bool:
    """Whether a character belongs to the one before it: a combining mark, a Hangul vowel or final jamo, a joiner.

    Single letters of Hangul (U+3131, half-width U+FFA1) too: SentencePiece's normaliser puts them together.
    """
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or "\u1160" <= character <= "\u11ff"  # Hangul jungseong and jongseong
        or "\ud7b0" <= character <= "\ud7ff"  # the same, old letters
        or "\u3131" <= character <= "\u318e"
        or "\uffa1" <= character <= "\uffdc"
        or character in "\u200d\uff9e\uff9f"  # zero-width joiner, half-width voiced sound marks
    )


def _trim(space: NDArray[np.bool_], starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Move starts forward to the next visible character and ends back behind the previous one."""
    length = len(space)
    next_visible = _next_outside(space)
    after_visible = np.insert(np.where(space, 0, np.arange(1, length + 1, dtype=np.int32)), 0, 0)
    after_visible = np.maximum.accumulate(after_visible)
    # a token of white space alone becomes an empty range where the next visible character is
    empty = starts >= ends
    starts, ends = next_visible[np.minimum(starts, length)], after_visible[np.minimum(ends, length)]
    return starts, np.where(empty, starts, np.maximum(ends, starts))


def _next_outside(inside: NDArray[np.bool_]) -> Ints:
    """For every boundary the first position from there on that is not inside; (character + 1,)."""
    positions = np.arange(len(inside) + 1, dtype=np.int32)
    stops = np.where(np.append(inside, False), positions[-1], positions)
    return np.minimum.accumulate(stops[::-1])[::-1]


def tokens_of(starts: Ints, ends: Ints, char_start: int, char_end: int) -> tuple[int, int] | None:
    """The first and last token (inclusive) that cover characters [char_start, char_end); None where no token does."""
    first, last = tokens_of_each(starts, ends, np.array([char_start]), np.array([char_end]))[0].tolist()
    return None if first < 0 else (first, last)


def tokens_of_each(
    starts: NDArray[np.integer[Any]],
    ends: NDArray[np.integer[Any]],
    char_starts: NDArray[np.integer[Any]],
    char_ends: NDArray[np.integer[Any]],
) -> Ints:
    """Rows of the first and last token (inclusive) that cover each range of characters; (-1, -1) where no token does.

    Where several tokens share a character (byte-level BPE), those whose boundary is exactly the asked one win.
    """
    visible = np.flatnonzero(ends > starts)
    starts, ends = starts[visible], ends[visible]
    first = np.searchsorted(starts, char_starts, side="left")
    exact = np.append(starts, -1)[first] == char_starts
    first = np.where(exact, first, np.searchsorted(ends, char_starts, side="right"))
    last = np.searchsorted(ends, char_ends, side="right") - 1
    exact = np.append(ends, -1)[last] == char_ends  # of the -1 appended where last is -1
    last = np.where(exact, last, np.searchsorted(starts, char_ends, side="left") - 1)
    found = (first < len(visible)) & (last >= first)
    rows = np.full((len(char_starts), 2), -1, dtype=np.int32)
    rows[found, 0], rows[found, 1] = visible[first[found]], visible[last[found]]
    return rows
