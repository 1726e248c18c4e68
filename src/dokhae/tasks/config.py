"""Everything the training of a classifier is told. The defaults are BERT's own for GLUE (run_classifier.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from dokhae.encoding.pairs import PairConfig
from dokhae.tasks.glue import OWN
from dokhae.tasks.source import TextSource
from dokhae.training.run_config import Keep, RunConfig


@dataclass(frozen=True, slots=True)
class KeepClassifier(Keep):
    """Which checkpoints stay, which model is the result, and when to stop early."""

    best_by: Literal["loss", "score", "last"] = "last"  # on the dev file; score: the mean of the task's own scores


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyConfig(RunConfig):
    """Settings of one training run of a classifier."""

    verb: ClassVar[str] = "dokhae classify train"
    mark: ClassVar[str] = "task"

    task: str = OWN  # cola, sst-2, mrpc, sts-b, qqp, mnli, qnli, rte or wnli; own: the columns named below
    first: str | None = None  # column of the text, or of the first one of a pair
    second: str | None = None  # column of a pair's second text
    label: str | None = None  # column of the class, or of the number
    id: str | None = None  # column of the id; rows are numbered from 0 without it
    regression: bool = False  # labels are numbers to come close to, not classes
    skip_ragged: bool = False  # leave out rows that are ragged or have an empty text (counted); else they are refused
    epochs: float = 3.0  # passes over the training data; a part of one is allowed
    batch_size: int = 32  # texts or pairs per batch and device
    learning_rate: float = 2e-5
    max_length: int = 128  # tokens of a text or pair with special tokens; longer ones are cut, counted and reported
    morphemes: str | None = None  # analyser of a morpheme BERT: kiwi, mecab, or the address of a service
    keep: KeepClassifier = field(default_factory=KeepClassifier)

    def __post_init__(self) -> None:
        """Refuse what means nothing before anything heavy is loaded."""
        RunConfig.__post_init__(self)
        self.source  # noqa: B018 - refuses what names no texts
        PairConfig(self.max_length)

    @property
    def source(self) -> TextSource:
        """What is to be told apart, and where it stands in a file."""
        return TextSource(self.task, self.first, self.second, self.label, self.id, self.regression)
