"""dokhae ceiling."""

from __future__ import annotations

import json
import shutil

import pytest

from cli.conftest import squad

WINDOWS = ("--max_length", 40, "--step", 8)


def test_json_has_exact_match_and_f1(dokhae, questions, tiny_bert):
    outcome = dokhae(
        "ceiling", questions, "--benchmark", "korquad-1.0", "--model", tiny_bert, *WINDOWS, "--format", "json"
    )
    found = json.loads(outcome.out)
    assert (found["exact_match"], found["f1"], found["questions"], found["lost"]) == (100.0, 100.0, 2, {})


def test_the_table_says_why_the_rest_is_lost(dokhae, questions, tiny_bert):
    outcome = dokhae(
        "ceiling", questions, "--benchmark", "korquad-1.0", "--model", tiny_bert, *WINDOWS, "--max_answer_length", 1
    )
    assert "50.00" in outcome.out
    reason = "1 lost: the answer has more tokens than max_answer_length (for one, question q2)"
    assert reason in outcome.out


def test_several_files_are_taken_together(dokhae, write, tiny_bert):
    paths = []
    for name in ("a", "b"):
        content = squad()
        for question in content["data"][0]["paragraphs"][0]["qas"]:
            question["id"] += name
        paths.append(write(f"{name}.json", content))
    outcome = dokhae("ceiling", *paths, "--benchmark", "squad-1.1", "--model", tiny_bert, *WINDOWS, "--format", "json")
    assert json.loads(outcome.out)["questions"] == 4


@pytest.mark.parametrize("kept", [["tokenizer.json", "tokenizer_config.json"], ["config.json", "tokenizer.json"]])
def test_a_tokenizer_is_enough(dokhae, questions, tiny_bert, tmp_path, kept):
    for name in kept:
        (tmp_path / "t").mkdir(exist_ok=True)
        shutil.copy(tiny_bert / name, tmp_path / "t" / name)
    outcome = dokhae("ceiling", questions, "--benchmark", "squad-1.1", "--model", tmp_path / "t", *WINDOWS)
    assert outcome.code == 0


def test_a_run_folder_stands_for_its_model(dokhae, questions, tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "run" / "model")
    outcome = dokhae("ceiling", questions, "--benchmark", "squad-1.1", "--model", tmp_path / "run", *WINDOWS)
    assert outcome.code == 0


LONG = "서온호는 보리를 싣고 다녔다. " * 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max_length", 40, "--step", 39], "question q1: a step of 39 tokens would skip text"),
        (["--max_length", 40, "--overlap", 38], "question q1: an overlap of 38 tokens does not fit"),
        (["--max_length", 40, "--overlap", 3, "--step", 3], "windows: give step or overlap, not both"),
        (["--max_length", 8, "--step", 1], "the question and the special tokens leave no room for the context"),
        (["--max_length", 7], "windows: max_length is 7 tokens; at least 8 are needed"),
        (["--max_length", 40, "--step", 0], "windows: step is 0"),
        (["--max_length", 40, "--overlap", -1], "windows: overlap is -1"),
        (["--max_question_length", 0], "windows: max_question_length is 0"),
        (["--max_answer_length", 0], "max_answer_length is 0; it has to be at least 1"),
    ],
)
def test_windows_that_hold_nothing_are_refused(refusal, write, tiny_bert, options, message):
    content = squad(context=f"서울은 대한민국의 수도이다. In 1704 {LONG}")
    path = write("long.json", content)
    assert message in refusal("ceiling", path, "--benchmark", "korquad-1.0", "--model", tiny_bert, *options)


def test_no_file_at_all_is_refused(refusal, tiny_bert):
    assert "name at least one data file" in refusal("ceiling", "--benchmark", "korquad-1.0", "--model", tiny_bert)
