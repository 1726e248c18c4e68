"""Tags and entities of HTML, found by one linear scan without a tree: what is unclosed or crossed does not matter."""

from __future__ import annotations

import functools
import html
import re
from html.entities import html5

# Comments, scripts and styles go with what they hold, up to the end of the page where they are not closed, as browsers
# have it. A quoted value may hold any sign, but "<" three times at most, and three values of a tag; elsewhere "<" ends
# what would be a tag. So a scan from one "<" sees few others, and no page takes more than time in its length.
ATTRIBUTES = r"""(?:[^<>=]|=\s*+"[^"<]*+"|=\s*+'[^'<]*+'|=(?!\s*+["']))*+"""
SIGNED = r"""=\s*+(?:"[^"<]*+(?:<[^"<]*+){1,3}+"|'[^'<]*+(?:<[^'<]*+){1,3}+')"""
TAG = re.compile(
    rf"""(
    <!--(?:-?>|.*?(?:-->|\Z))
    | <script\b[^<>]*+>.*?(?:</script\s*+>|\Z)
    | <style\b[^<>]*+>.*?(?:</style\s*+>|\Z)
    | </?[a-z][^\s<>/=]*+{ATTRIBUTES}(?:{SIGNED}{ATTRIBUTES}){{0,3}}+[^<>]*+>
    | <[!?][^<>]*+>
    )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
NAME = re.compile(r"</?([a-z][^\s<>/=]*)", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]{1,31};?)")
LONGEST_NUMBER = 100  # characters; what is longer stands for no character, but for its zeros in front
VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)

INLINE, SPACE = 0, 1  # nothing stands in its place; a space does
# The rest stand for themselves, each as one character of the last plane for private use: old Hangul has been written in
# the first one. Their order is that of the vocabulary that models are trained with, so new ones go to the end.
MARKERS = ("p", "h1", "h2", "h3", "table", "tr", "th", "td", "ul", "ol", "li", "dl", "dt", "dd", "/table", "/list")
FIRST_MARKER = 0x10FE00
HEADINGS = ("h1", "h2", "h3")
CLOSINGS = ("/table", "/list")

_OPENING = {name: FIRST_MARKER + number for number, name in enumerate(MARKERS)} | {
    name: FIRST_MARKER + MARKERS.index(like)
    for like, names in {
        "h3": ("h4", "h5", "h6"),
        "p": ("blockquote", "pre", "caption", "figcaption"),
        "li": ("option",),
    }.items()
    for name in names
}
_CLOSING = {"table": _OPENING["/table"]} | dict.fromkeys(("ul", "ol", "dl"), _OPENING["/list"])
_SPACES = frozenset(
    ("address", "article", "aside", "body", "br", "center", "details", "div", "fieldset", "figure", "footer", "form")
    + ("head", "header", "hr", "html", "main", "nav", "noscript", "optgroup", "section", "select", "summary")
    + ("tbody", "tfoot", "thead", "title")
)


def marker(name: str) -> str:
    """The character that stands for a tag: one of MARKERS."""
    return chr(FIRST_MARKER + MARKERS.index(name))


@functools.lru_cache(maxsize=1 << 13)
def stand_in(tag: str) -> int:
    """What stands for a tag: INLINE, SPACE or the code point of a marker."""
    found = NAME.match(tag)
    if found is None:  # a comment, a declaration
        return INLINE
    name = found[1].lower()
    if tag[1] == "/":
        return _CLOSING.get(name, SPACE if name in _OPENING or name in _SPACES else INLINE)
    return _OPENING.get(name, SPACE if name in _SPACES else INLINE)


def name_of(tag: str) -> str:
    """The name of a tag in small letters; "" where it is a comment, a declaration, a script or a style."""
    found = NAME.match(tag)
    name = found[1].lower() if found else ""
    return "" if name in ("script", "style") else name


@functools.lru_cache(maxsize=1 << 13)
def resolved(entity: str) -> tuple[str, int]:
    """What an entity stands for, and how many of its characters do: a name without a semicolon may be the beginning."""
    if entity[1] == "#":  # Python reads no number of more than 4,300 digits
        return html.unescape(entity) if len(entity) < LONGEST_NUMBER else "\ufffd", len(entity)
    name = entity[1:]
    for length in range(len(name), 1, -1):
        if name[:length] in html5:
            return html5[name[:length]], length + 1
    return "&", 1
