"""A page as the text that a model reads: what becomes of tags, entities, spaces and marks, and where it all stands."""

from __future__ import annotations

import functools
import html
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasty import nasty_pages

from dokhae.pages.tags import FIRST_MARKER, MARKERS, TAG, marker
from dokhae.pages.text import PageConfig, page_text

many = settings(deadline=None, max_examples=300)
configs = st.builds(PageConfig, st.booleans(), st.booleans())
NAMED = {ord(marker(name)): f"{{{name}}}" for name in MARKERS}


def shown(page, **config):
    """The text, with the names of its markers in braces."""
    return page_text(page, PageConfig(**config)).text.translate(NAMED)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<b>서울</b><a href='/x'>은</a> <i></i>수도", "서울은 수도"),  # inline tags leave no trace
        ("<p>하나</p><p>둘\n</p>셋", "{p} 하나{p} 둘 셋"),
        ("<h1>제목</h1><h2><span>하나</span></h2><h6>둘</h6>", "{h1} 제목{h2} 하나{h3} 둘"),
        ("서울<br/>부산<div>대구</div>인천", "서울 부산 대구 인천"),
        ("<table>\n<tbody><tr>\n<th>가\n</th>\n<td>나</td></tr></tbody></table>라",
         "{table}{tr}{th} 가{td} 나{/table} 라"),
        ("<ul><li>하나</li><li>둘<ol><li>셋</ol></ul><dl><dt>가</dt><dd>나</dd></dl>",
         "{ul}{li} 하나{li} 둘{ol}{li} 셋{/list}{/list}{dl}{dt} 가{dd} 나{/list}"),
        ("<table><tr><td>가<table><tr><td rowspan='2'>나</td></tr></table></td><td colspan=2>다</td></tr></table>",
         "{table}{tr}{td} 가{table}{tr}{td} 나{/table}{td} 다{/table}"),
        ("<td>가<b>나<td>다</b>라</td>", "{td} 가나{td} 다라"),  # never closed, crossed
        ("가 &amp; 나 &amp 다 &notit; &#44032;&#xD55C;&nbsp;&nbsp;끝 &lt;b&gt; &unknown;",
         "가 & 나 & 다 ¬it; 가한 끝 <b> &unknown;"),
        ("a < b <1 > c", "a < b <1 > c"),
        ("가<!-- 나 <b> -->다<script>라</script>마<style>바</style>", "가다마"),
        ("<![CDATA[가]]>나", "나"),
        ('<a title="x > y">가</a> <a title=\'x > &lt; y\'>나</a>', "가 나"),
        ("가 <b", "가 <b"), ("가 <!-- 나", "가"), ("가 &", "가 &"), ("가 &#", "가 &#"),
        (" \n\t<p> \xa0\u3000가  \r\n 나 <b> 다</b> </p> ", "{p} 가 나 다"),
        ("가\U0010fe00나\U0010ffff&#x10FE05;라\ue000", "가\ufffd나\ufffd\ufffd라\ue000"),  # the page's own
        ("", ""), (" ", ""), ("<p>", "{p}"), ("<p></p><td> </td>", "{p}{td}"), ("<b></b>", ""),
    ],
)  # fmt: skip
def test_what_a_page_becomes(page, text):
    assert shown(page) == text


def test_edit_marks_are_dropped_or_kept():
    page = "<h2><span>역사</span><span>[</span><a>편집</a><span>]</span></h2><p>[편집 | 원본 편집]가 [편집자]</p>"
    assert shown(page) == "{h2} 역사{p} 가 [편집자]"
    assert shown(page, keep_edit_marks=True) == "{h2} 역사[편집]{p} [편집 | 원본 편집]가 [편집자]"


def test_footnote_marks_are_kept_or_dropped():
    page = "<p>가<sup><a>[1]</a></sup>나[주 12] 다[출처 필요] [2020]</p>"
    assert shown(page) == "{p} 가[1]나[주 12] 다[출처 필요] [2020]"
    assert shown(page, drop_footnote_marks=True) == "{p} 가나 다 [2020]"


def test_each_character_has_its_range_of_the_page():
    page = "<td><b>가</b>&amp;<br>나</td>끝"
    found = page_text(page, PageConfig())
    pieces = [page[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
    assert found.text.translate(NAMED) == "{td} 가& 나 끝"
    assert pieces == ["<td>", "", "가", "&amp;", "<br>", "나", "</td>", "끝", ""]
    assert (found.starts[-1], found.ends[-1], found.starts.dtype) == (len(page), len(page), np.int32)


@many
@given(nasty_pages, configs)
def test_every_character_stands_where_it_is_said_to(page, config):
    text, starts, ends = page_text(page, config)
    assert len(starts) == len(ends) == len(text) + 1
    assert (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
    assert (starts >= 0).all() and (starts <= ends).all() and (ends <= len(page)).all()
    tags = {found.span() for found in TAG.finditer(page)}
    inside = np.zeros(len(page) + 1, dtype=bool)
    for first, after in tags:
        inside[first:after] = True
    for character, start, end in zip(text, starts.tolist(), ends.tolist(), strict=False):
        piece = page[start:end]
        if ord(character) >= FIRST_MARKER:
            assert (start, end) in tags
        elif character == " ":
            assert not html.unescape(piece).strip() or (start, end) in tags
        else:
            assert not inside[start:end].any()
            assert character == piece or (piece[0] == "&" and character in html.unescape(piece)) or (
                character == "\ufffd" and (ord(piece[0]) >= FIRST_MARKER or piece[0] == "&")
            )  # fmt: skip


@many
@given(nasty_pages, configs)
def test_spaces_are_single_and_stand_between_texts_and_behind_markers(page, config):
    text = page_text(page, config).text
    pairs = list(zip(text, text[1:], strict=False))
    assert text == text.rstrip(" ") and not text.startswith(" ") and " ".join(text.split()) == text
    assert all(second == " " or ord(second) >= FIRST_MARKER for first, second in pairs if ord(first) >= FIRST_MARKER)
    assert all(ord(second) < FIRST_MARKER for first, second in pairs if first == " ")


@many
@given(nasty_pages)
def test_nothing_but_tags_and_spaces_is_left_out(page):
    text = page_text(page, PageConfig(keep_edit_marks=True)).text
    left = html.unescape("\0".join(TAG.split(page)[::2]))  # an entity does not go on behind a tag
    assert sum(map(text.count, "가서울은x1.5é각😀")) == sum(map(left.count, "가서울은x1.5é각😀"))


def seconds(page):
    begun = time.perf_counter()
    page_text(page, PageConfig())
    return time.perf_counter() - begun


@functools.cache
def plain_seconds():
    """Of a usual page of 500,000 characters."""
    return max(min(seconds("<p>한국어 <b>서울</b> 부산 " * 22_000) for _ in range(3)), 0.02)


@pytest.mark.parametrize(
    "piece",
    ["<a", "&", '<a ="', "<a ='", "<a b=\"'", "<!--", "<b>", "<p>", "</", "<!", "&amp", "&#1", "[", "\n<br>",
     "<script>", "<script", "</script ", "가 ", '="<a"'],
)  # fmt: skip
def test_reading_takes_time_by_length_alone(piece):
    # at 500,000 characters, looking at all of them from each would take 500,000 times as long
    assert seconds(piece * (500_000 // len(piece))) < 60 * plain_seconds()


@pytest.mark.parametrize("page", ["&#" + "1" * 1_000_000, "<a " + "x='y' " * 170_000, "<b>가</b" + " " * 1_000_000])
def test_one_long_piece_takes_no_longer(page):
    assert seconds(page) < 5
