"""Which modules of an encoder are its layers, and what is compiled for it."""

from __future__ import annotations

import pytest

from dokhae.model.layers import layer_lists, layers_of
from dokhae.training.compiling import compile_encoder
from training.test_optimizers import untrained

STACKS = {"bert": "bert.encoder.layer", "electra": "electra.encoder.layer", "modernbert": "model.layers"}

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch's compiler of itself


def compiled(model):
    return {name for name, module in model.named_modules() if module._compiled_call_impl is not None}


@pytest.mark.parametrize("kind", STACKS)
def test_the_layers_are_one_list_and_are_compiled_one_by_one(kind):
    model = untrained(kind)
    assert list(layer_lists(model)) == [STACKS[kind]]
    assert layers_of(model) == list(model.get_submodule(STACKS[kind])) and len(layers_of(model)) == 3
    compile_encoder(model)
    assert compiled(model) == {f"{STACKS[kind]}.{number}" for number in range(3)}


@pytest.mark.parametrize(
    ("kind", "sizes", "lists"), [("albert", {}, 0), ("xlm", {"emb_dim": 8, "n_layers": 3, "n_heads": 2}, 4)]
)
def test_where_they_are_in_no_list_or_in_several_the_whole_encoder_is_compiled(kind, sizes, lists):
    model = untrained(kind, **sizes)
    assert (len(layer_lists(model)), layers_of(model)) == (lists, [])
    compile_encoder(model)
    body = next(name for name, module in model.named_modules() if module is model.base_model)
    assert compiled(model) == {f"{body}.{name}" for name, _ in model.base_model.named_children()}


def test_an_encoder_that_is_alone_has_layers_too():
    model = untrained("bert")
    assert layers_of(model.bert) == layers_of(model) and len(layers_of(model)) == 3
