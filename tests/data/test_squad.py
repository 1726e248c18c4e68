import json

import pytest

from dokhae.data import read_examples
from dokhae.errors import DataError
from dokhae.types import Answer, Example


def question(**changes):
    """A SQuAD question; a change to None leaves the field out."""
    fields = {"id": "q1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]} | changes
    return {name: value for name, value in fields.items() if value is not None}


def squad(*questions, context="Ann sings."):
    return {"data": [{"title": "Song", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


@pytest.fixture
def read(tmp_path):
    def read(content, labelled=True):
        path = tmp_path / "file.json"
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(content)
        return read_examples(path, labelled)

    return read


@pytest.mark.parametrize(
    ("file", "questions", "unanswerable"),
    [
        ("squad-1.1/train.json", 6759, 0),
        ("squad-1.1/dev.json", 1834, 0),
        ("squad-2.0/train.json", 7774, 4001),
        ("squad-2.0/dev.json", 2952, 1408),
        ("korquad-1.0/train.json", 4154, 0),
        ("korquad-1.0/dev.json", 1042, 0),
    ],
)
def test_real_files_have_their_counts(shared, file, questions, unanswerable):
    examples = read_examples(shared(file))
    assert len(examples) == questions
    assert sum(not example.answers for example in examples) == unanswerable


def test_the_first_question_of_korquad(shared):
    first = read_examples(shared("korquad-1.0/dev.json"))[0]
    assert (first.id, first.title) == ("6530245-0-0", "박형식")
    assert first.question == "박형식은 제국의 아이들 멤버로 언제 데뷔하였는가?"
    assert first.answers == (Answer("2010년 1월 15일", 413),)
    assert first.context[413:].startswith("2010년 1월 15일")


def test_questions_come_in_file_order(read):
    examples = read(squad(question(id="b"), question(id="a", answers=[]), question(id="c")))
    assert [example.id for example in examples] == ["b", "a", "c"]
    assert examples[1] == Example("a", "Who?", "Ann sings.", (), "Song")


def test_an_impossible_question_has_no_answers_whatever_is_listed(read):
    given = [{"text": "Ann", "answer_start": 0}]
    assert read(squad(question(is_impossible=True, plausible_answers=given)))[0].answers == ()
    assert read(squad(question(is_impossible=True, answers=None)))[0].answers == ()


def test_possible_but_empty_answers_mean_unanswerable(read):
    assert read(squad(question(is_impossible=False, answers=[])))[0].answers == ()


def test_a_whole_number_is_an_id(read):
    assert read(squad(question(id=7)))[0].id == "7"


def test_offsets_are_not_checked_by_the_reader(read):
    assert read(squad(question(answers=[{"text": "Bob", "answer_start": 99}])))[0].answers == (Answer("Bob", 99),)


def test_without_labels_the_answers_may_be_missing(read):
    assert read(squad(question(answers=None)), labelled=False)[0].answers == ()
    with pytest.raises(DataError, match="question q1: the field 'answers' .*is missing; give it"):
        read(squad(question(answers=None)))


def test_without_labels_answers_that_are_there_are_kept(read):
    assert read(squad(question()), labelled=False)[0].answers == (Answer("Ann", 0),)


def test_identical_repeats_are_kept(read):
    assert len(read(squad(question(), question()))) == 2


def test_a_byte_order_mark_is_no_part_of_the_text(read):
    assert len(read(b"\xef\xbb\xbf" + json.dumps(squad(question())).encode())) == 1


WRONG_QUESTIONS = [
    ({"id": None}, r"file.json: data\[0\].paragraphs\[0\].qas\[0\]: the field 'id' is missing; found .*'question'"),
    ({"id": 1.5}, r"qas\[0\]: 'id' must be text, found the float 1.5"),
    ({"id": True}, r"qas\[0\]: 'id' must be text, found true"),
    ({"id": ""}, r"qas\[0\]: 'id' is empty"),
    ({"question": None}, "question q1: the field 'question' is missing"),
    ({"question": ["Who?"]}, "question q1: 'question' must be text, found a list of 1"),
    ({"answers": "Ann"}, "question q1: 'answers' must be .*found the text 'Ann'"),
    ({"answers": ["Ann"]}, r"question q1: answers\[0\]: must be an object.*found the text 'Ann'"),
    ({"answers": [{"text": "Ann"}]}, r"question q1: answers\[0\]: the field 'answer_start' is missing"),
    ({"answers": [{"answer_start": 0}]}, r"answers\[0\]: the field 'text' is missing"),
    ({"answers": [{"text": "Ann", "answer_start": "0"}]}, "'answer_start' must be a whole number.*found the text '0'"),
    ({"answers": [{"text": "Ann", "answer_start": True}]}, "'answer_start' must be a whole number.*found true"),
    ({"answers": [{"text": "Ann", "answer_start": 0.0}]}, "'answer_start' must be a whole number.*found the float 0.0"),
    ({"answers": [{"text": "Ann", "answer_start": -1}]}, "'answer_start' is -1, but character offsets count from 0"),
    ({"is_impossible": "yes"}, "question q1: 'is_impossible' must be true or false, found the text 'yes'"),
    ({"question": "Who\ud83d?"}, r"question q1: 'question' holds a lone surrogate \(\\ud83d\) at character 3"),
    ({"id": "q\udc00"}, r"qas\[0\]: 'id' holds a lone surrogate"),
    ({"answers": [{"text": "\ud800", "answer_start": 0}]}, "question q1: 'answers' holds a lone surrogate"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_QUESTIONS)
def test_a_wrong_question_is_named(read, changes, message):
    with pytest.raises(DataError, match=message):
        read(squad(question(**changes)))


def test_a_lone_surrogate_in_a_context_names_the_question(read):
    with pytest.raises(DataError, match="question q1: 'context' holds a lone surrogate"):
        read(squad(question(), context="Ann \udead"))


def test_one_id_for_two_questions_is_refused(read):
    with pytest.raises(DataError, match="question q1: this id is given twice with different content"):
        read(squad(question(), question(question="Where?")))


EXPECTED_SHAPE = "is neither SQuAD.*nor rows.*found "
WRONG_FILES = [
    ("", "file.json: is empty"),
    ("who?", r"file.json: is not JSON: .*line 1, column 1"),
    ('{"data": [{"paragraphs": [', "file.json: stops in the middle: it is cut off"),
    ("\udc81".encode("utf-8", "surrogatepass"), "file.json: is not UTF-8"),
    ("12", EXPECTED_SHAPE + "the int 12"),
    ('"text"', EXPECTED_SHAPE + "the text 'text'"),
    ("{}", EXPECTED_SHAPE + "an object with no fields"),
    ({"q1": "Ann", "q2": ""}, EXPECTED_SHAPE + "an object with the fields 'q1', 'q2'"),
    ([1, 2], EXPECTED_SHAPE + "a list with the int 1"),
    ({"data": [{"title": "Song"}]}, EXPECTED_SHAPE + "an object with the fields 'title'"),
    ({"data": [{"context": "<p>", "qas": []}]}, "is KorQuAD 2.x"),
    ({"data": [{"paragraphs": {}}]}, r"data\[0\]: 'paragraphs' must be a list, found an object with no fields"),
    ({"data": [{"paragraphs": [{"qas": []}]}]}, r"data\[0\].paragraphs\[0\]: the field 'context' is missing"),
    ({"data": [{"paragraphs": [{"context": "x"}]}]}, r"data\[0\].paragraphs\[0\]: the field 'qas' is missing"),
    ({"data": [{"paragraphs": []}, 3]}, r"data\[1\]: must be an object.*found the int 3"),
    ({"data": []}, "file.json: holds no questions"),
    ([], "file.json: holds no questions"),
    (squad(), "file.json: holds no questions"),
]


@pytest.mark.parametrize(("content", "message"), WRONG_FILES)
def test_a_wrong_file_says_what_was_found(read, content, message):
    with pytest.raises(DataError, match=message):
        read(content)
