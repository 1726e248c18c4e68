"""Two and three processes on one machine: they compute what one computes, fail together and go on together."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import dokhae
from dokhae import benchmarks
from dokhae.encoding import PairTokenizer
from dokhae.errors import DataError, NotFinite, OutOfMemory, SettingsError
from dokhae.model import inputs, loading
from dokhae.model.span import TorchScore
from dokhae.outputs import write_predictions
from dokhae.training import KeepConfig, OptimizerConfig, cluster, gradients, runs
from dokhae.training.checkpoints import Checkpoints, Diverged, Interrupted, Pruned
from dokhae.training.identity import Identity
from dokhae.training.meeting import joined
from dokhae.training.module import TrainingModule
from dokhae.training.processes import Failure, Processes, everywhere
from dokhae.training.reading import ReaderLesson
from dokhae.training.results import Scorer
from dokhae.training.splits import make_split, read_split
from dokhae.training.trainers import check_strategy
from tiny_models import make_model
from training.divided import train_divided
from training.small import FEW, config, equal, given, made_fast_as_on_a_gpu, step_of, weights, write_squad
from training.world import PATIENCE, results, run

FILES = ("predictions.json", "nbest_predictions.json", "null_odds.json")
ROWS = [*FEW[:4], ("What does the ship carry?", "The town has a mill.", None)]  # five: no share of them is even
SETTINGS = {
    "benchmark": "squad-2.0", "batch_size": 1, "epochs": 2, "learning_rate": 1e-3, "keep": KeepConfig(best_by="loss"),
    "max_length": 128,
}  # fmt: skip


def settings(folder, out, processes=1, accumulate=1, **changes):
    optimizer = OptimizerConfig(accumulate=accumulate, adam_epsilon=1e-4)  # noise / 1e-8 would be a step
    return config(folder / "encoder", folder / "few.json", out, **SETTINGS | {"optimizer": optimizer} | changes)


def train(rank, changes):
    torch.set_num_threads(1)
    return dokhae.train(changes, show=False)


def train_lowered(rank, changes):
    with made_fast_as_on_a_gpu():
        return train(rank, changes)


def train_with_every_embedding_large(rank, changes):
    """How many times the used rows of a gradient were looked for."""
    gradients.LARGE, looked, used = 1, [], gradients._used
    gradients._used = lambda gradient: looked.append(1) or used(gradient)
    train(rank, changes)
    return len(looked)


TRAIN = {"fp32": train, "bf16": train_lowered}


def resume(rank, out):
    torch.set_num_threads(1)
    return dokhae.resume(out, show=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return given(tmp_path_factory.mktemp("processes"), ROWS)


@pytest.fixture(scope="module")
def whole(folder):
    """A run of two processes that nobody disturbs."""
    return whole_of(2, folder)


def whole_of(size, folder, precision="fp32"):
    out = folder / f"whole-{size}-{precision}"
    if not out.exists():
        results(run(size, TRAIN[precision], settings(folder, out, precision=precision)))
    return out


def far(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize(
    ("size", "precision"), [(2, "fp32"), (2, "bf16"), pytest.param(3, "fp32", marks=pytest.mark.slow)]
)
def test_processes_compute_what_one_process_computes_with_as_many_batches_a_step(size, precision, folder):
    """Dropout and a last turn that is not full included: five batches, of two epochs."""
    alone, out = folder / f"alone-{size}-{precision}", whole_of(size, folder, precision)
    TRAIN[precision](0, settings(folder, alone, accumulate=size, precision=precision))
    start = loading.load_model(loading.locate(str(folder / "encoder"))).state_dict()
    assert far(weights(alone), start) > 1e-3
    assert far(weights(alone), weights(out)) < 1e-6
    record, before = (json.loads((each / "run.json").read_text()) for each in (out, alone))
    assert (record["steps"], record["processes"]) == (before["steps"], size)
    assert record["settings"]["devices"] == size


def score(rank, changes, model, out):
    """Score a model as a training does at its end, in as many processes as there are."""
    torch.set_num_threads(1)
    benchmark = benchmarks.find(changes.benchmark)
    source = loading.locate(str(model))
    net, fast = loading.load_model(source), loading.load_tokenizer(source)
    tokenizer = PairTokenizer.of(fast, inputs.input_names(fast, net))
    examples = read_split(changes.dev, benchmark, None, None)
    split = make_split("dev", examples, tokenizer, changes.windows, False)
    with joined(changes, "cpu") as world:
        scorer = Scorer(changes, benchmark, split, changes.dev, tokenizer.layout, "cpu", world)
        scored = scorer(net, False)
        place = out / str(rank) / FILES[0]
        place.parent.mkdir(parents=True)
        write_predictions(place, scored.predictions, benchmark.rule.has_null)
        return scored.scores


def contents(folder):
    return [(folder / name).read_bytes() for name in FILES]


def test_gradients_of_used_rows_alone_change_nothing(folder, whole, tmp_path):
    """Of two processes; in three the numbers are added in another order."""
    looked = results(run(2, train_with_every_embedding_large, settings(folder, tmp_path / "run")))
    steps = json.loads((tmp_path / "run" / "run.json").read_text())["steps"]
    assert looked == [3 * steps] * 2  # BERT embeds words, places and types
    assert equal(weights(tmp_path / "run"), weights(whole))


def test_predictions_are_the_same_bytes_for_one_two_and_three_processes(folder, whole, tmp_path):
    """The last training's too: it has scored the model that it saved."""
    changes = replace(settings(folder, tmp_path / "run"), step=8, max_length=48)  # several windows each
    found = [results(run(size, score, changes, whole, tmp_path / str(size))) for size in (1, 2, 3)]
    assert len({json.dumps(each) for scores in found for each in scores}) == 1
    files = [contents(tmp_path / str(size) / str(rank)) for size in (1, 2, 3) for rank in range(size)]
    assert all(each == files[0] for each in files)
    assert all(len(json.loads(each)) == 5 for each in files[0])  # every question has its answer in each

    results(run(1, score, settings(folder, tmp_path / "run"), whole, tmp_path / "again"))
    assert contents(tmp_path / "again" / "0") == contents(whole)


def train_until(rank, changes, step, who, what):
    """Train; one process fails in its way at a step."""
    step_of = TrainingModule.training_step

    def training_step(module, part, index):
        if module.global_step == step - 1 and rank == who:
            what(module)
        return step_of(module, part, index)

    TrainingModule.training_step = training_step
    return train(rank, changes)


def too_little_memory(module):
    def no_memory(**_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    module.model.forward = no_memory


def no_number(module):
    loss = ReaderLesson.loss
    ReaderLesson.loss = lambda *of: loss(*of) * math.nan


def stop(module):
    if not any(isinstance(each, Checkpoints) and each.request.asked for each in module.trainer.callbacks):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        (too_little_memory, OutOfMemory, "too little memory on the device .*lower batch_size"),
        (no_number, Diverged, "the loss is nan at step 5"),
    ],
)
def test_what_stops_one_process_stops_all_and_keeps_the_checkpoint(what, kind, message, folder, tmp_path):
    out = tmp_path / "run"
    for ended in run(2, train_until, settings(folder, out), 5, 1, what):
        with pytest.raises(kind, match=message):
            raise ended.error
    assert torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 3  # of the first epoch
    assert json.loads((out / "run.json").read_text())["status"] == "failed"


def fails_late(rank, changes, where, who):
    """Train; one process fails in the validation, or when the finished model is scored."""
    if where == "validation":
        reduced = ReaderLesson.reduced

        def failing(lesson, batch, logits):
            if rank == who:
                raise NotFinite("the model's logits are not finite")
            return reduced(lesson, batch, logits)

        ReaderLesson.reduced = failing
    else:
        call = TorchScore.__call__

        def failing(score, batch):
            if rank == who:
                too_little_memory(score)
            return call(score, batch)

        TorchScore.__call__ = failing
    return train(rank, changes)


@pytest.mark.parametrize(
    ("where", "who", "kind", "message"),
    [
        ("validation", 1, Diverged, "the logits of the dev split are not finite after step 3: training has diverged"),
        ("scoring", 1, OutOfMemory, "too little memory on the device"),
        pytest.param("scoring", 0, OutOfMemory, "too little memory on the device", marks=pytest.mark.slow),
    ],
)
def test_what_fails_in_one_process_after_training_fails_in_all(where, who, kind, message, folder, tmp_path):
    out = tmp_path / "run"
    for ended in run(2, fails_late, settings(folder, out), where, who):
        with pytest.raises(kind, match=message):
            raise ended.error
        assert everywhere(ended.error)
    assert json.loads((out / "run.json").read_text())["status"] == "failed"
    assert not (out / "scores.json").exists()


@pytest.mark.parametrize("step", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_one_process_that_is_asked_to_stop_stops_all_and_the_run_goes_on_as_it_began(step, folder, whole, tmp_path):
    out = tmp_path / "run"
    for ended in run(2, train_until, settings(folder, out), step, 1, stop):
        with pytest.raises(Interrupted, match=f"stopped after step {step} of 6; go on with: dokhae train --resume"):
            raise ended.error
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    for size, words in ((3, "3 processes, but the settings say devices 2 x nodes 1"), (1, "1 processes, but")):
        for ended in run(size, resume, out):
            with pytest.raises(SettingsError, match=f"the launcher has started {words}"):
                raise ended.error
    reports = results(run(2, resume, out))
    assert reports[0] == reports[1] == json.loads((out / "scores.json").read_text())
    assert equal(weights(out), weights(whole))
    assert contents(out) == contents(whole)


def stopped_while_saving(rank, changes, who, where):
    """Train; one process is asked to stop while the first step is saved, or just when all have said that none was."""
    name, kind = ("save_last", Checkpoints) if where == "saving" else ("any", Processes)
    real, calls = getattr(kind, name), []

    def then_asked(own, *given):
        made = real(own, *given)
        calls.append(given)
        listening = signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.default_int_handler)
        if rank == who and listening and (where == "saving" or len(given) == 2) and not stopped_while_saving.done:
            stopped_while_saving.done = True
            os.kill(os.getpid(), signal.SIGTERM)
        return made

    stopped_while_saving.done = False
    setattr(kind, name, then_asked)
    return train(rank, changes)


@pytest.mark.parametrize("where", ["saving", "voting"])
def test_a_signal_between_the_vote_and_the_stop_is_for_the_next_step(where, folder, tmp_path):
    """One process alone would wait for the others, who go on; or the signal would be forgotten."""
    out = tmp_path / "run"
    for ended in run(2, stopped_while_saving, settings(folder, out, checkpoint_every=1), 1, where):
        with pytest.raises(Interrupted, match="stopped after step 2 of 6; go on with"):
            raise ended.error
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"


def test_a_run_of_one_process_is_not_gone_on_with_by_two(folder, tmp_path):
    out = tmp_path / "run"
    dokhae.train(settings(folder, out, epochs=1), show=False)
    record = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    for ended in run(2, resume, out):
        with pytest.raises(SettingsError, match="run: began with 1 process, and these are 2; go on with as many"):
            raise ended.error


def prune(rank, changes):
    def watch(step, scores):
        raise Pruned("seen enough")

    torch.set_num_threads(1)
    return dokhae.train(changes, show=False, watch=watch)


def train_without_room(rank, changes):
    """Train; after the first epoch no checkpoint can be written."""
    if rank == 0:
        write, made = Path.write_bytes, []

        def write_bytes(path, content):
            made.append(path)
            if len(made) > 2:
                raise OSError(28, "No space left on device")
            return write(path, content)

        Path.write_bytes = write_bytes
    return train(rank, changes)


def train_without_a_record(rank, changes):
    """Train; its run.json cannot be written, and the other one waits no longer than it takes to say so."""
    if rank == 0:
        write = runs.write_json

        def write_json(path, content):
            if path.name == "run.json":
                raise DataError(f"{path}: cannot be written: No space left on device")
            write(path, content)

        runs.write_json = write_json
    return train(rank, changes)


def test_a_record_that_only_the_first_process_cannot_write_stops_all(folder, tmp_path):
    for ended in run(2, train_without_a_record, settings(folder, tmp_path / "run")):
        with pytest.raises(DataError, match="run.json: cannot be written: No space left on device"):
            raise ended.error


def remember(rank, changes):
    """A node's own folder has another of the best checkpoints."""
    own = replace(changes, out=changes.out / str(rank))
    with joined(own, "cpu") as processes:
        checkpoints = Checkpoints(own, 4, Identity("", "", ""), None, processes)
        checkpoints.folder.mkdir(parents=True)
        (checkpoints.folder / f"best-{rank}.ckpt").touch()
        checkpoints.load_state_dict({"best": [[0.5, "best-1.ckpt"], [0.25, "best-0.ckpt"]]})
        return checkpoints.best


def test_the_best_checkpoints_of_before_are_those_that_the_first_process_sees(folder, tmp_path):
    """Else one process would save a file that the other has, and wait for it forever."""
    assert results(run(2, remember, settings(folder, tmp_path))) == [[(0.25, "best-0.ckpt")]] * 2


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [(prune, Pruned, "seen enough"), (train_without_room, DataError, "No space left .*make room, then go on with")],
)
def test_what_only_the_first_process_knows_stops_all(target, kind, message, folder, tmp_path):
    for ended in run(2, target, settings(folder, tmp_path / "run")):
        with pytest.raises(kind, match=message):
            raise ended.error
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def train_otherwise(rank, changes, how, folder):
    if rank == 1:
        changes = how(changes, folder)
    return train(rank, changes)


def other_settings(changes, folder):
    return replace(changes, learning_rate=2e-3)


def other_data(changes, folder):
    return replace(changes, train=write_squad(folder / "other.json", ROWS[:4]))


def other_encoder(changes, folder):
    return replace(changes, model=str(make_model("bert", folder / "other", seed=1)))


def other_code(changes, folder):
    shutil.copytree(Path(dokhae.__file__).parent, folder / "dokhae")
    with (folder / "dokhae" / "predict.py").open("a") as file:
        file.write("# mended by hand on one node\n")
    dokhae.__file__ = str(folder / "dokhae" / "__init__.py")
    return changes


def no_data(changes, folder):
    return replace(changes, train=folder / "nowhere.json")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (other_settings, r"process 1 on .* differs .*: setting learning_rate: 0\.002 there, 0\.001 here; make"),
        (other_data, "differs from process 0 .*: training file: .* there, .* here"),
        (other_encoder, "differs from process 0 .*: encoder: "),
        (other_code, "differs from process 0 .*: code of dokhae: "),
        (no_data, r"nowhere\.json: no such file"),
    ],
)
def test_processes_that_differ_are_told_before_anything_is_written(how, message, folder, tmp_path):
    out = tmp_path / "run"
    for ended in run(2, train_otherwise, settings(folder, out), how, tmp_path):
        with pytest.raises((SettingsError, DataError), match=message):
            raise ended.error
        assert everywhere(ended.error)
    assert not out.exists()


def test_a_process_that_never_joins_is_counted(folder, tmp_path):
    for missing in ([0], [1]):
        variables = {"DOKHAE_JOIN_SECONDS": "1"}
        (ended,) = run(2, train, settings(folder, tmp_path / "run"), missing=missing, variables=variables)
        with pytest.raises(SettingsError) as failure:
            raise ended.error
        words = "cannot reach localhost" if missing == [0] else "1 of 2 processes have joined at localhost"
        assert words in str(failure.value)
        assert "is dokhae running on every node" in str(failure.value)
    assert not (tmp_path / "run").exists()


def test_a_server_that_gives_no_answer_is_waited_for_no_longer_than_others(folder, tmp_path):
    """Some other program may have the port."""
    with socket.create_server(("localhost", 0)) as server:
        variables = {"DOKHAE_JOIN_SECONDS": "1", "MASTER_PORT": str(server.getsockname()[1])}
        (ended,) = run(2, train, settings(folder, tmp_path / "run"), missing=[0], variables=variables)
    with pytest.raises(SettingsError, match="process 1 of 2 cannot reach .*what listens there gives no answer, for"):
        raise ended.error


def meet(rank, changes):
    failure = Failure(OutOfMemory, "too little memory") if rank == 1 else None
    with joined(changes, "cpu", failure):
        return "met"


def test_an_error_of_an_earlier_attempt_is_told_to_those_who_do_not_know_it(folder, tmp_path):
    for ended in run(2, meet, settings(folder, tmp_path / "run")):
        with pytest.raises(OutOfMemory, match="^too little memory\n"):  # and a note that all have it
            raise ended.error


def interrupted_soon(rank, changes):
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    return train(rank, changes)


@pytest.mark.parametrize("missing", [0, 1])
def test_ctrl_c_is_heard_while_others_are_waited_for(missing, folder, tmp_path):
    begun = time.monotonic()
    (ended,) = run(2, interrupted_soon, settings(folder, tmp_path / "run"), missing=[missing])
    assert isinstance(ended.error, KeyboardInterrupt)
    assert time.monotonic() - begun < PATIENCE / 2


def test_a_time_to_wait_that_is_no_number_is_refused(folder, tmp_path):
    for ended in run(2, train, settings(folder, tmp_path / "run"), variables={"DOKHAE_JOIN_SECONDS": "soon"}):
        with pytest.raises(SettingsError, match="DOKHAE_JOIN_SECONDS is 'soon'; it has to be a number of seconds"):
            raise ended.error


def kill(module):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("who", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_job_that_is_started_again_goes_on_and_another_is_refused(who, folder, whole, tmp_path):
    out = tmp_path / "run"
    ended = run(2, train_until, settings(folder, out), 5, who, kill, job="41")
    assert ended[who].exit_code == -signal.SIGKILL
    assert "another process is gone" in str(ended[1 - who].error)
    assert ended[1 - who].error.exit_code == 1  # not 2: who starts processes may start them again
    for job, changes in (("42", settings(folder, out)), ("41", settings(folder, out, seed=1))):
        for each in run(2, train, changes, job=job):
            with pytest.raises(SettingsError, match="is not an empty folder; name another --out, or go on with"):
                raise each.error
    results(run(2, train, settings(folder, out), job="41"))
    assert equal(weights(out), weights(whole))
    assert contents(out) == contents(whole)
    assert [entry["status"] for entry in json.loads((out / "run.json").read_text())["history"]][-1] == "finished"
    before = (out / "run.json").read_bytes()
    assert results(run(2, train, settings(folder, out), job="41"))[0] == json.loads((out / "scores.json").read_text())
    assert (out / "run.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["xlnet", "albert"])
def test_weights_that_the_loss_does_not_reach_hold_nobody_up(kind, tmp_path):
    """XLNet's mask embedding is one."""
    write_squad(tmp_path / "few.json", ROWS)
    make_model(kind, tmp_path / "encoder")
    results(run(2, train, settings(tmp_path, tmp_path / "run", epochs=1)))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def test_frozen_layers_and_early_stopping_in_processes(folder, tmp_path):
    optimizer = OptimizerConfig(frozen_layers=1)
    keep = KeepConfig(best_by="em", patience=1)
    changes = settings(folder, tmp_path / "run", optimizer=optimizer, keep=keep, epochs=9, learning_rate=1e-12)
    results(run(2, train, changes))
    start, end = loading.load_model(loading.locate(str(folder / "encoder"))).state_dict(), weights(tmp_path / "run")
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(start[name], end[name])
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 6


def test_devices_that_are_not_there():
    with pytest.raises(SettingsError, match=f"{torch.cuda.device_count() + 1} devices are asked for, and .* has"):
        cluster.check_devices(torch.cuda.device_count() + 1, "cuda")
    with pytest.raises(SettingsError, match="mps is one; use --devices 1"):
        cluster.check_devices(2, "mps")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("bert", {}, None),
        ("albert", {}, "AlbertForQuestionAnswering: strategy fsdp divides layer by layer, and its layers share"),
        ("fnet", {}, "FNetForQuestionAnswering: strategy fsdp needs one pass a batch in all processes"),
        ("big-bird", {}, "BigBirdForQuestionAnswering: strategy fsdp needs one pass a batch in all processes"),
        ("bert", {"compile": True}, "strategy fsdp does not go with compile"),
        ("bert", {"optimizer": OptimizerConfig(frozen_layers=1)}, "does not go with optimizer.frozen_layers"),
    ],
)
def test_fsdp_is_refused_where_it_cannot_be(kind, changes, message, tmp_path):
    model = loading.load_model(loading.locate(str(make_model(kind, tmp_path / "encoder", layers=2))))
    changed = config(tmp_path, tmp_path, tmp_path, strategy="fsdp", **changes)
    if message is None:
        check_strategy(model, changed, "cuda")
        return
    with pytest.raises(SettingsError, match=message):
        check_strategy(model, changed, "cuda")


def test_fsdp_goes_on_and_trains_what_one_process_trains_up_to_the_middle_of_an_epoch(folder, tmp_path):
    alone, divided = tmp_path / "alone", settings(folder, tmp_path / "divided", strategy="fsdp", epochs=5 / 3)
    train(0, settings(folder, alone, accumulate=2, epochs=5 / 3))
    first, *_ = run(2, train_divided, divided, 4)
    assert (str(first.error), step_of(divided.out)) == ("enough", 3)
    scores = results(run(2, train_divided, divided))
    assert far(weights(alone), weights(divided.out)) < 1e-6
    assert scores[0] == scores[1] == json.loads((alone / "scores.json").read_text())


@pytest.mark.slow  # the fast tests are to stay within five minutes; the one above scores after a training too
def test_fsdp_goes_on_where_it_was_scoring(folder, tmp_path):
    divided = settings(folder, tmp_path / "divided", strategy="fsdp", epochs=5 / 3)
    scores = results(run(2, train_divided, divided))
    before, record = weights(divided.out), divided.out / "run.json"
    record.write_text(record.read_text().replace('"status": "finished"', '"status": "running"'))
    (divided.out / "scores.json").unlink()
    assert results(run(2, train_divided, divided)) == scores
    assert equal(before, weights(divided.out))


def test_more_processes_than_cores_are_only_slow(caplog):
    cluster.warn_of_few_cores(cluster.cores(), "cpu")
    assert not caplog.text
    cluster.warn_of_few_cores(cluster.cores() + 1, "cpu")
    assert "they will be slower than" in caplog.text


@pytest.mark.parametrize(
    ("changes", "started", "fits"),
    [
        ({}, 8, True), ({"devices": 4, "nodes": 2}, 8, True), ({"nodes": 2}, 8, True),
        ({"devices": 4}, 8, False), ({"devices": 2, "nodes": 2}, 8, False), ({"nodes": 3}, 8, False),
    ],
)  # fmt: skip
def test_a_launcher_has_to_start_as_many_as_the_settings_say(changes, started, fits, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", str(started))
    changed = config(tmp_path, tmp_path, tmp_path, **changes)
    if fits:
        cluster.check_size(changed, cluster.TorchElasticEnvironment())
        return
    with pytest.raises(SettingsError, match="the launcher has started 8 processes, but the settings say"):
        cluster.check_size(changed, cluster.TorchElasticEnvironment())


def test_a_job_has_a_name_that_no_other_job_has(monkeypatch):
    assert cluster.job() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "17")
    assert cluster.job() == "torchrun 17"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")  # torchrun without --rdzv-id
    assert str(os.getppid()) in cluster.job()


def test_slurm_is_asked_for_its_numbers(monkeypatch):
    for name, value in {
        "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "1", "SLURM_JOB_ID": "77",
        "SLURM_CLUSTER_NAME": "sejong",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert not cluster.first_process()
    assert cluster.job() == "slurm sejong 77"
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(SettingsError, match="SLURM: .*--ntasks-per-node=2"):
        cluster.found()
    monkeypatch.setenv("SLURM_PROCID", "first")
    with pytest.raises(SettingsError, match="SLURM_PROCID is 'first'; it has to be a number, as srun sets it"):
        cluster.found()
    monkeypatch.delenv("SLURM_PROCID")  # in an allocation, without srun
    assert cluster.found() is None
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "1")  # an allocation in which the processes are started by hand
    assert cluster.found() is None


def test_a_restart_is_known_by_job_and_settings(tmp_path):
    changed = config(tmp_path / "m", tmp_path / "d", tmp_path / "run")
    assert not runs.begun_by("1", changed)
    runs.create(changed, "1")
    assert runs.begun_by("1", changed)
    assert not runs.begun_by("2", changed)
    assert not runs.begun_by(None, changed)
    assert not runs.begun_by("1", replace(changed, seed=7))
    settings = changed.out / "config.yaml"
    settings.write_text(settings.read_text().replace("  power: 1.0\n", ""))  # as a dokhae that did not have it
    assert "power" not in settings.read_text() and runs.begun_by("1", changed)
    settings.write_text(settings.read_text() + "to_come: 1\n")
    assert not runs.begun_by("1", changed)
