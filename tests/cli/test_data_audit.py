"""dokhae data audit."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from cli.conftest import CONTEXT, squad
from dokhae.data import check_answers, read_examples


def faulty():
    """Byte offsets, an answer that is nowhere, an id that is missing."""
    content = squad()
    first, second = content["data"][0]["paragraphs"][0]["qas"]
    second["answers"][0]["answer_start"] = len(CONTEXT[:19].encode())
    nowhere = {"id": "q3", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 0}]}
    content["data"][0]["paragraphs"][0]["qas"] = [first, second, nowhere, {"question": "Without an id?", "answers": []}]
    return content


def test_the_report_of_a_good_file(dokhae, questions):
    outcome = dokhae("data", "audit", questions)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert lines[0] == str(questions)
    assert "1 titles, 1 contexts, 2 questions (2 answerable, 0 unanswerable), 2 answers, 1 a question" in lines
    assert f"context {len(CONTEXT)} {len(CONTEXT)} {len(CONTEXT)} {len(CONTEXT)}" in lines
    assert "2 questions 50.0 % 50.0 % - -" in lines
    assert lines[-1] == "training takes this file; nothing was found"


def test_the_report_of_a_faulty_file(dokhae, write):
    outcome = dokhae("data", "audit", write("faulty.json", faulty()))
    assert (outcome.code, outcome.err) == (0, "")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert "questions that cannot be read 1 4 questions 25.0 % refuses" in lines
    assert "answers not at their offset 2 3 answers 66.7 % refuses" in lines
    assert ("answers not at their offset (the offset counts UTF-8 bytes: 1; the text is nowhere in the context: 1)"
            in lines)  # fmt: skip
    start = len(CONTEXT[:19].encode())
    stands = CONTEXT[start : start + 4]
    assert f"q2 '1704' at {start}, where {stands!r} stands; it is at 19: the offset counts UTF-8 bytes" in lines
    assert any(line.startswith("data[0].paragraphs[0].qas[3]: the field 'id' is missing") for line in lines)
    assert "--repair OUT writes a copy in which everything is mended that is certain" in lines


def test_one_example_of_each_kind_comes_first(dokhae, write):
    content = faulty()
    questions = content["data"][0]["paragraphs"][0]["qas"]
    questions[1:2] = [questions[1] | {"id": f"b{number}", "question": f"{number}?"} for number in range(5)]
    shown = dokhae("data", "audit", write("faulty.json", content), "--show", 2).out
    assert "  b0  " in shown and "  q3  " in shown and "  b1  " not in shown
    assert "  and 4 more\n" in shown
    assert "  b0  " not in dokhae("data", "audit", write("faulty.json", content), "--show", 0).out


def test_json_has_every_case(dokhae, write):
    outcome = dokhae("data", "audit", write("faulty.json", faulty()), "--format", "json", "--show", 0)
    found = json.loads(outcome.out)
    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    assert found["training_refuses"] == ["unreadable", "misplaced_answers"]
    cases = found["findings"]["misplaced_answers"]["cases"]
    assert [(case["id"], case["found_at"]) for case in cases] == [("q2", 19), ("q3", None)]


def test_half_a_character_is_still_json(dokhae, write):
    content = json.dumps(squad()).replace("1704", "\\ud800")
    outcome = dokhae("data", "audit", write("half.json", content), "--format", "json")
    assert "lone surrogate" in json.loads(outcome.out)["findings"]["unreadable"]["cases"][0]["found"]


def test_strict_fails_where_training_would(dokhae, write, questions):
    assert dokhae("data", "audit", questions, "--strict").code == 0
    path = write("faulty.json", faulty())
    outcome = dokhae("data", "audit", path, "--strict")
    assert outcome.code == 2
    assert outcome.err == (
        f"dokhae: {path}: training would refuse it: questions that cannot be read: 1; answers not at their offset: 2\n"
    )
    assert "training refuses this file" in outcome.out


def test_against_names_what_training_has_too(dokhae, write, questions):
    other = write("train.json", squad())
    found = json.loads(dokhae("data", "audit", questions, "--against", other, "--format", "json").out)
    counts = {name: finding["count"] for name, finding in found["findings"].items() if finding["count"]}
    assert counts == {"shared_contexts": 1, "shared_questions": 2, "shared_ids": 2}
    assert found["against"] == str(other)
    assert "contexts training has too" in dokhae("data", "audit", questions, "--against", other).out


def test_a_benchmark_may_know_no_questions_without_an_answer(dokhae, write):
    content = squad()
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"] = []
    path = write("null.json", content)
    assert dokhae("data", "audit", path, "--benchmark", "squad-2.0", "--strict").code == 0
    assert "questions without an answer: 1" in dokhae("data", "audit", path, "--benchmark", "squad-1.1", "--strict").err


def test_repair_writes_a_copy_that_training_takes(dokhae, write, tmp_path):
    path, out = write("faulty.json", faulty()), tmp_path / "mended.json"
    before = path.read_bytes()
    outcome = dokhae("data", "audit", path, "--repair", out, "--benchmark", "korquad-1.0")
    assert outcome.code == 0
    assert outcome.err == (
        f"wrote {out}, 2 of 4 questions; every change is in {out}.diff.txt\n"
        "question left out: 2; offset moved: 1\n"
        "KorQuAD 1.0: CC BY-ND 2.0 KR: name the authors; no derivatives: repaired or converted copies are for private "
        "use only\n"
    )
    assert "--repair OUT" not in outcome.out
    examples = read_examples(out)
    check_answers(examples, str(out))
    assert [(example.id, example.answers[0].start) for example in examples] == [("q1", 0), ("q2", 19)]
    assert path.read_bytes() == before
    assert "[1] question q2, answers[0]: offset moved" in out.with_name("mended.json.diff.txt").read_text("utf-8")


def test_repair_in_json(dokhae, write, tmp_path):
    out = tmp_path / "mended.json"
    outcome = dokhae("data", "audit", write("faulty.json", faulty()), "--repair", out, "--format", "json")
    assert json.loads(outcome.out)["repair"] == {
        "out": str(out), "kept": 2, "left_out": 2, "changes": {"question left out": 2, "offset moved": 1},
    }  # fmt: skip


def test_training_takes_the_mended_copy(dokhae, write, tiny_bert, tmp_path):
    path, out = write("faulty.json", faulty()), tmp_path / "mended.json"
    options = ("--benchmark", "korquad-1.0", "--model", tiny_bert, "--max_length", 64, "--step", 16, "--epochs", 1,
               "--device", "cpu")  # fmt: skip
    assert dokhae("train", "--train", path, *options, "--out", tmp_path / "run").code == 2
    dokhae("data", "audit", path, "--repair", out)
    assert dokhae("train", "--train", out, *options, "--out", tmp_path / "run").code == 0


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_other_formats(dokhae, questions, tmp_path, suffix):
    path = tmp_path / f"questions.{suffix}"
    dokhae("data", "convert", questions, path)
    outcome = dokhae("data", "audit", path, "--repair", tmp_path / f"mended.{suffix}", "--strict")
    assert outcome.code == 0
    assert read_examples(tmp_path / f"mended.{suffix}") == read_examples(questions)


REFUSED = {
    "not-json": ("hello", "is not JSON: Expecting value (line 1, column 1)"),
    "cut-off": (json.dumps(squad())[:150], "stops in the middle: it is cut off, fetch it again"),
    "no-data": ({"a": 1}, "is neither SQuAD, "),
    "no-context": ({"data": [{"paragraphs": [{"qas": []}]}]}, "data[0].paragraphs[0]: the field 'context' is missing"),
    "no-questions": ({"data": []}, "holds no questions; is it the right file?"),
    "empty": ("", "is empty"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_of_questions_is_refused(refusal, write, questions, tmp_path, content, message):
    path = write("wrong.json", content)
    assert refusal("data", "audit", path, "--repair", tmp_path / "mended.json").startswith(f"{path}: {message}")
    assert refusal("data", "audit", questions, "--against", path).startswith(f"{path}: {message}")
    assert sorted(os.listdir(tmp_path)) == ["questions.json", "wrong.json"]


def test_wrong_options_are_refused(refusal, write, questions, tmp_path):
    there = write("there.json", "mine")
    (tmp_path / "link.json").symlink_to(questions)
    (tmp_path / "sub").mkdir()
    audit = ("data", "audit", questions)
    assert refusal("data", "audit", tmp_path / "none.json") == f"{tmp_path / 'none.json'}: no such file"
    assert "is a directory, not a file" in refusal("data", "audit", tmp_path / "sub")
    assert "the suffix '.txt' is not known" in refusal("data", "audit", write("a.txt", "x"))
    assert "the audited file itself" in refusal(*audit, "--against", tmp_path / "link.json")
    assert "no such file" in refusal(*audit, "--against", tmp_path / "none.json")
    assert "benchmark 'squat' is not known" in refusal(*audit, "--benchmark", "squat")
    assert "show is -1; it has to be at least 0" in refusal(*audit, "--show", -1)
    for name in ("questions.json", "link.json", "sub/../questions.json"):
        assert "is the file that is read" in refusal(*audit, "--repair", tmp_path / name)
    assert "there.json: is there already" in refusal(*audit, "--repair", there)
    assert "sub: is a directory" in refusal(*audit, "--repair", tmp_path / "sub")
    assert "has the format of its source; name a .json file" in refusal(*audit, "--repair", tmp_path / "new.csv")
    assert there.read_text() == "mine"


def test_where_no_question_can_be_kept_nothing_is_written(refusal, write, tmp_path):
    content = faulty()
    del content["data"][0]["paragraphs"][0]["qas"][:2]
    path = write("faulty.json", content)
    assert "no question can be kept" in refusal("data", "audit", path, "--repair", tmp_path / "mended.json")
    assert os.listdir(tmp_path) == ["faulty.json"]


def test_a_copy_that_cannot_be_written_leaves_no_diff(questions, tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))  # room for the list of changes, which is empty

    ended = subprocess.run(
        [sys.executable, "-m", "dokhae", "data", "audit", questions, "--repair", tmp_path / "out.json"],
        capture_output=True, text=True, preexec_fn=limit, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"dokhae: {tmp_path / 'out.json'}: cannot be written: File too large; nothing was changed\n"
    assert os.listdir(tmp_path) == ["questions.json"]
