from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokhae.errors import SettingsError
from dokhae.report import bootstrap
from dokhae.report.bootstrap import paired_bootstrap

ARTICLES = [f"article {number // 10}" for number in range(200)]


def test_the_same_answers_differ_by_nothing():
    scores = [1.0, 0.0] * 100
    found = paired_bootstrap(scores, scores, ARTICLES)
    assert (found.mean, found.low, found.high, found.worse) == (0.0, 0.0, 0.0, 1.0)


def test_a_gain_everywhere_is_sure():
    found = paired_bootstrap([100.0] * 200, [0.0] * 200, ARTICLES)
    assert (found.mean, found.low, found.high, found.worse) == (100.0, 100.0, 100.0, 0.0)
    assert found.in_words() == "+100.00 (+100.00 to +100.00)"


def test_questions_of_one_article_are_drawn_together():
    before = [0.0] * 200
    scores = [100.0 if number < 100 else 0.0 for number in range(200)]  # ten articles all right, ten all wrong
    by_article = paired_bootstrap(scores, before, ARTICLES)
    by_question = paired_bootstrap(scores, before, [str(number) for number in range(200)])
    assert by_article.mean == by_question.mean == 50.0
    # the spread of a mean of 20 fair coins is the square root of ten times that of 200
    assert by_article.high - by_article.low == pytest.approx(4 * 50 / 20**0.5, rel=0.15)
    assert by_question.high - by_question.low == pytest.approx(4 * 50 / 200**0.5, rel=0.15)


def test_articles_count_by_their_questions():
    found = paired_bootstrap([1.0, 0.0, 0.0, 0.0], [0.0] * 4, ["a", "b", "b", "b"])
    assert found.mean == 0.25
    assert (found.low, found.high) == (0.0, 1.0)


def test_portions_change_nothing(monkeypatch):
    scores = np.random.default_rng(3).integers(2, size=200).tolist()
    whole = paired_bootstrap(scores, scores[::-1], ARTICLES, samples=500)
    monkeypatch.setattr(bootstrap, "AT_ONCE", 20 * 7)
    assert paired_bootstrap(scores, scores[::-1], ARTICLES, samples=500) == whole


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]), st.sampled_from("abc")), min_size=1)
)
def test_the_other_way_round_it_is_the_opposite(rows):
    scores, before, groups = zip(*rows, strict=True)
    one, other = (paired_bootstrap(*pair, groups, samples=200) for pair in ((scores, before), (before, scores)))
    assert one.mean == -other.mean
    assert one.low == pytest.approx(-other.high) and one.high == pytest.approx(-other.low)
    assert one.low <= one.high


@pytest.mark.parametrize(
    ("scores", "before", "groups", "samples"),
    [([1.0, 2.0, 3.0], [1.0], ["a", "b", "c"], 10), ([], [], [], 10), ([1.0], [1.0], ["a"], 0), ([1.0], [1.0], [], 10)],
)
def test_what_is_not_paired_is_refused(scores, before, groups, samples):
    with pytest.raises(SettingsError, match="cannot be paired"):
        paired_bootstrap(scores, before, groups, samples)
