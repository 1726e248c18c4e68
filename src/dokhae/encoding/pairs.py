"""Pairs of texts, or texts, that are read whole: one window each, without spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import CHUNK, Features, bounds_of, flat, in_chunks
from dokhae.encoding.layout import PairTokenizer
from dokhae.encoding.offsets import Ints
from dokhae.errors import SettingsError
from dokhae.types import Example

FEWEST = 8  # tokens of a window


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How long a pair, or a text alone, may be."""

    max_length: int = 128  # tokens, special tokens included; of what is longer the ends are cut off

    def __post_init__(self) -> None:
        """Refuse what no pair fits into."""
        if self.max_length < FEWEST:
            raise SettingsError(f"max_length is {self.max_length} tokens; at least {FEWEST} are needed")


def build_pairs(
    examples: Sequence[Example],
    tokenizer: PairTokenizer,
    config: PairConfig,
    progress: Callable[[int], None] = lambda done: None,
) -> Features:
    """Tokenize pairs of texts (question and context) or, where the tokenizer lays out single texts, the contexts alone.

    Each is one window. Every text is tokenized once, however many pairs it is in; tokens have no characters, so none
    of them is legal. progress is called with the number of contexts done.
    """
    contexts, context_of = _distinct([example.context for example in examples])
    single = tokenizer.layout.texts == "single"
    questions, question_of = _distinct([] if single else [example.question for example in examples])
    parts = in_chunks(tokenizer.tokenize_ids, [*questions, *contexts], 8 * CHUNK)
    texts: list[Ints] = []
    for part in parts:
        texts += part
        progress(len(texts) * len(contexts) // (len(questions) + len(contexts)))
    first = _Texts.of([*texts[: len(questions)], np.empty(0, dtype=np.int32)])
    second = _Texts.of(texts[len(questions) :])
    first_of = np.full(len(examples), len(questions), dtype=np.int32) if single else question_of
    whole = first.lengths[first_of], second.lengths[context_of]
    kept = fitted(*whole, config.max_length - tokenizer.layout.special_count)
    nothing = np.full(len(examples), -1, dtype=np.int32)
    return Features(
        context_ids=second.ids,
        context_starts=np.zeros(len(second.ids), dtype=np.int32),
        context_ends=np.zeros(len(second.ids), dtype=np.int32),
        context_bounds=second.bounds,
        question_ids=first.beginnings(first_of, kept[0]),
        question_bounds=bounds_of(kept[0]),
        example_context=context_of,
        answer_start=nothing,
        answer_end=nothing,
        window_example=np.arange(len(examples), dtype=np.int32),
        window_start=np.zeros(len(examples), dtype=np.int32),
        window_end=kept[1].astype(np.int32),
        window_lead=np.zeros(len(examples), dtype=np.int32),
        lead_ids=np.empty(0, dtype=np.int32),
        lead_bounds=bounds_of([0]),
        truncated_questions=np.flatnonzero(sum(kept) < sum(whole)).astype(np.int32),
        max_length=config.max_length,
    )


def fitted(
    first: NDArray[np.int64], second: NDArray[np.int64], room: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many tokens are left of the texts of some pairs, (pair,) each, that may have `room` together.

    As BERT cuts them: the last token of the longer one goes, of the second where both are equally long.
    Source: _truncate_seq_pair of run_classifier.py, Devlin et al. 2019.
    """
    excess = np.maximum(first + second - room, 0)
    longer = first - second
    uneven = np.minimum(excess, np.abs(longer))  # tokens that go before both are equally long
    rest = excess - uneven
    return (
        first - np.where(longer > 0, uneven, 0) - rest // 2,
        second - np.where(longer < 0, uneven, 0) - (rest + 1) // 2,
    )


def _distinct(texts: list[str]) -> tuple[list[str], Ints]:
    """Each text once, and which of them stands where."""
    number = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(number), np.fromiter((number[text] for text in texts), np.int32, len(texts))


@dataclass(frozen=True, slots=True)
class _Texts:
    """Tokens of some texts."""

    ids: Ints  # of all of them, one after another
    bounds: NDArray[np.int64]  # (texts + 1,)

    @classmethod
    def of(cls, texts: Sequence[Ints]) -> _Texts:
        return cls(flat(texts), bounds_of([len(text) for text in texts]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.bounds)

    def beginnings(self, which: Ints, lengths: NDArray[np.int64]) -> Ints:
        """The first tokens of some texts, so many of each, one after another."""
        begins = self.bounds[which]
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.asarray(self.ids[np.repeat(begins, lengths) + inside])
