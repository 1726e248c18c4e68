"""The loader of training windows: every window once an epoch, and a memory of how far it is."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

import numpy as np
import pytest

import dokhae
from dokhae.encoding import WindowConfig, assemble, build_features
from dokhae.errors import SettingsError
from dokhae.files import read_json
from dokhae.training.data import Batching, TrainingBatches, ValidationBatches, with_some_null
from dokhae.types import Answer, Example
from tiny_models import make_model
from tokenizers_on_the_spot import pair_tokenizer
from training.small import FEW, config, write_squad

LENGTHS = np.arange(10, 60)


class Process(NamedTuple):
    """One of several."""

    rank: int
    size: int

    def gather(self, part: Any) -> list[Any]:
        raise AssertionError("nothing is gathered here")


def taken(batches):
    return [batch.windows.tolist() for batch in batches]


def test_an_epoch_holds_every_window_once_in_an_order_of_its_own():
    batches = TrainingBatches(LENGTHS, Batching(8, seed=1))
    first, second = taken(batches), taken(batches)
    assert len(first) == len(batches) == 7
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(50))
    assert first != second


def test_a_loader_that_stopped_goes_on_with_the_next_batch():
    whole = TrainingBatches(LENGTHS, Batching(8, seed=1))
    expected = taken(whole) + taken(whole)

    stopped = TrainingBatches(LENGTHS, Batching(8, seed=1))
    seen = []
    for batch in stopped:
        seen.append(batch.windows.tolist())
        if len(seen) == 3:
            break
    resumed = TrainingBatches(LENGTHS, Batching(8, seed=1))
    resumed.load_state_dict(stopped.state_dict())
    assert seen + taken(resumed) + taken(resumed) == expected


def test_a_loader_that_ended_an_epoch_goes_on_with_the_next():
    whole = TrainingBatches(LENGTHS, Batching(8, seed=1))
    taken(whole)
    resumed = TrainingBatches(LENGTHS, Batching(8, seed=1))
    resumed.load_state_dict(whole.state_dict())
    assert taken(resumed) == taken(whole)


@pytest.mark.parametrize(("count", "size"), [(7, 1), (7, 2), (8, 2), (7, 3), (2, 3), (1, 3)])
def test_processes_validate_in_as_many_batches_each_and_count_every_one_once(count, size):
    batches = [np.array([number]) for number in range(count)]
    shares = [list(ValidationBatches(batches, Process(rank, size))) for rank in range(size)]
    assert {len(share) for share in shares} == {-(-count // size)}
    assert sorted(int(each.windows[0]) for share in shares for each in share if each.counts) == list(range(count))


def test_processes_take_in_turn_what_one_takes_that_accumulates_as_many_batches():
    one = taken(TrainingBatches(LENGTHS, Batching(4, seed=1, accumulate=6)))
    for size, accumulate in ((2, 3), (3, 2), (6, 1)):
        worlds = [
            TrainingBatches(LENGTHS, Batching(4, 1, accumulate=accumulate), Process(rank, size)) for rank in range(size)
        ]
        in_turn = [batch for turn in zip(*worlds, strict=True) for batch in turn]
        assert [batch.windows.tolist() for batch in in_turn if batch.counts] == one
        assert all(batch.counts for batch in in_turn[: len(one)])


def test_batches_of_so_many_tokens_are_dealt_out_and_gone_on_with_as_others_are():
    budget = Batching(8, seed=1, tokens=200)
    whole = TrainingBatches(LENGTHS, budget)
    first, second = taken(whole), taken(whole)
    assert len(first) == len(second) == len(whole)
    assert whole.mean_windows == 50 / len(first)
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(50))
    assert all(LENGTHS[batch].sum() <= 200 for batch in first + second)
    shares = [taken(TrainingBatches(LENGTHS, budget, Process(rank, 3))) for rank in range(3)]
    assert [share[place] for place in range(len(first) // 3) for share in shares] == first[: len(first) // 3 * 3]
    resumed = TrainingBatches(LENGTHS, budget)
    resumed.load_state_dict({"epoch": 0, "done": 2})
    assert taken(resumed) + taken(resumed) == first[2:] + second


def test_of_windows_without_the_answer_so_many_are_chosen_as_the_ratio_says():
    tokenizer = pair_tokenizer("bert")
    examples = [
        Example(f"q{number}", "a?", f"{'a ' * 40}town{' b' * 40}", (Answer("town", 80),) if number % 3 else ())
        for number in range(12)
    ]
    features = build_features(examples, tokenizer, WindowConfig(max_length=25, overlap=4))
    windows = np.arange(features.window_count)
    batch = assemble(features, windows, tokenizer.layout)
    answered = set(windows[batch.start_labels != batch.cls].tolist())
    assert 8 <= len(answered) < len(windows) / 4
    for ratio, others in (
        (0, 0),
        (0.5, round(0.5 * len(answered))),
        (2, 2 * len(answered)),
        (99, len(windows) - len(answered)),
    ):
        chosen = with_some_null(features, ratio, seed=3)
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        assert answered <= set(chosen.tolist()) and len(chosen) == len(answered) + others
    draws = [with_some_null(features, 1, seed).tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    with pytest.raises(SettingsError, match="no training window holds a whole answer"):
        with_some_null(features.part(0, 1), 1, 3)


def test_batches_are_of_the_chosen_windows_alone_and_gone_on_with():
    chosen = np.arange(1, 50, 3)
    whole = TrainingBatches(LENGTHS, Batching(4, seed=1), chosen=chosen)
    assert (len(whole), whole.mean_windows) == (5, 17 / 5)
    epochs = taken(whole), taken(whole)
    assert all(sorted(sum(epoch, [])) == chosen.tolist() for epoch in epochs)
    assert epochs[0] != epochs[1]
    resumed = TrainingBatches(LENGTHS, Batching(4, seed=1), chosen=chosen)
    resumed.load_state_dict({"epoch": 0, "done": 2})
    assert taken(resumed) + taken(resumed) == epochs[0][2:] + epochs[1]
    shares = [taken(TrainingBatches(LENGTHS, Batching(4, seed=1), Process(rank, 2), chosen)) for rank in range(2)]
    assert sorted(sum(shares[0] + shares[1], []))[-1] in chosen
    assert set(sum(shares[0] + shares[1], [])) == set(chosen.tolist())


def test_a_run_by_tokens_says_how_many_windows_a_batch_has(tmp_path, caplog):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    with caplog.at_level(logging.INFO, "dokhae"):
        dokhae.train(config(model, data, tmp_path / "run", epochs=1, batch_tokens=100), show=False)
    said = re.search(r"batches of up to 100 tokens: (\d\.\d) windows on average", caplog.text)
    steps = read_json(tmp_path / "run" / "run.json")["steps"]
    assert float(said[1]) == round(len(FEW) / steps, 1)
    assert 1 < steps < len(FEW)
