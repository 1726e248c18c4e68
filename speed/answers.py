"""Rows about answers: decoding against the documented decoder, metrics against the official scripts' algorithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dokhae import benchmarks
from dokhae.decoding import DecodingConfig
from dokhae.encoding import Batch, Features, PairTokenizer, assemble, build_features, sequence_lengths
from dokhae.files import read_json
from dokhae.metrics import evaluate
from dokhae.metrics.normalize import normalize_english, normalize_korean
from dokhae.predict import finish, reduce
from dokhae.sharing import plan
from dokhae.types import Prediction
from speed import official, plain_decoding
from speed import plain_features as plain
from speed.features import SETTINGS, WINDOWS, minilm_tokenizer, read
from speed.measure import Comparison
from speed.shared import shared_file

BATCH = 32  # windows, as dokhae.predict has them
SPANS = 6  # likely answers in each window
SEED = 0
ROUNDS = 5  # evaluations a measurement: about as many questions as the official dev sets have


def decoding() -> Comparison:
    """The 20 best spans of every question of SQuAD 1.1's dev split: dokhae's exact search, the other one's pruned."""
    return decoding_row("decoding, n-best 20", lambda rows: rows, 10.0, 20.0)


def decoding_of_lists() -> Comparison:
    """The same where the other decoder's data sets have been read into Python lists before."""
    return decoding_row("decoding, n-best 20, rows in memory", list, None, None)


def end_to_end(logits: NDArray[np.float32], batch: Batch) -> NDArray[np.float32]:
    """Logits (window, column) of a batch's tokens, (T,)."""
    rows = zip(batch.windows, batch.lengths, strict=True)
    return np.concatenate([logits[window, :length] for window, length in rows])


def decoding_row(name: str, given: Callable[[Any], Any], required: float | None, aim: float | None) -> Comparison:
    """Logits to n-best lists; given: what the other decoder gets of its data sets."""
    examples, fast = read("squad-1.1", "dev"), minilm_tokenizer()
    tokenizer = PairTokenizer.of(fast)
    features = build_features(examples, tokenizer, WINDOWS)
    rows = plain.to_dataset(examples)
    windows = plain.validation_features(rows, fast, SETTINGS)
    start, end = peaked_logits(features, tokenizer, SETTINGS.max_length)
    batches = [assemble(features, part, tokenizer.layout) for part in plan(features, tokenizer.layout, BATCH)]
    # as a model gives them
    starts, ends = ([end_to_end(side, batch) for batch in batches] for side in (start, end))

    def decode(search: Literal["exact", "pruned"]) -> list[Prediction]:
        config = DecodingConfig(SETTINGS.n_best, SETTINGS.max_answer_length, search)
        logits = zip(starts, ends, strict=True)
        parts = [reduce(batch, given, config) for batch, given in zip(batches, logits, strict=True)]
        return finish(examples, features, parts, tokenizer.layout, config, null_threshold=None)

    rows, windows = given(rows), given(windows)
    return Comparison(
        name=name,
        size=len(examples),
        unit="questions",
        other="Hugging Face's documented decoder",
        run_other=lambda: plain_decoding.decode(rows, windows, start, end, SETTINGS)[1],
        run_dokhae=lambda: decode("exact"),
        check=lambda theirs, exact: same_answers(theirs, decode("pruned"), exact),
        required=required,
        aim=aim,
    )


def peaked_logits(
    features: Features, tokenizer: PairTokenizer, columns: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Start and end logits (window, column) shaped as a model's: low, with likely spans, lowest in the padding.

    The plain decoder also takes padding among its best starts and ends, so this favours neither.
    """
    random = np.random.default_rng(SEED)
    shape, lengths = (features.window_count, columns), sequence_lengths(features, tokenizer.layout)
    spans = (shape[0], SPANS)
    first = (random.random(spans) * lengths[:, None]).astype(np.int64)
    last = np.minimum(first + random.geometric(0.3, spans) - 1, lengths[:, None] - 1)
    heights = random.exponential(4.0, spans)
    sides = []
    for peaks in (first, last):
        logits = random.normal(-6.0, 1.5, shape)
        for neighbour, share in ((-2, 0.3), (-1, 0.6), (0, 1.0), (1, 0.6), (2, 0.3)):
            there = np.clip(peaks + neighbour, 0, shape[1] - 1)
            np.add.at(logits, (np.arange(shape[0])[:, None], there), heights * share)
        logits[np.arange(shape[1]) >= lengths[:, None]] = -20.0
        sides.append(logits.astype(np.float32))
    return sides[0], sides[1]


def same_answers(
    theirs: Mapping[str, Sequence[Mapping[str, Any]]], pruned: Sequence[Prediction], exact: Sequence[Prediction]
) -> str:
    """The n-best lists under the pruned rule, each text once; and how often the exact search answers otherwise."""
    for prediction in pruned:
        spans: dict[str, tuple[float, float]] = {}
        for span in theirs[prediction.id]:
            spans.setdefault(span["text"], (span["start_logit"], span["end_logit"]))
        found = {one.text: (one.start_logit, one.end_logit) for one in prediction.n_best[: len(spans)]}
        assert list(found.items()) == list(spans.items()), f"question {prediction.id}: another n-best list"
    other = sum(one.text != two.text for one, two in zip(pruned, exact, strict=True))
    return f"n-best lists identical under the pruned rule; the exact search answers {other} of {len(exact)} otherwise"


def squad_metric() -> Comparison:
    """The five published SQuAD 1.1 systems of the shared data, scored from cold caches."""
    files = [row["predictions"] for row in read_json(shared_file("official-scores/manifest.json"))]
    files = [file for file in files if "/squad-1.1-" in file]
    return metric_row("squad-1.1", files, official.evaluate_squad)


def korquad_metric() -> Comparison:
    """KorQuAD 1.0's predictions of the shared data, scored several times, each from cold caches."""
    return metric_row("korquad-1.0", ["official-scores/korquad-1.0-perturbed.json"] * ROUNDS, official.evaluate_korquad)


def metric_row(
    name: str, files: Sequence[str], official_script: Callable[[list[Any], Mapping[str, str]], official.Scores]
) -> Comparison:
    """Score each predictions file by the official algorithm and by dokhae, which keeps nothing from one to the next."""
    benchmark, path = benchmarks.find(name), shared_file(f"{name}/dev.json")
    examples, articles = benchmark.read(path, True), read_json(path)["data"]
    predictions = [read_json(shared_file(file)) for file in files]

    def score() -> list[dict[str, float]]:
        scores = []
        for one in predictions:
            forget()
            scores.append(evaluate(examples, one, benchmark.rule))
        return scores

    return Comparison(
        name=f"metric, {name}",
        size=len(examples) * len(files),
        unit="answers",
        other="the official algorithm",
        run_other=lambda: [official_script(articles, one) for one in predictions],
        run_dokhae=score,
        check=same_scores,
        required=8.0,
        aim=12.0,
    )


def forget() -> None:
    """Empty what the normalisers remember: a first evaluation has to be fast."""
    normalize_english.cache_clear()
    normalize_korean.cache_clear()


def same_scores(theirs: Sequence[official.Scores], ours: Sequence[Mapping[str, float]]) -> str:
    """Every digit."""
    assert list(theirs) == list(ours), f"scores differ: {theirs} and {ours}"
    return f"{len(ours)} pairs of scores equal to the last digit"
