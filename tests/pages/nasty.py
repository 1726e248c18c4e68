"""Pages that no one would write: tags opened and never closed, crossed, cut off; quotes, lone signs, entities."""

from __future__ import annotations

from hypothesis import strategies as st

from dokhae.pages.tags import MARKERS, marker

NAMES = ("b", "a", "span", "p", "td", "tr", "th", "table", "ul", "li", "h2", "div", "option", "x-y")
TAGS = [f"<{slash}{name}>" for name in NAMES for slash in ("", "/")]
TEXTS = [
    "가",
    "서울은",
    "x",
    "1.5",
    "é",
    "\u1112\u1161\u11ab",
    "각" * 3,
    "😀",
    "👨\u200d👩",
    " ",
    "\n",
    "\xa0",
    "\u3000",
    "[",
]
SIGNS = ["<", ">", "&", '"', "'", "=", "/", "-", "<b", "</b", "<b ", "</", "<!", "</ b>", "< b>", "<1>", "<>"]
ENTITIES = [
    "&amp;",
    "&lt",
    "&gt;",
    "&notit;",
    "&nbsp;",
    "&#44032;",
    "&#xD55C",
    "&#0;",
    "&#1;",
    "&nGt;",
    "&unknown;",
    "&#x10FE00;",
]
ODD = [
    "<br/>",
    "<br>",
    "<img>",
    '<td colspan="2">',
    '<a title="x > y">',
    "<a title='<b'>",
    '<a ="',
    "<b/>",
    "<B>",
    "<a b=c>",
]
LONG = [
    "<!--",
    "-->",
    "<!-- <b -->",
    "<!-->",
    "<script>",
    "</script>",
    "<style >",
    "</style>",
    "<![CDATA[ ]]>",
    "<!DOCTYPE html>",
]
MARKS = ["[편집]", "[편집 | 원본 편집]", "[1]", "[주 1]", "[출처 필요]", "<sup>[</sup>12]", *map(marker, MARKERS[:2])]
PIECES = [*TAGS, *TEXTS, *SIGNS, *ENTITIES, *ODD, *LONG, *MARKS]
characters = st.characters(exclude_categories=["Cs"])
nasty_pages = st.lists(st.sampled_from(PIECES) | st.text(characters, max_size=3), max_size=16).map("".join)

# what KorQuAD's contexts hold: no comments, scripts or quotes, "<" and "&" as entities; yet in any order here
PLAIN = [
    *TAGS[:-4],
    *TEXTS,
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "<br/>",
    "<img>",
    '<td colspan="2">',
    "'",
    '"',
    ">",
    "[1]",
]
plain_pages = st.lists(st.sampled_from(PLAIN), max_size=16).map("".join)


@st.composite
def nested_pages(draw: st.DrawFn, depth: int = 3) -> str:
    """Pages whose elements lie in one another, as most do."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        if depth and draw(st.booleans()):
            name, gap = draw(st.sampled_from(NAMES)), draw(st.sampled_from(["", "\n", "<br/>"]))
            parts.append(f"<{name}>{draw(nested_pages(depth=depth - 1))}{gap}</{name}>")
        else:
            parts.append(draw(st.sampled_from([*TEXTS, *ENTITIES, "<img>", "<!-- <b -->"])))
    return "".join(parts)
