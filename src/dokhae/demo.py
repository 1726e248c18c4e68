"""The main road on packaged data, offline: fine-tune a small encoder, score it on names it never saw, ask it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae import benchmarks, metrics
from dokhae.ceiling import ceiling
from dokhae.data import read_examples, sample_path
from dokhae.encoding import build_features
from dokhae.errors import DokhaeError
from dokhae.files import refuse_full_folder, write_json
from dokhae.progress import track
from dokhae.settings import NullThreshold, ReaderSettings
from dokhae.training.config import OptimizerConfig, TrainConfig
from dokhae.types import Example, Prediction

if TYPE_CHECKING:
    from dokhae.reader import Reader

log = logging.getLogger("dokhae")
BENCHMARK = benchmarks.find("squad-2.0")  # the form of the sample
LANGUAGES = {"ko": "Korean", "en": "English"}
PARTS = {"test": "Generated passages, names never seen", "handwritten": "Hand-written passages, no template"}
TABLE = "demo.json"


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one language, 0 to 100: exact match and F1 where there is an answer, and how often "no answer" is right."""

    exact_match: float
    f1: float
    no_answer: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    part: str  # a key of PARTS
    name: str
    scores: dict[str, Scores]  # by language


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo shows."""

    rows: list[Row]
    threshold: str  # in words
    asked: list[tuple[Example, Prediction]]  # a Korean and an English question


def settings(out: Path) -> TrainConfig:
    """A minute's worth of training on two cores."""
    return TrainConfig(
        benchmark=BENCHMARK.name,
        model=str(sample_path("encoder")),
        train=sample_path("train"),
        dev=sample_path("dev"),
        out=out,
        epochs=2,
        batch_size=16,
        learning_rate=3e-4,
        max_length=192,
        step=96,
        max_question_length=48,
        device="cpu",
        precision="fp32",  # the same scores on every machine
        optimizer=OptimizerConfig(warmup=0.1),
    )


def prepare(out: Path, overwrite: bool) -> None:
    """An empty folder for the demo; with `overwrite` in place of an earlier demo's run, never of anything else."""
    if overwrite and made_by_demo(out):
        shutil.rmtree(out)
    refuse_full_folder(out)


def made_by_demo(out: Path) -> bool:
    """Whether a folder holds a run on the packaged sample."""
    from dokhae.training import runs

    try:
        return runs.load(out, TrainConfig).train == sample_path("train").resolve()
    except DokhaeError:
        return False


def run(out: Path, overwrite: bool = False) -> Report:
    """Fine-tune, score beside baselines and ceiling, ask; the run folder also gets the table, demo.json."""
    from dokhae import training
    from dokhae.reader import Reader

    prepare(out, overwrite)
    config = settings(out)
    training.train(config)
    readers = {"untrained": untrained(config), "fine-tuned": Reader.load(out, device="cpu")}
    rows: list[Row] = []
    asked: list[tuple[Example, Prediction]] = []
    for part in PARTS:
        examples = read_examples(sample_path(part))
        predicted = {name: predict(reader, examples, f"{name} on {part}") for name, reader in readers.items()}
        answers = {"never answers": [""] * len(examples)}
        answers |= {name: [one.text for one in predictions] for name, predictions in predicted.items()}
        rows += [Row(part, name, scores(examples, texts)) for name, texts in answers.items()]
        rows.append(Row(part, "ceiling", ceilings(examples, readers["fine-tuned"])))
        asked = asked or questions_to_show(examples, predicted["fine-tuned"])
    write_json(out / TABLE, [asdict(row) for row in rows])
    threshold = readers["fine-tuned"].settings.null_threshold
    return Report(rows, threshold.described() if threshold else "", asked)


def untrained(config: TrainConfig) -> Reader:
    """The packaged encoder with a span head that has learnt nothing."""
    import torch

    from dokhae.encoding.korean import tokenizer_of
    from dokhae.model import inputs, loading
    from dokhae.model.span import TorchScore
    from dokhae.reader import Reader

    source = loading.locate(config.model)
    torch.manual_seed(config.seed)
    model = loading.load_model(source)
    fast = loading.load_tokenizer(source)
    tokenizer = tokenizer_of(fast, inputs.input_names(fast, model), config.korean_split)
    settings = ReaderSettings(
        config.benchmark, config.windows, config.decoding, NullThreshold(), korean_split=config.korean_split
    )
    return Reader(tokenizer, TorchScore(model), settings)


def predict(reader: Reader, examples: Sequence[Example], label: str) -> list[Prediction]:
    """The reader's answers, with progress."""
    with track(label, len(examples), unit=" questions") as update:
        return reader.predict(examples, progress=update)


def scores(examples: Sequence[Example], texts: Sequence[str]) -> dict[str, Scores]:
    """The official scores of some answers, each language by itself."""
    answers = {example.id: text for example, text in zip(examples, texts, strict=True)}
    official = {name: metrics.evaluate(of_language(examples, name), answers, BENCHMARK.rule) for name in LANGUAGES}
    return {name: Scores(one["HasAns_exact"], one["HasAns_f1"], one["NoAns_exact"]) for name, one in official.items()}


def ceilings(examples: Sequence[Example], reader: Reader) -> dict[str, Scores]:
    """The best that the tokenizer and its windows allow, each language by itself."""
    settings = reader.settings
    found = {}
    for language in LANGUAGES:
        answered = [example for example in of_language(examples, language) if example.answers]
        features = build_features(answered, reader.tokenizer, settings.windows)
        best = ceiling(answered, features, settings.decoding.longest, BENCHMARK.rule)
        found[language] = Scores(best.exact_match, best.f1, 100.0)
    return found


def of_language(examples: Sequence[Example], language: str) -> list[Example]:
    """The sample's questions in one language."""
    return [example for example in examples if f"-{language}-" in example.id]


def questions_to_show(
    examples: Sequence[Example], predictions: Sequence[Prediction]
) -> list[tuple[Example, Prediction]]:
    """The first answerable question in each language, whatever the reader says to it."""
    pairs = list(zip(examples, predictions, strict=True))
    return [next(pair for pair in pairs if pair[0].answers and of_language(pair[:1], name)) for name in LANGUAGES]
