"""Texts and data sets that scoring rules stumble over."""

from __future__ import annotations

from hypothesis import strategies as st

from dokhae.types import Answer, Example

PIECES = [
    *"aAnthe가나다라ㅏㄱ각Σσßİı_0९é́'\"‘’“”《》<>〈〉()!,.-–—…&;#\t\n\r \x00\x0b\x1c\x1f\x7f\x85\xa0\u200b\u2028\u3000",
    *("\ufeff", "\ufffe", "\U0001f600", "👨\u200d👩\u200d👧", "e\u0301", "\u1112\u1161\u11ab", "fi", "①"),
    *(" a ", " an ", " the ", "The", "a–the", "서울", "은", " 2010년 ", "the's"),
    *("<b>", "</b>", "<br/>", "<td class='x'>", "</table>", "<!--", "-->", "<script>", "<?xml ", "]]>", "<!["),
    *("&amp;", "&lt;", "&nbsp;", "&#44032;", "&#0;", "&copy", "&", "https://a.b/?c=1&d=2", "/etc/hosts"),
]

texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text(max_size=12))
long_texts = st.one_of(  # about 200 characters, where KLUE's longest run changes its way
    st.text("가나다 .마", min_size=180, max_size=220),
    st.tuples(st.sampled_from(["가", "가나", "가나다라마바사아자차카타파하"]), texts).map(
        lambda parts: (parts[0] * 200)[:200] + parts[1]
    ),
    st.tuples(texts, st.text("가나", min_size=195, max_size=205), texts).map("".join),
)
short_texts = st.sampled_from(
    ["", "a", "the", "Seoul", "in Seoul", "Seoul, Korea", "Korea", "서울", "서울은", "‘서울’"]
)


@st.composite
def data_sets(draw, golds):
    """Examples (ids may repeat), a prediction and an na_prob for each id, and na_probs of other questions."""
    ids = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8))
    examples = [
        Example(id, "?", "", tuple(Answer(text, 0) for text in draw(st.lists(short_texts, min_size=golds, max_size=3))))
        for id in ids
    ]
    wanted = draw(st.permutations(sorted({*ids, "other"})))
    predictions = {id: draw(short_texts) for id in wanted}
    na_probs = {id: draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])) for id in wanted}
    return examples, predictions, na_probs
