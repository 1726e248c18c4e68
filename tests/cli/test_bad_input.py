"""Data files with faults: one clear line, exit code 2, and nothing written."""

from __future__ import annotations

import json

import pytest

from cli.conftest import squad

WINDOWS = ("--max_length", 64, "--step", 16)


@pytest.fixture
def commands(tiny_bert, tmp_path):
    """verb -> what reads a data file, and writes into `new`."""

    def build(verb, path):
        model = ("--benchmark", "korquad-1.0", "--model", tiny_bert)
        return {
            "predict": ("predict", path, *model, "--out", tmp_path / "new" / "p.json"),
            "evaluate": ("evaluate", path, path, "--benchmark", "korquad-1.0"),
            "ceiling": ("ceiling", path, *model, *WINDOWS),
            "train": ("train", "--train", path, *model, *WINDOWS, "--out", tmp_path / "new"),
            "dev": (
                "train",
                "--train",
                path.with_name("good.json"),
                "--dev",
                path,
                *model,
                *WINDOWS,
                "--out",
                tmp_path / "new",
            ),  # fmt: skip
        }[verb]

    return build


def changed(**changes):
    """A SQuAD file whose first question has other fields; None leaves one out."""
    content = squad()
    question = content["data"][0]["paragraphs"][0]["qas"][0]
    question.update(changes)
    content["data"][0]["paragraphs"][0]["qas"][0] = {
        name: value for name, value in question.items() if value is not None
    }
    return content


FAULTS = {
    "not-json": ("hello", "is not JSON: Expecting value (line 1, column 1)"),
    "cut-off": (json.dumps(squad())[:150], "stops in the middle: it is cut off, fetch it again"),
    "cut-off-in-korean": (json.dumps(squad(), ensure_ascii=False).encode()[:57], "is not UTF-8 (byte 56)"),
    "an-object": ({"a": 1}, "is neither SQuAD, "),
    "a-list-of-numbers": ([1, 2], "is neither SQuAD, "),
    "a-number": (3, "is neither SQuAD, "),
    "no-question": (changed(question=None), "question q1: the field 'question' is missing; found the fields 'id', "),
    "no-id": (changed(id=None), "the field 'id' is missing"),
    "offset-is-text": (changed(answers=[{"text": "서울", "answer_start": "0"}]), "must be a whole number"),
    "twice": (changed(id="q2"), "question q2: this id is given twice with different content"),
    "empty": ("", "is empty"),
    "spaces": (" \n", "is empty"),
}


@pytest.mark.parametrize("verb", ["predict", "evaluate", "ceiling", "train", "dev"])
@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_file_is_refused(refusal, commands, write, tmp_path, verb, content, message):
    write("good.json", squad())
    path = write("faulty.json", content)
    line = refusal(*commands(verb, path))
    assert line.startswith(f"{path}: ")
    assert message in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["ceiling", "train"])
def test_an_answer_outside_its_context_is_refused(refusal, commands, write, tmp_path, verb):
    path = write("misplaced.json", changed(answers=[{"text": "부산", "answer_start": 70}]))
    line = refusal(*commands(verb, path))
    assert line.startswith(f"{path}: question q1: the answer '부산' at offset 70 ")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["predict", "evaluate", "ceiling", "train"])
def test_a_folder_or_a_missing_file_is_refused(refusal, commands, tmp_path, verb):
    assert refusal(*commands(verb, tmp_path)) == f"{tmp_path}: is a directory, not a file; name the file inside it"
    assert refusal(*commands(verb, tmp_path / "none.json")) == f"{tmp_path / 'none.json'}: no such file"
    assert not (tmp_path / "new").exists()


def test_a_file_of_another_benchmark_says_which(refusal, commands, shared):
    found = shared("korquad-2.1-sample/korquad2.1_train_sample.json")
    assert "is KorQuAD 2.x (documents in HTML); read it as the benchmark korquad-2.1" in refusal(
        *commands("predict", found)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max_length", 129), "max_length is 129, but the positions of {model} end at 128; use --max_length 128"),
        (("--device", "cpu", "--precision", "fp16"), "precision fp16 needs a GPU; on the CPU use bf16 or fp32"),
        (("--batch_size", 0), "batch_size is 0; it has to be at least 1"),
        (("--max_length", 64, "--step", 62), "question q1: a step of 62 tokens would skip text"),
        (("--max_length", 8, "--step", 1), "the question and the special tokens leave no room"),
        (("--keep.patience", 2), "keep.patience needs a dev file to watch"),
    ],
)
def test_settings_that_training_cannot_meet_are_refused(refusal, write, tiny_bert, tmp_path, options, message):
    path = write("d.json", squad(context=squad()["data"][0]["paragraphs"][0]["context"] + " It sailed away." * 20))
    line = refusal(
        "train", "--train", path, "--benchmark", "squad-1.1", "--model", tiny_bert, "--out", tmp_path / "new", *options
    )
    assert message.format(model=tiny_bert) in line
    assert not (tmp_path / "new").exists()
