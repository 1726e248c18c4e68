from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokhae.encoding import WindowConfig
from dokhae.encoding.windows import context_spans
from dokhae.errors import SettingsError


def test_windows_advance_by_the_step():
    assert context_spans(length=10, size=4, advance=3) == [(0, 4), (3, 7), (6, 10)]
    assert context_spans(length=11, size=4, advance=3) == [(0, 4), (3, 7), (6, 10), (9, 11)]


def test_neighbouring_windows_share_the_overlap():
    config = WindowConfig(max_length=8, overlap=2)
    assert context_spans(length=10, size=4, advance=config.advance(4, "q")) == [(0, 4), (2, 6), (4, 8), (6, 10)]


def test_a_step_of_128_is_an_overlap_of_128_only_in_windows_of_256():
    step, overlap = WindowConfig(step=128), WindowConfig(overlap=128)
    assert (step.advance(256, "q"), overlap.advance(256, "q")) == (128, 128)
    assert (step.advance(361, "q"), overlap.advance(361, "q")) == (128, 233)
    assert WindowConfig().advance(361, "q") == 128


def test_a_context_that_fits_has_one_window_and_an_empty_one_an_empty_window():
    assert context_spans(length=4, size=4, advance=1) == [(0, 4)]
    assert context_spans(length=0, size=4, advance=1) == [(0, 0)]


@given(length=st.integers(0, 200), size=st.integers(1, 40), data=st.data())
def test_windows_cover_everything_and_end_where_the_context_ends(length, size, data):
    advance = data.draw(st.integers(1, size))
    spans = context_spans(length, size, advance)
    assert {token for span in spans for token in range(*span)} == set(range(length))
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert [second[0] - first[0] for first, second in zip(spans, spans[1:], strict=False)] == [advance] * (
        len(spans) - 1
    )
    assert all(first[1] - second[0] == size - advance for first, second in zip(spans, spans[1:], strict=False))
    assert all(end - start == size for start, end in spans[:-1])
    assert not any(end >= length for _, end in spans[:-1])  # no window more than is needed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": 128, "overlap": 128}, "give step or overlap, not both"),
        ({"max_length": 7}, "max_length is 7 tokens; at least 8 are needed"),
        ({"step": 0}, "step is 0; windows have to advance by at least 1 token"),
        ({"overlap": -1}, "overlap is -1; it cannot be negative"),
        ({"max_question_length": 0}, "max_question_length is 0; at least 1 is needed"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        WindowConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "capacity", "message"),
    [
        ({"max_length": 16}, 0, "q7: the question and the special tokens leave no room for the context in 16 tokens"),
        ({"overlap": 9}, 9, "q7: an overlap of 9 tokens does not fit: the question leaves room for 9 tokens"),
        ({"step": 10}, 9, "q7: a step of 10 tokens would skip text: the question leaves room for 9 tokens"),
        ({}, 127, "q7: a step of 128 tokens would skip text: the question leaves room for 127 tokens"),
    ],
)
def test_windows_too_small_for_a_question_name_it(settings, capacity, message):
    with pytest.raises(SettingsError, match=message):
        WindowConfig(**settings).advance(capacity, "q7")


def test_the_smallest_advance_is_allowed():
    assert WindowConfig(overlap=8).advance(9, "q") == 1
    assert WindowConfig(step=9).advance(9, "q") == 9
