"""Which pieces of a page are tags and entities, and what stands for them."""

from __future__ import annotations

import html

import pytest

from dokhae.pages.tags import ENTITY, INLINE, MARKERS, SPACE, TAG, marker, name_of, resolved, stand_in


@pytest.mark.parametrize(
    ("page", "tags"),
    [
        ("a<b>c</b >d", ["<b>", "</b >"]),
        ('<a title="x > y">z</a>', ['<a title="x > y">', "</a>"]),
        ("<a title='x > y' b=1>z", ["<a title='x > y' b=1>"]),
        ("<img src = 'a>b'/>", ["<img src = 'a>b'/>"]),
        ("a < b and c > d, 1 <2, <>, </>, <1>", []),
        ("x <b y", []),  # never ended
        ("x <b <i>y", ["<i>"]),
        ('<a title="x <i>y', ["<i>"]),  # a quote that is not closed
        ("<!-- <b> -- > -->a<!---->b<!-->c<!--->d", ["<!-- <b> -- > -->", "<!---->", "<!-->", "<!--->"]),
        ("a<!-- b > c", ["<!-- b > c"]),
        ("<script>if (a<b) '</style>'</script>a", ["<script>if (a<b) '</style>'</script>"]),
        ("<STYLE type=x>p > a</style >a<style>b", ["<STYLE type=x>p > a</style >", "<style>b"]),
        ("<scripts>a</scripts>", ["<scripts>", "</scripts>"]),
        ("<!DOCTYPE html><?xml version='1'?>a", ["<!DOCTYPE html>", "<?xml version='1'?>"]),
        ("<![CDATA[a > b]]>c", ["<![CDATA[a >"]),  # as HTML has it
    ],
)
def test_what_is_a_tag(page, tags):
    assert [found[0] for found in TAG.finditer(page)] == tags


@pytest.mark.parametrize(
    ("entity", "characters", "length"),
    [
        ("&amp;", "&", 5),
        ("&amp", "&", 4),
        ("&notit;", "¬", 4),  # the rest stays: ¬it;
        ("&notin;", "∉", 7),
        ("&nGt;", "≫⃒", 5),
        ("&#44032;", "가", 8),
        ("&#xD55C", "한", 7),
        ("&#128;", "€", 6),
        ("&#1;", "", 4),
        ("&#xD800;", "\ufffd", 8),
        ("&unknown;", "&", 1),
        ("&ko", "&", 1),
        ("&#" + "1" * 5000 + ";", "\ufffd", 5003),
    ],
)
def test_what_an_entity_stands_for(entity, characters, length):
    assert ENTITY.fullmatch(entity) and resolved(entity) == (characters, length)
    if len(entity) < 100:
        assert characters + entity[length:] == html.unescape(entity)


def test_what_stands_for_a_tag():
    shown = {
        name: [stand_in(f"<{name}>"), stand_in(f"</{name}>")]
        for name in ("b", "a", "br", "div", "p", "h1", "h5", "caption", "table", "tbody", "tr", "th", "ul", "dl", "li")
    }
    codes = {name: ord(marker(name)) for name in MARKERS}
    assert shown == {
        "b": [INLINE, INLINE],
        "a": [INLINE, INLINE],
        "br": [SPACE, SPACE],
        "div": [SPACE, SPACE],
        "p": [codes["p"], SPACE],
        "h1": [codes["h1"], SPACE],
        "h5": [codes["h3"], SPACE],
        "caption": [codes["p"], SPACE],
        "table": [codes["table"], codes["/table"]],
        "tbody": [SPACE, SPACE],
        "tr": [codes["tr"], SPACE],
        "th": [codes["th"], SPACE],
        "ul": [codes["ul"], codes["/list"]],
        "dl": [codes["dl"], codes["/list"]],
        "li": [codes["li"], SPACE],
    }
    assert stand_in('<TD class="x">') == codes["td"] and stand_in("<!-- <td> -->") == INLINE


def test_the_order_of_the_markers_is_that_of_saved_vocabularies():
    assert MARKERS[:16] == (
        *("p", "h1", "h2", "h3", "table", "tr", "th", "td", "ul", "ol", "li", "dl", "dt", "dd", "/table", "/list"),
    )  # fmt: skip
    assert [marker(MARKERS[0]), marker(MARKERS[15])] == ["\U0010fe00", "\U0010fe0f"]


def test_a_tag_has_a_name_a_comment_and_a_script_have_none():
    assert [name_of(tag) for tag in ("<TD colspan=2>", "</td >", "<b/>", "<!-- b -->", "<script>", "</style>")] == [
        *("td", "td", "b", "", "", ""),
    ]  # fmt: skip
