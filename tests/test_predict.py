from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

import dokhae.sharing
import memory_of_prediction
from dokhae import benchmarks
from dokhae.data import read_examples, sample_path
from dokhae.decoding import DecodingConfig
from dokhae.encoding import PairTokenizer, WindowConfig, assemble, build_features
from dokhae.errors import ModelError
from dokhae.metrics import evaluate
from dokhae.predict import Way, finish, predict, predict_each, reduce
from dokhae.sharing import plan
from dokhae.types import Answer, Example
from oracle import arbitrary, oracle
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

SMALL = WindowConfig(max_length=64, overlap=10)
SAMPLE = read_examples(sample_path("dev"))[:60]
KINDS = ("bert", "roberta", "xlnet", "xlm-roberta")


@pytest.fixture(scope="module", params=KINDS)
def prepared(request):
    """Tokenizer and features of some of the sample, in many small windows."""
    tokenizer = pair_tokenizer(request.param)
    return tokenizer, build_features(SAMPLE, tokenizer, SMALL)


def run(prepared, score, decoding=None, **options):
    tokenizer, features = prepared
    return predict(SAMPLE, features, tokenizer.layout, score, decoding or DecodingConfig(), **options)


@pytest.mark.parametrize("search", ["exact", "pruned"])
def test_the_size_of_batches_changes_nothing(prepared, search):
    decoding = DecodingConfig(search=search, n_best=5)
    predictions = [run(prepared, arbitrary, decoding, null_threshold=0.0, batch_size=size) for size in (1, 3, 32, 999)]
    assert predictions[0] == predictions[1] == predictions[2] == predictions[3]


def test_predictions_come_in_the_order_of_the_examples_with_texts_of_their_contexts(prepared):
    threshold = float(np.median([one.null_score_difference for one in run(prepared, arbitrary)]))
    predictions = run(prepared, arbitrary, null_threshold=threshold)
    assert [prediction.id for prediction in predictions] == [example.id for example in SAMPLE]
    assert {prediction.text == "" for prediction in predictions} == {True, False}
    for prediction, example in zip(predictions, SAMPLE, strict=True):
        if prediction.text:
            assert prediction.text == example.context[prediction.start : prediction.end]
        for candidate in prediction.n_best:
            assert candidate.text == example.context[candidate.start : candidate.end].strip() != ""
        assert (prediction.text == "") == (prediction.null_score_difference > threshold)
        if prediction.text:
            shares = [candidate.probability for candidate in prediction.n_best]
            null = math.exp(prediction.null_score_difference) * shares[0]
            assert math.fsum([*shares, null]) == pytest.approx(1.0, abs=1e-5)


def test_batches_may_be_dealt_out_and_gathered_in_any_order(prepared):
    tokenizer, features = prepared
    decoding, layout = DecodingConfig(), tokenizer.layout
    parts = []
    for windows in plan(features, layout, 4):
        batch = assemble(features, windows, layout)
        parts.append(reduce(batch, arbitrary(batch), decoding))
    mixed = [parts[index] for index in np.random.default_rng(0).permutation(len(parts))]
    ways = (finish(SAMPLE, features, found, layout, decoding, 0.0) for found in (mixed, parts))
    assert next(ways) == next(ways)


@pytest.mark.parametrize("size", [2, 3])
def test_processes_that_share_the_work_all_have_the_same_predictions(prepared, size, monkeypatch):
    monkeypatch.setattr(dokhae.sharing, "QUESTIONS", 25)
    alone = run(prepared, arbitrary, null_threshold=0.0, batch_size=4)
    worlds, seen = shared_by(size), [[] for _ in range(size)]
    with ThreadPoolExecutor(size) as pool:
        jobs = [
            pool.submit(run, prepared, arbitrary, null_threshold=0.0, batch_size=4, world=world, progress=done.append)
            for world, done in zip(worlds, seen, strict=True)
        ]
        found = [job.result(timeout=60) for job in jobs]
    assert found == [alone] * size
    batches = [sum(map(len, world.dealt)) for world in worlds]
    assert max(batches) - min(batches) <= 3  # one of each portion
    assert [done[-1] for done in seen] == [len(SAMPLE)] * size
    assert all(done == sorted(done) for done in seen)


@dataclass
class Sharing:
    """One of several threads that share the work as processes do."""

    rank: int
    size: int
    barrier: threading.Barrier
    board: list
    dealt: list = field(default_factory=list)

    def gather(self, part):
        self.dealt.append(part)
        self.board[self.rank] = part
        self.barrier.wait(60)
        parts = list(self.board)
        self.barrier.wait(60)  # nobody writes before all have read
        return parts

    def together(self):
        return contextlib.nullcontext()  # tests/training/test_processes.py has processes that fail


def shared_by(size):
    barrier, board = threading.Barrier(size), [None] * size
    return [Sharing(rank, size, barrier, board) for rank in range(size)]


@pytest.mark.parametrize(("questions", "characters"), [(1, 10**9), (7, 10**9), (60, 10**9), (10**9, 1), (10**9, 3000)])
def test_portions_change_nothing(prepared, monkeypatch, questions, characters):
    whole = run(prepared, arbitrary, null_threshold=0.0)
    monkeypatch.setattr(dokhae.sharing, "QUESTIONS", questions)
    monkeypatch.setattr(dokhae.sharing, "CHARACTERS", characters)
    done = []
    assert run(prepared, arbitrary, null_threshold=0.0, progress=done.append) == whole
    assert done == sorted(done) and done[-1] == len(SAMPLE)


def test_predictions_come_before_later_portions_are_scored(prepared, monkeypatch):
    monkeypatch.setattr(dokhae.sharing, "QUESTIONS", 10)
    tokenizer, features = prepared
    scored = []

    def score(batch):
        scored.append(len(batch.windows))
        return arbitrary(batch)

    way = Way(tokenizer.layout, score, DecodingConfig())
    found = predict_each(SAMPLE, lambda portion: features.part(portion.start, portion.stop), way)
    assert next(found).id == SAMPLE[0].id
    assert sum(scored) == features.part(0, 10).window_count < features.window_count
    assert [one.id for one in found] == [one.id for one in SAMPLE[1:]]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_memory_does_not_grow_with_the_questions(tmp_path):
    train_tokenizer("bert").save_pretrained(tmp_path)
    peaks = []
    for questions in (3_000, 20_000):
        command = [sys.executable, memory_of_prediction.__file__, str(questions), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert len(json.loads((tmp_path / f"{questions}.json").read_bytes())) == questions
        peaks.append(float(done.stdout))
    assert peaks[1] < 1.1 * peaks[0]  # 17,000 n-best lists would be 100 MiB


def test_the_null_score_is_the_minimum_over_the_windows_at_the_cls(prepared):
    tokenizer, features = prepared
    lowest = np.full(len(SAMPLE), np.inf)
    for window in range(features.window_count):
        batch = assemble(features, np.array([window]), tokenizer.layout)
        start, end = arbitrary(batch)
        number = features.window_example[window]
        lowest[number] = min(lowest[number], start[batch.cls[0]] + end[batch.cls[0]])
    assert features.window_count > len(SAMPLE)
    assert [prediction.null_score for prediction in run(prepared, arbitrary)] == lowest.tolist()


@pytest.mark.parametrize("tokens", [1, 150, 64 * 4, 10**6])
def test_a_batch_has_no_more_tokens_than_a_score_takes_at_once(prepared, tokens):
    tokenizer, features = prepared
    sizes = []

    class Small:
        most_tokens = tokens

        def __call__(self, batch):
            sizes.append(batch.lengths)
            return arbitrary(batch)

    assert run(prepared, Small(), batch_size=7) == run(prepared, arbitrary, batch_size=7)
    assert sum(map(len, sizes)) == features.window_count
    assert all(len(lengths) == 1 or lengths.sum() <= tokens for lengths in sizes)
    assert tokens < 10**6 or {len(lengths) for lengths in sizes[:-1]} == {7}


def test_progress_counts_questions(prepared):
    done = []
    run(prepared, arbitrary, batch_size=10, progress=done.append)
    assert 0 < done[0] < done[-1] == len(SAMPLE) and done == sorted(done)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_logits_that_are_no_numbers_are_an_error(broken, side):
    tokenizer = pair_tokenizer("bert")
    features = build_features(SAMPLE[:2], tokenizer, WindowConfig())

    def score(batch):
        logits = arbitrary(batch)
        logits[side][batch.starts[1]] = broken
        return logits

    with pytest.raises(ModelError, match="not finite"):
        predict(SAMPLE[:2], features, tokenizer.layout, score, DecodingConfig())


def test_an_empty_context_is_answered_with_nothing():
    examples = [Example("q1", "Where?", ""), Example("q2", "Where?", " \n"), Example("q3", "Where?", "a")]
    tokenizer = pair_tokenizer("bert")
    features = build_features(examples, tokenizer, WindowConfig())
    predictions = predict(examples, features, tokenizer.layout, arbitrary, DecodingConfig())
    assert [prediction.text for prediction in predictions] == ["", "", "a"]
    assert predictions[0].null_score_difference == math.inf


def test_no_examples_have_no_predictions():
    tokenizer = pair_tokenizer("bert")
    features = build_features([], tokenizer, WindowConfig())
    assert predict([], features, tokenizer.layout, arbitrary, DecodingConfig()) == []


def test_predictions_are_those_of_the_question_answering_script_of_transformers():
    """Its windows, offsets and pruned search, written out; random logits, no ties."""
    fast, tokenizer = train_tokenizer("bert"), pair_tokenizer("bert")
    examples = SAMPLE[:20]
    config = WindowConfig(max_length=72, overlap=16, max_question_length=64)
    features = build_features(examples, tokenizer, config)
    logits = np.random.default_rng(0).normal(size=(2, features.window_count, config.max_length)).astype(np.float32)
    theirs = _answers_of_the_script(fast, examples, config, logits)
    parts = []
    for windows in plan(features, tokenizer.layout, 6):
        batch = assemble(features, windows, tokenizer.layout)
        start, end = (np.concatenate([side[one, :length] for one, length in zip(windows, batch.lengths, strict=True)])
                      for side in logits)  # fmt: skip
        parts.append(reduce(batch, (start, end), DecodingConfig(n_best=8, max_answer_length=9, search="pruned")))
    ours = finish(examples, features, parts, tokenizer.layout, DecodingConfig(n_best=8), null_threshold=-5.0)
    assert [(one.text, pytest.approx(one.null_score_difference)) for one in ours] == theirs
    assert {text == "" for text, _ in theirs} == {True, False}


def _answers_of_the_script(fast, examples, config, logits, n_best=8, max_answer_length=9, threshold=-5.0):
    answers = []
    window = 0
    for example in examples:
        encoded = fast(
            example.question,
            example.context,
            truncation="only_second",
            max_length=config.max_length,
            stride=config.overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        null_score, found = math.inf, []
        for row, offsets in enumerate(encoded["offset_mapping"]):
            start, end = logits[:, window, : len(offsets)]
            window += 1
            null_score = min(null_score, start[0] + end[0])
            for first in np.argsort(-start)[:n_best]:
                for last in np.argsort(-end)[:n_best]:
                    inside = encoded.sequence_ids(row)[first] == encoded.sequence_ids(row)[last] == 1
                    if inside and first <= last < first + max_answer_length:
                        found.append((start[first] + end[last], example.context[offsets[first][0] : offsets[last][1]]))
        score, text = max(found)
        answers.append(("" if null_score - score > threshold else text, null_score - score))
    assert window == logits.shape[1]
    return answers


@pytest.mark.parametrize(("data", "benchmark"), [("squad-1.1", "squad-1.1"), ("korquad-1.0", "korquad-1.0")])
def test_an_oracle_scores_100_on_what_the_tokenizer_can_represent(shared, data, benchmark):
    examples = read_examples(shared(f"{data}/dev.json"))[:400]
    examples, features, tokenizer = _representable(examples, shared("vocab/bert-base-multilingual-cased.txt"))
    predictions = predict(examples, features, tokenizer.layout, oracle(features, tokenizer.layout), DecodingConfig())
    assert len(examples) > 250
    golds = [example.answers[0] for example in examples]
    assert [(one.text, one.start) for one in predictions] == [(gold.text, gold.start) for gold in golds]
    scores = evaluate(examples, {one.id: one.text for one in predictions}, benchmarks.find(benchmark).rule)
    assert scores == {"exact_match": 100.0, "f1": 100.0}


def test_an_oracle_refuses_what_has_no_answer(shared):
    examples = read_examples(shared("squad-2.0/dev.json"))[:400]
    examples, features, tokenizer = _representable(examples, shared("vocab/bert-base-multilingual-cased.txt"))
    score = oracle(features, tokenizer.layout)
    predictions = predict(examples, features, tokenizer.layout, score, DecodingConfig(), null_threshold=0.0)
    scores = evaluate(examples, {one.id: one.text for one in predictions}, benchmarks.find("squad-2.0").rule)
    assert (scores["exact"], scores["HasAns_exact"], scores["NoAns_exact"]) == (100.0, 100.0, 100.0)


def _representable(examples, vocabulary):
    """Only the examples whose answer begins and ends where tokens do, within 30 tokens; with their features."""
    from transformers import BertTokenizerFast

    tokenizer = PairTokenizer.of(BertTokenizerFast(vocab=str(vocabulary), do_lower_case=False))
    features = build_features(examples, tokenizer, WindowConfig())

    def fits(number, answer: Answer):
        tokens = features.context_slice(number)
        first, last = features.answer_start[number], features.answer_end[number]
        ends = features.context_starts[tokens][first], features.context_ends[tokens][last]
        return ends == (answer.start, answer.end) and last - first < 30

    kept = [one for number, one in enumerate(examples) if not one.answers or fits(number, one.answers[0])]
    return kept, build_features(kept, tokenizer, WindowConfig()), tokenizer
