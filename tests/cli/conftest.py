"""The command line in this process: what it returns and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dokhae.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def dokhae(capsys) -> Callable[..., Outcome]:
    """`dokhae("ask", "--model", folder, ...)` -> Outcome."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def refusal(dokhae) -> Callable[..., str]:
    """The one line that a refused command says; exit code 2 and nothing on stdout."""

    def run(*arguments: object) -> str:
        outcome = dokhae(*arguments)
        assert (outcome.code, outcome.out) == (2, ""), outcome
        assert outcome.err.startswith("dokhae: ")
        assert outcome.err.count("\n") == 1, outcome.err
        return outcome.err.removeprefix("dokhae: ").rstrip()

    return run


CONTEXT = "서울은 대한민국의 수도이다. In 1704 the Early Otter was launched at Korustead."
QUESTIONS = {
    "q1": ("수도는 어디인가?", "서울", 0),
    "q2": ("When was the Early Otter launched?", "1704", 19),
}


def squad(context: str = CONTEXT, labelled: bool = True) -> dict:
    """A file in SQuAD form with two questions."""
    qas = [
        {"id": id, "question": question} | ({"answers": [{"text": text, "answer_start": start}]} if labelled else {})
        for id, (question, text, start) in QUESTIONS.items()
    ]
    return {"data": [{"title": "t", "paragraphs": [{"context": context, "qas": qas}]}]}


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """`write("name.json", content)`: text and bytes as they are, anything else as JSON; returns the path."""

    def run(name: str, content: object) -> Path:
        path = tmp_path / name
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content, ensure_ascii=False)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return run


@pytest.fixture
def questions(write) -> Path:
    return write("questions.json", squad())
