"""Models that only answer, on a CPU: the same logits, and the model they were made of stays as it was."""

from __future__ import annotations

import itertools
import json
import types

import numpy as np
import pytest
import torch
import torch.nn.utils.prune
import transformers

from dokhae.model.answering import AT_ONCE
from dokhae.model.devices import autocast
from dokhae.model.frozen import FrozenLinear, FrozenOutput, frozen
from dokhae.model.loading import load_model, locate
from dokhae.model.packing import pack
from dokhae.model.span import TorchScore, span_logits
from rows import LENGTHS, YES, inputs, windows
from tiny_models import make_model


@pytest.fixture
def fresh(tmp_path):
    return lambda family: load_model(locate(make_model(family, tmp_path / family, layers=2))).eval()


def logits(model, batch, precision="fp32"):
    with torch.inference_mode(), autocast(torch.device("cpu"), precision):
        return [side.numpy() for side in span_logits(model, batch, "cpu")]


@pytest.mark.parametrize("family", YES)
def test_logits_are_those_of_the_model(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    score = TorchScore(model)
    assert score.model is not model and any(isinstance(module, FrozenLinear) for module in score.model.modules())
    np.testing.assert_allclose(score(batch), logits(model, batch), atol=2e-5, rtol=1e-5)


# sums with the input that a layer is frozen with, and activations, in two layers (ALBERT's share one)
TOGETHER = {"bert": (4, 2), "roberta": (4, 2), "electra": (4, 2), "xlm-roberta": (4, 2), "distilbert": (0, 2),
            "albert": (0, 1), "modernbert": (0, 0)}  # fmt: skip


@pytest.mark.parametrize("family", TOGETHER)
def test_what_follows_a_layer_is_worked_out_with_it(fresh, family):
    modules = list(frozen(fresh(family), torch.float32).modules())
    sums = sum(isinstance(module, FrozenOutput) for module in modules)
    activated = [module for module in modules if isinstance(module, FrozenLinear) and module.activation[0] != "none"]
    assert (sums, len(activated)) == TOGETHER[family]


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_python", "relu", "silu"])
def test_activations_are_those_of_the_model(activation, tmp_path):
    folder = make_model("bert", tmp_path / "bert", layers=2)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": activation}))
    model = load_model(locate(folder)).eval()
    assert model.config.hidden_act == activation
    with torch.no_grad():  # far enough from 0 to tell them apart
        for layer in model.bert.encoder.layer:
            layer.intermediate.dense.weight.mul_(20)
    batch = windows("bert", *LENGTHS)
    np.testing.assert_allclose(TorchScore(model)(batch), logits(model, batch), atol=5e-5, rtol=1e-4)


def test_a_block_that_does_something_else_is_left_as_it_is(fresh):
    model = fresh("bert")
    own = type(model.bert.encoder.layer[0].output)

    class Other(own):
        def forward(self, hidden_states, input_tensor):
            hidden_states = self.dense(hidden_states)
            hidden_states = self.dropout(hidden_states)
            return self.LayerNorm(hidden_states) + input_tensor

    model.bert.encoder.layer[0].output.__class__ = Other
    batch = windows("bert", *LENGTHS)
    score = TorchScore(model)
    assert score.model is model
    np.testing.assert_allclose(score(batch), logits(model, batch), atol=2e-5, rtol=1e-5)


class Adapted(torch.nn.Module):
    """What LoRA and its like put in a layer's place."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.more = layer, torch.nn.Linear(layer.in_features, layer.out_features)

    def forward(self, values):
        return self.layer(values) + self.more(values)


class Doubled(torch.nn.Linear):
    def forward(self, values):
        return 2 * super().forward(values)


def adapt(parent, name):
    setattr(parent, name, Adapted(getattr(parent, name)))


class Scaled(Adapted):
    """DoRA and its like read the weights of the layer."""

    def forward(self, values):
        return torch.nn.functional.linear(values, 2 * self.layer.weight, self.layer.bias)


def scale(parent, name):
    setattr(parent, name, Scaled(getattr(parent, name)))


def prune(parent, name):
    torch.nn.utils.prune.l1_unstructured(getattr(parent, name), "weight", 0.5)


def derive(parent, name):
    getattr(parent, name).__class__ = Doubled


def patch(parent, name):
    module = getattr(parent, name)
    module.forward = lambda *values, was=module.forward: 2 * was(*values)


def replace(parent, name):
    module = getattr(parent, name)
    module.forward = types.MethodType(lambda self, *values: 2 * type(self).forward(self, *values), module)


def rewrite_forward(parent, name):
    """Without the method that it was made of, which stays as it was."""
    block = getattr(parent, name)
    block.forward = types.MethodType(lambda self, values: self.lin2(torch.tanh(self.lin1(values))), block)


def hook(parent, name):
    getattr(parent, name).register_forward_hook(lambda module, inputs, output: 2 * output)


def hook_before(parent, name):
    getattr(parent, name).register_forward_pre_hook(lambda module, inputs: (2 * inputs[0], *inputs[1:]))


# (family, a module of its first layer, what is in it): linear layers, and what can only be changed as it is
LAYERS = [
    ("bert", "intermediate", "dense"),
    ("bert", "output", "dense"),
    ("bert", "attention.output", "dense"),
    ("bert", "attention.self", "query"),
    ("albert", "", "ffn"),
    ("albert", "", "ffn_output"),
    ("albert", "attention", "dense"),
    ("distilbert", "ffn", "lin1"),
    ("distilbert", "ffn", "lin2"),
]
OTHERS = [
    ("bert", "", "intermediate"),
    ("bert", "intermediate", "intermediate_act_fn"),
    ("bert", "", "output"),
    ("bert", "output", "dropout"),
    ("albert", "", "activation"),
    ("distilbert", "", "ffn"),
    ("distilbert", "ffn", "activation"),
]
CHANGES = [
    *itertools.product(LAYERS, (adapt, scale, derive, prune, patch, hook, hook_before)),
    *itertools.product(OTHERS, (patch, replace, hook, hook_before)),
    (("distilbert", "", "ffn"), rewrite_forward),
]


@pytest.mark.parametrize(("place", "change"), CHANGES, ids=lambda one: one.__name__ if callable(one) else "-".join(one))
def test_what_was_put_on_a_model_is_done(fresh, place, change):
    family, parent, name = place
    model = fresh(family)
    batch = windows(family, *LENGTHS)
    before = logits(model, batch)
    kind = {"bert": "BertLayer", "albert": "AlbertLayer", "distilbert": "TransformerBlock"}[family]
    layer = next(module for module in model.modules() if type(module).__name__ == kind)
    change(layer.get_submodule(parent), name)
    found, changed = TorchScore(model)(batch), logits(model, batch)
    assert not np.allclose(changed, before, atol=1e-3)
    np.testing.assert_allclose(found, changed, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("change", [adapt, patch, hook])
def test_what_was_put_on_a_model_is_done_in_bf16_too(fresh, change, monkeypatch):
    monkeypatch.setattr("dokhae.model.frozen.onednn_takes", lambda dtype: True)
    model, batch = fresh("bert"), windows("bert", *LENGTHS)
    change(model.bert.encoder.layer[0].output, "dense")
    np.testing.assert_array_equal(TorchScore(model, "cpu", "bf16")(batch), logits(model, batch, "bf16"))


def test_a_hook_on_every_module_is_heard(fresh):
    model, batch = fresh("bert"), windows("bert", *LENGTHS)
    before = logits(model, batch)
    doubled = torch.nn.modules.module.register_module_forward_hook(
        lambda module, inputs, output: 2 * output if type(module) is torch.nn.Linear else None
    )
    try:
        found, wanted = TorchScore(model)(batch), logits(model, batch)
    finally:
        doubled.remove()
    assert not np.allclose(wanted, before, atol=1e-3)
    np.testing.assert_allclose(found, wanted, atol=2e-5, rtol=1e-5)


def test_a_cpu_takes_as_many_tokens_as_its_widest_layer_has_room_for(fresh):
    model = fresh("bert")
    widest = model.config.intermediate_size
    assert TorchScore(model).most_tokens == AT_ONCE // (4 * widest)
    assert TorchScore(model, "cpu", "bf16").most_tokens == AT_ONCE // (2 * widest)


@pytest.mark.parametrize("family", YES)
def test_bf16_errs_no_more_than_mixed_precision_twice_over(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    exact, mixed, found = logits(model, batch), logits(model, batch, "bf16"), TorchScore(model, "cpu", "bf16")(batch)
    error, usual = (np.sqrt(np.mean((np.array(one) - exact) ** 2)) for one in (found, mixed))
    assert 0 < error < 3 * usual


def test_the_model_is_left_as_it_was_and_shares_what_it_can(fresh):
    model = fresh("bert")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    made = frozen(model, torch.float32)
    assert made.get_input_embeddings().weight is model.get_input_embeddings().weight
    frozen(model, torch.bfloat16)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in model.parameters())


def test_later_changes_of_the_model_do_not_reach_it(fresh):
    model = fresh("bert")
    batch = windows("bert", 30)
    score = TorchScore(model)
    before = score(batch)
    with torch.no_grad():
        model.qa_outputs.weight.mul_(2)
    np.testing.assert_array_equal(score(batch), before)
    assert not np.allclose(TorchScore(model)(batch), before)


def test_bf16_is_mixed_precision_on_a_cpu_that_onednn_has_none_for(fresh, monkeypatch):
    """AVX2 alone: it would end with an error of torch's."""
    monkeypatch.setattr("dokhae.model.frozen.onednn_takes", lambda dtype: dtype != torch.bfloat16)
    model, batch = fresh("bert"), windows("bert", *LENGTHS)
    score = TorchScore(model, "cpu", "bf16")
    assert score.model is model
    np.testing.assert_array_equal(score(batch), logits(model, batch, "bf16"))


def test_models_that_need_padding_are_taken_as_they_are(fresh):
    model = fresh("mobilebert")
    assert frozen(model, torch.float32) is model


def test_rotary_frequencies_stay_as_exact_as_they_were():
    """In bf16 the angle of position 384 would be off by a third of a radian, and by the more the longer a window is."""
    torch.manual_seed(0)
    config = transformers.ModernBertConfig(
        vocab_size=600, hidden_size=128, num_hidden_layers=4, num_attention_heads=2, intermediate_size=192,
        pad_token_id=0, cls_token_id=1, bos_token_id=1, sep_token_id=2, eos_token_id=2,
    )  # fmt: skip
    model = transformers.ModernBertForQuestionAnswering(config).eval()
    with torch.no_grad():  # far enough from 0 that attention looks at the positions, as a trained model's does
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.15)
    assert pack(model)
    score = TorchScore(model, "cpu", "bf16")
    frequencies = {name: tensor.dtype for name, tensor in score.model.named_buffers() if "inv_freq" in name}
    assert frequencies and set(frequencies.values()) == {torch.float32}
    batch = windows("modernbert", 1024)
    exact, mixed = logits(model, batch), logits(model, batch, "bf16")
    error, usual = (np.sqrt(np.mean((np.array(one) - exact) ** 2)) for one in (score(batch), mixed))
    assert error < 2 * usual
