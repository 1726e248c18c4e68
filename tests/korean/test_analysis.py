from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings

from dokhae.errors import AnalyserError, MissingExtra, SettingsError
from dokhae.korean import analysis, kiwi, mecab
from dokhae.korean.analysis import Analysis
from dokhae.korean.composed import composed
from dokhae.korean.mecab import Mecab
from dokhae.korean.morphemes import Morpheme
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


def test_a_text_that_was_asked_for_lately_is_not_analysed_again(monkeypatch):
    class Counting:
        identity = "counting"
        asked: list[str] = []

        def analyse(self, given_texts):
            self.asked += given_texts
            return [[Morpheme(text, "NNG", 0, len(text))] for text in given_texts]

    monkeypatch.setattr(analysis, "REMEMBERED", 2)
    found = Analysis(Counting())
    assert [one[0].lemma for one in found.analyse(["가", "나", "가"])] == ["가", "나", "가"]
    found.analyse(["나", "다"])
    found.analyse(["나", "가"])
    assert Counting.asked == ["가", "나", "다", "가"]


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
    room._loaded.cache_clear()
    analysis.find.cache_clear()
    with pytest.raises(MissingExtra, match=rf"the analyser {name} needs .* pip install 'dokhae\[korean\]'"):
        analysis.find(name)


def test_mecab_says_the_same_in_processes_of_its_own(monkeypatch):
    given_texts = ["서울은 갔다", "", "《봄날》을 불렀다😀", "3월에"]
    alone = Mecab(1).analyse(given_texts)
    monkeypatch.setattr(mecab, "ALONE", 0)
    assert Mecab(3).analyse(given_texts) == alone


def test_a_process_of_mecab_that_fails_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(mecab, "ALONE", 0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(AnalyserError, match="the analyser mecab ended in a process of its own"):
        Mecab(2).analyse(["서울은"])


@settings(deadline=None, max_examples=200)
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
