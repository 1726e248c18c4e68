"""The reader's training: questions and contexts, the span head, answers scored by the official metric."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from dokhae import benchmarks, metrics
from dokhae.benchmarks import Benchmark
from dokhae.decoding import WindowSpans
from dokhae.encoding import Batch, PairTokenizer
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pages import add_markers
from dokhae.encoding.report import korean_warning, lost_ends
from dokhae.korean.trimming import Trimmer, trimmer
from dokhae.model import inputs, loading
from dokhae.model.blocks import add_block_head, block_head, drop_block_head
from dokhae.model.padding import to_tensor
from dokhae.model.saving import save_model
from dokhae.model.span import span_logits, span_loss
from dokhae.predict import finish, reduce, trim
from dokhae.settings import ReaderSettings
from dokhae.training import results
from dokhae.training.config import TrainConfig
from dokhae.training.contexts import for_contexts
from dokhae.training.data import Batching, Split, TrainingData
from dokhae.training.identity import Identity, identity_of
from dokhae.training.processes import Processes
from dokhae.training.splits import make_split, read_split
from dokhae.types import Example

log = logging.getLogger("dokhae")


class Reading:
    """The task of a reader."""

    kind = TrainConfig

    def settled(self, config: TrainConfig) -> TrainConfig:
        """With what its benchmark's contexts want."""
        return for_contexts(config)

    def load(self, config: TrainConfig, device: str) -> LoadedReader:
        """Read data and encoder; refuse what cannot be trained, before anything is written."""
        benchmark = benchmarks.find(config.benchmark)
        if config.null_threshold is not None and not benchmark.rule.has_null and config.recipe is None:
            log.warning("%s has no unanswerable questions: null_threshold %g is not used", benchmark.name,
                        config.null_threshold)  # fmt: skip
        train = read_split(config.train, benchmark, config.max_train_examples, config.misplaced_answers)
        dev = read_split(config.dev, benchmark, config.max_dev_examples, None) if config.dev else None
        source = loading.locate(config.model)
        fast = loading.load_tokenizer(source, config.trust_remote_code)
        pl.seed_everything(config.seed, verbose=False)  # the span head is drawn from it
        model = loading.load_model(source, config.trust_remote_code)
        tokenizer = readied(fast, model, config)
        before = ReaderSettings.found(partial(loading.find_file, source))
        if before is not None:
            loading.refuse_lost_block_head(source, before.block_head)
        warn_of_another_split(config, before)
        inputs.check_length(config.max_length, inputs.longest_input(model), config.model)
        identity = identity_of(model, tokenizer)
        return LoadedReader(
            config, benchmark, train, dev, model, fast, tokenizer, identity, trimmer(config.korean_trim)
        )


READING = Reading()


@dataclass(frozen=True, slots=True)
class LoadedReader:
    """All that the training of a reader reads."""

    config: TrainConfig
    benchmark: Benchmark
    train: list[Example]
    dev: list[Example] | None
    model: Any
    fast: Any  # transformers' tokenizer
    tokenizer: PairTokenizer
    identity: Identity
    trimmer: Trimmer | None

    def lesson(self, show: bool, processes: Processes) -> ReaderLesson:
        """Features of both splits, from the cache where they are in it."""
        config, windows = self.config, self.config.windows
        train = make_split("train", self.train, self.tokenizer, windows, show)
        dev = make_split("dev", self.dev, self.tokenizer, windows, show) if self.dev else None
        warning = korean_warning(self.train, train.features, self.tokenizer)
        if warning:
            log.warning(warning)
        hint = lost_ends(self.train, train.features)
        if hint and config.korean_split == config.korean_trim == "none" and config.morphemes is None:
            log.info(hint)
        accumulate, nulls = config.optimizer.accumulate, config.null_windows
        batching = Batching(config.batch_size, config.seed, config.batch_tokens, accumulate, nulls)
        data = TrainingData(train, dev, self.tokenizer.layout, batching, processes)
        return ReaderLesson(self, data)

    def anew(self) -> Any:  # noqa: ANN401 - a transformers model
        """The model once more, with tokens for tags and the head that pages want."""
        model = loading.load_model(loading.locate(self.config.model), self.config.trust_remote_code)
        readied(self.fast, model, self.config)
        return model


@dataclass(frozen=True, slots=True)
class ReaderLesson:
    """Answering questions: windows, spans, official scores."""

    loaded: LoadedReader
    data: TrainingData

    def logits(self, model: Any, batch: Batch, device: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """As span_logits gives them."""
        return span_logits(model, batch, device)

    def loss(self, split: str, batch: Batch, logits: tuple[Tensor, ...]) -> Tensor:
        """The sum of the heads' losses."""
        device = logits[0].device
        lengths = to_tensor(batch.lengths, device)
        losses = [
            span_loss(start, end, lengths, *(to_tensor(label, device) for label in labels))
            for start, end, labels in zip(logits[::2], logits[1::2], batch.labels(len(logits) // 2), strict=True)
        ]
        return torch.stack(losses).sum()

    def reduced(self, batch: Batch, logits: tuple[Tensor, ...]) -> WindowSpans:
        """Its best spans."""
        return reduce(batch, tuple(one.cpu().numpy() for one in logits), self.loaded.config.decoding)

    def scores(self, parts: list[WindowSpans]) -> dict[str, float]:
        """Official scores of the decoded answers, at the null threshold that is set, or at 0."""
        loaded, rule, layout = self.loaded, self.loaded.benchmark.rule, self.data.layout
        threshold = (loaded.config.null_threshold or 0.0) if rule.has_null else None
        examples, features = self.dev.examples, self.dev.features
        predictions = finish(examples, features, parts, layout, loaded.config.decoding, threshold)
        if loaded.trimmer is not None:
            predictions = trim(examples, features, predictions, layout, loaded.trimmer, threshold)
        texts = {prediction.id: prediction.text for prediction in predictions}
        scores = metrics.evaluate(examples, texts, rule)
        return {"em": float(scores[rule.exact_match_key]), "f1": float(scores[rule.f1_key])}

    def in_words(self, scores: Mapping[str, float]) -> str:
        """Dev scores for the progress line."""
        if "dev_em" not in scores:
            return ""
        return f"dev EM {scores['dev_em']:.2f} {self.loaded.benchmark.rule.f1_label} {scores['dev_f1']:.2f}"

    def finish(self, model: Any, device: str, show: bool) -> dict[str, Any]:  # noqa: ANN401
        """Keep the model with the reader's settings, answer the dev split with it, and write what it scores."""
        loaded, config, processes = self.loaded, self.loaded.config, self.data.processes
        settings = results.settings_of(config, loaded.benchmark, model, loaded.tokenizer.rewritten_by, device)
        with processes.together():
            if processes.first:
                save_model(config.out / "model", model, loaded.fast, settings.save)
        if self.data.dev is None or config.dev is None:
            return {}
        layout = self.data.layout
        scorer = results.Scorer(
            config, loaded.benchmark, self.data.dev, config.dev, layout, device, processes, loaded.trimmer
        )
        return results.score(scorer, model, settings, show, processes)

    @property
    def dev(self) -> Split:
        """The split that is validated on."""
        assert self.data.dev is not None, "validation needs a dev split"
        return self.data.dev


def readied(fast: Any, model: Any, config: TrainConfig) -> PairTokenizer:  # noqa: ANN401 - of transformers
    """The tokenizer of a training. Where contexts are pages, both get tokens for tags, and the model its block head."""
    pages = config.pages if benchmarks.find(config.benchmark).html else None
    if pages is not None:
        add_markers(fast)
        inputs.grow_embeddings(model, len(fast))
    if pages is None or config.no_block_head:
        drop_block_head(model)
    elif block_head(model) is None:
        add_block_head(model)
    names = inputs.input_names(fast, model)
    return tokenizer_of(fast, names, config.korean_split, config.morphemes, pages)


def warn_of_another_split(config: TrainConfig, before: ReaderSettings | None) -> None:
    """Where the model to begin with is a reader that was trained on words cut in another way."""
    if before is not None and before.korean_split != config.korean_split:
        log.warning("%s: was trained with korean_split %s, and is trained with %s now", config.model,
                    before.korean_split, config.korean_split)  # fmt: skip
