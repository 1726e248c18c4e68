"""Layers that learn wholly in 16 bits: nearly the numbers of mixed precision, weights and gradients in fp32."""

from __future__ import annotations

import copy

import pytest
import torch

from dokhae.model.layers import layers_of
from dokhae.model.loading import load_model, locate
from dokhae.model.lowered import lower_layers
from dokhae.model.normalisation import replace_layer_norm
from dokhae.training.compiling import compile_encoder
from rows import NOT, YES, encoded, inputs, loss_of, near, windows
from tiny_models import make_model

LOWERED = [family for family in YES if family != "albert"]  # whose layers share their weights
BF16, MANY = torch.bfloat16, (380,) * 10  # tokens enough for a sum in 16 bits to stand still


def made(folder, family="bert", layers=2):
    """A model in training, without dropout, for what is drawn for other types differs."""
    model = load_model(locate(make_model(family, folder / family, layers=layers, positions=400))).train()
    replace_layer_norm(model)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout_prob", "attention_dropout"):  # attention asks for it when it is called
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model


def states(model, family="bert", lengths=(40, 12, 61)):
    return encoded(model, inputs(model, windows(family, *lengths)), BF16)


def learn(model, family="bert", lengths=(40, 12, 61)):
    """The encoder's states, and the gradients of its weights."""
    found = states(model, family, lengths).float()
    loss_of(found).backward()
    weights = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return {"states": found.detach()} | weights


def alike(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(one.dtype == torch.float32 for one in found.values())
    # attention does not go by the biases of keys: their gradients are rounding
    told = [
        {name: each for name, each in one.items() if not name.endswith(("key.bias", "k_lin.bias"))}
        for one in (found, wanted)
    ]
    near(*told, 0.06)


def inputs_of(layers):
    """The types of what each layer's linear layers are given from now on."""
    seen = []
    for layer in layers:
        for module in layer.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.LayerNorm):
                module.register_forward_pre_hook(
                    lambda module, given: seen.append((given[0].dtype, module.weight.dtype))
                )
    return seen


@pytest.mark.parametrize("family", LOWERED)
def test_states_and_gradients_are_those_of_mixed_precision_but_for_rounding(family, tmp_path):
    model = made(tmp_path, family)
    plain = copy.deepcopy(model)
    assert len(lower_layers(model, BF16)) == 2 and model.training
    seen = inputs_of(layers_of(model))
    alike(learn(model, family, MANY), learn(plain, family, MANY))
    assert seen and set(seen) == {(BF16, BF16)}
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert list(model.state_dict()) == list(plain.state_dict())


def test_what_is_answered_stays_as_it_was_to_the_last_bit(tmp_path):
    model = made(tmp_path)
    plain = copy.deepcopy(model)
    layers_of(model)[0].forward = run = layers_of(model)[0].forward  # of its own, as hooks of other libraries have it
    lowered = lower_layers(model, BF16)
    with torch.no_grad():
        assert torch.equal(states(model), states(plain))
    assert not torch.equal(states(model).float(), states(plain))
    for layer in lowered:
        layer.take_out()
    assert torch.equal(states(model), states(plain))
    assert [vars(layer).get("forward") for layer in layers_of(model)] == [run, None]


def test_it_goes_by_the_weights_that_there_are_now_and_leaves_frozen_ones(tmp_path):
    model = made(tmp_path)
    assert lower_layers(model, BF16)
    first, second = layers_of(model)
    first.requires_grad_(False)
    before = learn(model)
    assert {name.split(".")[3] for name in before if ".layer." in name} == {"1"}
    with torch.no_grad():
        second.output.LayerNorm.weight.mul_(2)
    assert float(learn(model)["states"].abs().max()) > 1.5 * float(before["states"].abs().max())


@pytest.mark.parametrize("family", ["albert", *sorted(NOT)])
def test_layers_that_share_weights_and_padded_models_stay_in_mixed_precision(family, tmp_path):
    model = made(tmp_path, family)
    assert lower_layers(model, BF16) == [] and model.training
    assert all("forward" not in vars(module) for module in model.modules())


def check_gradients(model):
    model.activation_checkpointing_enable()


def share_a_weight(model):
    first, second = layers_of(model)
    second.output.dense = first.output.dense


def have_one_layer_twice(model):
    layers_of(model)[1] = model.base_model.encoder.layer[1] = layers_of(model)[0]


@pytest.mark.parametrize("change", [check_gradients, share_a_weight, have_one_layer_twice])
def test_so_do_layers_that_are_run_again_on_the_way_back_or_share_a_weight(change, tmp_path, caplog):
    """Copies are there on the way ahead alone; and a recorded pass writes each gradient to one place."""
    caplog.set_level("INFO", logger="dokhae")
    model = made(tmp_path)
    change(model)
    plain = copy.deepcopy(model)
    assert lower_layers(model, BF16) == [] and model.training
    assert "in mixed precision, for the layers do not take torch.bfloat16: they " in caplog.text
    assert all("forward" not in vars(layer) for layer in layers_of(model))
    alike(learn(model), learn(plain))


@pytest.mark.parametrize(
    "spoilt",
    [lambda states: states @ torch.eye(states.shape[-1]), lambda states: states * (-1 if states.dtype == BF16 else 1)],
    ids=["fails", "says something else"],
)
def test_so_does_a_model_whose_layers_mix_in_numbers_of_their_own(spoilt, tmp_path):
    model = made(tmp_path)
    layers_of(model)[1].attention.register_forward_hook(lambda module, given, found: (spoilt(found[0]), *found[1:]))
    plain = copy.deepcopy(model)
    assert lower_layers(model, BF16) == [] and model.training
    assert all("forward" not in vars(layer) for layer in layers_of(model))
    alike(learn(model), learn(plain))


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*script_method:DeprecationWarning", "ignore:The .grad attribute"
)  # torch's compiler
def test_one_layer_is_compiled_for_all_and_learns_the_same(tmp_path):
    wanted, counts = learn(made(tmp_path, layers=4)), []
    for layers in (1, 4):
        model = made(tmp_path / str(layers), layers=layers)
        torch.compiler.reset()
        torch._dynamo.utils.counters.clear()
        compile_encoder(model, lower_layers(model, BF16, fuses=False))
        found = learn(model)
        for lengths in ((40, 12, 60), (33, 20)):
            learn(model, lengths=lengths)
        counts.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    alike(found, wanted)
    assert counts[0] == counts[1] > 0
