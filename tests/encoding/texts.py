"""Texts that tokenizers and offsets stumble over."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

PIECES = [
    *(
        "서울",
        "은",
        "각",
        "힣",
        "뷁",
        "2010년",
        "ㅋㅋ",
        "ㄱ",
        "ㅏ",
        "\uffa1",
        "\u1112\u1161\u11ab",
        "\u1100\u1161",
        "\u11ab",
    ),
    *(
        "the",
        "In",
        "town",
        "é",
        "e\u0301",
        "\u0301",
        "ö\u0323",
        "ﬁ",
        "ﬃ",
        "①",
        "½",
        "㎏",
        "ｶﾞ",
        "Å",
        "İ",
        "i\u0307",
        "ı",
    ),
    *("ß", "ς", "हिन्दी", "कि", "क्ष", "क़", "ि", "の", "大韓"),
    *("😀", "👨\u200d👩\u200d👧", "❤\ufe0f", "🇰🇷", "👍🏽", "\ufe0f", "\u200d"),
    *("\u200b", "\u200c", "\u200e", "\u202b", "\u2060", "\ufeff", "\u00ad", "\x00", "\x07", "\ufffd", "\ue000"),
    *(" ", "  ", "\t", "\n", "\r\n", "\xa0", "\u3000", "\u2009", "\u2028", "\x85", "\x1c"),
    *(".", ",", "(", ")", "“", "’", "'s", "—", "…", "&amp;", "``", "''", "_", "▁", "##", "Ġ", "/"),
]
FORMS = ("as typed", "NFC", "NFD", "NFKC")
characters = st.characters(exclude_categories=["Cs"])


@st.composite
def texts(draw):
    """Pieces, or any characters at all, in one of the Unicode forms."""
    pieces = st.lists(st.sampled_from(PIECES), max_size=7).map("".join)
    text = draw(st.one_of(pieces, st.text(characters, max_size=6)))
    form = draw(st.sampled_from(FORMS))
    return text if form == "as typed" else unicodedata.normalize(form, text)
