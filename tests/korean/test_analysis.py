from __future__ import annotations

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokhae.errors import AnalyserError, MissingExtra, SettingsError
from dokhae.korean import analysis, kiwi, mecab
from dokhae.korean.analysis import Analysis, parts_of
from dokhae.korean.composed import composed
from dokhae.korean.mecab import Mecab
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.remembering import Remembered
from encoding.texts import texts

analysers = pytest.mark.parametrize("name", analysis.NAMES)


def told(name, text):
    return [(one.lemma, one.tag, text[one.start : one.end]) for one in analysis.find(name).analyse([text])[0]]


def test_kiwi_tells_lemmas_sejong_tags_and_places():
    assert told("kiwi", "서울은 갔다고😀 「한국」") == [
        ("서울", "NNP", "서울"), ("은", "JX", "은"), ("가", "VV", "갔"), ("었", "EP", "갔"), ("다고", "EF", "다고"),
        ("😀", "SW", "😀"), ("「", "SS", "「"), ("한국", "NNP", "한국"), ("」", "SS", "」"),
    ]  # fmt: skip


def test_mecab_tells_the_parts_of_a_fused_morpheme_and_sejong_tags():
    assert told("mecab", '난 갔다. 3명, "(나)~😀') == [
        ("나", "NP", "난"), ("ㄴ", "JX", "난"), ("가", "VV", "갔"), ("았", "EP", "갔"), ("다", "EF", "다"),
        (".", "SF", "."), ("3", "SN", "3"), ("명", "NNB", "명"), (",", "SP", ","), ('"', "SS", '"'), ("(", "SS", "("),
        ("나", "NP", "나"), (")", "SS", ")"), ("~", "SO", "~"), ("😀", "SW", "😀"),
    ]  # fmt: skip


@analysers
def test_letters_that_are_apart_are_put_together_and_the_places_are_of_the_text_as_given(name):
    text = unicodedata.normalize("NFD", "서울은 갔다")
    whole = told(name, "서울은 갔다")
    assert told(name, text) == [(lemma, tag, unicodedata.normalize("NFD", place)) for lemma, tag, place in whole]


@analysers
@settings(deadline=None, max_examples=60)
@given(text=texts())
def test_morphemes_of_any_text_lie_in_order_inside_of_it(name, text):
    found = analysis.find(name).analyse([text, ""])
    analysis.check(text, found[0], name)
    assert found[1] == []
    covered = {place for one in found[0] for place in range(one.start, one.end)}
    hangul = {place for place, character in enumerate(text) if "가" <= character <= "힣"}
    assert hangul <= covered


@pytest.mark.parametrize(
    "morphemes",
    [
        [Morpheme("가", "NNG", 0, 3)],
        [Morpheme("가", "NNG", -1, 1)],
        [Morpheme("나", "NNG", 1, 2), Morpheme("가", "NNG", 0, 1)],
        [Morpheme("가나", "NNG", 0, 2), Morpheme("가", "NNG", 0, 1)],
        [Morpheme("가", "NNG", 1, 0)],
    ],
)
def test_morphemes_that_cannot_be_true_are_an_error(morphemes):
    class Wrong:
        identity = "wrong 1.0"

        def analyse(self, given_texts):
            return [morphemes]

    with pytest.raises(AnalyserError, match="wrong 1.0: its morphemes of '가나' are not in the order"):
        Analysis(Wrong()).analyse(["가나"])


def test_an_unknown_analyser_names_those_that_are_known():
    with pytest.raises(SettingsError, match="analyser 'okt' is not known; known are kiwi, mecab, and the address"):
        analysis.find("okt")


@pytest.mark.parametrize(("name", "package", "room"), [("kiwi", "kiwipiepy", kiwi), ("mecab", "mecab", mecab)])
def test_a_missing_analyser_names_the_extra(monkeypatch, name, package, room):
    monkeypatch.setitem(sys.modules, package, None)
    # without what is loaded already, which stays for the other tests
    monkeypatch.setattr(room, "_loaded", room._loaded.__wrapped__)
    monkeypatch.setattr(analysis, "find", analysis.find.__wrapped__)
    with pytest.raises(MissingExtra, match=rf"the analyser {name} needs .* pip install 'dokhae\[korean\]'"):
        analysis.find(name)


@analysers
def test_a_long_text_is_analysed_in_parts(name, monkeypatch):
    sentence = "서울은 봄이다. "
    text = sentence * 40 + "끝" * 120
    whole = [(one.lemma, one.tag, one.start, one.end) for one in analysis.find(name).analyse([sentence * 40])[0]]
    monkeypatch.setattr(analysis, "LONGEST", 50)
    analysis.find.cache_clear()
    found = [(one.lemma, one.tag, one.start, one.end) for one in analysis.find(name).analyse([text])[0]]
    assert found[: len(whole)] == whole
    assert {place for one in found for place in range(one[2], one[3])} >= set(range(len(sentence) * 40, len(text)))
    analysis.find.cache_clear()


def test_a_text_is_cut_after_sentences_else_at_spaces_else_anywhere():
    assert parts_of("", 10) == [(0, 0)]
    assert parts_of("가나다라마", 5) == [(0, 5)]
    assert parts_of("가나다라마바사", 3) == [(0, 3), (3, 6), (6, 7)]
    assert parts_of("가나 다. 라마 바사", 8) == [(0, 6), (6, 11)]
    assert parts_of("가. 나다라 마바사", 8) == [(0, 7), (7, 10)]  # too little would be left of the first half
    assert parts_of("가나다\n라 마바사", 7) == [(0, 4), (4, 9)]
    assert parts_of("가나다 라마바", 3) == [(0, 3), (3, 4), (4, 7)]


@given(st.text("가나. \n🙂", max_size=60), st.integers(1, 12))
def test_parts_are_the_text(text, longest):
    parts = parts_of(text, longest)
    assert "".join(text[first:after] for first, after in parts) == text
    assert all(0 < after - first <= longest for first, after in parts) or text == ""


def test_what_is_remembered_is_bounded_by_its_characters():
    made: list[str] = []

    def make(given_texts):
        made.extend(given_texts)
        return [text.upper() for text in given_texts]

    found = Remembered(make, 5)
    assert found.of(["aa", "bb", "aa"]) == ["AA", "BB", "AA"]
    assert found.of(["bb", "cc"]) == ["BB", "CC"]  # six characters: the first goes
    assert found.of(["aa"]) == ["AA"]
    assert found.of(["dddddddd", "bb"]) == ["DDDDDDDD", "BB"]
    assert made == ["aa", "bb", "cc", "aa", "dddddddd", "bb"]


def test_many_threads_may_ask_at_once():
    given_texts = [f"서울은 {number}번이다" for number in range(40)]
    alone = Analysis(Mecab()).analyse(given_texts)
    shared = Analysis(Mecab())
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: shared.analyse(given_texts[number:] + given_texts[:number]), range(40)))
    for number, answers in enumerate(found):
        assert answers == alone[number:] + alone[:number]


@settings(deadline=None, max_examples=100)
@given(text=texts())
def test_a_composed_text_knows_where_its_characters_were(text):
    form, places = composed(text)
    if places is None:
        assert form == text and unicodedata.is_normalized("NFC", text)
        return
    assert len(places) == len(form) + 1 and places[-1] == len(text)
    assert (np.diff(places) >= 0).all()
    assert unicodedata.normalize("NFD", form) == unicodedata.normalize("NFD", text)
    for first, after, character in zip(places, places[1:], form, strict=False):
        if after > first:
            piece = unicodedata.normalize("NFC", text[first:after])
            assert character in piece


def test_what_kiwi_finds_between_the_letters_is_in_order():
    # 보재 is 보자고 해 to it, whose 하 begins behind the 어 that comes after it
    text = "갈래:\n\n 보재 배\n 고린"
    (morphemes,) = analysis.find("kiwi").analyse([text])
    places = [(one.start, one.end) for one in morphemes]
    assert places == sorted(places) and places[-1][1] == len(text)
