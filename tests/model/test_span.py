from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from dokhae.errors import ModelError
from dokhae.model.loading import load_model, locate
from dokhae.model.span import TorchScore, span_logits, span_loss
from rows import Rows
from tiny_models import make_model, shared_tokenizer

LENGTHS = torch.tensor([4, 2])  # a window, and another one behind it


def loss(start, end, start_labels, end_labels, lengths=LENGTHS):
    sides = (torch.tensor(start), torch.tensor(end))
    return float(span_loss(*sides, lengths, torch.tensor(start_labels), torch.tensor(end_labels)))


def test_equal_logits_lose_the_logarithm_of_the_tokens_of_their_window():
    both = pytest.approx((math.log(4) + math.log(2)) / 2)
    assert loss([0.0] * 6, [0.0] * 6, [0, 4], [3, 5]) == both
    assert loss([7.0] * 4 + [0.0] * 2, [0.0] * 4 + [-9.0] * 2, [0, 4], [3, 5]) == both  # other windows do not count


def test_the_loss_is_the_mean_of_start_and_end():
    certain = [50.0, 0.0, 0.0, 0.0]
    assert loss(certain, [0.0] * 4, [0], [2], LENGTHS[:1]) == pytest.approx(math.log(4) / 2)


def test_the_loss_is_torchs_own_of_each_window():
    start, end = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)) * 300
    own = [cross_entropy(side[part][None], torch.tensor([label]))
           for side, labels in ((start, (2, 1)), (end, (3, 0)))
           for part, label in zip((slice(0, 4), slice(4, 6)), labels, strict=True)]  # fmt: skip
    assert loss(start.tolist(), end.tolist(), [2, 5], [3, 4]) == pytest.approx(float(sum(own)) / 4)


def test_gradients_are_shares_less_one_at_the_label():
    start = torch.zeros(6, requires_grad=True)
    span_loss(start, torch.zeros(6), LENGTHS, torch.tensor([0, 5]), torch.tensor([0, 5])).backward()
    assert start.grad.tolist() == [-0.75 / 4, 0.25 / 4, 0.25 / 4, 0.25 / 4, 0.5 / 4, -0.5 / 4]


@pytest.fixture(scope="module")
def network(tiny_bert):
    return load_model(locate(tiny_bert))


def inputs(ids):
    ids = np.array([ids], dtype=np.int64)
    return Rows({"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": np.ones_like(ids)})


def test_a_score_gives_float32_arrays_without_dropout(network):
    score = TorchScore(network.train())
    first, second = score(inputs([2, 7, 3])), score(inputs([2, 7, 3]))
    assert [array.shape for array in first] == [(3,), (3,)]
    assert [array.dtype for array in first] == [np.float32, np.float32]
    np.testing.assert_array_equal(first, second)


def test_bf16_is_near_float32(network):
    exact, rough = TorchScore(network)(inputs([2, 7, 3])), TorchScore(network, "cpu", "bf16")(inputs([2, 7, 3]))
    assert rough[0].dtype == np.float32
    np.testing.assert_allclose(exact, rough, atol=0.3)
    assert not np.array_equal(exact, rough)


def test_a_token_without_an_embedding_is_named(network):
    with pytest.raises(ModelError, match="token 99999 has no embedding, the model has .* another model's"):
        TorchScore(network)(inputs([2, 99999, 3]))


@pytest.fixture
def fresh(tmp_path):
    """`fresh(family)`: a tiny model of a family, in evaluation."""
    return lambda family: load_model(locate(make_model(family, tmp_path / family, layers=2))).eval()


def pairs(family, *lengths, question=3):
    """Windows of so many tokens, of a question and a context, padded to the longest."""
    fast = shared_tokenizer(family)
    cls, sep = fast.cls_token_id, fast.sep_token_id
    letters = np.random.default_rng(0).integers(10, 400, size=max(lengths)).tolist()
    rows = [[cls, *letters[:question], sep, *letters[question : length - 3], sep] for length in lengths]
    ids = [row + [fast.pad_token_id] * (max(lengths) - len(row)) for row in rows]
    made = {
        "input_ids": np.array(ids),
        "attention_mask": np.array([[1] * len(row) + [0] * (max(lengths) - len(row)) for row in rows]),
        "token_type_ids": np.array([[0] * (question + 2) + [1] * (max(lengths) - question - 2) for _ in rows]),
    }
    return Rows(made)


def own(model, batch):
    """What the model makes of a batch by itself."""
    with torch.inference_mode():
        output = model(**{name: torch.from_numpy(array) for name, array in batch.padded().items()})
    present = batch.present()
    return output.start_logits.numpy()[present], output.end_logits.numpy()[present]


def same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [40, 43])
def test_sparse_attention_is_the_models_own_after_a_short_window_too(fresh, length):
    """BigBird switches to full attention when a batch is short, and never back."""
    long, short = pairs("bert", length), pairs("bert", 12)
    wanted = own(fresh("kobigbird"), long), own(fresh("kobigbird"), short)
    assert not np.allclose(wanted[0][0], own(full(fresh("kobigbird")), long)[0], atol=0.01)
    score = TorchScore(fresh("kobigbird"))
    for _ in range(2):
        same(score(long), wanted[0])
        same(score(short), wanted[1])


def full(model):
    model.bert.set_attention_type("original_full")
    return model


def test_windows_of_other_blocks_in_a_batch_change_nothing(fresh):
    lengths = (12, 61, 40, 28, 29, 63, 12, 37)
    score = TorchScore(fresh("kobigbird"))
    batch = pairs("bert", *lengths)
    together = [batch.split(side) for side in score(batch)]
    for row, length in enumerate(lengths):
        alone = score(pairs("bert", length))
        same([side[row] for side in together], alone)


def test_several_threads_ask_one_model_of_sparse_attention(fresh):
    """Its attention is another for each number of blocks, and stays so until the next."""
    score = TorchScore(fresh("kobigbird"))
    batches = [pairs("bert", *lengths) for lengths in ((40, 12), (12,), (61, 28), (12, 43))]
    wanted = [score(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(score, batches * 10), wanted * 10, strict=True):
            same(found, expected)


def test_other_blocks_in_a_batch_draw_nothing_and_keep_their_gradients(fresh):
    model = fresh("kobigbird").train()
    weights = {name: id(weight) for name, weight in model.named_parameters()}
    model.config.attention_probs_dropout_prob = 0.0  # of the attention that is made at the switch
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    before = torch.get_rng_state()
    start, end = span_logits(model, pairs("bert", 40, 12, 61), "cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert {name: id(weight) for name, weight in model.named_parameters()} == weights
    (start[40:52].sum() + end[40:52].sum()).backward()
    assert all(weight.grad is not None for name, weight in model.named_parameters() if ".layer." in name)


def test_sparse_attention_is_in_float32_whatever_the_rest_is_in(fresh):
    """transformers 5.23 stops with an error where it should be mixed."""
    batch = pairs("bert", 40, 12)
    exact, mixed = TorchScore(fresh("kobigbird"))(batch), TorchScore(fresh("kobigbird"), "cpu", "bf16")(batch)
    same([side[:40] for side in mixed], [side[:40] for side in exact])
    assert not np.allclose(mixed[0][40:], exact[0][40:], rtol=1e-4, atol=1e-4)


def test_the_last_token_of_mobilebert_sees_padding_in_every_batch(fresh):
    score = TorchScore(fresh("mobilebert"))
    alone, padded = score(pairs("bert-uncased", 24)), score(pairs("bert-uncased", 24, 40))
    same(alone, [side[:24] for side in padded])
    full_length = pairs("bert-uncased", 128)  # as many as there are positions
    same(score(full_length), own(fresh("mobilebert"), full_length))


def test_global_attention_is_the_models_own(fresh, caplog):
    batch = pairs("roberta", 40, 29)
    batch.inputs["input_ids"][:, 5] = shared_tokenizer("roberta").sep_token_id  # two between the texts
    del batch.inputs["token_type_ids"]
    found = TorchScore(fresh("longformer"))(batch)
    assert caplog.text == ""  # the model says that it pads to its window
    same(found, own(fresh("longformer"), batch))
    batch.inputs["input_ids"][0, 20] = shared_tokenizer("roberta").sep_token_id
    again = TorchScore(fresh("longformer"))(batch)
    same(again[0][40:], found[0][40:])
    assert not np.allclose(again[0][:40], found[0][:40])
