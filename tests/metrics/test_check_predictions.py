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


def test_an_answer_that_is_no_text_names_its_question():
    with pytest.raises(DataError, match="p.json: question q2: the prediction is None, not a text"):
        check_predictions(EXAMPLES, COMPLETE | {"q2": None}, ENGLISH_WORDS, "p.json")
