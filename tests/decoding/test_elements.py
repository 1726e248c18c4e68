"""Answers of pages: spans and ranges of blocks together, widened to whole elements."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from decoding.building import merge_one
from dokhae.decoding import DecodingConfig, FoundSpans, beside, best_spans, merge, whole_elements
from dokhae.encoding import Batch, Layout
from dokhae.encoding.blocks import Blocks
from dokhae.predict import reduce
from dokhae.types import Example

LAYOUT = Layout(
    specials=((1,), (2,), (2,)), special_types=((0,), (0,), (1,)), text_types=(0, 1), question_first=True, cls=(0, 0),
    pad_id=0, pad_type=0, pad_left=False, input_names=("input_ids",), markers=(7,),
)  # fmt: skip


def batch_of(*contexts):
    """Windows [CLS] q [SEP] context [SEP]; contexts: token ids, 7 is a marker."""
    ids = np.concatenate([[1, 5, 2, *context, 2] for context in contexts])
    lengths = np.array([len(context) + 4 for context in contexts])
    first = np.cumsum(lengths) - lengths
    legal = np.zeros(len(ids), dtype=bool)
    for start, length in zip(first, lengths, strict=True):
        legal[start + 3 : start + length - 1] = True
    starts = legal & (ids == 7)
    ends = legal & ~np.append(legal[1:] & ~starts[1:], False)
    return Batch(
        windows=np.arange(len(contexts)), lengths=lengths, ids=ids, types=np.zeros_like(ids), cls=first,
        context_at=first + 3, legal=legal, start_labels=first, end_labels=first,
        blocks=Blocks(starts, ends, np.zeros(len(contexts), dtype=bool)), layout=LAYOUT, longest=64,
    )  # fmt: skip


def logits_of(batch, *heads):
    """float32 (T,) for each head, 0 but where {place: value} says."""
    made = [np.zeros(len(batch.ids), dtype=np.float32) for _ in heads]
    for side, values in zip(made, heads, strict=True):
        for place, value in values.items():
            side[place] = value
    return tuple(made)


def rows(spans, window=0):
    found = zip(spans.start[window].tolist(), spans.end[window].tolist(), spans.score[window].tolist(), strict=True)
    return [row for row in found if row[2] > -math.inf]


def test_spans_and_blocks_are_compared_by_how_much_better_they_are_than_no_answer():
    # [CLS] q [SEP] 7 a b 7 c [SEP]: places 3 to 7 are the context's tokens 0 to 4
    batch = batch_of([7, 11, 12, 7, 13])
    logits = logits_of(batch, {0: 2, 4: 6}, {0: 1, 5: 5}, {0: -3, 3: 2, 4: 99}, {0: -1, 7: 3, 6: 99})
    found = reduce(batch, logits, DecodingConfig(n_best=3))
    # span [1, 2]: 6 + 5 - (2 + 1) = 8; blocks [0, 4]: 2 + 3 - (-3 - 1) = 9; 99 is where no block begins or ends
    assert rows(found)[:2] == [(0, 4, 9.0), (1, 2, 8.0)]
    assert found.null_score.tolist() == [0.0]
    assert (found.start_logit[0, :2].tolist(), found.end_logit[0, :2].tolist()) == ([5.0, 4.0], [4.0, 4.0])


def test_a_window_without_the_answer_loses_against_one_with_it():
    batch = batch_of([7, 11], [7, 12, 13])
    spans, blocks = ({0: 9, 7: 1}, {0: 9, 8: 1}), ({0: 5, 6: 1, 9: 4}, {0: 5, 6: 1, 11: 4})
    found = reduce(batch, logits_of(batch, *spans, *blocks), DecodingConfig(n_best=2))
    assert rows(found, 0)[0][2] == -10.0  # blocks: 0 + 0 - 10
    assert rows(found, 1)[0] == (0, 2, 6.0)  # 4 + 4 - (1 + 1)
    assert found.null_score.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("search", ["exact", "pruned"])
def test_a_range_of_blocks_may_be_longer_than_any_span(search):
    batch = batch_of([7, *range(11, 30)])
    last = 3 + 19
    logits = logits_of(batch, {3: 5}, {last: 5}, {3: 4}, {last: 4})
    found = rows(reduce(batch, logits, DecodingConfig(n_best=2, max_answer_length=2, search=search)))
    assert found[0] == (0, 19, 8.0)
    assert all(end - start < 2 for start, end, _ in found[1:])


def test_without_a_block_head_scores_and_null_scores_are_what_they_were():
    batch = batch_of([7, 11, 12])
    logits = logits_of(batch, {0: 2, 4: 6}, {0: 1, 5: 5})
    found = reduce(batch, logits, DecodingConfig(n_best=1))
    assert (rows(found), found.null_score.tolist()) == ([(1, 2, 11.0)], [3.0])


def test_of_equal_scores_the_first_heads_span_comes_first():
    mask = np.ones((1, 2), dtype=bool)
    config = DecodingConfig(n_best=1)
    one, other = (
        best_spans(
            np.arange(1), np.float32([logits]), np.float32([[0, 0]]), (mask, mask), np.zeros(1, np.int64), config
        )
        for logits in ([0, 1], [1, 0])
    )
    both = beside(one, other)
    assert (both.start.tolist(), both.score.tolist()) == ([[1, 0]], [[1.0, 1.0]])
    assert both.null_score.tolist() == one.null_score.tolist() == [0.0]


PAGE = "<table><tr><td><a>2016</a></td><td>봄 <b>서울</b>에서</td></tr></table>"


def prediction(*pieces, with_null=False):
    """Of these pieces of the page, each worse by 1 than the one before."""
    spans = [
        (PAGE.index(piece), PAGE.index(piece) + len(piece), 5.0 - number, 0.0) for number, piece in enumerate(pieces)
    ]
    return merge_one(Example("q", "?", PAGE), spans, 3.0, 20, with_null)


def test_candidates_become_whole_elements_with_their_own_scores():
    found = whole_elements(prediction("2016", "서울", "봄 <b>서울"), Example("q", "?", PAGE), False)
    assert [(one.text, one.score) for one in found.n_best] == [
        ("<td><a>2016</a></td>", 5.0), ("<b>서울</b>", 4.0), ("봄 <b>서울</b>", 3.0),
    ]  # fmt: skip
    assert all(PAGE[one.start : one.end] == one.text for one in found.n_best)
    assert (found.text, found.start, found.end) == ("<td><a>2016</a></td>", 11, PAGE.index("<td>봄"))
    assert (found.null_score, found.null_score_difference) == (3.0, -2.0)


@pytest.mark.parametrize("with_null", [False, True])
def test_candidates_that_become_the_same_are_one_with_the_best_score(with_null):
    given = prediction("<a>2016", "2016</a>", "서울", "2016", with_null=with_null)
    found = whole_elements(given, Example("q", "?", PAGE), with_null)
    assert [(one.text, one.score) for one in found.n_best] == [("<td><a>2016</a></td>", 5.0), ("<b>서울</b>", 3.0)]
    weights = [math.exp(5.0), math.exp(3.0), *([math.exp(3.0)] if with_null else [])]
    assert [one.probability for one in found.n_best] == pytest.approx([one / sum(weights) for one in weights[:2]])
    assert found.probability == found.n_best[0].probability


def test_a_prediction_without_candidates_stays():
    given = merge_one(Example("q", "?", PAGE), [], 3.0, 20, True)
    assert whole_elements(given, Example("q", "?", PAGE), True) == given


def test_tags_alone_are_no_answer():
    page = "<table><tr><td>가</td></tr></table>"
    example = Example("q", "?", page)
    spans = FoundSpans(
        example=np.array([0, 0]), start=np.array([0, 15]), end=np.array([7, 16]),
        start_logit=np.array([5.0, 1.0]), end_logit=np.array([5.0, 1.0]),
    )  # fmt: skip
    (merged,) = merge([example], spans, [0.0], 20, with_null=False)
    found = whole_elements(merged, example, with_null=False)
    assert [one.text for one in found.n_best] == [page]
    alone = replace(merged, n_best=merged.n_best[:1])
    assert whole_elements(alone, example, with_null=False).text == ""
