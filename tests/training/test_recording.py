"""Passes that are recorded as CUDA graphs: the same numbers as told kernel by kernel, and never in the way."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

import dokhae
from dokhae.model.loading import load_model, locate
from dokhae.model.lowered import lower_layers
from dokhae.model.packing import in_one_row
from dokhae.training import KeepConfig, OptimizerConfig, recording
from dokhae.training.recording import Recorder, Recording
from rows import YES, encoded, inputs, loss_of, near, windows
from tiny_models import make_model
from training import emulated_graphs
from training.emulated_graphs import emulate
from training.small import FEW, config, weights, write_squad

ONE, OTHER = (40, 12, 61), (90, 30)  # windows of batches of two sizes
AS_ONE = (20, 67, 26)  # others that make a batch of the same size
gpu = pytest.mark.gpu


def states(model, batch, seed, also=lambda model: 0):
    """The encoder's last hidden state, and what is learned from it and from something else."""
    torch.manual_seed(seed)
    found = encoded(model, batch, torch.bfloat16 if next(model.parameters()).is_cuda else None)
    (loss_of(found) + also(model)).backward()
    return found.detach().float().cpu()


def gradients(model):
    return {name: weight.grad.float().cpu() for name, weight in model.named_parameters() if weight.grad is not None}


def twins(machine, folder, family="bert", **sizes):
    """Two models with the same weights, in training: one to be recorded, and one that is not."""
    model = load_model(locate(make_model(family, folder / family, **{"layers": 2} | sizes))).to(machine.device).train()
    return model, copy.deepcopy(model)


def learn_alike(machine, model, plain, family, lengths, seed):
    """Both say the same of random windows, and have the same gradients, which they then give up."""
    batch = inputs(model, windows(family, *lengths, seed=seed))
    near({"states": states(model, batch, seed)}, {"states": states(plain, batch, seed)}, machine.tolerance)
    near(gradients(model), gradients(plain), machine.tolerance)
    model.zero_grad()
    plain.zero_grad()


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=gpu)])
def machine(request, monkeypatch):
    """Where passes are recorded, and how near the numbers then are."""
    if request.param == "emulated":
        return emulate(monkeypatch)
    return SimpleNamespace(device="cuda", tolerance=0.02)  # bf16, and attention's gradients summed in any order


@pytest.fixture
def played(monkeypatch):
    """How often a recording was played."""
    times, play = [], Recording.play
    monkeypatch.setattr(Recording, "play", lambda self, given: times.append(1) or play(self, given))
    return times


def test_on_a_cpu_nothing_is_recorded(tmp_path):
    model = load_model(locate(make_model("bert", tmp_path / "bert"))).train()
    batch = inputs(model, windows("bert", *ONE))
    wanted = states(copy.deepcopy(model), batch, 1)
    recorder = Recorder(model.base_model, adds=False)
    for _ in range(3):
        torch.testing.assert_close(states(model, batch, 1), wanted, rtol=0, atol=0)
    assert not recorder.sizes
    recorder.take_out()
    assert "forward" not in vars(model.base_model)


def test_a_pass_is_recorded_where_it_has_room_beside_others(tmp_path, monkeypatch):
    encoder = load_model(locate(make_model("bert", tmp_path / "bert"))).base_model
    weights = sum(weight.nbytes for weight in encoder.parameters())
    free = [0]
    emulate(monkeypatch)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free[0], 1 << 40))
    recorder = Recorder(encoder, adds=False)
    recorder.most = 1000  # bytes of the longest pass so far
    for free[0], has_room in ((2 * weights + 1999, False), (2 * weights + 2000, True)):  # and for the gradients
        assert recorder._has_room(1000) == has_room
    recorder.held = 1000  # by those that are recorded, which the next one takes too
    for free[0], has_room in ((999, False), (1000, True)):
        assert recorder._has_room(1000) == has_room
    recorder.held = 400  # those that are recorded are shorter than the longest so far
    for free[0], has_room in ((1599, False), (1600, True)):
        assert recorder._has_room(1000) == has_room
    recorder.sizes = {number: object.__new__(Recording) for number in range(recording.MOST)}
    assert not recorder._has_room(1000)


@pytest.mark.parametrize("own", [None, *recording.ALLOCATOR])
def test_memory_is_taken_in_segments_that_grow_unless_the_user_has_settings_of_his_own(own, tmp_path, monkeypatch):
    for name in recording.ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    if own is not None:
        monkeypatch.setenv(own, "max_split_size_mb:512")
    monkeypatch.setattr(emulated_graphs, "SETTINGS", told := [])
    model, _ = twins(emulate(monkeypatch), tmp_path)
    Recorder(model.base_model, adds=False)
    for number, lengths in enumerate([ONE, ONE, OTHER, OTHER]):
        states(model, inputs(model, windows("bert", *lengths)), number)
    assert told == ([] if own else ["expandable_segments:True"])


@gpu
def test_the_allocator_of_a_gpu_takes_that_setting(monkeypatch):
    for name in recording.ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    torch.cuda.empty_cache()
    recording._let_segments_grow()
    held = torch.ones(1 << 26, device="cuda")  # more than what is held already has room for
    assert any(one["is_expandable"] for one in torch.cuda.memory_snapshot())
    assert float(held.sum()) == 1 << 26


def test_without_room_nothing_is_recorded(machine, tmp_path, played, monkeypatch):
    model, _ = twins(machine, tmp_path)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 1 << 40))
    recorder = Recorder(model.base_model, adds=False)
    for number in range(3):
        states(model, inputs(model, windows("bert", *ONE)), number)
    assert not played and not recorder.failed


def test_where_memory_ends_recordings_are_given_up_for_it(machine, tmp_path, played, caplog):
    model, plain = twins(machine, tmp_path)
    recorder = Recorder(model.base_model, adds=False)
    run = recorder.run

    def full(*args, **options):
        output = run(*args, **options)
        if recorder.pool is not None and not torch.cuda.is_current_stream_capturing():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return output

    recorder.run = full
    with caplog.at_level("INFO", logger="dokhae"):
        for number, lengths in enumerate([ONE, ONE, OTHER, ONE]):
            learn_alike(machine, model, plain, "bert", lengths, number)
    assert recorder.failed and len(played) == 1 and "there is too little memory beside it" in caplog.text


@pytest.mark.parametrize("lowered", [False, True], ids=["mixed", "lowered"])
@pytest.mark.parametrize("family", YES)
def test_a_recorded_encoder_says_and_learns_the_same_with_the_same_dropout(machine, family, lowered, tmp_path, played):
    model, plain = twins(machine, tmp_path, family)
    layers = [lower_layers(one, torch.bfloat16) if lowered else [] for one in (model, plain)]
    assert all(bool(each) == (lowered and family != "albert") for each in layers)
    recorder = Recorder(model.base_model, adds=False, lowered=layers[0])
    for number, lengths in enumerate([ONE, AS_ONE, OTHER, ONE, OTHER, AS_ONE]):
        learn_alike(machine, model, plain, family, lengths, number)
    assert len(played) == 4 and not recorder.failed
    model.eval()
    plain.eval()
    learn_alike(machine, model, plain, family, AS_ONE, 0)
    assert len(played) == 4  # an answer is not recorded
    recorder.take_out()
    assert not recorder.sizes and not recorder.gradients and recorder.pool is None
    learn_alike(machine, model, plain, family, AS_ONE, 0)


def test_where_all_that_learns_is_in_layers_their_gradients_are_written_in_their_place(machine, tmp_path, played):
    model, plain = twins(machine, tmp_path)
    for one in (model, plain):
        one.base_model.embeddings.requires_grad_(False)
    layers = lower_layers(model, torch.bfloat16)
    assert layers and lower_layers(plain, torch.bfloat16)
    recorder = Recorder(model.base_model, adds=False, lowered=layers)
    for number, lengths in enumerate([ONE, ONE, OTHER, ONE, OTHER, OTHER]):
        learn_alike(machine, model, plain, "bert", lengths, number)
    assert len(played) == 4 and not recorder.failed
    assert not any(layer.memory for layer in layers)  # but while a pass is recorded


def test_gradients_of_several_batches_add_up_whether_they_are_recorded_or_not(machine, tmp_path, played):
    model, plain = twins(machine, tmp_path)
    Recorder(model.base_model, adds=True)
    for step in ([ONE, ONE], [OTHER, ONE], [ONE, OTHER], [ONE, OTHER, (100,), ONE]):
        for number, lengths in enumerate(step):
            batch = inputs(model, windows("bert", *lengths, seed=number))
            states(model, batch, number)
            states(plain, batch, number)
        near(gradients(model), gradients(plain), machine.tolerance)
        model.zero_grad()
        plain.zero_grad()
    assert len(played) == 7


def test_a_batch_with_longer_windows_is_of_another_size(machine, tmp_path, played):
    model, plain = twins(machine, tmp_path, positions=300)
    recorder = Recorder(model.base_model, adds=False)
    for number, lengths in enumerate([(120, 120), (120, 120), (200, 40), (200, 40)]):  # 128 is what attention goes by
        learn_alike(machine, model, plain, "bert", lengths, number)
    assert len(played) == len(recorder.sizes) == 2


def test_what_a_batch_was_given_stays_as_it_was(machine, tmp_path, played):
    model, _ = twins(machine, tmp_path)
    Recorder(model.base_model, adds=False)
    batches = [inputs(model, windows("bert", *lengths, seed=3)) for lengths in (ONE, AS_ONE, ONE)]
    rows, held = (
        [in_one_row(model, one.ids, one.types, one.lengths, machine.device) for one in batches] for _ in range(2)
    )
    for row in rows:
        with torch.autocast(machine.device, torch.bfloat16, enabled=machine.device == "cuda"):
            said = model.base_model(**row).last_hidden_state.sum()
        said.backward()
        del said  # who keeps a pass keeps a GPU from recording the next one
    assert len(played) == 2
    for row, before in zip(rows, held, strict=True):
        assert torch.equal(row["seams"].bounds, before["seams"].bounds)
        assert all(torch.equal(row[name], before[name]) for name in row if name != "seams")


def test_it_is_known_what_passes_leave_in_memory(tmp_path, monkeypatch):
    model, _ = twins(emulate(monkeypatch), tmp_path)
    recorder, allocated = Recorder(model.base_model, adds=False), [0]
    run = recorder.run

    def leaving(*args, **options):
        allocated[0] += sum(options["seams"].lengths)
        return run(*args, **options)

    recorder.run = leaving
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: allocated[0])
    for lengths, most, held in ((ONE, 113, 0), (ONE, 113, 113), (OTHER, 120, 113), (OTHER, 120, 120), (ONE, 120, 120)):
        states(model, inputs(model, windows("bert", *lengths)), 0)
        assert (recorder.most, recorder.held) == (most, held)


@pytest.mark.parametrize("adds", [False, True])
def test_a_weight_that_is_used_outside_of_the_encoder_too_has_both_gradients(machine, adds, tmp_path, played):
    model, plain = twins(machine, tmp_path)
    Recorder(model.base_model, adds)
    uses = [
        lambda model: model.get_input_embeddings().weight.square().mean(),
        lambda model: model.base_model.encoder.layer[1].output.dense.weight.sum() / 1000,
    ]
    for number in range(6):
        batch = inputs(model, windows("bert", *ONE, seed=number))
        for one in (model, plain):
            states(one, batch, number, uses[number % 2])
        near(gradients(model), gradients(plain), machine.tolerance or 1e-6)  # summed in another order
        if not adds or number % 2:
            model.zero_grad()
            plain.zero_grad()
    assert len(played) == 5


@gpu
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "fp16"},
        {"optimizer": OptimizerConfig(accumulate=2, frozen_layers=1, layer_decay=0.9)},
        {"compile": True},
    ],
    ids=["bf16", "fp16", "accumulated", "compiled"],
)
def test_a_run_learns_the_same(changes, tmp_path, played):
    data, model = write_squad(tmp_path / "few.json", FEW), make_model("bert", tmp_path / "encoder", layers=2)
    told = {"device": "cuda", "precision": "bf16", "learning_rate": 1e-3, "epochs": 4, "keep": KeepConfig("last")}
    for graphs in (False, True):
        out = tmp_path / str(graphs)
        dokhae.train(config(model, data, out, no_cuda_graphs=not graphs, **(told | changes)), show=False)
        assert bool(played) == graphs
    plain, found = weights(tmp_path / "False"), weights(tmp_path / "True")
    moved = 0
    for name, before in load_model(locate(model)).state_dict().items():
        if not name.startswith("qa_outputs"):  # which is not in the folder, but drawn
            learned = float((plain[name] - before).abs().mean())
            moved += learned > 0
            # near 0 a gradient's sign is rounding's, and Adam's steps are as large for it
            assert float((found[name] - plain[name]).abs().mean()) <= 0.2 * learned, name
    assert moved > 10


def test_an_encoder_that_cannot_be_recorded_learns_on(machine, tmp_path, played, caplog):
    model, plain = twins(machine, tmp_path)
    for each in (plain, model):  # it asks the GPU for a number, which it could not have while it is recorded
        each.base_model.embeddings.register_forward_hook(lambda module, given, found: found * float(found.max() > -9e9))
    recorder = Recorder(model.base_model, adds=False)
    with caplog.at_level("INFO", logger="dokhae"):
        for number, lengths in enumerate([ONE, ONE, ONE, OTHER, OTHER]):
            learn_alike(machine, model, plain, "bert", lengths, number)
    assert recorder.failed and not played
    assert caplog.text.count("training: without CUDA graphs, for the encoder cannot be recorded: ") == 1
