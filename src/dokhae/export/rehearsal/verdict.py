"""What a leaderboard would say of a predictions file, and whether that is what the run has said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae import evaluation
from dokhae.benchmarks import Benchmark
from dokhae.errors import DataError
from dokhae.export.manifest import Dev
from dokhae.files import read_json
from dokhae.types import Example

NAMED = 3  # of ids that are wrong in the same way
Scores = dict[str, float | int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scores by the official rule, and what is not as it should be."""

    scores: Scores | None  # None: the answers are not such that they can be scored
    compared: str  # with what the run has scored
    faults: tuple[str, ...] = ()


def verdict(
    predictions: Path, examples: Sequence[Example], benchmark: Benchmark, digest: str, dev: Dev | None
) -> Verdict:
    """The verdict on a predictions file; digest: SHA-256 of the data that the examples are from."""
    answers, faults = _answers_in(predictions)
    ids = list(dict.fromkeys(example.id for example in examples))
    faults = faults or faults_of(answers, ids)
    if faults:
        return Verdict(None, "with nothing: such answers are not scored", tuple(faults))
    scores = evaluation.score(evaluation.Given(examples, answers, benchmark, None, 1.0, None))
    return _compared(scores, dev, digest, len(ids))


def faults_of(answers: Mapping[str, Any], ids: Collection[str]) -> list[str]:
    """Whatever keeps answers from being one text for every question, and for nothing else."""
    groups = (
        ("without an answer", [id for id in ids if id not in answers]),
        ("not in the data, but answered", sorted(answers.keys() - set(ids))),
        ("with an answer that is no text", [id for id, text in answers.items() if not isinstance(text, str)]),
    )
    return [_counted(what, wrong) for what, wrong in groups if wrong]


def _answers_in(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The answers in a predictions file, and what is wrong with the file."""
    try:
        found = read_json(path)
    except DataError as error:
        return {}, [str(error).replace(str(path), "predictions.json")]
    if isinstance(found, dict):
        return found, []
    return {}, [f"{path.name}: holds a {type(found).__name__}, not one object of question id -> answer text"]


def _compared(scores: Scores, dev: Dev | None, digest: str, questions: int) -> Verdict:
    """The scores beside the run's own, which have to be the same to the last digit if they are of the same data."""
    if dev is None:
        return Verdict(scores, "with nothing: the bundle does not say what its run has scored")
    if dev.sha256 != digest:
        return Verdict(scores, f"with nothing: the run was scored on another file, {dev.file} "
                               f"(sha256 {dev.sha256[:12]}..., this one's is {digest[:12]}...)")  # fmt: skip
    if dev.questions not in (None, questions):
        return Verdict(scores, f"with nothing: the run was scored on {dev.questions} of the {questions} questions")
    names = [*dev.scores, *(name for name in scores if name not in dev.scores)]
    faults = (f"{name} is {scores.get(name)}, and the run has scored {dev.scores.get(name)}"
              for name in names if scores.get(name) != dev.scores.get(name))  # fmt: skip
    found = tuple(faults)
    return Verdict(
        scores, "not what the run has scored" if found else "what the run has scored, to the last digit", found
    )


def _counted(what: str, ids: Sequence[str]) -> str:
    counted = "1 question" if len(ids) == 1 else f"{len(ids)} questions"
    return f"{counted} {what}: {', '.join([*ids[:NAMED], *(['...'] if len(ids) > NAMED else [])])}"
