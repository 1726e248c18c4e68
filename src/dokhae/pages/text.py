"""A page in HTML -> the text that a model reads, and for each of its characters the range that it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.korean.texts import BLANKS, Codes, code_points, text_of
from dokhae.pages.tags import ENTITY, FIRST_MARKER, INLINE, SPACE, TAG, resolved, stand_in

Ints = NDArray[np.int32]
BLANK = ord(" ")
REPLACEMENT = 0xFFFD
EDIT_MARK = re.compile(r"\[편집(?: ?\| ?원본 편집)?\]")
FOOTNOTE_MARK = re.compile(r"\[(?:주 ?)?\d{1,3}\]|\[출처 필요\]")


@dataclass(frozen=True, slots=True)
class PageConfig:
    """How pages in HTML become text. Saved with the model."""

    keep_edit_marks: bool = False  # the [편집] that Korean Wikipedia puts behind its headings
    drop_footnote_marks: bool = False  # [1] and the like; one in 26 gold answers of KorQuAD 2.0 ends with one


class PageText(NamedTuple):
    """The text of a page: markers for its blocks, no tags, entities as their characters, one space in a row.

    Both arrays have one entry more than the text, for its end; neither steps back.
    """

    text: str
    starts: Ints  # where each character begins in the page
    ends: Ints  # where it ends there; empty ranges are spaces that were put in


def page_text(page: str, config: PageConfig) -> PageText:
    """The text of a page."""
    codes = code_points(page).copy()
    codes[codes >= FIRST_MARKER] = REPLACEMENT
    ends = np.arange(1, len(codes) + 1, dtype=np.int32)
    kept = _without_tags(page, codes, ends)
    starts = np.arange(len(codes), dtype=np.int32)
    _resolve_entities(page, codes, starts, ends, kept)
    codes, starts, ends = codes[kept], starts[kept], ends[kept]
    if not config.keep_edit_marks and "편집" in page:
        codes, starts, ends = _without(EDIT_MARK, codes, starts, ends)
    if config.drop_footnote_marks:
        codes, starts, ends = _without(FOOTNOTE_MARK, codes, starts, ends)
    codes, starts, ends = _spaced(codes, starts, ends)
    return PageText(text_of(codes), np.append(starts, np.int32(len(page))), np.append(ends, np.int32(len(page))))


def _without_tags(page: str, codes: Codes, ends: Ints) -> NDArray[np.bool_]:
    """Which characters are no part of a tag; the first one of a tag that leaves a trace becomes what stands for it."""
    pieces = TAG.split(page)  # text, tag, text, ..., text
    bounds = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
    first, after = bounds[0:-1:2], bounds[1::2]
    inside = np.zeros(len(codes) + 1, dtype=np.int8)
    inside[first] += 1
    inside[after] -= 1
    kept = np.asarray(np.cumsum(inside[:-1], dtype=np.int8) == 0)
    stand_ins = np.fromiter(map(stand_in, pieces[1::2]), np.uint32, len(first))
    shown = stand_ins != INLINE
    at = first[shown]
    codes[at] = np.where(stand_ins == SPACE, BLANK, stand_ins)[shown]
    ends[at], kept[at] = after[shown], True
    return kept


def _resolve_entities(page: str, codes: Codes, starts: Ints, ends: Ints, kept: NDArray[np.bool_]) -> None:
    """Put the characters that entities stand for at their first places, and drop the others."""
    if "&" not in page:
        return
    text = kept.copy()
    for found in ENTITY.finditer(page):
        first = found.start()
        if not text[first] or codes[first] != ord("&"):  # in the value of an attribute, in a comment
            continue
        characters, length = resolved(found[0])
        places = slice(first, first + length)
        made = slice(first, first + len(characters))  # none stands for more characters than it has
        kept[places] = False
        codes[made], kept[made] = [min(ord(one), FIRST_MARKER) for one in characters], True
        starts[made], ends[made] = first, first + length
        codes[made][codes[made] == FIRST_MARKER] = REPLACEMENT


def _without(mark: re.Pattern[str], codes: Codes, starts: Ints, ends: Ints) -> tuple[Codes, Ints, Ints]:
    """The characters without what a pattern finds."""
    kept = np.ones(len(codes), dtype=bool)
    for found in mark.finditer(text_of(codes)):
        kept[slice(*found.span())] = False
    return codes[kept], starts[kept], ends[kept]


def _spaced(codes: Codes, starts: Ints, ends: Ints) -> tuple[Codes, Ints, Ints]:
    """One space in a row, none before a marker or at either end, and one between a marker and the text behind it."""
    blank = BLANKS[np.minimum(codes, len(BLANKS) - 1)]
    marks = codes >= FIRST_MARKER
    kept = ~blank
    # a space stays where the last one before it that is no space is text, and so is the next
    text = np.flatnonzero(~blank)
    if len(text):
        between = text[1:] - text[:-1] > 1
        kept[text[:-1][between & ~marks[text[1:]] & ~marks[text[:-1]]] + 1] = True
    codes, starts, ends = np.where(blank, np.uint32(BLANK), codes)[kept], starts[kept], ends[kept]
    marks = codes >= FIRST_MARKER
    parted = np.append(marks[:-1] & ~marks[1:], False) if len(codes) else marks
    again = np.repeat(np.arange(len(codes)), 1 + parted)
    put_in = np.flatnonzero(parted) + np.cumsum(parted)[parted]
    codes, starts, ends = codes[again], starts[again], ends[again]
    codes[put_in], starts[put_in] = BLANK, ends[put_in]
    return codes, starts, ends
