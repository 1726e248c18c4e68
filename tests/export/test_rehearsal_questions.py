"""Questions as a leaderboard gives them: all that was in the file but the answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.strategies import lists_of_examples
from dokhae.data import read_examples, read_korquad2
from dokhae.data.writing import squad_of, write_json_form
from dokhae.errors import DataError
from dokhae.export.rehearsal.questions import refuse_other_files, write_all, write_some


def unlabelled(examples):
    return [replace(example, answers=()) for example in examples]


@settings(max_examples=40, deadline=None)
@given(lists_of_examples(), st.data())
def test_the_same_questions_are_asked_and_those_that_are_chosen(tmp_path_factory, examples, draw):
    folder = tmp_path_factory.mktemp("questions")
    write_json_form(folder / "dev.json", squad_of(examples))
    (folder / "in").mkdir()
    assert write_all(folder / "dev.json", folder / "in", False) == "dev.json"
    assert read_examples(folder / "in" / "dev.json", labelled=False) == unlabelled(examples)
    chosen = draw.draw(st.sets(st.sampled_from([example.id for example in examples]), min_size=1))
    assert write_some(folder / "dev.json", folder / "in", False, chosen) == "questions.json"
    wanted = [example for example in examples if example.id in chosen]
    assert read_examples(folder / "in" / "questions.json", labelled=False) == unlabelled(wanted)


def test_nothing_that_tells_the_answer_is_left_and_all_else_stays(tmp_path):
    answer = {"text": "a", "answer_start": 0}
    question = {"id": "1", "question": "q", "hint": "kept"}
    told = {"answers": [], "plausible_answers": [answer], "is_impossible": True}
    paragraph = {"context": "a", "qas": [question | told], "more": 1}
    content = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    (tmp_path / "dev.json").write_text(json.dumps(content))
    (tmp_path / "in").mkdir()
    write_all(tmp_path / "dev.json", tmp_path / "in", False)
    paragraph["qas"] = [question]
    assert json.loads((tmp_path / "in" / "dev.json").read_bytes()) == content


def pages(folder, *ids):
    folder.mkdir()
    for number, id in enumerate(ids):
        qas = [{"id": id, "question": "?", "answer": {"text": "a", "answer_start": 3}}]
        content = {
            "version": "KorQuAD_v2.1_dev",
            "data": [{"context": "<p>a</p>", "title": "t", "url": "u", "qas": qas}],
        }
        (folder / f"dev_{number:02}.json").write_text(json.dumps(content))
    return folder


def test_pages_of_a_folder_are_given_as_a_folder_and_a_few_of_them_as_one_file(tmp_path):
    data = pages(tmp_path / "dev", "a", "b", "c")
    assert write_all(data, tmp_path / "in", True) == "dev"
    assert [path.name for path in sorted((tmp_path / "in" / "dev").iterdir())] == [
        "dev_00.json",
        "dev_01.json",
        "dev_02.json",
    ]
    assert unlabelled(read_korquad2(data)) == unlabelled(read_korquad2(tmp_path / "in" / "dev", labelled=False))
    assert write_some(data, tmp_path / "in", True, ["a", "c"]) == "questions"  # without a gap between numbered files
    some = read_korquad2(tmp_path / "in" / "questions", labelled=False)
    assert [example.id for example in some] == ["a", "c"]


def test_one_file_of_pages_is_given_as_a_folder_too(tmp_path):
    data = pages(tmp_path / "dev", "a") / "dev_00.json"
    assert write_all(data, tmp_path / "in", True) == "dev_00"
    assert [path.name for path in (tmp_path / "in" / "dev_00").iterdir()] == ["dev_00.json"]


def test_what_no_leaderboard_gives_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a directory, not a file"):
        refuse_other_files(tmp_path, as_folder=False)
    with pytest.raises(DataError, match=r"dev\.csv: leaderboards give \.json files; `dokhae data convert` makes one"):
        refuse_other_files(tmp_path / "dev.csv", as_folder=False)
