from __future__ import annotations

import unicodedata
from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import given, settings

from dokhae.encoding.offsets import continues
from dokhae.errors import SettingsError
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.splitting import ByMorphemes, ByParticles, splitter
from dokhae.korean.trimming import trimmer
from encoding.texts import texts

TEXTS = {
    "서울에서는 봄이": "서울|에서|는 봄|이",
    "3월에 100km를 달렸다.": "3|월|에 100|km|를 달렸다|.",
    "《봄날》은(Spring)": "《|봄날|》|은|(|Spring|)",
    "1,200.5명이": "1,200.5|명|이",
    "大韓民國은": "大韓民國|은",
    "BTS는 don't, co-op 2nd A380": "BTS|는 don't, co-op 2nd A380",  # words without Hangul pass unchanged
    "The town of Otter was founded in 1704.": "The town of Otter was founded in 1704.",
    "": "",
    " \n ": " \n ",
    "서울은\n부산은\t대구는\u3000": "서울|은\n부산|은\t대구|는\u3000",
    "고양이😀는 👨\u200d👩\u200d👧이": "고양|이|😀|는 👨\u200d👩\u200d👧|이",
    "Café이 Cafe\u0301이": "Café|이 Cafe\u0301|이",
    "가\u0301은": "가\u0301|은",
    "\ufeff서울은": "\ufeff서울|은",
}  # the cuts as bars


def shown(splitter, *given_texts):
    """The texts with a bar at each cut."""
    found = splitter.cut(given_texts)
    assert "".join(map(chr, found.codes)) == "".join(f"{text}\n" for text in given_texts)
    marked = "".join(map(chr, np.insert(found.codes, found.cuts, ord("|"))))
    sizes = [len(text) + 1 + int(((found.cuts > first) & (found.cuts < after)).sum())
             for text, first, after in zip(given_texts, found.begins, found.begins[1:], strict=False)]  # fmt: skip
    bounds = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    return [marked[first : after - 1] for first, after in zip(bounds, bounds[1:], strict=False)]


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_cut_at_particles_and_changes_of_script(text):
    assert shown(ByParticles(), text) == [TEXTS[text]]


def test_many_texts_are_cut_as_one_is():
    assert shown(ByParticles(), *TEXTS) == list(TEXTS.values())


@pytest.mark.parametrize("form", ["NFD", "NFKD"])
@pytest.mark.parametrize("text", ["서울에서는 봄이", "《봄날》은(Spring)", "BTS는 English", "고양이가"])
def test_the_form_of_the_letters_changes_no_cut(text, form):
    apart = unicodedata.normalize(form, text)
    assert shown(ByParticles(), apart) == [
        unicodedata.normalize(form, TEXTS.get(text) or shown(ByParticles(), text)[0])
    ]


@settings(deadline=None, max_examples=100)
@given(text=texts(), other=texts())
def test_no_cut_is_at_a_space_or_inside_of_a_character(text, other):
    found = ByParticles().cut([text, other])
    whole = f"{text}\n{other}\n"
    for cut in found.cuts.tolist():
        assert not whole[cut - 1].isspace() and not whole[cut].isspace()
        assert unicodedata.category(whole[cut])[0] != "M"
        if cut <= len(text):
            assert cut in ByParticles().cut([text]).cuts
    if not any("\u1100" <= one <= "\uffdc" for one in whole):
        assert len(found.cuts) == 0


@pytest.mark.parametrize("text", [" e\u0301\u11ab", "x town\u1161 \u1100\u1161", "\u2764\ufe0f\ud7b0\uac00"])
def test_what_does_not_compose_to_one_character_is_not_cut_inside(text):
    found = ByParticles().cut([text]).cuts.tolist()
    assert all(not text[cut - 1].isspace() for cut in found)
    assert [cut for cut in found if unicodedata.category(text[cut])[0] == "M"] == []


def test_combining_characters_are_never_cut_off():
    text = "\u1112\u1161\u11ab글은"  # 한 in jamo
    assert [text[cut] for cut in ByParticles().cut([text]).cuts] == ["은"]
    assert all(not continues(text[cut]) for cut in ByParticles().cut([text]).cuts)


@pytest.mark.parametrize(
    ("name", "text", "cut"),
    [
        ("kiwi", "서울에서는 노래했다. BTS는 don't", "서울|에서|는 노래|했|다|. BTS|는 don't"),
        ("mecab", "서울에서는 노래했다. BTS는 don't", "서울|에서|는 노래|했|다|. BTS|는 don't"),
        ("kiwi", "1945년이었다", "1945|년|이|었|다"),
        ("kiwi", "한국어 공부", "한국어 공부"),
        ("mecab", "아름다운 난", "아름다운 난"),  # contracted morphemes share their characters
    ],
)
def test_words_are_cut_between_morphemes(name, text, cut):
    assert shown(splitter(name), text) == [cut]


def test_morphemes_are_cut_where_the_letters_are_apart_too():
    apart = unicodedata.normalize("NFD", "서울에서는 노래했다")
    assert shown(splitter("kiwi"), apart) == [unicodedata.normalize("NFD", "서울|에서|는 노래|했|다")]
    assert shown(splitter("mecab"), apart) == [unicodedata.normalize("NFD", "서울|에서|는 노래|했|다")]


def test_a_border_before_a_mark_is_none():
    class OfMarks:
        identity = "marks"

        def analyse(self, given_texts):
            return [[Morpheme("가", "NNG", 0, 1), Morpheme("\u0301", "SW", 1, 2)] for _ in given_texts]

    assert shown(ByMorphemes(OfMarks()), "가\u0301") == ["가\u0301"]


def test_none_is_no_splitter():
    assert splitter("none") is None


def test_the_identity_tells_one_way_from_another():
    found = {splitter(name).identity for name in ("particles", "kiwi", "mecab")}
    assert len(found) == 3
    assert any(version("kiwipiepy") in one for one in found)  # an analyser of another version may cut elsewhere


@pytest.mark.parametrize("wrong", ["partikles", None, "http://127.0.0.1:9/api/morpheme/etri"])
def test_other_settings_are_refused_by_name(wrong):
    with pytest.raises(SettingsError, match=r"korean_split is .*; it can be none, particles, kiwi, mecab"):
        splitter(wrong)
    with pytest.raises(SettingsError, match=r"korean_trim is .*; it can be none, kiwi, mecab"):
        trimmer(wrong)
