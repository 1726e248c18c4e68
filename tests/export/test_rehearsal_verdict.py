"""What is said of a predictions file, and of its scores beside those of the run."""

from __future__ import annotations

import json

import pytest

from dokhae import benchmarks
from dokhae.data import read_examples
from dokhae.export.manifest import Dev
from dokhae.export.rehearsal.verdict import verdict
from export.small_bundles import ANSWERS, SCORES
from training.small import FEW, write_squad

KORQUAD = benchmarks.find("korquad-1.0")
RUN = Dev("dev.json", "d1", 6, SCORES)


@pytest.fixture
def judged(tmp_path):
    """`judged(answers)`: the verdict on these answers to six questions; the digest of their file is d1."""
    examples = read_examples(write_squad(tmp_path / "dev.json", FEW))

    def run(answers, dev=RUN, digest="d1"):
        path = tmp_path / "predictions.json"
        path.write_text(answers if isinstance(answers, str) else json.dumps(answers), encoding="utf-8")
        return verdict(path, examples, KORQUAD, digest, dev)

    return run


def test_the_scores_of_the_run_are_met_to_the_last_digit(judged):
    found = judged(ANSWERS)
    assert (found.scores, found.faults) == (SCORES, ())
    assert found.compared == "what the run has scored, to the last digit"


def test_a_difference_in_the_last_digit_is_one(judged):
    last = {"exact_match": 100.0, "f1": 100.00000000000001}
    assert judged(ANSWERS, Dev("dev.json", "d1", None, last)).faults == (
        "f1 is 100.0, and the run has scored 100.00000000000001",
    )


def test_a_score_that_one_of_both_does_not_have_is_a_difference(judged):
    more = Dev("dev.json", "d1", 6, {**SCORES, "total": 6})
    assert judged(ANSWERS, more).faults == ("total is None, and the run has scored 6",)


@pytest.mark.parametrize(
    ("answers", "faults"),
    [
        (dict.fromkeys(["q0", "q2", "q3", "q5"], ""), ["2 questions without an answer: q1, q4"]),
        ({}, ["6 questions without an answer: q0, q1, q2, ..."]),
        ({**ANSWERS, "q9": ""}, ["1 question not in the data, but answered: q9"]),
        ({**ANSWERS, "q2": None, "q3": 7}, ["2 questions with an answer that is no text: q2, q3"]),
        ({"q0": "x", "q9": None}, ["5 questions without an answer: q1, q2, q3, ...",
                                   "1 question not in the data, but answered: q9",
                                   "1 question with an answer that is no text: q9"]),
        ("[]", ["predictions.json: holds a list, not one object of question id -> answer text"]),
        ("{", ["predictions.json: stops in the middle: it is cut off, fetch it again (line 1, column 2)"]),
    ],
)  # fmt: skip
def test_answers_that_a_leaderboard_would_not_take_are_named(judged, answers, faults):
    found = judged(answers)
    assert (found.scores, list(found.faults)) == (None, faults)
    assert found.compared == "with nothing: such answers are not scored"


@pytest.mark.parametrize(
    ("dev", "compared"),
    [
        (Dev("dev.json", "0" * 64, 6, SCORES),
         "with nothing: the run was scored on another file, dev.json (sha256 000000000000..., this one's is d1...)"),
        (Dev("dev.json", "d1", 5, SCORES), "with nothing: the run was scored on 5 of the 6 questions"),
        (None, "with nothing: the bundle does not say what its run has scored"),
    ],
)  # fmt: skip
def test_scores_of_other_data_are_not_compared(judged, dev, compared):
    found = judged({**ANSWERS, "q1": "1823"}, dev)
    assert (found.compared, found.faults) == (compared, ())
    assert found.scores["exact_match"] == pytest.approx(100 * 5 / 6)
