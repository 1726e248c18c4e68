"""What a reader's finished run leaves: settings in model/, predictions, null odds and official scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dokhae import metrics
from dokhae.benchmarks import Benchmark
from dokhae.decoding import choose
from dokhae.encoding import Layout
from dokhae.files import sha256, write_json
from dokhae.korean.trimming import Trimmer
from dokhae.model.blocks import block_head
from dokhae.model.devices import usable_precision
from dokhae.model.span import TorchScore
from dokhae.outputs import write_predictions
from dokhae.predict import predict, trim
from dokhae.progress import track
from dokhae.settings import NullThreshold, ReaderSettings
from dokhae.sharing import ALONE, World
from dokhae.training.compiling import as_written
from dokhae.training.config import TrainConfig
from dokhae.training.data import Split
from dokhae.training.processes import Processes
from dokhae.types import Example, Prediction

log = logging.getLogger("dokhae")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What cutting particles off the answers did to the scores."""

    mended: int  # questions whose exact match is due to it
    harmed: int  # questions whose exact match it took away
    without: dict[str, float | int]  # the scores without it, at the same null threshold

    def in_words(self) -> str:
        """For the log."""
        scores = ", ".join(f"{name} {value:.2f}" for name, value in self.without.items() if isinstance(value, float))
        return f"particles cut off answers: {self.mended} questions mended, {self.harmed} harmed; without it {scores}"


@dataclass(frozen=True, slots=True)
class Scored:
    """A model's answers to the dev split, and what the official rule says of them."""

    predictions: list[Prediction]
    threshold: NullThreshold | None  # None: the benchmark has no unanswerable questions
    scores: dict[str, float | int]
    digest: str  # SHA-256 of the dev file
    trim: Trimmed | None = None  # None: answers were not trimmed

    def content(self, config: TrainConfig) -> dict[str, Any]:
        """As scores.json has it."""
        report: dict[str, Any] = {
            "benchmark": config.benchmark,
            "data": str(config.dev and config.dev.resolve()),
            "sha256": self.digest,
            "questions": len(texts_of(self.predictions)),
            "scores": self.scores,
        }
        if self.threshold is not None:
            report["null_threshold"] = self.threshold.described(self.digest)
        if self.trim is not None:
            report["korean_trim"] = {"analyser": config.korean_trim, **asdict(self.trim)}
        return report


@dataclass(frozen=True, slots=True)
class Scorer:
    """A run's dev split, ready to score one model after another."""

    config: TrainConfig
    benchmark: Benchmark
    dev: Split
    dev_file: Path
    layout: Layout
    device: str
    world: World = ALONE
    trimmer: Trimmer | None = None

    def __call__(self, model: torch.nn.Module, show: bool) -> Scored:
        """Answer every question, with the null threshold of the config or else one fitted here."""
        rule, given = self.benchmark.rule, self.config.null_threshold
        with as_written(), track("predict dev", len(self.dev.examples), show, " questions") as update:
            always_answered = predict(
                self.dev.examples,
                self.dev.features,
                self.layout,
                TorchScore(model, self.device, usable_precision(self.config.precision, self.device)),
                self.config.decoding,
                float("inf") if rule.has_null else None,
                2 * self.config.batch_size,
                update,
                self.world,
            )
        digest, found = sha256(self.dev_file), always_answered
        if self.trimmer is not None:
            answering = float("inf") if rule.has_null else None
            split = (self.dev.examples, self.dev.features)
            found = trim(*split, found, self.layout, self.trimmer, answering, self.world)
        if not rule.has_null:
            threshold = None
        elif given is None:
            threshold = fit_threshold(self.dev.examples, found, rule, self.dev_file.name, digest)
        else:
            threshold = NullThreshold(given, "set")
        value = None if threshold is None else threshold.value
        predictions = [choose(prediction, value) for prediction in found]
        scores = metrics.evaluate(self.dev.examples, texts_of(predictions), rule)
        if self.trimmer is None:
            return Scored(predictions, threshold, scores, digest)
        before = texts_of([choose(prediction, value) for prediction in always_answered])
        return Scored(predictions, threshold, scores, digest, self.trimmed(texts_of(predictions), before))

    def trimmed(self, texts: Mapping[str, str], before: Mapping[str, str]) -> Trimmed:
        """What has become of answers since they were trimmed."""
        examples, rule = self.dev.examples, self.benchmark.rule
        now, then = (metrics.score_each(examples, each, rule) for each in (texts, before))
        changes = [now[name][0] - then[name][0] for name in now]
        return Trimmed(changes.count(1.0), changes.count(-1.0), metrics.evaluate(examples, before, rule))


def texts_of(predictions: Sequence[Prediction]) -> dict[str, str]:
    """Question id -> answer."""
    return {prediction.id: prediction.text for prediction in predictions}


def settings_of(
    config: TrainConfig,
    benchmark: Benchmark,
    model: Any,  # noqa: ANN401 - a transformers model
    rewritten_by: str | None,
    device: str,
) -> ReaderSettings:
    """What a reader has to know of its training on a device; the null threshold is not fitted yet."""
    given = config.null_threshold
    threshold = NullThreshold() if given is None else NullThreshold(given, "set")
    return ReaderSettings(
        benchmark=benchmark.name,
        windows=config.windows,
        decoding=config.decoding,
        null_threshold=threshold if benchmark.rule.has_null else None,
        precision=usable_precision(config.precision, device),  # as it is scored
        korean_split=config.korean_split,
        korean_trim=config.korean_trim,
        morphemes=config.morphemes,
        pages=config.pages if benchmark.html else None,
        block_head=block_head(model) is not None,
        rewritten_by=rewritten_by,
    )


def score(
    scorer: Scorer, model: torch.nn.Module, settings: ReaderSettings, show: bool, processes: Processes
) -> dict[str, Any]:
    """Predict the dev split with the final model, fit the null threshold where there is one, write and score."""
    config, benchmark = scorer.config, scorer.benchmark
    scored = scorer(model, show)
    if scored.trim is not None:
        log.info(scored.trim.in_words())
    report = scored.content(config)
    with processes.together():
        if processes.first:
            if scored.threshold is not None:
                replace(settings, null_threshold=scored.threshold).save(config.out / "model")
            answers = config.out / "predictions.json"
            write_predictions(answers, scored.predictions, benchmark.rule.has_null, benchmark.html)
            write_json(config.out / "scores.json", report)
    return dict(processes.broadcast(report))


def fit_threshold(
    examples: list[Example], always_answered: list[Prediction], rule: metrics.Rule, split: str, digest: str
) -> NullThreshold:
    """The null threshold with the best F1 (and, beside it, the one with the best EM) on these examples."""
    fitted = metrics.fit_thresholds(
        examples,
        {prediction.id: prediction.text for prediction in always_answered},
        {prediction.id: prediction.null_score_difference for prediction in always_answered},
        rule,
    )
    return NullThreshold(
        value=fitted.f1_threshold,
        origin="fitted",
        exact_match=fitted.exact_match_threshold,
        f1=fitted.f1_threshold,
        split=split,
        sha256=digest,
        f1_label=rule.f1_label,
    )
