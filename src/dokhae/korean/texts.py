"""Texts as arrays of characters: code points, and the script of each."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
UTF_32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"

SPACE, HANGUL, HAN, DIGIT, LETTER, OTHER, ATTACHED = range(7)
HANGUL_RANGES = ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xFFA0, 0xFFDC))
HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
# str.isspace as a table; no white space lies beyond U+3000
BLANKS = np.array([chr(code).isspace() for code in range(0x3001)] + [False])
HALF = re.compile("[\ud800-\udfff]")  # a surrogate, half of a character, which no file in UTF-8 holds
BASIC = 0x10000  # code points of the basic plane, whose scripts are kept in a table


def code_points(text: str) -> Codes:
    """The code points of a text, (character,)."""
    return np.frombuffer(text.encode(UTF_32, "surrogatepass"), dtype=np.uint32)


def text_of(codes: Codes) -> str:
    """The text of code points."""
    return codes.tobytes().decode(UTF_32, "surrogatepass")


def joined(texts: Sequence[str]) -> tuple[Codes, NDArray[np.int64]]:
    """All texts as one, with a character that is a space behind each; and where each of them begins, (text + 1,)."""
    sizes = np.array([len(text) + 1 for text in texts], dtype=np.int64)
    return code_points("".join(f"{text}\n" for text in texts)), np.concatenate([[0], np.cumsum(sizes)])


def scripts(codes: Codes) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The script of each character, one of the names above; and the number of the character that it belongs to.

    What is attached (a combining mark, a joiner, a character that nobody sees) belongs to the one it stands behind,
    and is of its script. A separator between two digits is a digit.
    """
    found = _scripts().take(codes, mode="clip")
    beyond = np.flatnonzero(codes >= BASIC)
    if len(beyond):  # few, so they are asked one by one
        kinds, which = np.unique(codes[beyond], return_inverse=True)
        found[beyond] = np.array([_script_of(chr(code)) for code in kinds.tolist()], dtype=np.uint8)[which]
    bearers = np.arange(len(codes))
    behind = found == ATTACHED
    if behind.any():
        bearers = np.maximum.accumulate(np.where(behind, 0, bearers))
        found = found[bearers]
    digits = found == DIGIT
    separators = ((codes == ord(".")) | (codes == ord(",")))[1:-1] & digits[:-2] & digits[2:]
    found[1:-1][separators] = DIGIT
    return found, bearers


@functools.cache
def _scripts() -> NDArray[np.uint8]:
    return np.array([_script_of(chr(code)) for code in range(BASIC)], dtype=np.uint8)


def _script_of(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    if character.isspace():
        return SPACE
    if category[0] in "MC":  # C: joiners, controls, what is private or not assigned; many normalisers drop these
        return ATTACHED
    for script, ranges in ((HANGUL, HANGUL_RANGES), (HAN, HAN_RANGES)):
        if any(first <= code <= last for first, last in ranges):
            return script
    return DIGIT if category == "Nd" else LETTER if category[0] == "L" else OTHER
