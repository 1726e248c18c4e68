from __future__ import annotations

import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokhae.errors import SettingsError
from dokhae.metrics import (
    ENGLISH_WORDS,
    KOREAN_CHARACTERS,
    KOREAN_CHARACTERS_HTML,
    KOREAN_RUNS_WITH_NULL,
    evaluate,
    score_answer,
)
from dokhae.report.korean_classes import ERRORS
from dokhae.report.korean_errors import korean_errors
from dokhae.report.korean_numerals import same_numbers, value_of
from dokhae.types import Answer, Example

RULES = (KOREAN_CHARACTERS, KOREAN_CHARACTERS_HTML, KOREAN_RUNS_WITH_NULL)


def asked(*golds: str, id: str = "q", context: str = "", question: str = "무엇인가?") -> Example:
    return Example(id, question, context, tuple(Answer(gold, max(context.find(gold), 0)) for gold in golds))


def classed(prediction: str, *golds: str, context: str = "", rule=KOREAN_CHARACTERS) -> str:
    """The one class that a wrong prediction is counted in."""
    known = asked("한글", id="known")
    found = korean_errors([asked(*golds, context=context), known], {"q": prediction, "known": "한글"}, rule)
    (name,) = [each.name for each in found.classes if each.count]
    return name


@pytest.mark.parametrize(
    ("gold", "prediction", "name"),
    [
        ("서울", "", "no_answer"),
        ("서울", "()", "no_answer"),  # nothing to the rule
        ("서울", unicodedata.normalize("NFD", "서울"), "unicode_form"),
        ("성 베드로 대성전", "성베드로 대성전", "spacing"),
        ("100만명", "100만 명", "spacing"),
        ("<살인자의 기억법>", "살인자의기억법", "spacing"),
        ("3명", "3", "numerals_and_units"),
        ("1945", "1945년", "numerals_and_units"),
        ("1,000", "천", "numerals_and_units"),
        ("세 명", "3명", "numerals_and_units"),
        ("2만 5000명", "25,000명", "numerals_and_units"),
        ("17조", "17", "numerals_and_units"),
        ("400", "400만", "numerals_and_units"),  # 만 is a particle too
        ("5도", "5", "numerals_and_units"),  # 도 as well
        ("3월 1일", "3월 1", "numerals_and_units"),
        ("오전 6시 12분", "오전 6시 12", "numerals_and_units"),
        ("「신의」", "신의", "quotes_and_brackets"),
        ("“화해의 길”", "화해의 길", "quotes_and_brackets"),
        ("3·1 운동", "3ㆍ1 운동", "quotes_and_brackets"),
        ("고지마(幸島)", "고지마", "quotes_and_brackets"),
        ("서울", "서울(Seoul)", "quotes_and_brackets"),
        ("수도", "수도(도", "quotes_and_brackets"),  # cut within the brackets; 도 is a particle
        ("서울", "서울은", "particle_too_many"),
        ("서울", "서울에서는 ", "particle_too_many"),
        ("대승오온론", "대승오온론》의", "particle_too_many"),
        ("실천", "실천'이", "particle_too_many"),
        ("100만 명", "100만명을", "particle_too_many"),
        ("G.O.O.D. Music", "G.O.O.D. Music에", "particle_too_many"),
        ("10년에", "10년", "particle_too_few"),
        ("서울", "서울 도로", "longer_phrase"),  # a word of two syllables that are particles, glued to nothing
        ("10% 이상", "10% 이상 차", "longer_phrase"),
        ("이명박", "것이 이명박", "longer_phrase"),
        ("2011년", "2011년 8", "longer_phrase"),
        ("7가지", "총 7가지", "longer_phrase"),
        ("라스무센 총리", "라스무센", "shorter_phrase"),
        ("3불선근", "3불선", "shorter_phrase"),
        ("사회", "사", "shorter_phrase"),  # 사 is four, 회 a unit
        ("서울 시청", "부산 시청", "overlap"),
        ("이명박", "김대중", "elsewhere"),
        ("서울", "。", "elsewhere"),
    ],
)
def test_a_wrong_answer_is_in_the_first_class_that_is_true_of_it(gold, prediction, name):
    assert classed(prediction, gold) == name


def test_the_end_of_a_gold_answer_is_no_particle_where_its_word_goes_on():
    assert classed("사", "사과", context="그는 사과를 먹었다.") == "shorter_phrase"
    assert classed("서울", "서울에", context="그는 서울에 산다.") == "particle_too_few"


def test_the_gold_answer_that_is_nearest_counts():
    assert classed("서울은", "대한민국의 수도", "서울") == "particle_too_many"
    assert classed("서울은", "서울에", "서울이") == "overlap"  # of equals the first; both share two of three


def test_html_is_compared_as_the_rule_reads_it():
    assert classed("<td>서울은</td>", "<b>서울</b>", rule=KOREAN_CHARACTERS_HTML) == "particle_too_many"
    assert classed("1066", "<a>1066년</a>", rule=KOREAN_CHARACTERS_HTML) == "numerals_and_units"


def test_questions_without_an_answer_and_predictions_that_are_not_there():
    examples = [asked("서울", id="1"), asked(id="2"), asked("부산", id="3")]
    found = korean_errors(examples, {"1": "서울", "2": "대구", "3": ""}, KOREAN_RUNS_WITH_NULL)
    assert counts_of(found) == {"answer_to_unanswerable": 1, "no_answer": 1}
    found = korean_errors([asked("서울", id="1"), asked("부산", id="3")], {"1": "서울"}, KOREAN_CHARACTERS)
    assert counts_of(found) == {"missing": 1}


def test_what_a_class_says():
    context = "가" * 40 + " 수도는 서울이다. " + "나" * 40
    examples = [asked("서울", id="q1", context=context, question="수도는?"), asked("부산", id="q2")]
    found = korean_errors(examples, {"q1": "서울이다", "q2": "부산"}, KOREAN_CHARACTERS)
    assert (found.questions, found.wrong, found.exact_match) == (2, 1, 50.0)
    content = found.content()
    assert list(content["classes"]) == list(ERRORS)
    assert content["classes"]["particle_too_many"] == {
        "meaning": "the gold answer and particles after it",
        "count": 1,
        "share": 0.5,
        "exact_match_if_fixed": 100.0,
        "examples": [
            {
                "id": "q1",
                "question": "수도는?",
                "gold": "서울",
                "prediction": "서울이다",
                "context": "…" + "가" * 25 + " 수도는 서울이다. " + "나" * 26 + "…",
            },
        ],
    }
    assert json.loads(json.dumps(content))["classes"]["missing"]["examples"] == []


def test_the_piece_of_context_is_around_the_gold_answer_or_the_prediction():
    misplaced = Example("1", "?", "수도는 서울이다.", (Answer("서울", 0),))
    nowhere = Example("2", "?", "수도는 서울이다.", (Answer("부산", 0),))
    unanswerable = Example("3", "?", "수도는 서울이다.")
    found = korean_errors(
        [misplaced, nowhere, unanswerable], {"1": "수", "2": "수", "3": "서울"}, KOREAN_RUNS_WITH_NULL
    )
    pieces = {example.id: example.context for each in found.classes for example in each.examples}
    assert pieces == {"1": "수도는 서울이다.", "2": "", "3": "수도는 서울이다."}


def test_half_of_a_surrogate_pair_in_a_prediction_is_replaced():
    found = korean_errors([asked("서울")], {"q": "서울\ud800은"}, KOREAN_CHARACTERS)
    assert counts_of(found) == {"longer_phrase": 1}
    assert json.dumps(found.content(), ensure_ascii=False).encode().count("서울\ufffd은".encode()) == 1


def test_the_number_of_examples():
    examples = [asked("서울", id=str(number)) for number in range(5)]
    predictions = {example.id: "서울은" for example in examples}
    for limit, shown in ((0, []), (2, ["0", "1"]), (9, ["0", "1", "2", "3", "4"])):
        found = korean_errors(examples, predictions, KOREAN_CHARACTERS, limit)
        assert [example.id for each in found.classes for example in each.examples] == shown
    with pytest.raises(SettingsError, match="error_examples is -1"):
        korean_errors(examples, predictions, KOREAN_CHARACTERS, -1)


def test_other_data_than_korean_is_refused():
    with pytest.raises(SettingsError, match="no gold answer here holds Hangul"):
        korean_errors([asked("Seoul"), asked("首尔", id="2")], {}, ENGLISH_WORDS)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("천", 1000), ("천구백사십오", 1945), ("이십일", 21), ("2만 5000", 25_000), ("1조 8천", 10**12 + 8000),
        ("3천만", 3 * 10**7), ("330여억", 330 * 10**8), ("1.5만", 15_000), ("1,234.5", 1234.5),
        ("스물다섯", 25), ("세", 3), ("만", 10_000),
    ],
)  # fmt: skip
def test_the_value_of_a_number(number, value):
    assert value_of(number) == value


def test_numbers_that_are_not_the_same():
    assert not same_numbers("3명", "4명")
    assert not same_numbers("2011년", "2011년 8")
    assert not same_numbers("일본", "일")
    assert not same_numbers("1950년에", "1950년")


def counts_of(found) -> dict[str, int]:
    return {each.name: each.count for each in found.classes if each.count}


PIECES = [
    "서울",
    "부산",
    "사과",
    "은",
    "에서",
    "이다",
    " ",
    "3",
    "세",
    "명",
    "1,000",
    "천",
    "년",
    "(",
    ")",
    "《",
    "·",
    "<b>",
    "a",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.text(max_size=8)
QUESTIONS = st.lists(st.tuples(st.lists(TEXTS, min_size=1, max_size=3), TEXTS), min_size=1, max_size=8)


@settings(deadline=None)  # the first call loads what it needs
@given(QUESTIONS, st.sampled_from(RULES))
def test_every_wrong_question_is_in_one_class_and_the_exact_matches_add_up(questions, rule):
    examples = [asked("한글", id="known")]
    examples += [asked(*golds, id=str(number)) for number, (golds, _) in enumerate(questions)]
    predictions = {"known": "한글"} | {str(number): text for number, (_, text) in enumerate(questions)}
    found = korean_errors(examples, predictions, rule, examples_per_class=99)
    exact = [score_answer(text, golds, rule)[0] for golds, text in questions]
    listed = Counter(example.id for each in found.classes for example in each.examples)
    assert listed == Counter(str(number) for number, score in enumerate(exact) if not score)
    assert sum(each.count for each in found.classes) == found.wrong == len(listed)
    assert found.exact_match == evaluate(examples, predictions, rule)["exact_match"]
    for each in found.classes:
        assert len(each.examples) == each.count
        assert each.exact_match_if_fixed == pytest.approx(found.exact_match + 100 * each.count / found.questions)


@settings(deadline=None)  # the first call loads what it needs
@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(RULES))
def test_gold_answers_have_no_errors(golds, rule):
    examples = [asked("한글", id="known"), asked(*golds)]
    for gold in golds:
        found = korean_errors(examples, {"known": "한글", "q": gold}, rule)
        assert (found.wrong, found.exact_match) == (0, 100.0)


def test_real_predictions(shared):
    from dokhae import benchmarks

    row = benchmarks.find("korquad-1.0")
    predictions = json.loads(shared("official-scores/korquad-1.0-perturbed.json").read_text(encoding="utf-8"))
    found = korean_errors(row.read(shared("korquad-1.0/dev.json"), True), predictions, row.rule)
    counts = counts_of(found)
    assert (found.questions, found.wrong, counts["missing"], counts["no_answer"]) == (1042, 669, 25, 163)
    assert 100 < counts["particle_too_many"] < 120  # of those that were made by adding the next syllables
