"""Spans of a page that cut no tag in two and hold whole elements, as annotators selected them; where they stand."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from dokhae.pages.tags import TAG, VOID, name_of

Place = Literal["prose", "table", "list"]
NEXT_TAG = re.compile(r"(?:\s|<br\s*+/?>)*+(</[a-z][^\s<>/=]*+\s*+>)", re.IGNORECASE)
CLOSING = re.compile(r"</[a-z][^\s<>/=]*+\s*+>", re.IGNORECASE)
QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")
LONGEST_TAG = 1000  # characters that are looked back for where a tag begins
PART = re.compile(r"<(?:(table|tbody|tr|td|th)|ul|ol|li|dl|dt|dd)\b", re.IGNORECASE)
CONTAINER = re.compile(r"<(/?)(table|ul|ol|dl)\b", re.IGNORECASE)


class _Open:
    """Names of elements that are open, the innermost last. Each is put in and taken out once, however they cross."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._names)

    def open(self, name: str) -> None:
        self._names.append(name)
        self._counts[name] += 1

    def close(self, name: str) -> bool:
        """Close the innermost element of a name, and what is open inside of it; False where there is none."""
        if not self._counts[name]:
            return False
        while True:
            last = self._names.pop()
            self._counts[last] -= 1
            if last == name:
                return True

    def innermost(self) -> str:
        return self._names[-1] if self._names else ""


def whole(page: str, start: int, end: int) -> tuple[int, int]:
    """The range of characters that holds [start, end) and whole elements, as far as tags alone stand in between.

    What is opened inside is closed, what is closed inside is opened, and an element of which all is inside belongs to
    it, as in KorQuAD's gold answers: `<td><a>2016</a></td>`. The visible text stays the same.
    """
    if start == end:
        return start, end
    opened, closed = _unpaired(page, start, end)
    end = _with_closing(page, end, opened)
    start = _with_opening(page, start, closed)
    while True:
        before, after = _tag_before(page, start), CLOSING.match(page, end)
        if before is None or after is None or name_of(before) != name_of(after[0]) or before.startswith("</"):
            return start, end
        start, end = start - len(before), after.end()


def _unpaired(page: str, start: int, end: int) -> tuple[_Open, list[str]]:
    """The elements that are opened in a range and not closed, and the names of those closed that are not opened."""
    opened = _Open()
    closed: list[str] = []
    for found in TAG.finditer(page, start):  # what is behind the end may make what is before it a tag, or not
        if found.start() >= end:
            break
        tag = found[0]
        name = name_of(tag)
        if not name or name in VOID or tag.endswith("/>"):
            continue
        if not tag.startswith("</"):
            opened.open(name)
        elif not opened.close(name):
            closed.append(name)
    return opened, closed


def _with_closing(page: str, end: int, opened: _Open) -> int:
    """The end behind the closing tags of what is open."""
    while opened:
        found = NEXT_TAG.match(page, end)
        if found is None or not opened.close(name_of(found[1])):
            break
        end = found.end()
    return end


def _with_opening(page: str, start: int, closed: list[str]) -> int:
    """The start before the opening tags of what is closed."""
    for name in closed:
        before = _tag_before(page, start)
        if before is None or name_of(before) != name or before.startswith("</"):
            break
        start -= len(before)
    return start


def _tag_before(page: str, start: int) -> str | None:
    """The tag that ends where a range begins."""
    if start == 0 or page[start - 1] != ">":
        return None
    first = page.rfind("<", max(start - LONGEST_TAG, 0), start)
    if first < 0 or TAG.fullmatch(page, first, start) is None:
        return None
    tag = page[first:start]
    # it may be the end of a comment, or of a tag with "<" in a quoted value
    return None if tag.endswith("-->") or re.search("[\"']", QUOTED.sub("", tag)) else tag


def place_of(page: str, start: int) -> Place:
    """Where a span stands: in a table, in a list, or in prose; one that begins with a table is in it."""
    first = PART.match(page, start)
    if first is not None:
        return "table" if first[1] else "list"
    containers = _Open()
    for found in CONTAINER.finditer(page, 0, start):
        kind = "table" if found[2].lower() == "table" else "list"
        if found[1]:
            containers.close(kind)
        else:
            containers.open(kind)
    places: dict[str, Place] = {"table": "table", "list": "list"}
    return places.get(containers.innermost(), "prose")
