"""What a rehearsal finds in bundles that do as a leaderboard asks, and in bundles that do not."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time

import pytest

from dokhae.errors import DataError, SettingsError
from dokhae.export.rehearsal.commands import RehearsalFailed
from dokhae.export.rehearsal.places import without_network
from dokhae.export.rehearsal.rehearse import rehearse
from export.small_bundles import ANSWERS, SCORES, Wanted, ended, make_small
from training.small import FEW, write_squad
from waiting import wait_until


@pytest.fixture
def tried(tmp_path):
    """`tried(also="...")`: the report on a small bundle with these differences."""

    def run(timeout=60.0, keep=None, data=None, **wanted):
        small = make_small(tmp_path, Wanted(**wanted))
        return rehearse(small.zip, data or small.data, "here", timeout, keep)

    return run


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made; nothing is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def seen_by(folder, name="all"):
    return json.loads((folder / name / "out" / "seen.json").read_text(encoding="utf-8"))


def test_a_bundle_that_answers_every_question_holds(tried, tmp_path):
    report = tried()
    assert (report.held, report.faults, report.questions) == (True, (), 6)
    assert report.scores == report.run_scores == SCORES
    assert report.compared == "what the run has scored, to the last digit"
    assert (report.name, report.benchmark) == ("small", "korquad-1.0")
    assert report.sizes.zip == (tmp_path / "small.zip").stat().st_size
    assert report.sizes.bundle > sum(len(answer.encode()) for answer in ANSWERS.values())
    assert report.sizes.packages is None
    assert 0 < report.speed.one_question_seconds < 20
    assert report.speed.questions_per_second == pytest.approx(6 / report.speed.seconds)
    assert report.speed.warm == {"median": 0.25, "mean": 0.25, "percentile_95": 0.25, "longest": 0.25}
    assert report.speed.warm_questions == 6


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell a process's peak")
def test_the_peak_is_that_of_the_command_and_not_of_who_started_it(tried):
    small, large = tried(), tried(also="kept = bytearray(80_000_000)")
    assert 5e6 < small.speed.peak_bytes < 40e6  # this process has several times as much
    assert 75e6 < large.speed.peak_bytes - small.speed.peak_bytes < 90e6


def test_the_command_is_given_questions_alone_in_a_clean_place(tried, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    see = (
        "import os; seen = {'arguments': sys.argv[1:], 'here': os.getcwd(), 'variables': dict(os.environ), "
        "'dokhae': dokhae.__file__}\n"
        "out.with_name('seen.json').write_text(json.dumps(seen))"
    )
    assert tried(also=see, keep=tmp_path / "kept").held
    kept = (tmp_path / "kept").resolve()
    seen = seen_by(kept)
    assert seen["arguments"] == ["in/dev.json", "out/predictions.json"]
    assert seen["here"] == str(kept / "all")
    assert seen["dokhae"] == str(kept / "small" / "dokhae" / "__init__.py")
    variables = seen["variables"]
    assert not {"PYTHONPATH", "HF_TOKEN"} & variables.keys()
    assert variables["HOME"] == variables["TMPDIR"] == str(kept / "home")
    assert (variables["HF_HUB_OFFLINE"], variables["OMP_NUM_THREADS"]) == ("1", "1")
    given = json.loads((kept / "all" / "in" / "dev.json").read_bytes())
    questions = [qa for paragraph in given["data"][0]["paragraphs"] for qa in paragraph["qas"]]
    assert questions == [{"id": f"q{number}", "question": question} for number, (question, _, _) in enumerate(FEW)]
    assert seen_by(kept, "one")["arguments"] == ["in/questions.json", "out/predictions.json"]
    assert seen_by(kept, "timed")["arguments"] == ["in/questions.json", "out/predictions.json", "--latency"]
    (first,) = json.loads((kept / "one" / "in" / "questions.json").read_bytes())["data"][0]["paragraphs"]
    assert first == {"context": FEW[0][1], "qas": [{"id": "q0", "question": FEW[0][0]}]}


def test_the_command_has_no_network(tried, tmp_path):
    if not without_network():
        pytest.skip("this machine does not let us take the network away")
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"import socket; said = socket.socket().connect_ex(('127.0.0.1', {server.getsockname()[1]}))"
        report = tried(also=f"{call}\nout.with_name('seen.json').write_text(str(said))", keep=tmp_path / "kept")
    assert report.where.network == "none"
    assert seen_by(tmp_path / "kept") != 0


def test_the_pages_of_korquad_2_are_given_as_a_folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number, (question, context, answer) in enumerate(FEW[:4]):
        page = f"<p>{context}</p>"
        placed = {"text": answer, "answer_start": page.index(answer), "html_answer_start": 0}
        qas = [{"id": f"q{number}", "question": question, "answer": placed}]
        content = {"version": "KorQuAD_v2.1_dev", "data": [{"title": "t", "url": "u", "context": page, "qas": qas}]}
        (data / f"korquad2.1_dev_{number:02}.json").write_text(json.dumps(content), encoding="utf-8")
    small = make_small(tmp_path, Wanted(benchmark="korquad-2.1"), data)
    report = rehearse(small.zip, data, "here", 60.0, tmp_path / "kept")
    assert (report.held, report.questions) == (True, 4)
    given = sorted((tmp_path / "kept" / "all" / "in" / "data").iterdir())
    assert [path.name for path in given] == [f"korquad2.1_dev_{number:02}.json" for number in range(4)]
    record = json.loads(given[3].read_bytes())["data"][0]
    assert record["qas"] == [{"id": "q3", "question": FEW[3][0]}]
    assert record["context"] == f"<p>{FEW[3][1]}</p>"


def test_a_bundle_that_leaves_out_a_question_does_not_hold(tried):
    report = tried(answers={id: answer for id, answer in ANSWERS.items() if id != "q4"})
    assert (report.held, report.faults) == (False, ("1 question without an answer: q4",))
    assert (report.scores, report.run_scores) == (None, SCORES)
    assert report.compared == "with nothing: such answers are not scored"


def test_a_bundle_that_writes_nothing_does_not_hold(tried):
    assert tried(also="sys.exit()").faults == ("predictions.json: no such file",)


def test_other_scores_than_the_runs_do_not_hold(tried):
    report = tried(answers={**ANSWERS, "q1": "1823"})
    assert not report.held
    assert report.compared == "not what the run has scored"
    exact, f1 = report.faults
    assert exact == "exact_match is 83.33333333333333, and the run has scored 100.0"
    assert f1.startswith("f1 is 95.8333333333333")


def test_a_dokhae_from_elsewhere_is_noticed(tried):
    report = tried(also="sys.path.remove(str(own)); del sys.modules['dokhae']; import dokhae")
    (fault,) = report.faults
    assert fault.startswith("predict.py has imported dokhae from elsewhere than the bundle: ")


def test_a_bundle_may_not_need_to_be_written_to(tried):
    report = tried(also="(own / 'model' / 'cache.bin').write_text('x')")
    assert report.faults == (
        "predict.py has written or changed model/cache.bin in its own folder, which a leaderboard may not let it",
    )


def test_a_bundle_may_not_change_its_own_files(tried):
    report = tried(also="(own / 'Dockerfile').write_text('x')")
    assert report.faults[0].startswith("predict.py has written or changed Dockerfile in its own folder")


def test_what_a_command_leaves_running_ends_with_it(tried, tmp_path):
    note = tmp_path / "pid"
    tried(also=f"import subprocess; Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '60']).pid))")
    wait_until(lambda: ended(int(note.read_text())), 5)


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("sys.exit('CUDA is not there')", "predict.py: ended with exit code 1: CUDA is not there"),
        ("answers['q7']", "predict.py: ended with exit code 1: KeyError: 'q7'"),
        ("import os; os.kill(os.getpid(), 9)", "predict.py: was killed by signal 9: it said nothing"),
        ("out.with_name('latency.json').unlink(missing_ok=True)",
         "predict.py --latency has not written latency.json beside the predictions"),
    ],
)  # fmt: skip
def test_a_command_that_fails_is_told_with_its_last_words(tried, capfd, also, message):
    with pytest.raises(RehearsalFailed) as failed:
        tried(also=also)
    assert (str(failed.value), failed.value.exit_code) == (message, 1)
    if "KeyError" in message:
        assert "  Traceback (most recent call last):" in capfd.readouterr().err


def test_a_command_that_hangs_is_ended_with_all_it_has_started(tried, tmp_path):
    note = tmp_path / "pid"
    hang = f"import subprocess, time; Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '60']).pid))"
    begun = time.monotonic()
    with pytest.raises(RehearsalFailed, match=r"predict.py: has not ended within 1.5 s; --timeout gives it longer"):
        tried(timeout=1.5, also=f"{hang}; time.sleep(60)")
    assert time.monotonic() - begun < 15
    wait_until(lambda: ended(int(note.read_text())), 5)


def test_another_python_is_told_of_here_and_refused_with_wheels(tmp_path, caplog):
    small = make_small(tmp_path, Wanted(python="3.99"))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert rehearse(small.zip, small.data, "here", 60.0).held
    assert f"the bundle is for Python 3.99, and this is {here}" in caplog.messages
    with pytest.raises(SettingsError, match="for Python 3.99, and this is .*: rehearse with that one, `python3.99 -m"):
        rehearse(small.zip, small.data, tmp_path, 60.0)


def test_of_many_questions_fifty_are_timed_from_all_over_the_file(tmp_path):
    rows = [(f"Question {number}?", f"Context {number}.", f"{number}") for number in range(120)]
    data = write_squad(tmp_path / "many.json", rows)
    small = make_small(tmp_path, Wanted(answers={f"q{number}": f"{number}" for number in range(120)}), data)
    report = rehearse(small.zip, data, "here", 60.0, tmp_path / "kept")
    assert (report.questions, report.speed.warm_questions) == (120, 50)
    given = json.loads((tmp_path / "kept" / "timed" / "in" / "questions.json").read_bytes())["data"][0]["paragraphs"]
    assert [paragraph["context"] for paragraph in given] == [f"Context {number}." for number in range(0, 100, 2)]


def test_text_is_no_rehearsal_of_pages(tmp_path):
    small = make_small(tmp_path, Wanted(benchmark="korquad-2.1"))
    with pytest.raises(DataError, match=r"dev.json: holds no web pages, which korquad-2.1 has; give its dev data"):
        rehearse(small.zip, small.data, "here", 60.0)
