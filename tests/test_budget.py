"""Reading within a budget: which windows are read, what that changes, what it takes."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from speed.pages import write_pages

import dokhae.predict
import dokhae.sharing
from dokhae import Reader, benchmarks
from dokhae.budget import Budget, Meter, latency
from dokhae.data import read_examples, sample_path
from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.pages import add_markers
from dokhae.encoding.ranking import best_first
from dokhae.errors import SettingsError
from dokhae.pages.text import PageConfig
from dokhae.predict import Way, predict_alone, predict_each
from dokhae.settings import ReaderSettings
from oracle import arbitrary
from speed import budget as measurement
from test_predict import shared_by
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

EXAMPLES = read_examples(sample_path("dev"))[:40]
TOKENIZER = pair_tokenizer("bert")
FEATURES = build_features(EXAMPLES, TOKENIZER, WindowConfig(max_length=64, overlap=10))
COUNTS = np.bincount(FEATURES.window_example)


def way(score=arbitrary, **changes):
    return Way(TOKENIZER.layout, score, DecodingConfig(n_best=5), 0.0, **({"batch_size": 4} | changes))


def part_of(portion):
    return FEATURES.part(portion.start, portion.stop)


def run(told):
    return list(predict_each(EXAMPLES, part_of, told))


def windows_seen(budget, batch_size=4):
    """The numbers of the windows that are scored, and the way's meter."""
    seen = []

    def score(batch):
        seen.extend(batch.windows.tolist())
        return arbitrary(batch)

    told = way(score, budget=budget, batch_size=batch_size)
    run(told)
    return seen, told.meter


@pytest.mark.parametrize("most", [1, 2, 3])
def test_only_the_best_windows_of_each_question_are_read(most):
    seen, meter = windows_seen(Budget(most))
    best = [best_first(FEATURES, number, TOKENIZER.layout)[:most].tolist() for number in range(len(EXAMPLES))]
    assert sorted(seen) == sorted(window for each in best for window in each)
    assert (meter.read, meter.windows) == (np.minimum(COUNTS, most).sum(), FEATURES.window_count)
    assert COUNTS.max() > 3


@pytest.mark.parametrize("most", [int(COUNTS.max()), 1000])
def test_a_budget_for_all_windows_changes_nothing(most):
    assert windows_seen(Budget(most))[0] == windows_seen(Budget())[0]
    assert run(way(budget=Budget(most))) == run(way())


def test_the_null_score_is_the_minimum_of_the_windows_that_were_read():
    whole, some = run(way()), run(way(budget=Budget(1)))
    assert all(one.null_score >= all_of.null_score for one, all_of in zip(some, whole, strict=True))
    single = [number for number, count in enumerate(COUNTS) if count == 1]
    assert [some[number] for number in single] == [whole[number] for number in single] != []
    assert some != whole


@pytest.mark.parametrize("size", [2, 3])
def test_processes_that_share_the_work_read_the_same_windows(size, monkeypatch):
    monkeypatch.setattr(dokhae.sharing, "QUESTIONS", 15)
    alone = run(way(budget=Budget(2)))
    ways = [way(budget=Budget(2), world=world) for world in shared_by(size)]
    with ThreadPoolExecutor(size) as pool:
        found = [job.result(timeout=60) for job in [pool.submit(run, one) for one in ways]]
    assert found == [alone] * size
    line = f"read {np.minimum(COUNTS, 2).sum()} of {FEATURES.window_count} windows"
    assert [one.meter.line() for one in ways] == [line] * size


def test_next_to_no_time_is_enough_for_one_window():
    told = way(budget=Budget(latency_ms=1e-6))
    assert run(told) == run(way(budget=Budget(1)))
    assert (told.meter.read, told.meter.windows) == (len(EXAMPLES), FEATURES.window_count)


@pytest.mark.parametrize("most", [None, 2])
def test_with_all_the_time_everything_is_read_that_may_be(most):
    assert run(way(budget=Budget(most, math.inf))) == run(way(budget=Budget(most)))


class Clock:
    """A clock that only a score of so many tokens a second moves on."""

    def __init__(self, monkeypatch, rate=1000.0):
        self.now, self.rate = 0.0, rate
        monkeypatch.setattr(dokhae.predict, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def score(self, batch):
        self.now += len(batch.ids) / self.rate
        return arbitrary(batch)


def test_windows_are_read_while_there_is_time_for_the_next(monkeypatch):
    told = way(Clock(monkeypatch).score, budget=Budget(latency_ms=150))  # 150 tokens, two windows
    read, before = [], 0
    for _, seconds in predict_alone(EXAMPLES, part_of, told):
        read.append(told.meter.read - before)
        before = told.meter.read
        assert seconds <= 0.15
    assert (np.array(read) >= np.minimum(COUNTS, 2)).all()
    assert set(read) <= {1, 2, 3} and 2 in read


def test_what_comes_after_the_last_batch_is_reckoned_with():
    meter = Meter()
    assert meter.tokens_in(10) == 0
    meter.scored(2.0, 200)
    meter.scored(1.0, 100)
    assert meter.tokens_in(0.5) == pytest.approx(50)
    meter.ended(0.1)
    meter.ended(0.3)
    assert meter.tokens_in(0.5) == pytest.approx(30)
    assert meter.tokens_in(0.1) == meter.tokens_in(-1) == 0


def test_the_first_question_is_answered_once_before_it_counts(monkeypatch):
    clock, scored = Clock(monkeypatch), []

    def score(batch):
        scored.append(len(batch.windows))
        clock.now += 0 if len(scored) > 9 else 100  # a cold start
        return clock.score(batch)

    told = way(score, batch_size=99)
    features = build_features(EXAMPLES[:3], TOKENIZER, WindowConfig(max_length=64, overlap=10))
    timed = list(predict_alone(EXAMPLES[:3], lambda portion: features.part(portion.start, portion.stop), told))
    assert scored == [COUNTS[0], *COUNTS[:3]]
    assert told.meter.read == told.meter.windows == COUNTS[:3].sum()
    assert [one for one, _ in timed] == run(way(batch_size=99))[:3]
    list(predict_alone(EXAMPLES[:1], part_of, told))
    assert len(scored) == 5  # it is warm


@pytest.mark.parametrize("budget", [Budget(latency_ms=10), Budget()])
def test_a_latency_is_no_matter_of_several_processes(budget):
    told = way(budget=budget, world=shared_by(2)[0])
    with pytest.raises(SettingsError, match="2 processes share the questions, but a latency is that of one question"):
        list(predict_alone(EXAMPLES, part_of, told))


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"max_windows": 0}, "max_windows is 0; at least 1 is needed"),
        ({"latency_ms": 0.0}, "latency_ms is 0; it has to be more than 0"),
        ({"latency_ms": -5.0}, "latency_ms is -5; it has to be more than 0"),
        ({"latency_ms": math.nan}, "latency_ms is nan; it has to be more than 0"),
    ],
)
def test_a_budget_for_nothing_is_refused(budget, message):
    with pytest.raises(SettingsError, match=message):
        Budget(**budget)


def test_a_latency_is_told_by_median_mean_and_tail():
    told = {"median": 10.5, "mean": 10.5, "percentile_95": 19, "longest": 20}
    assert latency([float(one) for one in range(20, 0, -1)]) == told
    assert set(latency([3.0]).values()) == {3.0}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A few small generated pages."""
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder, 6, 0, "small")
    return folder


@pytest.fixture(scope="module")
def reader(tiny_bert, tmp_path_factory):
    """A tiny random BERT that reads pages in windows of 128 tokens."""
    return Reader.load(of_pages(tiny_bert, tmp_path_factory.mktemp("pages") / "model"), "cpu")


def of_pages(model, folder: Path) -> Path:
    """A model, with tokens and embeddings for tags, in another folder."""
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    from dokhae.model.inputs import grow_embeddings

    fast, network = AutoTokenizer.from_pretrained(model), AutoModelForQuestionAnswering.from_pretrained(model)
    add_markers(fast)
    grow_embeddings(network, len(fast))
    fast.save_pretrained(folder)
    network.save_pretrained(folder)
    ReaderSettings("korquad-2.1", WindowConfig(128, overlap=32, lead=16), pages=PageConfig()).save(folder)
    return folder


def test_a_reader_reads_pages_within_its_budget(reader, pages):
    examples = benchmarks.find("korquad-2.1").read(pages, True)
    whole = reader.predict(examples)
    windows = reader.meter.windows
    some = reader.with_budget(max_windows=1)
    assert len(some.predict(examples)) == len(whole) < windows
    assert (some.meter.read, some.meter.windows) == (len(examples), windows)
    assert reader.with_budget(max_windows=1000).predict(examples) == whole
    assert reader.budget == Budget()  # with_budget leaves the reader as it was
    short = some.with_null_threshold(None).with_budget(latency_ms=1e-6)
    assert short.budget == Budget(latency_ms=1e-6)
    assert some.with_korean_trim("none").budget == Budget(1)
    example = examples[0]
    assert short(example.question, example.context).n_best[0].text in example.context
    assert short.meter.read == 1


def test_answers_are_found_in_the_windows_that_are_read_first(pages):
    fast = train_tokenizer("bert")
    add_markers(fast)
    tokenizer = measurement.PairTokenizer.of(fast, pages=PageConfig())
    examples = benchmarks.find("korquad-2.1").read(pages, True)
    found = measurement.places(examples, tokenizer, WindowConfig(96, overlap=24, lead=16))
    shares = [found.within(np.minimum(found.windows, most)) for most in (1, 2, 4, 8, math.inf)]
    for name in ("best_first", "in_order", "by_chance"):
        column = [one[name] for one in shares]
        assert column == sorted(column)
        assert column[-1] == pytest.approx(shares[-1]["best_first"])
    assert shares[1]["best_first"] > shares[1]["by_chance"] + 10


def test_what_is_drawn_by_chance_is_counted_out():
    assert measurement.missed(4, 1, 1) == 0.75
    assert measurement.missed(4, 2, 2) == pytest.approx(1 / 6)
    assert measurement.missed(4, 0, 4) == 1
    assert measurement.missed(4, 1, 9) == measurement.missed(4, 4, 1) == 0
