"""Verbs, options and help, before any verb does its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from cli.conftest import squad
from dokhae import __version__, cli
from dokhae.cli import VERBS
from dokhae.stopping import TERMINATING

HEAVY = ("torch", "transformers", "lightning", "matplotlib", "pyarrow", "httpx2")


def every_verb(group=cli):
    """The words of every verb and group: ["data"], ["data", "audit"], ..."""
    found = []
    for verb in group.VERBS:
        found.append([verb])
        if (Path(group.__file__).parent / verb).is_dir():
            inner = import_module(f"{group.__name__}.{verb}")
            found += [[verb, *words] for words in every_verb(inner)]
    return found


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], text=True, capture_output=True, timeout=60, **options)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(dokhae, arguments):
    outcome = dokhae(*arguments)
    assert outcome.code == 0
    assert [verb for verb in VERBS if f"  {verb} " not in outcome.out] == []
    assert "example: dokhae train " in outcome.out


@pytest.mark.parametrize("words", every_verb(), ids=" ".join)
def test_the_help_of_every_verb_has_an_example(dokhae, words):
    outcome = dokhae(*words, "--help")
    assert outcome.code == 0
    assert f"example: dokhae {' '.join(words)}" in outcome.out.replace("Example", "example")


def test_help_loads_nothing_heavy():
    script = f"""
import sys
from dokhae.cli import main
main(["--help"])
print([name for name in {HEAVY + ("tyro", "numpy")} if name in sys.modules], file=sys.stderr)
for words in {every_verb()}:
    main([*words, "--help"])
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    ended = python("-c", script)
    assert (ended.returncode, ended.stderr) == (0, "[]\n[]\n")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(dokhae, option):
    assert dokhae(option).out == f"dokhae {__version__}\n"


def test_the_module_is_the_command():
    ended = python("-m", "dokhae", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"dokhae {__version__}\n")
    ended = python("-m", "dokhae", "evalute")
    assert (ended.returncode, ended.stderr) == (2, "dokhae: 'evalute' is not a verb; did you mean evaluate?\n")


def test_an_unknown_verb_names_the_nearest(refusal):
    assert refusal("predct") == "'predct' is not a verb; did you mean predict?"
    assert refusal("xyz").startswith("'xyz' is not a verb; known are train, predict, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "d.json", "--modle", "m", "--out", "p"], "--modle is not an option; did you mean model?"),
        (["predict", "d.json", "--model", "m", "--batchsize=3"], "--batchsize is not an option; did you mean batch_"),
        (["train", "--optimizer.warmpu", "3"], "--optimizer.warmpu is not an option; did you mean optimizer.warmup?"),
        (["train", "--resume", "runs/x", "--epochs", "3"], "--epochs is not an option; known are resume"),
    ],
)
def test_an_unknown_option_names_the_nearest_even_where_others_are_missing(refusal, arguments, message):
    assert refusal(*arguments).startswith(message)


def test_a_missing_option_is_named(dokhae):
    outcome = dokhae("ask", "Who?", "--model", "m")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Missing from dokhae ask" in outcome.err
    assert "--context" in outcome.err


@pytest.mark.parametrize("value", ["x", "1.5"])
def test_a_value_of_another_type_is_refused(dokhae, value):
    outcome = dokhae("ask", "Who?", "--model", "m", "--context", "c", "--top", value)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Error parsing --top" in outcome.err


def test_hyphens_and_underscores_both_work(dokhae, questions, tiny_bert):
    sizes = [("--max_length", "--max_answer_length"), ("--max-length", "--max-answer-length")]
    results = [
        dokhae(
            "ceiling", questions, "--benchmark", "squad-1.1", "--model", tiny_bert, "--step", 8, "--format", "json",
            length, 40, answer, 1,
        )
        for length, answer in sizes
    ]  # fmt: skip
    assert results[0] == results[1]
    assert json.loads(results[0].out)["lost"] == {"length": 1}  # 1704 is two tokens


def test_ctrl_c_ends_with_130(dokhae, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dokhae.evaluation.read", interrupted)
    outcome = dokhae("evaluate", "d.json", "p.json", "--benchmark", "squad-1.1")
    assert (outcome.code, outcome.err) == (130, "dokhae: interrupted\n")


@pytest.mark.parametrize("number", TERMINATING)
def test_what_terminates_does_as_ctrl_c(number, dokhae, monkeypatch):
    """So that what is temporary goes, and what is half-written."""
    before = signal.getsignal(number)
    monkeypatch.setattr("dokhae.evaluation.read", lambda *_: signal.raise_signal(number))
    outcome = dokhae("evaluate", "d.json", "p.json", "--benchmark", "squad-1.1")
    assert (outcome.code, outcome.err) == (130, "dokhae: interrupted\n")
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so(dokhae, monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        monkeypatch.setattr("dokhae.cli.usage", lambda _: f"{signal.getsignal(signal.SIGTERM)!r}")
        assert dokhae().out == "<Handlers.SIG_IGN: 1>"
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_reader_that_leaves_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "dokhae", "--help"], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["nonsense"], 2)])
def test_closed_streams_are_no_error_and_no_file_takes_their_place(words, code):
    opened = "import os, sys; from dokhae.cli import main; code = main(sys.argv[1:])"
    opened += "; sys.exit(code if os.open(os.devnull, os.O_RDONLY) > 2 else 3)"
    ended = subprocess.run(
        [sys.executable, "-c", opened, *words], preexec_fn=lambda: os.closerange(0, 3), timeout=60
    )  # fmt: skip
    assert ended.returncode == code


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_stderr_changes_nothing(tmp_path):
    """`2> log` on another disk than what is written."""
    questions, predictions = tmp_path / "questions.json", tmp_path / "predictions.json"
    questions.write_text(json.dumps(squad()))
    predictions.write_text(json.dumps({"q1": "", "q2": ""}))
    words = ["evaluate", str(questions), str(predictions), "--benchmark", "squad-1.1"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "dokhae", *words], stdout=subprocess.PIPE, stderr=full, timeout=60
        )  # fmt: skip
    assert ended.returncode == 0 and json.loads(ended.stdout)["f1"] == 0


def test_a_folder_that_is_gone_is_told(tmp_path):
    words = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m dokhae --version"
    ended = subprocess.run(words, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    said = "dokhae: the folder in which this was started is gone; go to another one\n"
    assert (ended.returncode, ended.stderr.endswith(said)) == (2, True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_told():
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "dokhae", "--help"], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert (ended.returncode, ended.stderr) == (2, b"dokhae: No space left on device\n")


def test_korean_survives_a_plain_c_locale():
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run([sys.executable, "-m", "dokhae", "--help"], capture_output=True, env=environment, timeout=60)
    assert "독해" in ended.stdout.decode("utf-8")
