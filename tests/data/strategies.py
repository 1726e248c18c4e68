"""Questions with awkward texts, for files that have to bring them back exactly."""

from __future__ import annotations

from hypothesis import strategies as st

from dokhae.types import Answer, Example

AWKWARD = [
    '"', "'", ",", ";", "\t", "\n", "\r", "\r\n", "\\", "\\n", "{", "}", "[", "<b>", "&amp;", "\u2028", "\x0b", "\x0c",
    "\x1c", "\x85", "\xa0", "\u200b", "\ufeff", "\ufffd", "\U0001f600", "e\u0301", "\u1112\u1161\u11ab", "한",
    "한국어 ", " ", "  ", "A", "a", "007", "nan", "null", "ﬁ", "İ", "ß", "Σ",
]  # fmt: skip
whole_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.sampled_from(AWKWARD) | whole_characters, max_size=12).map("".join)
ids = st.sampled_from(["1", "01", "0010", "1.0", "nan", "None", "true", " x ", "\n", "\ufeff", '"']) | texts.filter(
    bool
)
answers = st.builds(Answer, texts, st.integers(0, 2**53))


@st.composite
def lists_of_examples(draw: st.DrawFn) -> list[Example]:
    """A few questions, neighbours often of one title or context; their answers are anywhere."""
    titles, contexts = (draw(st.lists(texts, min_size=1, max_size=3)) for _ in range(2))
    return [
        Example(
            id,
            draw(texts),
            draw(st.sampled_from(contexts)),
            tuple(draw(st.lists(answers, max_size=3))),
            draw(st.sampled_from(titles)),
        )
        for id in draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    ]
