"""Invented names, put together from parts (names.yaml); each belongs to one split for ever, by its checksum."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

import yaml

T = TypeVar("T")

SPLITS = {"dev": (0,), "train": (1, 2), "test": (3,), "encoder": (4, 5, 6, 7, 8, 9)}  # of the checksum's last digit
RARE = 0.4  # share of the encoder's names
PART = re.compile(r"\{(\w+)\}")
SOURCE = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text(encoding="utf-8"))
FORMS: dict[str, dict[str, list[str]]] = SOURCE["forms"]  # language -> kind of thing -> forms
PARTS: dict[str, list[str]] = {
    name: parts.split() if isinstance(parts, str) else parts for name, parts in SOURCE["parts"].items()
}

# Korean particles: the form after a consonant, and after a vowel.
PARTICLES = {
    "은": ("은", "는"),
    "이": ("이", "가"),
    "을": ("을", "를"),
    "과": ("과", "와"),
    "으로": ("으로", "로"),
    "이나": ("이나", "나"),
    "이라": ("이라", "라"),
    "이라는": ("이라는", "라는"),
    "이라고": ("이라고", "라고"),
    "이란": ("이란", "란"),
    "아": ("아", "야"),
    "이다": ("이다", "다"),
    "이었다": ("이었다", "였다"),
    "이며": ("이며", "며"),
    "이고": ("이고", "고"),
    "인": ("인", "인"),
}


def with_particle(noun: str, particle: str) -> str:
    """A Korean noun with the particle in the form that its last syllable asks for."""
    last = next(letter for letter in reversed(noun) if "가" <= letter <= "힣")
    final = (ord(last) - ord("가")) % 28  # 0 = no final consonant, 8 = ㄹ, after which 로 stands
    after_vowel = final == 0 or (particle == "으로" and final == 8)
    return noun + PARTICLES[particle][after_vowel]


class Draw:
    """Random choices. Only random() is used: Python promises its sequence in every version, choice()'s not."""

    def __init__(self, seed: int) -> None:
        self.random: Callable[[], float] = Random(seed).random

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self.random() < share

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def choose(self, items: list[T] | tuple[T, ...]) -> T:
        """One of the items."""
        return items[int(self.random() * len(items))]

    def some(self, items: list[T], count: int) -> list[T]:
        """That many of the items, in another order."""
        order = sorted((self.random(), index) for index in range(len(items)))
        return [items[index] for _, index in order[:count]]

    def name(self, language: str, kind: str, split: str) -> str:
        """A name that only this split uses; many of the encoder's have rare syllables: it is to know them all."""
        parts = rarer() if split == "encoder" and self.chance(RARE) else PARTS
        while True:
            form = self.choose(FORMS[language][kind])
            name = PART.sub(lambda part: self.choose(parts[part[1]]), form)
            if zlib.crc32(name.encode()) % 10 in SPLITS[split]:
                return name


@cache
def syllables() -> list[str]:
    """The 2,350 Hangul syllables in use: those of the standard KS X 1001."""
    every = (chr(code) for code in range(ord("가"), ord("힣") + 1))
    return [syllable for syllable in every if len(syllable.encode("euc-kr", errors="ignore")) == 2]


@cache
def rarer() -> dict[str, list[str]]:
    """The parts, with all syllables in place of the common ones, in Korean and in English."""
    stems = [f"{onset}{vowel}{coda}" for onset in PARTS["onset"] for vowel in PARTS["vowel"] for coda in PARTS["coda"]]
    return PARTS | {"syllable": syllables(), "given": stems, "stem": stems}
