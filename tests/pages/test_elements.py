"""Ranges of a page that are whole elements, as KorQuAD's gold answers are; where on the page they stand."""

from __future__ import annotations

import random
import re
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nasty import nasty_pages, nested_pages, plain_pages
from speed.pages import document

from dokhae.data import read_korquad2
from dokhae.files import read_json
from dokhae.metrics import KOREAN_CHARACTERS_HTML
from dokhae.pages.elements import place_of, whole
from dokhae.pages.tags import FIRST_MARKER, TAG
from dokhae.pages.text import PageConfig, page_text

many = settings(deadline=None, max_examples=200)
normalize = KOREAN_CHARACTERS_HTML.normalize


@pytest.mark.parametrize(
    ("page", "piece", "found"),
    [
        ("<p>가 <a>나</a> 다</p>", "나", "<a>나</a>"),
        ("<td><a>2016</a></td>", "2016", "<td><a>2016</a></td>"),
        ("<td>\n<a>2016</a></td>", "2016", "<a>2016</a>"),
        ("<td><a>2016</a>\n</td>", "2016", "<a>2016</a>"),
        ('<td colspan="2">2016</td>', "2016", '<td colspan="2">2016</td>'),
        ("<ul><li>가</li><li>나</li></ul>", "<ul><li>가</li><li>나", "<ul><li>가</li><li>나</li></ul>"),
        ("<p>가\n</p><p>나\n</p>", "<p>가\n</p><p>나", "<p>가\n</p><p>나\n</p>"),
        ("<p>가<br/></p>", "<p>가", "<p>가<br/></p>"),
        ("가<sup><a>[1]</a></sup>", "가<sup><a>[1]", "가<sup><a>[1]</a></sup>"),
        ("<b>가</b>나", "가</b>나", "<b>가</b>나"),
        ("<i>가 <b>나</b></i>다", "나</b></i>다", "<b>나</b></i>다"),  # <i> does not stand before it
        ("<b>가</b><b>나</b>", "가</b><b>나", "<b>가</b><b>나</b>"),
        ("<b><i>가</b></i>", "가", "가"),  # crossed
        ("<b>가", "가", "가"), ("가</b>", "가", "가"), ("<img>가<br>", "가", "가"),
        ("<!-- <b -->가</b>", "가", "가"),  # no tag ends there
        ('<a title="<b q">가</b>', "가", "가"),
        ("<a title='it'>가</a>", "가", "<a title='it'>가</a>"),
        ('<b>가</b c="x>y">', "가", "가"),
        ('가<a ="나>다" 라<b>마</b>', "나>다", "나>다"),  # "<a ="나>" is no tag: the value goes on
    ],
)  # fmt: skip
def test_whole_elements(page, piece, found):
    start, end = whole(page, page.index(piece), page.index(piece) + len(piece))
    assert page[start:end] == found


def test_nothing_stays_nothing():
    assert whole("<b></b>", 3, 3) == (3, 3)


@st.composite
def ranges(draw, pages):
    """A page, and the range of some of its characters, none of them a space at either end."""
    page = draw(pages)
    text, starts, ends = page_text(page, PageConfig())
    visible = [place for place, character in enumerate(text) if character != " "]
    assume(visible)
    first, last = sorted(draw(st.lists(st.integers(0, len(visible) - 1), min_size=2, max_size=2)))
    return page, int(starts[visible[first]]), int(ends[visible[last]])


def characters(page, start, end):
    """What one sees of a range of the page: no spaces, no markers."""
    text, starts, ends = page_text(page, PageConfig(keep_edit_marks=True))
    rows = zip(text, starts.tolist(), ends.tolist(), strict=False)
    return "".join(one for one, first, after in rows
                   if one != " " and ord(one) < FIRST_MARKER and start <= first and after <= end)  # fmt: skip


@many
@given(ranges(nasty_pages | nested_pages()))
def test_no_tag_is_cut_and_nothing_is_seen_more_or_less(given):
    page, start, end = given
    first, after = whole(page, start, end)
    assert first <= start and end <= after
    assert not [
        tag[0] for tag in TAG.finditer(page) if tag.start() < first < tag.end() or tag.start() < after < tag.end()
    ]
    assert characters(page, first, after) == characters(page, start, end)


@many
@given(ranges(plain_pages | nested_pages()))
def test_the_piece_alone_shows_the_same(given):
    # Where quotes are not closed, what is a tag hangs on what stands behind: such pages are left out here.
    page, start, end = given
    first, after = whole(page, start, end)
    shown, before = (
        page_text(page[slice(*one)], PageConfig(keep_edit_marks=True)).text for one in ((first, after), (start, end))
    )
    assert [one for one in shown if one != " " and ord(one) < FIRST_MARKER] == [
        one for one in before if one != " " and ord(one) < FIRST_MARKER
    ]


@many
@given(ranges(nested_pages()))
def test_what_is_whole_stays_as_it_is(given):
    # Not of crossed tags: `<i><b>가</i>나</b>` becomes whole in two steps.
    page, start, end = given
    found = whole(page, start, end)
    assert whole(page, *found) == found


@settings(deadline=None, max_examples=150)
@given(ranges(plain_pages))
def test_the_official_rule_scores_it_the_same(given):
    page, start, end = given
    first, after = whole(page, start, end)
    assert normalize(page[first:after]) == normalize(page[start:end])


def chosen(page, start, end):
    """The range of the page that a model would give which chose the visible characters of this one."""
    text, starts, ends = page_text(page, PageConfig())
    seen = np.array([one != " " for one in text], dtype=bool)
    inside = np.flatnonzero(seen & (ends[:-1] > start) & (starts[:-1] < end))
    return whole(page, int(starts[inside[0]]), int(ends[inside[-1]]))


AROUND = [
    (("td", "th"), "<table><tbody><tr><th>머리</th>", "<td>꼬리</td></tr></tbody></table>"),
    (("li",), "<ul><li>머리</li>", "<li>꼬리</li></ul>"),
    (("p", "table", "ul", "ol", "dl"), "<p>머리\n</p>", "\n<p>꼬리\n</p>"),
]


def in_a_page(gold):
    """A page with a gold answer where such a one stands, and where that is."""
    name = re.match(r"(?:<(\w+))?", gold)[1]
    before, behind = next(((left, right) for names, left, right in AROUND if name in names), ("<p>머리 ", "꼬리\n</p>"))
    before = f"<h1>제목</h1><p>앞\n</p>{before}"
    return f"{before}{gold}{behind}<h2>뒤</h2>", len(before)


def test_real_gold_answers_come_back(shared):
    documents = read_json(shared("korquad-2.0-answers/gold.json"))["data"]
    golds = [question["answer"]["text"] for one in documents for question in one["qas"]]
    exact = 0
    for gold in golds:
        page, start = in_a_page(gold)
        first, after = chosen(page, start, start + len(gold))
        exact += (first, after) == (start, start + len(gold))
        assert normalize(page[first:after]) == normalize(gold)
    # the others end with a space (5: "2\xa0"), with <br/>, or in a pair of tags that hold nothing: "...<sup><a>"
    assert (exact, len(golds)) == (1193, 1200)


def test_answers_of_real_records_come_back(shared):
    examples = read_korquad2(shared("korquad-2.1-sample/korquad2.1_train_sample.json"))
    assert len(examples) == 2
    for example in examples:
        gold = example.answers[0]
        assert chosen(example.context, gold.start, gold.end) == (gold.start, gold.end)


def made(numbers, size):
    """Contexts and answers (text, start) of made-up documents."""
    return [(one["context"], question["answer"]["text"], question["answer"]["answer_start"])
            for one in (document(number, 5, size) for number in numbers) for question in one["qas"]]  # fmt: skip


def test_answers_of_made_up_documents_come_back():
    answers = [*made(range(30), "real"), *made(range(60), "small")]
    assert len(answers) > 150
    for page, gold, start in answers:
        assert chosen(page, start, start + len(gold)) == (start, start + len(gold))


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("", "prose"),
        ("<p>", "prose"),
        ("<table><tr><td>", "table"),
        ("<table></table>", "prose"),
        ("<ul><li>", "list"),
        ("<dl><dt>", "list"),
        ("<table><tr><td><ul><li>", "list"),
        ("<table><tr><td><ul></ul>", "table"),
        ("<table><ul></table>", "prose"),  # never closed
        ("<table></ul>", "table"),
    ],
)
def test_where_a_span_stands(before, place):
    assert place_of(f"{before}가", len(before)) == place
    assert place_of(f"{before}<table><tr><td>가", len(before)) == "table"
    assert place_of(f"{before}<ol><li>가", len(before)) == "list"


@pytest.mark.parametrize(
    "inside", ["<b>", "</b>", "<b><i>", "<b></i>", "<i></b></i>"], ids=lambda inside: inside.replace("/", "end ")
)
def test_a_hundred_thousand_tags_take_no_longer_than_their_length(inside):
    around = 50_000
    page = f"{'<b>' * around}가{inside * around}나{'</i>' * around}{'</b>' * around}"
    begun = time.perf_counter()
    whole(page, page.index("가"), page.index("나") + 1)
    place_of(page.replace("b>", "table>").replace("i>", "ul>"), len(page))
    assert time.perf_counter() - begun < 5


def test_random_words_of_a_real_page_are_whole():
    page = document(0, 7, "real")["context"]
    text, starts, ends = page_text(page, PageConfig())
    words = [found.span() for found in re.finditer(r"[가-힣]+", text)]
    for first, after in random.Random(0).sample(words, 100):
        start, end = whole(page, int(starts[first]), int(ends[after - 1]))
        piece = page[start:end]
        assert normalize(piece) == text[first:after]
        assert len(re.findall(r"<\w", piece)) == len(re.findall("</", piece))
