"""The scoring rules: one row per official script; what differs between them is a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dokhae.metrics.normalize import normalize_english, normalize_korean, normalize_korean_html


def words(normalized: str) -> Sequence[str]:
    """The words of a normalised text."""
    return normalized.split()


def characters(normalized: str) -> Sequence[str]:
    """The characters of a normalised text, without spaces."""
    return normalized.replace(" ", "")


@dataclass(frozen=True, slots=True)
class Rule:
    """How one official script scores."""

    normalize: Callable[[str], str]
    units: Callable[[str], Sequence[str]]  # of a normalised text: what F1 counts
    f1_of_two_empty: float = 0.0  # exact match is 1 there, whatever this says
    missing_scores_zero: bool = True  # False: the official script fails on a question without a prediction
    drops_empty_golds: bool = False  # golds empty after normalisation do not count; none left = no answer
    has_null: bool = False  # questions may be unanswerable: subsets are reported, questions are counted by id
    exact_match_key: str = "exact_match"  # as the official script prints it
    f1_key: str = "f1"


ENGLISH_WORDS: Final = Rule(normalize_english, words)  # SQuAD 1.1
ENGLISH_WORDS_WITH_NULL: Final = Rule(  # SQuAD 2.0
    normalize_english,
    words,
    f1_of_two_empty=1.0,
    missing_scores_zero=False,
    drops_empty_golds=True,
    has_null=True,
    exact_match_key="exact",
)
KOREAN_CHARACTERS: Final = Rule(normalize_korean, characters)  # KorQuAD 1.0
KOREAN_CHARACTERS_HTML: Final = Rule(normalize_korean_html, characters)  # KorQuAD 2.0 and 2.1
