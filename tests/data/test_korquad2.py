import json
import pickle
from dataclasses import replace

import pytest

from dokhae.data import check_answers, read_korquad2, write_examples
from dokhae.data.packed import PackedExample
from dokhae.errors import DataError
from dokhae.types import Answer, Example


def document(*questions):
    return {"title": "독해", "url": "", "context": "<p>독해</p>", "raw_html": "<html>", "qas": list(questions)}


def question(example_id="q1", **changes):
    fields = {
        "id": example_id,
        "question": "무엇?",
        "answer": {"text": "독해", "answer_start": 3, "html_answer_start": 9},
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def write(path, *documents):
    path.write_text(json.dumps({"version": "KorQuAD_v2.1", "data": list(documents)}), "utf-8")
    return path


def test_real_gold_answers_are_read_from_a_file_and_from_a_folder(shared):
    folder = shared("korquad-2.0-answers")
    examples = read_korquad2(folder)
    assert len(examples) == 1200
    assert examples[0].answers == (Answer("1998년", 0),)
    assert read_korquad2(folder / "gold.json") == examples


def test_real_documents_hold_their_answers(shared):
    examples = read_korquad2(shared("korquad-2.1-sample"))
    assert len(examples) == 2
    for example in examples:
        answer = example.answers[0]
        assert example.context[answer.start : answer.end] == answer.text


def test_the_files_of_a_folder_are_read_by_name_and_others_are_not(tmp_path):
    write(tmp_path / "b.json", document(question("2")))
    write(tmp_path / "a.json", document(question("1"), question("0")))
    (tmp_path / "notes.txt").write_text("not data")
    assert [example.id for example in read_korquad2(tmp_path)] == ["1", "0", "2"]


def test_an_example_has_the_document_without_its_raw_html(tmp_path):
    path = write(tmp_path / "a.json", document(question()))
    assert read_korquad2(path) == [Example("q1", "무엇?", "<p>독해</p>", (Answer("독해", 3),), "독해")]


def test_without_labels_the_answer_may_be_missing(tmp_path):
    path = write(tmp_path / "a.json", document(question(answer=None)))
    assert read_korquad2(path, labelled=False)[0].answers == ()
    with pytest.raises(DataError, match="a.json: question q1: the field 'answers' .KorQuAD 2.x: 'answer'. is missing"):
        read_korquad2(path)


WRONG_DOCUMENTS = [
    (document(question(question=None)), "question q1: the field 'question' is missing"),
    (document(question(answer={"text": "독해"})), "question q1: answer: the field 'answer_start' is missing"),
    (document(question(answer=["독해"])), "question q1: answer: must be an object.*found a list of 1"),
    (document({"question": "무엇?"}), r"data\[0\].qas\[0\]: the field 'id' is missing"),
    ({"qas": [question()]}, "question q1: the field 'context' is missing"),
    ({"paragraphs": []}, "holds no questions"),
    ("text", "is neither SQuAD, .* found a list with the text 'text'"),
    (document(), "holds no questions"),
    (document(question(), question(question="왜?")), "question q1: this id is given twice with different content"),
]


@pytest.mark.parametrize(("content", "message"), WRONG_DOCUMENTS)
def test_a_wrong_document_is_named(tmp_path, content, message):
    with pytest.raises(DataError, match=f"a.json: {message}"):
        read_korquad2(write(tmp_path / "a.json", content))


def test_one_id_in_two_files_names_both(tmp_path):
    write(tmp_path / "a.json", document(question()))
    write(tmp_path / "b.json", document(question(question="왜?")))
    with pytest.raises(DataError, match="b.json: question q1: .*first at .*a.json: question q1"):
        read_korquad2(tmp_path)


def test_a_numbered_file_that_is_missing_between_others_is_named(tmp_path):
    for number in (3, 4, 6):
        write(tmp_path / f"korquad2.1_train_{number:02}.json", document(question(str(number))))
    with pytest.raises(DataError, match=r"korquad2.1_train_\* are numbered 03 to 06, and 05 is missing"):
        read_korquad2(tmp_path)
    write(tmp_path / "korquad2.1_train_05.json", document(question("5")))
    assert [example.id for example in read_korquad2(tmp_path)] == ["3", "4", "5", "6"]


def test_files_of_two_versions_are_refused(tmp_path):
    write(tmp_path / "a.json", document(question("1")))
    path = write(tmp_path / "b.json", document(question("2")))
    path.write_text(path.read_text("utf-8").replace("KorQuAD_v2.1", "KorQuAD_v2.0_dev"), "utf-8")
    with pytest.raises(DataError, match="b.json: is of KorQuAD 2.0, and a.json beside it of 2.1"):
        read_korquad2(tmp_path)


def test_a_page_is_kept_compressed_and_once(tmp_path):
    (one, other) = read_korquad2(write(tmp_path / "a.json", document(question("1"), question("2"))))
    assert one._packed is other._packed
    assert one.context is other.context
    assert one == Example("1", "무엇?", "<p>독해</p>", (Answer("독해", 3),), "독해") == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(PackedExample("1", "무엇?", "<p>독해</p>", (Answer("독해", 3),), "독해"))
    assert replace(one, id="3").context == one.context
    assert one != other


def test_what_convert_writes_is_read_again(tmp_path):
    examples = read_korquad2(write(tmp_path / "a.json", document(question("1"), question("2"))))
    for name in ("b.jsonl", "b.csv", "b.json"):
        write_examples(examples, tmp_path / name)
        assert read_korquad2(tmp_path / name) == examples
    rows = read_korquad2(tmp_path / "b.jsonl")
    assert (rows[0].context, rows[0].file) == ("<p>독해</p>", str(tmp_path / "b.jsonl"))


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "gold.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="gold.zip: is an archive; unpack it"):
        read_korquad2(tmp_path / "gold.zip")


def test_a_misplaced_answer_of_a_folder_names_its_file(tmp_path):
    write(tmp_path / "a.json", document(question("1")))
    write(tmp_path / "b.json", document(question("2", answer={"text": "독해", "answer_start": 4})))
    with pytest.raises(DataError, match="b.json: question 2: the answer '독해' is not at offset 4"):
        check_answers(read_korquad2(tmp_path), str(tmp_path))


def test_a_missing_context_is_said_to_be_missing(tmp_path):
    page = document(question())
    del page["context"]
    with pytest.raises(DataError, match="the field 'context' is missing; found the fields 'title', 'url'"):
        read_korquad2(write(tmp_path / "a.json", page))


def test_another_json_file_in_the_folder_is_named(tmp_path):
    write(tmp_path / "a.json", document(question()))
    (tmp_path / "predictions.json").write_text('{"q1": "독해"}')
    with pytest.raises(DataError, match="predictions.json: is not KorQuAD 2.x.*found an object with the fields 'q1'"):
        read_korquad2(tmp_path)


def test_a_folder_without_json_files_is_refused(tmp_path):
    (tmp_path / "gold.zip").touch()
    with pytest.raises(DataError, match="this folder has no .json files"):
        read_korquad2(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(DataError, match="gold: no such file"):
        read_korquad2(tmp_path / "gold")
