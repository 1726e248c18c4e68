import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.strategies import AWKWARD, texts
from dokhae.data import read_examples
from dokhae.data.audit.differences import DIFFERENCES, UNITS
from dokhae.data.audit.locating import SHIFTED, Place, locate_misplaced
from dokhae.types import Answer, Example

KOREAN = "서울은 대한민국의 수도이다. 수도는 서울이다."
DECOMPOSED = unicodedata.normalize("NFD", KOREAN)
some = settings(deadline=None, max_examples=150)


def place_of(context, text, start, **others):
    """Where one answer is; `others` are further answers of the same context, id=(text, start)."""
    answers = [(text, start), *others.values()]
    examples = [Example(f"q{number}", "?", context, (Answer(*answer),)) for number, answer in enumerate(answers)]
    return locate_misplaced(examples).get((0, 0))


def test_answers_in_their_place_and_empty_ones_are_passed_over():
    assert locate_misplaced([Example("q", "?", "Ann sang.", (Answer("Ann", 0), Answer("", 3)))]) == {}


def test_a_text_that_is_nowhere_has_no_place():
    assert locate_misplaced([Example("q", "?", "Ann sang.", (Answer("Bob", 0),))]) == {(0, 0): None}


def test_the_nearest_of_several_places():
    assert place_of("Bob or Bob or Bob", "Bob", 9) == Place(Answer("Bob", 7), "", True, "", others=2)


@pytest.mark.parametrize(
    ("context", "text", "start", "place", "offset"),
    [
        (KOREAN, "수도이다", len("서울은 대한민국의 ".encode()), 10, "counts UTF-8 bytes"),
        ("\U0001f600\U0001f600 Ann sang", "Ann", 5, 3, "counts UTF-16 units"),
        ("one\ntwo\nAnn", "Ann", 10, 8, "counts line ends as two characters"),
        ("one\r\ntwo\r\nAnn", "Ann", 8, 10, "counts line ends as one character"),
        ("e\u0301 Ann", "Ann", 2, 3, "counts characters composed (NFC)"),
        ("가나 Ann", "Ann", 5, 3, "counts characters decomposed (NFD)"),
        ("   Ann sang", "sang", 4, 7, "passes over white space at the start"),
        ("He   and   Ann", "Ann", 7, 11, "counts runs of white space as one"),
        ("<b>He</b> &amp; Ann", "Ann", 5, 16, "passes over HTML tags and entities"),
        ("Ann sang.", "sang", 5, 4, "counts from 1"),
    ],
)
def test_what_an_offset_counts(context, text, start, place, offset):
    assert place_of(context, text, start) == Place(Answer(text, place), "", True, offset, others=0)


def test_bytes_beat_the_nearest_place():
    start = len(KOREAN[: KOREAN.rindex("서울")].encode())  # 44, beyond both
    first = len(KOREAN[: KOREAN.index("수도")].encode())  # 22; the nearest of the two places is the wrong one
    assert place_of(KOREAN, "서울", start) == Place(Answer("서울", 20), "", True, "counts UTF-8 bytes", others=1)
    assert place_of(KOREAN, "수도", first) == Place(Answer("수도", 10), "", True, "counts UTF-8 bytes", others=1)


def test_the_explanation_that_fits_most_answers_of_the_file_is_taken():
    # Alone, an offset one too high counts from 1 at the first place, or bytes at the second.
    context = "ab é ab"
    assert place_of(context, "ab", 6).offset == "counts UTF-8 bytes"
    assert place_of(context, "ab", 1).offset == "counts from 1"
    both = "é a a"  # 'a' at 2 and 4: offset 3 is the first by bytes, and from 1 too
    by_one = {"one": ("é", 1), "two": ("é", 1)}
    assert place_of(both, "a", 3, **by_one).offset == "counts from 1"


def test_a_shift_shared_by_answers_of_one_context():
    found = place_of("Ann met Bob", "Bob", 31, other=("met", 27))
    assert found == Place(Answer("Bob", 8), "", True, SHIFTED, others=0)
    assert place_of("Ann met Bob", "Bob", 31, other=("met", 28)).offset == ""
    assert place_of("Ann met Bob", "Bob", 31, other=("Bob", 31)).offset == ""  # one answer, given twice


@pytest.mark.parametrize(
    ("context", "text", "found", "start", "difference", "certain"),
    [
        ("He\r\nand Ann", "He\nand", "He\r\nand", 0, "line ends", True),
        (DECOMPOSED, "수도이다", unicodedata.normalize("NFD", "수도이다"), 23, "Unicode form", True),
        (KOREAN, unicodedata.normalize("NFD", "수도이다"), "수도이다", 10, "Unicode form", True),
        ("Ann sang.", " sang ", "sang", 4, "white space at its ends", True),
        ("Ann\xa0 sang.", "Ann sang", "Ann\xa0 sang", 0, "white space", False),
        ("Ann\u200b sang.", "Ann sang", "Ann\u200b sang", 0, "invisible characters", False),
        ("When ANN sang.", "Ann", "ANN", 5, "case", False),
        ("Straße 4", "STRASSE", "Straße", 0, "case", False),
        ("Room ①, 4 ㎏", "4 kg", "4 ㎏", 8, "compatibility characters", False),
        ("AN  OﬃCE", "an office", "AN  OﬃCE", 0, "several of these", False),
    ],
)  # fmt: skip
def test_in_what_a_text_may_differ(context, text, found, start, difference, certain):
    place = place_of(context, text, 400)
    assert (place.answer, place.text_differs, place.certain) == (Answer(found, start), difference, certain)


def test_a_right_offset_needs_no_explanation_where_only_the_text_differs():
    assert place_of(DECOMPOSED, "서울", 0, other=("대한", 9)).offset == ""
    far = DECOMPOSED.rindex(unicodedata.normalize("NFD", "서울"))
    assert place_of(DECOMPOSED, "서울", far).answer.start == far


def test_white_space_before_the_answer_is_counted_in_its_offset():
    found = place_of("서울은\n수도이다.", " 수도이다", len("서울은".encode()))
    assert found == Place(Answer("수도이다", 4), "white space at its ends", True, "counts UTF-8 bytes", others=0)


def test_a_letter_is_not_found_without_its_marks():
    assert place_of("e\u0301", "e", 5) == Place(Answer("e", 0), "", True, "", 0)  # plain text: it is there
    assert place_of("\u00e9", "e", 0) is None
    assert place_of("\u1100\u1161", "각", 0) is None


@st.composite
def cut_contexts(draw):
    """A context and a piece of it that is not empty: (context, start, end)."""
    context = "".join(draw(st.lists(texts, max_size=8))) + draw(st.sampled_from(AWKWARD))
    start = draw(st.integers(0, len(context) - 1))
    return context, start, draw(st.integers(start + 1, len(context)))


@some
@given(cut_contexts(), st.data())
def test_an_offset_in_any_unit_leads_to_a_place_of_the_text(cut, data):
    context, start, end = cut
    text = context[start:end]
    unit = data.draw(st.sampled_from([unit for unit in UNITS if unit.count(context[:start]) != start]))
    place = place_of(context, text, unit.count(context[:start]))
    if context.startswith(text, unit.count(context[:start])):  # it stands there too
        assert place is None
        return
    assert context.startswith(text, place.answer.start)
    assert (place.answer.text, place.text_differs) == (text, "")
    assert place.others or place.answer.start == start
    assert place.offset  # the unit itself fits, if no other does


@some
@given(cut_contexts(), st.sampled_from(DIFFERENCES))
def test_what_is_found_is_the_context_s_own_and_folds_to_the_answer(cut, difference):
    context, start, end = cut
    text = difference.fold(context[start:end])
    place = place_of(context, text, 10**6)
    if place is None:  # nothing is left of it, or it was a part of a letter and its marks
        return
    answer = place.answer
    assert context[answer.start : answer.end] == answer.text
    used = next(each for each in DIFFERENCES if each.name == place.text_differs)
    assert used.fold(answer.text) == used.fold(text.strip() if used.strip else text)
    assert used.certain is place.certain


@some
@given(st.lists(st.sampled_from(["한국", "서울 ", "é", "Å ", "각", "naïve "]), min_size=2, max_size=8), st.data())
def test_whole_letters_are_found_in_the_other_unicode_form(letters, data):
    first = data.draw(st.integers(0, len(letters) - 1))
    last = data.draw(st.integers(first, len(letters) - 1))
    text = "".join(letters[first : last + 1])
    form, other = data.draw(st.permutations(["NFC", "NFD"]))
    context = unicodedata.normalize(form, "".join(letters))
    given_text = unicodedata.normalize(other, text)
    start = len(unicodedata.normalize(other, "".join(letters[:first])))
    place = place_of(context, given_text, start)
    assert unicodedata.normalize(other, place.answer.text) == given_text
    assert place.certain
    assert place.others or place.answer.start == len(unicodedata.normalize(form, "".join(letters[:first])))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_whole_file_in_another_unit_is_found_again(shared, unit):
    right = read_examples(shared("korquad-1.0/dev.json"))
    wrong = [replace(one, answers=tuple(counted(one.context, answer, unit) for answer in one.answers)) for one in right]
    found = locate_misplaced(wrong)
    assert all(place.answer == right[number].answers[position] for (number, position), place in found.items())
    assert {place.offset for place in found.values()} <= {unit.name}


def counted(context, answer, unit):
    return Answer(answer.text, unit.count(context[: answer.start]))
