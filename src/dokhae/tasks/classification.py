"""The training of a classifier, on the same road as a reader's: texts or pairs, a class or a number for each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.encoding import Batch, PairTokenizer, cached_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pairs import PairConfig, build_pairs
from dokhae.files import sha256, write_json
from dokhae.model import inputs, loading
from dokhae.model.devices import Precision, usable_precision
from dokhae.model.padding import to_tensor
from dokhae.model.saving import save_model
from dokhae.model.sentences import ClassScore, class_logits, class_loss
from dokhae.progress import track
from dokhae.tasks import glue
from dokhae.tasks.classifier import (
    ClassifierSettings,
    Logits,
    as_examples,
    in_order,
    kind_of,
    logits_each,
    predicted,
)
from dokhae.tasks.config import ClassifyConfig
from dokhae.tasks.glue import SentenceTask
from dokhae.tasks.outputs import write_predictions
from dokhae.tasks.scoring import numbers_of
from dokhae.training.compiling import as_written
from dokhae.training.data import Batching, Split, TrainingData
from dokhae.training.identity import Identity, identity_of
from dokhae.training.processes import Processes
from dokhae.types import LabelledText

log = logging.getLogger("dokhae")


class Classifying:
    """The task of a classifier."""

    kind = ClassifyConfig

    def settled(self, config: ClassifyConfig) -> ClassifyConfig:
        """Nothing was left open."""
        return config

    def load(self, config: ClassifyConfig, device: str) -> LoadedClassifier:
        """Read data and encoder; refuse what cannot be trained, before anything is written."""
        train = config.source.labelled(config.train, config.skip_ragged)[: config.max_train_examples]
        task = config.source.taught_by(train, config.train)
        dev = glue.read(task, config.dev, True, config.skip_ragged)[: config.max_dev_examples] if config.dev else None
        source = loading.locate(config.model)
        fast = loading.load_tokenizer(source, config.trust_remote_code)
        pl.seed_everything(config.seed, verbose=False)  # the head is drawn from it
        model = loading.load_classifier(source, task.labels, config.trust_remote_code)
        inputs.check_length(config.max_length, inputs.longest_input(model), config.model)
        names = inputs.input_names(fast, model)
        tokenizer = tokenizer_of(fast, names, morphemes=config.morphemes, texts=kind_of(train))
        return LoadedClassifier(config, task, train, dev, model, fast, tokenizer, identity_of(model, tokenizer))


CLASSIFYING = Classifying()


@dataclass(frozen=True, slots=True)
class LoadedClassifier:
    """All that the training of a classifier reads."""

    config: ClassifyConfig
    task: SentenceTask  # with its classes
    train: list[LabelledText]
    dev: list[LabelledText] | None
    model: Any
    fast: Any  # transformers' tokenizer
    tokenizer: PairTokenizer
    identity: Identity

    def lesson(self, show: bool, processes: Processes) -> ClassLesson:
        """Features of both splits, from the cache where they are in it."""
        train = self._split("train", self.train, show)
        dev = self._split("dev", self.dev, show) if self.dev else None
        config = self.config
        batching = Batching(config.batch_size, config.seed, config.batch_tokens, config.optimizer.accumulate)
        data = TrainingData(train, dev, self.tokenizer.layout, batching, processes)
        splits = {"train": self.train, "dev": self.dev or []}
        labels = {name: numbers_of([text.label for text in texts], self.task) for name, texts in splits.items()}
        return ClassLesson(self, data, labels)

    def anew(self) -> Any:  # noqa: ANN401 - a transformers model
        """The model once more; its head is drawn anew."""
        source = loading.locate(self.config.model)
        return loading.load_classifier(source, self.task.labels, self.config.trust_remote_code)

    def _split(self, name: str, texts: Sequence[LabelledText], show: bool) -> Split:
        examples, windows = as_examples(texts), PairConfig(self.config.max_length)
        with track(f"tokenize {name}", len(examples), show, " texts") as update:
            features = cached_features(examples, self.tokenizer, windows, progress=update, build=build_pairs)
        log.info("%s: %d %s", name, len(examples), "pairs" if texts[0].second is not None else "texts")
        if len(features.truncated_questions):
            log.warning("%s: %d are longer than %d tokens and are cut (the first is %s)", name,
                        len(features.truncated_questions), windows.max_length,
                        examples[int(features.truncated_questions[0])].id)  # fmt: skip
        return Split(examples, features)


@dataclass(frozen=True, slots=True)
class ClassLesson:
    """Telling classes, or numbers: a text or pair is a window."""

    loaded: LoadedClassifier
    data: TrainingData
    labels: dict[str, NDArray[Any]]  # of each split

    def logits(self, model: Any, batch: Batch, device: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """Of the classes, (R, labels)."""
        return (class_logits(model, batch, device),)

    def loss(self, split: str, batch: Batch, logits: tuple[Tensor, ...]) -> Tensor:
        """Cross entropy, or the squared error of a number."""
        return class_loss(logits[0], to_tensor(self.labels[split][batch.windows], logits[0].device))

    def reduced(self, batch: Batch, logits: tuple[Tensor, ...]) -> tuple[NDArray[np.int64], Logits]:
        """Which texts, and their logits."""
        return batch.windows, logits[0].detach().cpu().numpy()

    def scores(self, parts: list[tuple[NDArray[np.int64], Logits]]) -> dict[str, float]:
        """Those of the task, and what GLUE averages of them."""
        return scores_of(self.loaded.task, self.labels["dev"], in_order(parts))

    def in_words(self, scores: Mapping[str, float]) -> str:
        """Dev scores for the progress line."""
        names = [name for name in self.loaded.task.metrics if f"dev_{name}" in scores]
        return "dev " + " ".join(f"{name} {scores[f'dev_{name}']:.2f}" for name in names) if names else ""

    def finish(self, model: Any, device: str, show: bool) -> dict[str, Any]:  # noqa: ANN401
        """Keep the model, classify the dev split with it, and write what it scores."""
        loaded, config, processes = self.loaded, self.loaded.config, self.data.processes
        settings = ClassifierSettings(
            source=config.source,
            max_length=config.max_length,
            precision=usable_precision(config.precision, device),
            morphemes=config.morphemes,
            rewritten_by=loaded.tokenizer.rewritten_by,
        )
        with processes.together():
            if processes.first:
                save_model(config.out / "model", model, loaded.fast, settings.save)
        if config.dev is None:
            return {}
        logits = self._dev_logits(model, device, settings.precision, show)
        report = self._report(logits, config.dev)
        with processes.together():
            if processes.first:
                found = zip(loaded.dev or [], logits, strict=True)
                answers = [predicted(text.id, each, loaded.task.labels) for text, each in found]
                write_predictions(config.out / "predictions.tsv", answers, loaded.task)
                write_json(config.out / "scores.json", report)
        return dict(processes.broadcast(report))

    def _dev_logits(self, model: torch.nn.Module, device: str, precision: Precision, show: bool) -> Logits:
        split, config = self.data.dev, self.loaded.config
        assert split is not None, "there is a dev file"
        score = ClassScore(model, device, precision)
        with as_written(), track("predict dev", len(split.examples), show, " texts") as update:
            found = logits_each(
                split.examples,
                lambda portion: split.features.part(portion.start, portion.stop),
                self.data.layout,
                score,
                2 * config.batch_size,
                update,
                self.data.processes,
            )
            return np.stack(list(found))

    def _report(self, logits: Logits, dev: Path) -> dict[str, Any]:
        """As scores.json has it."""
        task, gold = self.loaded.task, self.labels["dev"]
        report: dict[str, Any] = {
            "task": task.name,
            "data": str(dev.resolve()),
            "sha256": sha256(dev),
            "scores": scores_of(task, gold, logits),
        }
        if not task.is_regression:
            most = int(np.bincount(self.labels["train"]).argmax())
            always = glue.score(task, gold, np.full_like(gold, most))
            report["majority_baseline"] = {"label": task.labels[most], "scores": always}
            log.info("always %r, the most frequent class of the training data: %s", task.labels[most], in_short(always))
        return report


def scores_of(task: SentenceTask, gold: NDArray[Any], logits: Logits) -> dict[str, float]:
    """The scores of logits, (texts, labels)."""
    return glue.score(task, gold, logits[:, 0] if task.is_regression else logits.argmax(axis=1))


def in_short(scores: Mapping[str, float]) -> str:
    """Scores in a line."""
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
