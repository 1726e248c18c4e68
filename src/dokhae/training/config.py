"""Everything a reader's training is told. The command line, --config files, recipes and Python fill this record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.encoding.windows import LEAD
from dokhae.errors import SettingsError
from dokhae.korean.splitting import Split
from dokhae.korean.trimming import Trim
from dokhae.pages.text import PageConfig
from dokhae.training.run_config import Bound, Keep, OptimizerConfig, RunConfig, TrackConfig, Watch

__all__ = ["KeepConfig", "OptimizerConfig", "TrackConfig", "TrainConfig", "Watch", "Which"]

Which = Literal["last", "best", "all"]  # of a run's checkpoints


@dataclass(frozen=True, slots=True)
class KeepConfig(Keep):
    """Which checkpoints stay, which model is the result, and when to stop early."""

    best_by: Literal["loss", "em", "f1", "last"] = "f1"  # on the dev file; last: the last model, whatever it scores


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(RunConfig):
    """Settings of one training run of a reader."""

    verb: ClassVar[str] = "dokhae train"
    mark: ClassVar[str] = "benchmark"

    benchmark: str  # squad-1.1, squad-2.0, korquad-1.0, korquad-2.1 or klue-mrc: how data is read and scored
    train: Path  # training data: .json, .jsonl, .csv, .tsv or .parquet; of korquad-2.1 a .json file or a folder of them
    epochs: float = 2.0  # passes over the training windows; a part of one is allowed
    batch_size: int = 16  # windows per batch and device
    batch_tokens: int | None = None  # instead, training batches of as many windows as hold so many tokens
    learning_rate: float = 5e-5
    max_train_examples: int | None = None  # for a try-out: only the first N questions
    max_length: int = 384  # tokens of a window, question and special tokens included
    step: int | None = None  # tokens by which windows advance (BERT's "doc stride"); 128 unless overlap is given
    overlap: int | None = None  # tokens that neighbouring windows share (Hugging Face's "doc stride")
    max_question_length: int = 64  # tokens; longer questions are cut, counted and reported
    null_threshold: float | None = None  # null score difference above which the answer is ""; fitted on dev if not set
    # training answers that are not at their offset. skip: leave out their questions; repair: mend what is certain (off
    # by spaces, ...), leave out other such answers, and questions without any left
    misplaced_answers: Literal["error", "skip", "repair"] = "error"
    # where Korean words are cut before the tokenizer sees them; saved with the model and used by all that reads it
    korean_split: Split = "none"
    korean_trim: Trim = "none"  # analyser that finds particles to cut off answers where the tokenizer offers no end
    morphemes: str | None = None  # analyser of a morpheme BERT: kiwi, mecab, or the address of a service
    pages: PageConfig = field(default_factory=PageConfig)  # of benchmarks whose contexts are pages in HTML
    lead: int = LEAD  # tokens at most of a page's title and headings in front of each of its windows; 0 = none
    no_block_head: bool = False  # of pages: leave out the second head, which answers with paragraphs, tables and lists
    null_windows: float | None = None  # training windows without the answer for each one with it; all if not set
    recipe: str | None = None  # published row that fills what is not given here; `dokhae recipes` lists them
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)

    def __post_init__(self) -> None:
        """Refuse what means nothing before anything heavy is loaded."""
        RunConfig.__post_init__(self)  # not super(): a class with slots is another one than its body knows
        if self.null_threshold is not None and math.isnan(self.null_threshold):
            raise SettingsError("null_threshold is not a number")
        self.windows  # noqa: B018 - refuses step together with overlap

    @property
    def windows(self) -> WindowConfig:
        """How contexts are cut."""
        return WindowConfig(self.max_length, self.step, self.overlap, self.max_question_length, self.lead)

    def _bounded(self) -> list[Bound]:
        """Numbers and the least that each may be."""
        return [*RunConfig._bounded(self), ("lead", self.lead, 0), ("null_windows", self.null_windows, 0)]
