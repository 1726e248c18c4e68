"""Scores by kind of answer."""

from __future__ import annotations

import pytest

from dokhae.metrics.rules import KOREAN_CHARACTERS_HTML
from dokhae.report.page_kinds import KindScore, by_kind, kinds_of
from dokhae.types import Answer, Example

PAGE = (
    "<p>수도는 <a>서울</a>이다.</p><table><tr><td>면적</td><td>605</td></tr></table>"
    "<ul><li>한강</li><li>남산 <table><tr><td>265</td></tr></table></li></ul><p>끝</p>"
)


def placed(text):
    return Answer(text, PAGE.index(text))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<a>서울</a>", ("short", "prose")),
        ("<td>605</td>", ("short", "table")),
        ("605", ("short", "table")),
        ("한강", ("short", "list")),
        ("265", ("short", "table")),
        ("<p>끝</p>", ("long", "prose")),
        ("<table><tr><td>면적</td><td>605</td></tr></table>", ("long", "table")),
        ("<ul><li>한강</li><li>남산 <table><tr><td>265</td></tr></table></li></ul>", ("long", "list")),
    ],
)
def test_an_answer_is_of_a_length_and_of_a_place(text, kinds):
    assert kinds_of(placed(text), PAGE) == kinds


def test_without_its_page_an_answer_speaks_for_itself():
    assert kinds_of(Answer("<td>605</td>", 0), "") == ("short", "table")
    assert kinds_of(Answer("605", 7), "") == ("short", "prose")


def test_each_kind_is_scored_by_the_official_rule():
    golds = {"1": "<a>서울</a>", "2": "<td>605</td>", "3": "한강", "4": "<p>끝</p>"}
    examples = [Example(name, "?", PAGE, (placed(gold),)) for name, gold in golds.items()]
    predictions = {"1": "서울", "2": "606", "3": "남산", "4": "끝"}
    assert by_kind(examples, predictions, KOREAN_CHARACTERS_HTML) == [
        KindScore("short", 3, pytest.approx(100 / 3), pytest.approx((1 + 2 / 3) * 100 / 3)),
        KindScore("long", 1, 100.0, 100.0),
        KindScore("prose", 2, 100.0, 100.0),
        KindScore("table", 1, 0.0, pytest.approx(200 / 3)),
        KindScore("list", 1, 0.0, 0.0),
    ]
