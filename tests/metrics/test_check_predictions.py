from __future__ import annotations

import pytest

from dokhae.errors import DataError
from dokhae.metrics import ENGLISH_WORDS, ENGLISH_WORDS_WITH_NULL, KOREAN_CHARACTERS, check_predictions
from dokhae.types import Example

EXAMPLES = [Example(id, "?", "") for id in ("q1", "q2", "q3")]
COMPLETE = dict.fromkeys(("q1", "q2", "q3"), "Nile")


def test_complete_predictions_need_no_warning():
    assert check_predictions(EXAMPLES, COMPLETE, ENGLISH_WORDS_WITH_NULL, "p.json") == []


def test_missing_predictions_are_counted():
    assert check_predictions(EXAMPLES, {"q1": "Nile"}, KOREAN_CHARACTERS, "p.json") == [
        "p.json: 2 of 3 questions have no prediction; they score 0 (the first is q2)"
    ]


def test_predictions_for_other_questions_are_counted():
    assert check_predictions(EXAMPLES, COMPLETE | {"x": "", "y": ""}, ENGLISH_WORDS, "p.json") == [
        "p.json: 2 of 5 predictions are for questions that are not in the data; they do not count (the first is x)"
    ]


def test_missing_predictions_are_refused_where_the_official_script_fails():
    with pytest.raises(DataError, match=r"p.json: 2 of 3 questions have no prediction \(the first is q2\)"):
        check_predictions(EXAMPLES, {"q1": "Nile"}, ENGLISH_WORDS_WITH_NULL, "p.json")


@pytest.mark.parametrize("predictions", [{"x": "Nile", "y": "Po"}, {}])
def test_predictions_for_other_data_are_refused(predictions):
    with pytest.raises(DataError, match=f"p.json: none of its {len(predictions)} predictions"):
        check_predictions(EXAMPLES, predictions, ENGLISH_WORDS, "p.json")


@pytest.mark.parametrize("predictions", [["Nile"], "Nile", 3, None])
def test_a_file_that_is_no_object_is_refused(predictions):
    with pytest.raises(DataError, match="p.json: holds a .* write one object"):
        check_predictions(EXAMPLES, predictions, ENGLISH_WORDS, "p.json")


def test_a_file_of_questions_is_refused():
    questions = {"version": "1.1", "data": [{"paragraphs": [{"context": "The Nile.", "qas": []}]}]}
    with pytest.raises(DataError, match=r"^p.json: holds questions \(in the field 'data'\), not predictions; name"):
        check_predictions(EXAMPLES, questions, ENGLISH_WORDS, "p.json")


def test_an_n_best_file_is_told_from_the_file_of_answers():
    lists = dict.fromkeys(COMPLETE, [{"text": "Nile", "probability": 0.5}] * 20)
    with pytest.raises(DataError) as caught:
        check_predictions(EXAMPLES, lists, ENGLISH_WORDS, "p.json")
    assert str(caught.value) == (
        "p.json: question q1: there are several candidates, as in an n-best file; "
        "give the file of answers, predictions.json"
    )


@pytest.mark.parametrize(
    "prediction", [["Blue Nile"] * 1000, ["Nile" * 1000] * 5, {"text": ["Nile" * 9] * 9, "more": [1]}]
)
def test_of_a_long_prediction_only_the_beginning_is_quoted(prediction):
    with pytest.raises(DataError, match=r"the prediction is .{50,59}…, not a text; write '' for no answer$") as caught:
        check_predictions(EXAMPLES, COMPLETE | {"q2": prediction}, ENGLISH_WORDS, "p.json")
    assert len(str(caught.value)) < 150


def test_an_answer_that_is_no_text_names_its_question():
    with pytest.raises(DataError, match="p.json: question q2: the prediction is None, not a text"):
        check_predictions(EXAMPLES, COMPLETE | {"q2": None}, ENGLISH_WORDS, "p.json")
