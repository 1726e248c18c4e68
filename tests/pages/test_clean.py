"""Clean answers: what one sees of a piece of a page, which scores the same under the official rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokhae.files import read_json
from dokhae.metrics.rules import KOREAN_CHARACTERS_HTML
from dokhae.pages.clean import clean

normalize = KOREAN_CHARACTERS_HTML.normalize


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("<a>2005년</a>", "2005년"),
        ("고조 11년(<a>기원전 196년</a>)", "고조 11년(기원전 196년)"),
        ("<table>\n<tbody><tr>\n<td>가</td>\n<td>나</td></tr></tbody></table>", "가\n나"),
        ("<ul><li>하나<sup><a>[1]</a></sup></li>\n<li>둘</li></ul>", "하나[1]\n둘"),
        ("&lt;바람&gt; &amp;amp; 비", "&lt;바람&gt; &amp;amp; 비"),
        ("332cm</td", "332cm&lt;/td"),
        ("", ""),
    ],
)
def test_what_one_sees_is_html_again(piece, shown):
    assert clean(piece) == shown


def test_real_gold_answers_score_the_same_clean(shared):
    golds = [
        question["answer"]["text"]
        for document in read_json(shared("korquad-2.0-answers/gold.json"))["data"]
        for question in document["qas"]
    ]
    assert len(golds) == 1200
    assert [gold for gold in golds if normalize(clean(gold)) != normalize(gold)] == []


# what KorQuAD's contexts are made of: tags without attributes, entities, text
PIECES = [
    "가",
    "서울",
    "1.5",
    " ",
    "\n",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "\xa0",
    "[1]",
    "(",
    "《",
    "é",
    "😀",
    "<br/>",
    "<img>",
]
NAMES = ["a", "b", "span", "sup", "p", "td", "tr", "table", "ul", "li", "div", "h2", "dl", "dd"]


def nested(inner):
    return st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"
    )


@given(st.lists(st.recursive(st.sampled_from(PIECES), nested, max_leaves=12), max_size=8).map("".join))
def test_pieces_of_pages_score_the_same_clean(piece):
    assert normalize(clean(piece)) == normalize(piece)
    assert clean(clean(piece)).split() == clean(piece).split()
