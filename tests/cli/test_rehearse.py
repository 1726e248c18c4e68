"""dokhae rehearse: what it says, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dokhae.stopping import ASKING
from export.small_bundles import ANSWERS, Wanted, ended, make_small
from waiting import wait_until


@pytest.fixture
def small(tmp_path):
    return make_small(tmp_path, Wanted())


def test_the_report_is_json_on_stdout_and_a_table_on_stderr(dokhae, small):
    outcome = dokhae("rehearse", small.zip, "--data", small.data, "--here")
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert (report["held"], report["faults"], report["questions"]) == (True, [], 6)
    assert report["scores"] == {"exact_match": 100.0, "f1": 100.0}
    assert report["where"]["packages"] == "those of this interpreter"
    assert report["speed"]["warm"]["median"] == 0.25
    table = " ".join(outcome.err.split())
    for said in ("held yes", "questions 6, each answered", "scores exact_match 100.00, f1 100.00", "packages not known",
                 "warm median 0.250 s"):  # fmt: skip
        assert said in table


def test_what_does_not_hold_is_exit_code_1_and_the_report_is_written_all_the_same(dokhae, tmp_path):
    small = make_small(tmp_path, Wanted(answers={**ANSWERS, "q1": "1823"}))
    path = tmp_path / "new" / "report.json"
    outcome = dokhae("rehearse", small.zip, "--data", small.data, "--here", "--report", path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.endswith(" and the run has scored 100.0\n")
    last = outcome.err.splitlines()[-1]
    assert last.startswith(
        f"dokhae: {small.zip}: exact_match is 83.33333333333333, and the run has scored 100.0; f1 is "
    )
    report = json.loads(path.read_text("utf-8"))
    assert not report["held"]
    assert [fault.split()[0] for fault in report["faults"]] == ["exact_match", "f1"]


def test_a_command_that_fails_is_exit_code_1(dokhae, tmp_path):
    small = make_small(tmp_path, Wanted(also="sys.exit('no such device')"))
    outcome = dokhae("rehearse", small.zip, "--data", small.data, "--here")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-2:] == [
        "  no such device",
        "dokhae: predict.py: ended with exit code 1: no such device",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "where do the packages come from? --wheels FOLDER: unzip the bundle and run `pip download"),
        (["--here", "--docker"], "--wheels, --here and --docker exclude each other; give one of them"),
        (["--here", "--wheels", "wheels"], "--wheels, --here and --docker exclude each other; give one of them"),
        (["--wheels", "wheels"], "wheels: there is no such folder of wheels; unzip the bundle and run `pip download"),
        (["--here", "--timeout", "0"], "timeout is 0 s; it has to be more than 0"),
    ],
)
def test_options_that_cannot_be_met_are_refused(refusal, small, options, message):
    assert refusal("rehearse", small.zip, "--data", small.data, *options).startswith(message)


def test_files_are_not_written_over(refusal, small, tmp_path):
    command = ("rehearse", small.zip, "--data", small.data, "--here")
    for path in (small.zip, small.data):
        assert refusal(*command, "--report", path) == (
            f"{path}: writing there would replace what is read; name another --report"
        )
    assert refusal(*command, "--report", tmp_path).startswith(f"{tmp_path}: is a directory, not a file")
    assert refusal(*command, "--keep", tmp_path) == f"{tmp_path}: is not an empty folder; name another --keep"


@pytest.mark.parametrize("name", ["dev.jsonl", "dev.csv"])
def test_tables_are_refused(dokhae, small, tmp_path, name):
    outcome = dokhae("rehearse", small.zip, "--data", tmp_path / name, "--here")
    assert outcome.code == 2
    assert outcome.err.endswith(f"{name}: leaderboards give .json files; `dokhae data convert` makes one of it\n")


@pytest.mark.parametrize("number", ASKING)
def test_after_ctrl_c_nothing_is_left(tmp_path, number):
    note = tmp_path / "pid"
    hang = f"import os, time; Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)"
    small = make_small(tmp_path, Wanted(also=hang))
    (tmp_path / "temporary").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "dokhae", "rehearse", small.zip, "--data", small.data, "--here"],
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: note.exists() and note.read_text(), 60)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.endswith("dokhae: interrupted\n")
    assert list((tmp_path / "temporary").iterdir()) == []
    wait_until(lambda: ended(int(note.read_text())), 5)


def test_a_rehearsal_that_fails_leaves_no_verdict_of_another(dokhae, tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"held": true}', encoding="utf-8")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    data = make_small(tmp_path, Wanted()).data
    outcome = dokhae("rehearse", tmp_path / "bad.zip", "--data", data, "--here", "--report", path)
    assert outcome.code == 2 and not path.exists()
