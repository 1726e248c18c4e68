from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from dokhae.encoding import Features, Layout, WindowConfig, build_features
from dokhae.encoding.ranking import best_first, best_windows
from dokhae.types import Example
from tokenizers_on_the_spot import pair_tokenizer

CLS, SEP, CELL = 1, 2, 9
LAYOUT = Layout(
    ((CLS,), (SEP,), (SEP,)), ((0,), (0,), (1,)), (0, 1), True, (0, 0), 0, 0, False, ("input_ids",), (CELL,)
)
WORDS = [
    "A mill stood beside the brook.", "The quarry fed forty ovens.", "Nara Ruskrel founded Valibury in 1822.",
    "The harbour froze for a month.", *["Bread was sold by weight."] * 4,
]  # fmt: skip


def features(questions, windows, leads=((),), lead_of=None, empty=()):
    """Features of one context whose windows are these lists of token ids, end to end, for each of the questions.

    empty: places of tokens of the context that stand for no character.
    """
    sizes = np.array([len(one) for one in windows])
    ends = np.cumsum(sizes)
    context = np.concatenate([np.array(one, dtype=np.int32) for one in windows])
    places = np.arange(len(context), dtype=np.int32)
    count = len(questions)
    none = np.full(count, -1, dtype=np.int32)
    return Features(
        context_ids=context,
        context_starts=places,
        context_ends=places + ~np.isin(places, empty),
        context_bounds=np.array([0, len(context)]),
        question_ids=np.concatenate([np.array(one, dtype=np.int32) for one in questions]),
        question_bounds=np.cumsum([0, *map(len, questions)]),
        example_context=np.zeros(count, dtype=np.int32),
        answer_start=none,
        answer_end=none,
        window_example=np.repeat(np.arange(count, dtype=np.int32), len(windows)),
        window_start=np.tile(ends - sizes, count).astype(np.int32),
        window_end=np.tile(ends, count).astype(np.int32),
        window_lead=np.tile(lead_of or [0] * len(windows), count).astype(np.int32),
        lead_ids=np.array([one for lead in leads for one in lead], dtype=np.int32),
        lead_bounds=np.cumsum([0, *map(len, leads)]),
        truncated_questions=np.empty(0, dtype=np.int32),
        max_length=64,
    )


def order(question, windows, **more):
    return best_first(features([question], windows, **more), 0, LAYOUT).tolist()


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlnet"])
def test_the_window_that_shares_words_with_the_question_comes_first(kind):
    tokenizer = pair_tokenizer(kind)
    examples = [
        Example("a", "Who founded Valibury?", " ".join(WORDS)),
        Example("b", "When froze the harbour?", " ".join(WORDS)),
    ]
    made = build_features(examples, tokenizer, WindowConfig(48, overlap=12))
    for number, word in enumerate(("Valibury", "harbour")):
        first = best_first(made, number, tokenizer.layout)[0]
        tokens = made.context_slice(number).start + np.array((made.window_start[first], made.window_end[first] - 1))
        shown = examples[number].context[made.context_starts[tokens[0]] : made.context_ends[tokens[1]]]
        assert word in shown
        assert made.window_example[first] == number
    assert made.window_count > 8


def test_windows_rank_by_the_formula_of_bm25():
    random = np.random.default_rng(0)
    for _ in range(20):
        windows = [random.integers(10, 40, size).tolist() for size in random.integers(1, 30, 12)]
        question = random.integers(10, 60, 6).tolist()
        scores = bm25(question, windows)
        assert order(question, windows) == sorted(range(12), key=lambda one: (-round(scores[one], 5), one))


def bm25(question, windows, k1=1.5, b=0.75):
    """Lucene's BM25, written out."""
    counts = [Counter(one) for one in windows]
    mean = sum(map(len, windows)) / len(windows)
    scores = []
    for count, window in zip(counts, windows, strict=True):
        score = 0.0
        for term in question:
            having = sum(term in one for one in counts)
            rarity = math.log(1 + (len(windows) - having + 0.5) / (having + 0.5))
            score += rarity * count[term] / (count[term] + k1 * (1 - b + b * len(window) / mean))
        scores.append(score)
    return scores


def test_of_equal_windows_the_earlier_comes_first():
    assert order([20], [[11, 12], [20, 11], [13, 12], [20, 11], [12, 11]]) == [1, 3, 0, 2, 4]


@pytest.mark.parametrize("question", [[], [50], [CLS, SEP, CELL]])
def test_a_question_that_shares_nothing_leaves_the_order_of_the_page(question):
    assert order(question, [[CLS, CELL, 11], [11], [SEP, 12, 11, CELL]]) == [0, 1, 2]


def test_what_stands_for_a_tag_or_for_nothing_does_not_count():
    windows = [[11, 12, 13], [20, 11, 12], [CELL, 20, CELL, CELL, 11]]
    assert order([CELL, 20], windows) == [2, 1, 0]  # two tokens of text, so 20 is more of them
    assert order([20], windows, empty=(3, 4)) == [2, 0, 1]  # nobody sees the first 20


def test_the_headings_in_front_of_a_window_are_part_of_it():
    windows = [[11, 12], [13, 14], [15, 16]]
    assert order([20], windows, leads=[(), (CELL, 20), (CELL, 21)], lead_of=[0, 2, 1]) == [2, 0, 1]


def test_the_best_windows_of_every_question_are_kept_in_their_order():
    made = features([[20], [21], [22]], [[21, 11], [12, 20], [21, 21], [22, 20]])
    assert best_windows(made, LAYOUT, 1).tolist() == [1, 6, 11]
    assert best_windows(made, LAYOUT, 2).tolist() == [1, 3, 4, 6, 8, 11]
    for most in (None, 4, 5):
        assert best_windows(made, LAYOUT, most).tolist() == list(range(12))


def test_contexts_and_questions_without_tokens_have_their_windows():
    tokenizer = pair_tokenizer("bert")
    examples = [Example("a", "Where?", ""), Example("b", "", " ".join(WORDS)), Example("c", "Where?", " \n")]
    made = build_features(examples, tokenizer, WindowConfig(24, overlap=4))
    assert np.unique(made.window_example[best_windows(made, tokenizer.layout, 1)]).tolist() == [0, 1, 2]
    none = build_features([], tokenizer, WindowConfig())
    assert best_windows(none, tokenizer.layout, 1).tolist() == best_windows(none, tokenizer.layout, None).tolist() == []
