"""What a rehearsal has found, as its JSON has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """The surroundings that the bundle was tried in."""

    packages: str
    network: str
    python: str  # of the rehearsing interpreter, and of all that runs without a container
    machine: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes."""

    zip: int
    bundle: int  # unpacked
    packages: int | None  # None: not the bundle's own


@dataclass(frozen=True, slots=True)
class Speed:
    """Of the positional command on all questions, and of single ones."""

    seconds: float
    questions_per_second: float  # starting and loading included
    peak_bytes: int | None  # resident memory of the largest process; None: not known
    one_question_seconds: float  # the whole command on a file with one question
    warm: dict[str, float]  # seconds of a question, the model loaded: median, mean, percentile_95, longest
    warm_questions: int


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict and its figures."""

    held: bool  # whether a leaderboard would get what the run has promised
    faults: tuple[str, ...]
    bundle: str
    name: str
    benchmark: str
    data: str
    sha256: str  # of the data
    questions: int
    scores: dict[str, float | int] | None  # None: the answers are not such that they can be scored
    run_scores: dict[str, float | int] | None  # what the bundle says of its run
    compared: str
    where: Where
    sizes: Sizes
    speed: Speed
