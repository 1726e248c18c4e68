"""What texts are made of: their Unicode form, characters that nobody sees, their lengths."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

FORMS = ("NFC and NFD", "NFC", "NFD", "neither")
CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # without tab and line ends
UNSEEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"  # zero-width, soft hyphen, direction marks
ODD = re.compile(f"[{CONTROL}{UNSEEN}\ufffd]")
SIGNS = {"\n": "⏎", "\r": "␍", "\t": "⇥"}
INVISIBLE = re.compile(f"[{CONTROL}{UNSEEN}]")


@dataclass(frozen=True, slots=True)
class Lengths:
    """Characters of some texts."""

    least: int
    median: float
    ninetieth: int  # nine of ten texts are at most as long
    most: int


def lengths_of(texts: Collection[str]) -> Lengths | None:
    """The lengths of some texts, None of no texts."""
    if not texts:
        return None
    lengths = sorted(map(len, texts))
    ninetieth = lengths[-(-9 * len(lengths) // 10) - 1]
    return Lengths(lengths[0], float(statistics.median(lengths)), ninetieth, lengths[-1])


def form_of(text: str) -> str:
    """The Unicode form of a text, one of FORMS; the first has nothing to compose or decompose."""
    composed, decomposed = (unicodedata.is_normalized(form, text) for form in ("NFC", "NFD"))
    if composed:
        return "NFC and NFD" if decomposed else "NFC"
    return "NFD" if decomposed else "neither"


def odd_characters(text: str) -> dict[str, int]:
    """The control, invisible and replacement characters of a text by name, and where each first stands."""
    found: dict[str, int] = {}
    for match in ODD.finditer(text):
        found.setdefault(character_name(match[0]), match.start())
    return found


def character_name(character: str) -> str:
    """For instance U+200B ZERO WIDTH SPACE."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"


def visible(text: str) -> str:
    """The text on one line, with a sign for what would not be seen."""
    return text if text.isprintable() else "".join(one if one.isprintable() else SIGNS.get(one, "·") for one in text)


def plain_form(text: str) -> str:
    """The text without differences of case, white space, invisible and compatibility characters."""
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", text).split())
