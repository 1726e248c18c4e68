from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.strategies import Logits, logits, span_lists
from dokhae.decoding import DecodingConfig, concatenate
from dokhae.errors import SettingsError

sizes = st.integers(1, 30)
some = settings(deadline=None, max_examples=300)


def one_window(start, end, legal=None, cls=0):
    start, end = np.float32([start]), np.float32([end])
    legal = np.ones(start.shape, bool) if legal is None else np.array([legal], bool)
    return Logits(start, end, legal, np.array([cls]))


def all_spans(made, row, max_answer_length):
    """Every legal span of a window with its score, best first; ties by start, then by end."""
    columns = range(made.start.shape[1])
    found = [
        (first, last, float(made.start[row, first] + made.end[row, last]))
        for first in columns
        for last in columns
        if made.legal[row, first] and made.legal[row, last] and 0 <= last - first < max_answer_length
    ]
    return sorted(found, key=lambda span: (-span[2], span[0], span[1]))


def pruned_spans(made, row, n_best, max_answer_length):
    """As the loops of BERT's and Hugging Face's question answering scripts: the n_best highest starts times the
    n_best highest ends, skipping what is no answer, then the best of them."""
    starts = np.argsort(made.start[row])[::-1][:n_best]
    ends = np.argsort(made.end[row])[::-1][:n_best]
    found = []
    for first in starts.tolist():
        for last in ends.tolist():
            if not made.legal[row, first] or not made.legal[row, last]:
                continue
            if last < first or last - first + 1 > max_answer_length:
                continue
            found.append((first, last, float(made.start[row, first] + made.end[row, last])))
    return sorted(found, key=lambda span: (-span[2], span[0], span[1]))[:n_best]


@some
@given(made=logits(), n_best=sizes, length=sizes)
def test_the_exact_search_finds_the_best_of_all_legal_spans(made, n_best, length):
    found = span_lists(made.decoded(n_best=n_best, max_answer_length=length))
    assert found == [all_spans(made, row, length)[:n_best] for row in range(len(made.cls))]


@some
@given(made=logits(ties=False), n_best=sizes, length=sizes)
def test_the_pruned_search_is_that_of_the_old_scripts(made, n_best, length):
    found = span_lists(made.decoded(n_best=n_best, max_answer_length=length, search="pruned"))
    assert found == [pruned_spans(made, row, n_best, length) for row in range(len(made.cls))]


@some
@given(made=logits(), length=sizes, more=st.integers(0, 5))
def test_pruned_is_exact_where_n_best_covers_the_window(made, length, more):
    n_best = made.start.shape[1] + more
    exact = made.decoded(n_best=n_best, max_answer_length=length)
    pruned = made.decoded(n_best=n_best, max_answer_length=length, search="pruned")
    assert span_lists(exact) == span_lists(pruned)


@some
@given(made=logits(), n_best=sizes, search=st.sampled_from(["exact", "pruned"]))
def test_logits_and_null_score_are_those_of_the_columns(made, n_best, search):
    spans = made.decoded(n_best=n_best, search=search)
    rows = np.arange(len(made.cls))
    assert spans.null_score.tolist() == (made.start[rows, made.cls] + made.end[rows, made.cls]).tolist()
    found = spans.score > -np.inf
    assert spans.start_logit[found].tolist() == np.take_along_axis(made.start, spans.start, axis=1)[found].tolist()
    assert spans.end_logit[found].tolist() == np.take_along_axis(made.end, spans.end, axis=1)[found].tolist()
    assert (spans.score.dtype, spans.start_logit.dtype, spans.null_score.dtype) == (np.float32,) * 3
    for row in span_lists(spans):
        assert len({span[:2] for span in row}) == len(row) <= n_best
        assert [span[2] for span in row] == sorted((span[2] for span in row), reverse=True)


def test_an_answer_ends_where_it_starts_or_later_and_is_not_too_long():
    made = one_window([0, 9, 0, 0, 5], [9, 0, 0, 0, 8])  # start 1 and end 0 are the highest
    assert span_lists(made.decoded(n_best=1)) == [[(1, 4, 17.0)]]
    assert span_lists(made.decoded(n_best=2, max_answer_length=3)) == [[(4, 4, 13.0), (0, 0, 9.0)]]
    assert span_lists(made.decoded(n_best=1, max_answer_length=4)) == [[(1, 4, 17.0)]]


def test_ties_fall_to_the_earlier_start_then_to_the_earlier_end():
    made = one_window([0, 0, 0], [0, 0, 0])
    for search in ("exact", "pruned"):
        spans = span_lists(made.decoded(n_best=4, search=search))[0]
        assert [span[:2] for span in spans] == [(0, 0), (0, 1), (0, 2), (1, 1)]


def test_the_pruned_search_misses_what_the_exact_one_finds():
    made = one_window([9, 5, 0, 0], [0, 0, 8, 7], legal=[False, True, True, True])
    assert span_lists(made.decoded(n_best=1)) == [[(1, 2, 13.0)]]
    assert span_lists(made.decoded(n_best=1, search="pruned")) == [[]]  # its one start is the CLS


def test_the_null_score_is_at_the_cls_wherever_it_is():
    made = one_window([1, 2, 4], [10, 20, 40], legal=[True, True, False], cls=2)
    assert made.decoded().null_score.tolist() == [44.0]
    assert span_lists(made.decoded(n_best=1)) == [[(1, 1, 22.0)]]


def test_a_window_without_a_legal_column_has_a_null_score_only():
    made = one_window([3, 4], [5, 6], legal=[False, False])
    for search in ("exact", "pruned"):
        spans = made.decoded(search=search)
        assert span_lists(spans) == [[]] and spans.null_score.tolist() == [8.0]


@some
@given(first=logits(), second=logits(), n_best=sizes)
def test_batches_of_other_widths_are_joined_row_by_row(first, second, n_best):
    parts = [made.decoded(n_best=n_best) for made in (first, second)]
    joined = concatenate(parts)
    assert span_lists(joined) == span_lists(parts[0]) + span_lists(parts[1])
    assert joined.null_score.tolist() == parts[0].null_score.tolist() + parts[1].null_score.tolist()
    assert joined.windows.tolist() == [*range(len(first.cls)), *range(len(second.cls))]
    assert (joined.start.dtype, joined.score.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("name", ["n_best", "max_answer_length"])
def test_settings_that_allow_no_span_are_refused(name):
    with pytest.raises(SettingsError, match=f"decoding: {name} is 0; at least 1 is needed"):
        DecodingConfig(**{name: 0})
