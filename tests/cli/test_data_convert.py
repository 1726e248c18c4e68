"""dokhae data convert."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from cli.conftest import CONTEXT, squad
from dokhae.data import read_examples, read_korquad2

FORMATS = ["json", "jsonl", "csv", "tsv", "parquet"]


# each format once as the first and once as the second; tests/data/test_writing.py has every pair on small files
PAIRS = list(zip(FORMATS, [*FORMATS[1:], FORMATS[0]], strict=True))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, marks=() if (first, second) in PAIRS else pytest.mark.slow)
        for first in FORMATS
        for second in FORMATS
    ],
)
def test_there_and_back(dokhae, shared, tmp_path, first, second):
    source = shared("squad-2.0/dev.json")
    middle, last = tmp_path / f"middle.{first}", tmp_path / f"last.{second}"
    assert dokhae("data", "convert", source, middle).code == 0
    outcome = dokhae("data", "convert", middle, last)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == (
        f"wrote {last}: 2952 questions (1544 answerable, 1408 unanswerable) on 306 contexts, 4804 answers\n"
    )
    assert read_examples(last) == read_examples(source)


def test_json_has_two_forms(dokhae, questions, tmp_path):
    dokhae("data", "convert", questions, tmp_path / "a.json", "--form", "rows")
    dokhae("data", "convert", tmp_path / "a.json", tmp_path / "b.json", "--form", "squad")
    rows, articles = (json.loads((tmp_path / name).read_text("utf-8")) for name in ("a.json", "b.json"))
    assert rows[1] == {"id": "q2", "title": "t", "context": CONTEXT, "question": "When was the Early Otter launched?",
                       "answers": {"text": ["1704"], "answer_start": [19]}}  # fmt: skip
    assert articles == {"version": "1.1"} | squad()


def test_korquad_2_is_converted_too(dokhae, shared, tmp_path):
    out = tmp_path / "a.parquet"
    outcome = dokhae("data", "convert", shared("korquad-2.1-sample"), out, "--benchmark", "korquad-2.1")
    assert outcome.code == 0
    assert "repaired or converted copies are for private use only" in outcome.err
    assert read_examples(out) == read_korquad2(shared("korquad-2.1-sample"))


def test_a_file_is_replaced_only_when_that_is_asked_for(dokhae, refusal, questions, tmp_path):
    out = tmp_path / "a.csv"
    out.write_text("mine")
    assert refusal("data", "convert", questions, out) == (
        f"{out}: is there already; name another file, or give --overwrite"
    )
    assert out.read_text() == "mine"
    assert dokhae("data", "convert", questions, out, "--overwrite").code == 0
    assert read_examples(out) == read_examples(questions)


def test_wrong_arguments_are_refused(refusal, write, questions, tmp_path):
    (tmp_path / "link.json").symlink_to(questions)
    convert = ("data", "convert", questions)
    before = questions.read_bytes()
    assert "a.xml: the suffix '.xml' is not known; the known ones are .json" in refusal(*convert, tmp_path / "a.xml")
    assert "only .json files have the form squad" in refusal(*convert, tmp_path / "a.csv", "--form", "squad")
    assert "benchmark 'squat' is not known" in refusal(*convert, tmp_path / "a.csv", "--benchmark", "squat")
    assert "no such file" in refusal("data", "convert", tmp_path / "none.json", tmp_path / "a.csv")
    for name in ("questions.json", "link.json"):
        for options in ((), ("--overwrite",)):
            assert "is the file that is read" in refusal(*convert, tmp_path / name, *options)
    assert questions.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["link.json", "questions.json"]


def unlabelled():
    return squad(labelled=False)


def conflicting():
    content = squad()
    for question in content["data"][0]["paragraphs"][0]["qas"]:
        question["id"] = "q"
    return content


FAULTS = {
    "not-json": ("hello", "csv", "wrong.json: is not JSON"),
    "unlabelled": (unlabelled(), "csv", "question q1: the field 'answers' (KorQuAD 2.x: 'answer') is missing; give it"),
    "conflicting": (conflicting(), "jsonl", "question q: this id is given twice with different content"),
    "nul-csv": (
        squad(context=f"{CONTEXT}\0"),
        "csv",
        "a.csv: question q1: has a NUL character, which a .csv file cannot",
    ),
    "nul-tsv": (
        squad(context=f"{CONTEXT}\0"),
        "tsv",
        "a.tsv: question q1: has a NUL character, which a .tsv file cannot",
    ),
}


@pytest.mark.parametrize(("content", "suffix", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_converted_is_refused(refusal, write, tmp_path, content, suffix, message):
    assert message in refusal("data", "convert", write("wrong.json", content), tmp_path / f"a.{suffix}")
    assert os.listdir(tmp_path) == ["wrong.json"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_cannot_be_written_whole_is_not_written(questions, tmp_path, suffix):
    out = tmp_path / f"a.{suffix}"
    out.write_text("old")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))

    ended = subprocess.run(
        [sys.executable, "-m", "dokhae", "data", "convert", questions, out, "--overwrite"],
        capture_output=True, text=True, preexec_fn=limit, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"dokhae: {out}: cannot be written: ")
    assert ended.stderr.count("\n") == 1
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == [out.name, "questions.json"]
