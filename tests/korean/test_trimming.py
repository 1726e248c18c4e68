"""Where an analyser finds particles, and the trim that they are for."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings

from decoding.building import merge_one
from dokhae.decoding import trimmed, trimmed_ends
from dokhae.korean import trimming
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.trimming import Particles, trimmer
from dokhae.types import Example
from encoding.texts import texts

CONTEXT = "서울에서는 세종대왕이었다. 사과를 먹었다."
SEOUL, SEOUL_AT, SEOUL_TOPIC, KING_WAS = (0, 2), (0, 4), (0, 5), (6, 13)
EXAMPLE = Example("q1", "?", CONTEXT)
BOTH = pytest.mark.parametrize("name", ["kiwi", "mecab"])


def shown(found, text):
    """(what the particles stand behind in the text, the particles), for each end."""
    return [(text[:first], text[first:end]) for first, end in zip(found.starts, found.ends, strict=True)]


@BOTH
def test_particles_are_found_with_those_before_them_and_so_is_the_copula(name):
    found = trimmer(name).particles([CONTEXT])[0]
    assert shown(found, CONTEXT) == [
        ("서울", "에서"), ("서울", "에서는"),
        ("서울에서는 세종대왕", "이"), ("서울에서는 세종대왕", "이었"), ("서울에서는 세종대왕", "이었다"),
        ("서울에서는 세종대왕이었다. 사과", "를"),
    ]  # fmt: skip


@BOTH
def test_a_noun_that_ends_as_a_particle_does_is_left_alone(name):
    text = "종로가 넓다. 이방인과 오이를 나눈다."
    nouns = {text[:first].split()[-1] for first in trimmer(name).particles([text])[0].starts.tolist()}
    assert nouns == {"종로", "이방인", "오이"}


@BOTH
def test_places_are_of_the_text_as_it_was_given(name):
    text = unicodedata.normalize("NFD", CONTEXT)
    found = shown(trimmer(name).particles([text])[0], text)
    assert [unicodedata.normalize("NFC", part) for _, part in found] == ["에서", "에서는", "이", "이었", "이었다", "를"]


def test_a_particle_that_is_fused_with_its_noun_cannot_be_cut_off():
    fused = [Morpheme("나", "NP", 0, 1), Morpheme("ㄴ", "JX", 0, 1), Morpheme("만", "JX", 1, 2)]
    found = trimming._particles(fused, "난만")
    assert (found.starts.tolist(), found.ends.tolist()) == ([1], [2])


def test_a_particle_behind_a_space_belongs_to_no_noun():
    for noun in ((0, 2), (0, 3)):  # an analyser may count the space to what is before it
        found = trimming._particles([Morpheme("서울", "NNP", *noun), Morpheme("은", "JX", 3, 4)], "서울 은")
        assert found.starts.tolist() == []


def places(*spans):
    return Particles(*(np.array(column, dtype=np.int32) for column in zip(*spans, strict=True)))


PARTICLES = places((2, 4), (2, 5), (10, 13), (17, 18))


@pytest.mark.parametrize(
    ("span", "token_ends", "end"),
    [
        (SEOUL_TOPIC, [5, 13], 2),  # the tokenizer has 서울에서는 whole
        (SEOUL_TOPIC, [2, 5, 13], 5),  # it has an end there: the model could have chosen it
        (SEOUL_TOPIC, [4, 5, 13], 2),  # an end between the particles is not one before them
        (SEOUL_AT, [4, 5], 2),
        (SEOUL, [2, 5], 2),  # nothing to cut off
        (KING_WAS, [5, 13], 10),
        ((2, 5), [5], 5),  # nothing would be left
        ((3, 5), [5], 5),
    ],
)
def test_an_end_moves_only_where_no_token_ends_before_the_particles(span, token_ends, end):
    start, given_end = span
    found = trimmed_ends(np.array([start]), np.array([given_end]), PARTICLES, np.array(token_ends))
    assert found.tolist() == [end]


def test_without_particles_nothing_moves():
    none = Particles(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32))
    assert trimmed_ends(np.array([0]), np.array([5]), none, np.array([5])).tolist() == [5]


def test_candidates_that_become_one_text_are_one():
    spans = [(*SEOUL_TOPIC, 3.0, 3.0), (*KING_WAS, 2.0, 3.0), (*SEOUL_AT, 1.0, 3.0)]
    prediction = merge_one(EXAMPLE, spans, -4.0, n_best=20, with_null=True)
    found = trimmed(prediction, EXAMPLE, PARTICLES, np.array([4, 5, 13]), with_null=True)
    assert [(one.text, one.start, one.end, one.score) for one in found.n_best] == [
        ("서울", 0, 2, 6.0), ("세종대왕", 6, 10, 5.0),
    ]  # fmt: skip
    assert (found.text, found.start, found.end) == ("서울", 0, 2)
    assert (found.null_score, found.null_score_difference) == (-4.0, -10.0)
    as_if_found_so = merge_one(EXAMPLE, [(0, 2, 3.0, 3.0), (6, 10, 2.0, 3.0)], -4.0, n_best=20, with_null=True)
    assert found == as_if_found_so


def test_a_prediction_that_ends_well_is_the_very_same():
    prediction = merge_one(EXAMPLE, [(*SEOUL, 3.0, 3.0)], 0.0, n_best=20, with_null=False)
    assert trimmed(prediction, EXAMPLE, PARTICLES, np.array([5]), with_null=False) is prediction
    nothing = merge_one(EXAMPLE, [], 0.0, n_best=20, with_null=True)
    assert trimmed(nothing, EXAMPLE, PARTICLES, np.array([5]), with_null=True) is nothing


@settings(deadline=None, max_examples=60)
@given(text=texts())
def test_what_is_cut_off_any_text_is_inside_of_it_and_leaves_something(text):
    found = trimmer("kiwi").particles([text])[0]
    assert (found.starts < found.ends).all() and (np.diff(found.ends) > 0).all()
    ends = np.arange(1, len(text) + 1)
    shorter = trimmed_ends(np.zeros_like(ends), ends, found, np.array([], dtype=np.int64))
    assert ((shorter > 0) & (shorter <= ends)).all()
    assert all(not text[place].isspace() and not text[place - 1].isspace() for place in found.starts.tolist())
