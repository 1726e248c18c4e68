"""Windows end to end in one row: the logits and gradients of padded windows, in every family that allows it."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dokhae.encoding import PairTokenizer, WindowConfig, assemble, build_features
from dokhae.model import attention, packing
from dokhae.model.attention import PACKED
from dokhae.model.inputs import input_names
from dokhae.model.loading import load_model, load_tokenizer, locate
from dokhae.model.packing import is_packed, pack
from dokhae.model.span import TorchScore, span_logits, span_loss
from dokhae.types import Example
from rows import LENGTHS, NOT, YES, inputs, windows
from tiny_models import make_model


@pytest.fixture
def fresh(tmp_path):
    """`fresh(family)`: a tiny model of a family as the house loads it, in evaluation."""
    return lambda family: load_model(locate(make_model(family, tmp_path / family, layers=3))).eval()


def plain(model):
    """A copy of the model as transformers made it, which needs padding."""
    model = copy.deepcopy(model)
    model.set_attn_implementation("eager")
    return model


@pytest.mark.parametrize("family", YES)
def test_logits_are_those_of_padded_windows(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    assert is_packed(model)
    np.testing.assert_allclose(TorchScore(model)(batch), TorchScore(plain(model))(batch), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", YES)
def test_gradients_are_those_of_padded_windows(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    both = [gradients(one, batch) for one in (model, plain(model))]
    assert both[0].keys() == both[1].keys()
    largest = max(float(gradient.abs().max()) for gradient in both[1].values())
    for name, gradient in both[0].items():  # that of a key's bias is 0 but for rounding
        torch.testing.assert_close(gradient, both[1][name], atol=1e-5 * max(largest, 1), rtol=1e-3)


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_padding_that_a_text_spells_out_is_counted_as_the_model_counts(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    batch.inputs["input_ids"][:, 7] = model.config.pad_token_id
    assert (batch.ids == model.config.pad_token_id).sum() == len(LENGTHS) - 1  # of one token
    np.testing.assert_allclose(TorchScore(model)(batch), TorchScore(plain(model))(batch), atol=2e-5, rtol=1e-5)


def test_padding_may_be_the_last_of_the_vocabulary(fresh, tmp_path):
    model = fresh("bert")
    model.resize_token_embeddings(10)  # so few that each of them is asked with
    model.config.pad_token_id = 9
    assert pack(model)


def test_token_types_that_the_tokenizer_leaves_out_are_left_out_of_a_row_too(fresh, tmp_path):
    """BERT has an embedding for the second type, but this one's tokenizer says that it was trained without."""
    model = fresh("bert")
    path = tmp_path / "bert" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_input_names": ["input_ids", "attention_mask"]}))
    fast = load_tokenizer(locate(path.parent))
    tokenizer = PairTokenizer.of(fast, input_names(fast, model))
    examples = [Example(str(words), "누가 맡았나?", "두오해가 맡았다. " * words) for words in (1, 4, 9)]
    features = build_features(examples, tokenizer, WindowConfig(max_length=64))
    batch = assemble(features, np.arange(features.window_count), tokenizer.layout)
    assert set(batch.padded()) == {"input_ids", "attention_mask"}
    np.testing.assert_allclose(TorchScore(model)(batch), TorchScore(plain(model))(batch), atol=2e-5, rtol=1e-5)


def gradients(model, batch):
    start, end = span_logits(model, batch, "cpu")
    lengths = torch.from_numpy(batch.lengths)
    labels = lengths.cumsum(0) - lengths + lengths // 2
    span_loss(start, end, lengths, labels, labels).backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("family", YES)
def test_neighbours_change_nothing(fresh, family):
    model = fresh(family)
    score, one = TorchScore(model), inputs(model, windows(family, 33))
    alone = score(one)
    for position in range(3):
        others = inputs(model, windows(family, 33, 33, 33, seed=position + 1))
        others.inputs["input_ids"][position] = one.inputs["input_ids"][0]
        for side, expected in zip(score(others), alone, strict=True):
            np.testing.assert_allclose(others.split(side)[position], expected, atol=2e-5)


@pytest.mark.parametrize("family", sorted(NOT))
def test_models_that_look_across_the_seam_are_padded(fresh, family):
    model = fresh(family)
    assert not is_packed(model) and not pack(model)
    assert not is_packed(model) and not model.training


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_positions_that_turn_by_the_longest_window_are_not_packed(fresh, kind):
    """However long the windows are that the model is asked about."""
    model = plain(fresh("modernbert"))
    rope = {"rope_type": kind, "rope_theta": 1e4}
    model.config.rope_parameters = {"full_attention": rope, "sliding_attention": rope}
    assert not pack(model)


def test_asking_draws_nothing_and_leaves_the_mode(fresh):
    model = fresh("bert")
    for training in (True, False):
        before = torch.get_rng_state()
        assert pack(model.train(training)) and model.training == training
        assert torch.equal(torch.get_rng_state(), before)


def test_a_head_that_says_nothing_yet_does_not_answer_for_the_encoder(tmp_path):
    """MobileBERT looks across the seam of two windows, which a head of zeros does not show."""
    model = load_model(locate(make_model("mobilebert", tmp_path / "mobilebert")))
    torch.nn.init.zeros_(model.qa_outputs.weight)
    torch.nn.init.normal_(model.qa_outputs.bias)  # start and end differ, but no token from another
    assert not pack(model)
    assert not is_packed(model)


def test_local_attention_without_its_mask_would_be_noticed(fresh, monkeypatch):
    model = plain(fresh("modernbert"))
    monkeypatch.setattr(attention, "local_mask", lambda *_: None)
    assert not pack(model)


def test_a_packed_model_still_takes_padded_rows(fresh):
    for family in ("bert", "modernbert"):
        model = fresh(family)
        batch = inputs(model, windows(family, 60, 21))
        rows = {name: torch.from_numpy(array) for name, array in batch.padded().items()}
        with torch.no_grad():
            found, wanted = model(**rows).start_logits, plain(model)(**rows).start_logits
            torch.testing.assert_close(found[rows["attention_mask"] == 1], wanted[rows["attention_mask"] == 1])
            full = {name: tensor[:1] for name, tensor in rows.items() if name != "attention_mask"}
            torch.testing.assert_close(model(**full).end_logits, plain(model)(**full).end_logits)


def test_saved_models_do_not_know_of_it(fresh, tmp_path):
    fresh("bert").save_pretrained(tmp_path / "saved")
    assert PACKED not in (tmp_path / "saved" / "config.json").read_text(encoding="utf-8")


@given(st.lists(st.integers(1, 512), min_size=1, max_size=99), st.sampled_from([packing.CPU_SIZES, packing.GPU_SIZES]))
def test_rows_come_in_few_sizes_and_are_little_longer_for_it(lengths, sizes):
    tokens = sum(lengths)
    padding, seams = packing.with_padding(np.array(lengths), "cpu", sizes)
    assert 0 <= padding <= tokens / sizes
    size = tokens + padding
    first = 1 << (size.bit_length() - 1)  # the power of two before it
    assert size % max(first // sizes, 1) == 0  # so as many or fewer from there to the next
    bounds = seams.bounds.tolist()
    assert bounds[: len(lengths) + 1] == [0, *np.cumsum(lengths)] and bounds[-1] == size
    # the padding's blocks are no longer than the windows may be, and as many for every row of that size
    assert all(0 <= block <= seams.longest for block in np.diff(bounds))
    other = [*lengths[:-1], lengths[-1] + padding]
    assert packing.with_padding(np.array(other), "cpu", sizes)[1].bounds.shape == seams.bounds.shape


def test_without_sizes_a_row_has_no_padding():
    padding, seams = packing.with_padding(np.array([5, 1000, 24]), "cpu", None)
    assert padding == 0 and seams.bounds.tolist() == [0, 5, 1005, 1029] and seams.longest == 1024
