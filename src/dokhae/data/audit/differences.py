"""In what offsets and answers may differ from their context: other units than characters, other forms of the text."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from dokhae.data.audit.texts import INVISIBLE, plain_form

TAGS = re.compile("<[^<>]*>")
AT_ENDS = "white space at its ends"


@dataclass(frozen=True, slots=True)
class Unit:
    """What an offset may have counted instead of characters."""

    name: str
    count: Callable[[str], int]  # of the text before an answer


@dataclass(frozen=True, slots=True)
class Difference:
    """In what an answer may differ from the text of its context."""

    name: str
    fold: Callable[[str], str]  # takes the difference away
    certain: bool  # whether the context's own text may stand for the answer
    strip: bool = False  # whether white space at the ends of the answer is taken away too


def _same(text: str) -> str:
    return text


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", _one_line_end(text))


def _one_space(text: str) -> str:
    return " ".join(_composed(text).split())


def _visible(text: str) -> str:
    return INVISIBLE.sub("", _composed(text))


def _without_case(text: str) -> str:
    return unicodedata.normalize("NFC", _composed(text).casefold())


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


SAME = Difference("", _same, certain=True)
DIFFERENCES = (
    SAME,
    Difference("line ends", _one_line_end, certain=True),
    Difference("Unicode form", _composed, certain=True),
    Difference(AT_ENDS, _composed, certain=True, strip=True),
    Difference("white space", _one_space, certain=False),
    Difference("invisible characters", _visible, certain=False),
    Difference("case", _without_case, certain=False),
    Difference("compatibility characters", _compatible, certain=False),
    Difference("several of these", plain_form, certain=False),
)
UNITS = (
    Unit("counts UTF-8 bytes", lambda text: len(text.encode())),
    Unit("counts UTF-16 units", lambda text: len(text.encode("utf-16-le")) // 2),
    Unit("counts line ends as two characters", lambda text: len(text) + text.count("\n") - text.count("\r\n")),
    Unit("counts line ends as one character", lambda text: len(text) - text.count("\r\n")),
    Unit("counts characters composed (NFC)", lambda text: len(unicodedata.normalize("NFC", text))),
    Unit("counts characters decomposed (NFD)", lambda text: len(unicodedata.normalize("NFD", text))),
    Unit("passes over white space at the start", lambda text: len(text.lstrip())),
    Unit("counts runs of white space as one", lambda text: len(" ".join(f"{text}.".split())) - 1),
    Unit("passes over HTML tags and entities", lambda text: len(html.unescape(TAGS.sub("", text)))),
    Unit("counts from 1", lambda text: len(text) + 1),
)
