"""Texts as wholes, in every family: what the model itself says of each text alone, whatever else is in the batch."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import tensor

from dokhae.encoding import PairConfig, PairTokenizer, assemble, build_pairs
from dokhae.errors import ModelError
from dokhae.model import packing
from dokhae.model.frozen import FrozenLinear
from dokhae.model.inputs import input_names
from dokhae.model.loading import load_classifier, load_encoder, load_tokenizer, locate
from dokhae.model.packing import is_packed, pack
from dokhae.model.sentences import ClassScore, HiddenScore, class_logits, class_loss, hidden_states
from dokhae.types import Example
from rows import NOT, YES
from tiny_models import FAMILIES, make_model

SOME = ("bert", "roberta", "electra", "albert", "distilbert", "xlnet", "mobilebert", "deberta-v3")
families = pytest.mark.parametrize(
    "family", [*SOME, *(pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES if one not in SOME)]
)
PAIRS = [
    ("서울은 대한민국의 수도이다.", "수도는 어디인가?"),
    ("In 1704 the Early Otter was launched at Korustead, and so was another ship.", "It was launched."),
    ("a", "the town of 서울 " * 9),
    ("one", ""),
]
LABELS = ("no", "maybe", "yes")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """family -> folder of a tiny model of two layers, made when it is asked for."""
    made, parent = {}, tmp_path_factory.mktemp("families")

    def run(family):
        if family not in made:
            made[family] = make_model(family, parent / family, layers=2)
        return made[family]

    return run


@pytest.fixture
def classifier(folders):
    """`classifier(family)`: with a head for three labels, the same each time."""

    def run(family, labels=LABELS):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = load_classifier(locate(folders(family)), labels)
            for name, weights in model.named_parameters():
                if not name.startswith(f"{model.base_model_prefix}.") and weights.ndim > 1:
                    torch.nn.init.normal_(weights, std=0.5)
        return model.eval()

    return run


@pytest.fixture
def lay_out(folders):
    """`lay_out(model, family, pairs)`: the batch, and what transformers' tokenizer makes of each pair alone."""

    def run(model, family, pairs=PAIRS):
        fast = load_tokenizer(locate(folders(family)))
        names = input_names(fast, model)
        tokenizer = PairTokenizer.of(fast, names, texts="pair")
        features = build_pairs([Example("", *pair) for pair in pairs], tokenizer, PairConfig())
        alone = [fast([first], [second], return_tensors="pt", return_token_type_ids=True) for first, second in pairs]
        own = [{name: values for name, values in one.items() if name in names} for one in alone]
        return assemble(features, np.arange(len(pairs)), tokenizer.layout), own

    return run


def plain(model):
    """A copy of the model as transformers made it."""
    made = copy.deepcopy(model)
    packing._unpack(made, "eager")
    return made


@families
def test_logits_are_the_models_own_of_each_text_alone(classifier, lay_out, family):
    model = classifier(family)
    batch, own = lay_out(model, family)
    assert is_packed(model) == (family in YES)
    itself = plain(model)
    with torch.no_grad():
        found = class_logits(model, batch, "cpu")
        wanted = torch.cat([class_logits(itself, lay_out(model, family, [pair])[0], "cpu") for pair in PAIRS])
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(class_logits(itself, batch, "cpu"), wanted, atol=1e-5, rtol=1e-5)
        if family not in ("mobilebert", "big-bird", "kobigbird", "longformer"):  # which padding.py runs in its own way
            wanted = torch.cat([itself(**one).logits for one in own])
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert found.shape == (4, 3) and float(wanted.std(dim=0).min()) > 0.01  # the texts differ


@families
def test_hidden_states_are_the_models_own_of_each_text_alone(folders, lay_out, family):
    model = load_encoder(locate(folders(family))).eval()
    batch, own = lay_out(model, family)
    assert is_packed(model) == (family in YES)
    itself = plain(model)
    with torch.no_grad():
        found = hidden_states(model, batch, "cpu", (-1, 0, -2))
        wanted = [itself(**one, output_hidden_states=True).hidden_states for one in own]
    for states, layer in zip(found, (2, 0, 1), strict=True):
        whole = torch.cat([one[layer][0] for one in wanted])
        assert states.shape == (batch.lengths.sum(), 32)
        if family not in ("mobilebert", "big-bird", "kobigbird", "longformer"):
            torch.testing.assert_close(states, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "albert", "distilbert", "modernbert"])
def test_gradients_of_a_row_are_those_of_padded_texts(classifier, lay_out, family):
    model = classifier(family)
    batch, _ = lay_out(model, family)
    found, wanted = (gradients(one, batch) for one in (model, plain(model)))
    assert found.keys() == wanted.keys()
    largest = max(float(gradient.abs().max()) for gradient in wanted.values())
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[name], atol=1e-5 * max(largest, 1), rtol=1e-3)


def gradients(model, batch):
    class_loss(class_logits(model, batch, "cpu"), tensor([0, 2, 1, 1])).backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("family", ["bert", "albert", "distilbert", "deberta-v3"])
def test_scores_are_the_logits_and_states_of_a_frozen_copy(classifier, folders, lay_out, family):
    model, encoder = classifier(family), load_encoder(locate(folders(family)))
    batch, _ = lay_out(model, family)
    score, states = ClassScore(model.train()), HiddenScore(encoder, (-1, 1))
    assert (score.model is model) == (family in NOT)
    assert any(isinstance(module, FrozenLinear) for module in score.model.modules()) == (family in YES)
    with torch.no_grad():
        np.testing.assert_allclose(score(batch), class_logits(model.eval(), batch, "cpu"), atol=1e-5, rtol=1e-5)
        wanted = hidden_states(encoder.eval(), batch, "cpu", (-1, 1))
        for found, one in zip(states(batch), wanted, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, one, atol=1e-5, rtol=1e-5)


def test_a_head_that_pools_all_tokens_is_given_padded_rows(classifier, lay_out):
    model = plain(classifier("modernbert"))
    model.config.classifier_pooling = "mean"
    assert not pack(model) and not is_packed(model)
    assert len(model.base_model._forward_hooks) == 0 == len(model.base_model._forward_hooks_with_kwargs)
    batch, own = lay_out(model, "modernbert")
    with torch.no_grad():
        wanted = torch.cat([model(**one).logits for one in own])
        torch.testing.assert_close(class_logits(model, batch, "cpu"), wanted, atol=1e-5, rtol=1e-5)


def test_a_packed_classifier_still_takes_padded_rows_and_is_asked_once(classifier, lay_out):
    model = classifier("bert")
    batch, _ = lay_out(model, "bert")
    rows = {name: torch.from_numpy(values) for name, values in batch.padded().items()}
    with torch.no_grad():
        wanted = class_logits(model, batch, "cpu")
        torch.testing.assert_close(model(**rows).logits, wanted, atol=1e-5, rtol=1e-5)
        for one in (model, copy.deepcopy(model)):
            assert pack(one)
            torch.testing.assert_close(class_logits(one, batch, "cpu"), wanted)


@pytest.mark.slow  # a compiler is called
@pytest.mark.filterwarnings("ignore")  # of what torch itself has outgrown
def test_a_compiled_encoder_gives_the_same_gradients(classifier, lay_out):
    model, itself = classifier("bert"), classifier("bert")
    model.base_model.compile(dynamic=True)
    for pairs in (PAIRS, PAIRS[::-1]):
        batch, _ = lay_out(model, "bert", pairs)
        for name, gradient in gradients(model, batch).items():
            torch.testing.assert_close(gradient, gradients(itself, batch)[name], atol=1e-4, rtol=1e-3)
            itself.zero_grad()
        model.zero_grad()


def test_a_token_without_an_embedding_is_named(classifier, folders, lay_out):
    model = classifier("bert")
    batch, _ = lay_out(model, "bert")
    batch.ids[3] = 99999
    encoder = load_encoder(locate(folders("bert")))
    for ask in (lambda: class_logits(model, batch, "cpu"), lambda: hidden_states(encoder, batch, "cpu", (-1,))):
        with pytest.raises(ModelError, match="token 99999 has no embedding, the model has .* another model's"):
            ask()


def test_the_loss_of_classes_is_the_cross_entropy():
    assert float(class_loss(torch.zeros(2, 3), tensor([0, 2]))) == pytest.approx(math.log(3))
    certain = tensor([[9.0, 0.0], [0.0, 9.0]])
    assert float(class_loss(certain, tensor([0, 0]))) == pytest.approx(4.5 + math.log(1 + math.exp(-9)), abs=1e-4)


def test_the_loss_of_numbers_is_the_mean_squared_error():
    assert float(class_loss(tensor([[1.0], [2.0]]), tensor([1.0, 5.0], dtype=torch.float64))) == 4.5
