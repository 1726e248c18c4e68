"""What a finished run leaves: model/ with its settings, predictions, null odds and official scores."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch

from dokhae import metrics
from dokhae.benchmarks import Benchmark
from dokhae.decoding import choose
from dokhae.files import sha256, write_json
from dokhae.model.saving import save_model
from dokhae.model.span import TorchScore
from dokhae.outputs import write_predictions
from dokhae.predict import predict
from dokhae.progress import track
from dokhae.settings import NullThreshold, ReaderSettings
from dokhae.training.checkpoints import LAST, Checkpoints
from dokhae.training.config import TrainConfig
from dokhae.training.module import ReaderModule
from dokhae.types import Example, Prediction

log = logging.getLogger("dokhae")


def keep_model(
    config: TrainConfig,
    module: ReaderModule,
    checkpoints: Checkpoints,
    tokenizer: Any,  # noqa: ANN401 - a transformers tokenizer
    benchmark: Benchmark,
) -> ReaderSettings:
    """Write the best weights (the last ones without a dev split) with the tokenizer and the reader's settings."""
    name = checkpoints.best[0][1] if checkpoints.best else LAST
    weights = torch.load(checkpoints.folder / name, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(weights)
    log.info("model: from checkpoints/%s", name)
    given = config.null_threshold
    threshold = NullThreshold() if given is None else NullThreshold(given, "set")
    settings = ReaderSettings(
        benchmark=benchmark.name,
        windows=config.windows,
        decoding=config.decoding,
        null_threshold=threshold if benchmark.rule.has_null else None,
    )
    save_model(config.out / "model", module.model, tokenizer, settings.save)
    return settings


def score(
    config: TrainConfig, module: ReaderModule, benchmark: Benchmark, settings: ReaderSettings, device: str, show: bool
) -> dict[str, Any]:
    """Predict the dev split with the final model, fit the null threshold where there is one, write and score."""
    if module.data.dev is None or config.dev is None:
        return {}
    examples, features = module.data.dev.examples, module.data.dev.features
    has_null = benchmark.rule.has_null
    with track("predict dev", features.window_count, show, " windows") as update:
        always_answered = predict(
            examples,
            features,
            module.data.layout,
            TorchScore(module.model, device, config.precision),
            config.decoding,
            float("inf") if has_null else None,
            2 * config.batch_size,
            update,
        )
    digest = sha256(config.dev)
    threshold = settings.null_threshold
    if threshold is not None and threshold.origin == "default":
        threshold = fit_threshold(examples, always_answered, benchmark.rule, config.dev.name, digest)
        replace(settings, null_threshold=threshold).save(config.out / "model")
    predictions = [choose(prediction, None if threshold is None else threshold.value) for prediction in always_answered]
    write_predictions(config.out / "predictions.json", predictions, has_null)
    texts = {prediction.id: prediction.text for prediction in predictions}
    report: dict[str, Any] = {
        "benchmark": benchmark.name,
        "data": str(config.dev),
        "sha256": digest,
        "scores": metrics.evaluate(examples, texts, benchmark.rule),
    }
    if threshold is not None:
        report["null_threshold"] = threshold.described(digest)
    write_json(config.out / "scores.json", report)
    return report


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
    )
