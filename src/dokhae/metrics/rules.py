"""The scoring rules: one row per official script; what differs between them is a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dokhae.metrics.averages import left_to_right, pairwise
from dokhae.metrics.normalize import normalize_english, normalize_klue, normalize_korean, normalize_korean_html
from dokhae.metrics.overlap import count_shared, longest_shared_run


def words(normalized: str) -> Sequence[str]:
    """The words of a normalised text."""
    return normalized.split()


def characters(normalized: str) -> Sequence[str]:
    """The characters of a normalised text, without spaces."""
    return normalized.replace(" ", "")


def characters_and_spaces(normalized: str) -> Sequence[str]:
    """The characters of a normalised text, the spaces between its words included."""
    return normalized


@dataclass(frozen=True, slots=True)
class Rule:
    """How one official script scores."""

    normalize: Callable[[str], str]
    units: Callable[[str], Sequence[str]]  # of a normalised text: what F1 counts
    shared: Callable[[Sequence[str], Sequence[str]], int] = count_shared  # how many of both F1 takes
    average: Callable[[Sequence[float]], float] = left_to_right  # of scores from 0 to 1, in per cent
    f1_of_two_empty: float = 0.0  # exact match is 1 there, whatever this says
    missing_scores_zero: bool = True  # False: the official script fails on a question without a prediction
    drops_empty_golds: bool = False  # golds empty after normalisation do not count; none left = no answer
    has_null: bool = False  # questions may be unanswerable: subsets are reported, questions are counted by id
    exact_match_key: str = "exact_match"  # as the official script prints it
    f1_key: str = "f1"  # of the second score: F1, whatever takes the place of the shared units in it
    f1_label: str = "F1"  # its name for people


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
KOREAN_RUNS_WITH_NULL: Final = Rule(  # KLUE-MRC, whose ROUGE-W is F1 over the longest run that both texts hold
    normalize_klue,
    characters_and_spaces,
    shared=longest_shared_run,
    average=pairwise,
    f1_of_two_empty=1.0,
    missing_scores_zero=False,
    has_null=True,
    f1_key="rouge_w",
    f1_label="ROUGE-W",
)
