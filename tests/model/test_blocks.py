"""The block head: four logits a token, in a folder that transformers reads as the model that it was."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForQuestionAnswering

from dokhae.errors import ModelError
from dokhae.model.blocks import FILE_NAME, add_block_head, block_head, span_head
from dokhae.model.loading import load_model, load_tokenizer, load_trained, locate
from dokhae.model.packing import is_packed
from dokhae.model.saving import save_model
from dokhae.model.span import TorchScore, span_logits
from rows import LENGTHS, inputs, windows
from tiny_models import make_model

FAMILIES = ("bert", "modernbert", "mobilebert", "xlnet")  # packed and not, with heads of several names
families = pytest.mark.parametrize("family", FAMILIES)


def with_head(folder, seed=1):
    """The model of a folder with a block head whose logits one can tell apart."""
    model = load_model(locate(folder)).eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        add_block_head(model)
        torch.nn.init.normal_(block_head(model).blocks.weight, std=0.5)
        torch.nn.init.normal_(block_head(model).blocks.bias)
    return model


def save(model, source, folder):
    save_model(folder, model, load_tokenizer(locate(source)))
    return folder


@families
def test_it_is_saved_beside_what_transformers_reads_and_loaded_again(family, tmp_path, caplog):
    source = make_model(family, tmp_path / "source", layers=2)
    model = with_head(source)
    batch = inputs(model, windows(family, *LENGTHS))
    wanted = TorchScore(model)(batch)
    folder = save(model, source, tmp_path / "saved")

    plain, report = AutoModelForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    before = AutoModelForQuestionAnswering.from_pretrained(source).state_dict()
    assert all(torch.equal(weight, before[name]) for name, weight in plain.state_dict().items())
    assert plain.state_dict().keys() == before.keys()
    assert {name: tuple(weight.shape) for name, weight in load_file(folder / FILE_NAME).items()} == {
        "weight": (2, block_head(model).spans.in_features),
        "bias": (2,),
    }

    again = load_trained(locate(folder))
    assert "lacks" not in caplog.text
    found = TorchScore(again)(batch)
    assert [one.shape for one in found] == [(sum(LENGTHS),)] * 4 and {one.dtype for one in found} == {
        np.dtype("float32")
    }
    np.testing.assert_array_equal(np.stack(found), np.stack(wanted))
    spans_alone = TorchScore(load_model(locate(source)))(batch)
    np.testing.assert_array_equal(np.stack(found[:2]), np.stack(spans_alone))
    assert not np.allclose(found[0], found[2]) and not np.allclose(found[2], found[3])

    save(load_model(locate(source)), source, folder)  # without the head, nothing of it is left behind
    assert not (folder / FILE_NAME).exists() and block_head(load_model(locate(folder))) is None


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert"])
def test_packed_and_padded_logits_agree(family, tmp_path):
    model = with_head(make_model(family, tmp_path / family, layers=2))
    batch = inputs(model, windows(family, *LENGTHS))
    padded = copy.deepcopy(model)
    padded.set_attn_implementation("eager")
    assert is_packed(model) and not is_packed(padded)
    found, wanted = TorchScore(model)(batch), TorchScore(padded)(batch)
    assert len(found) == len(wanted) == 4
    np.testing.assert_allclose(np.stack(found), np.stack(wanted), atol=2e-5, rtol=1e-5)
    for row, length in enumerate(LENGTHS[:3]):  # other windows change nothing
        one = TorchScore(model)(inputs(model, alone_in(batch, row, length)))
        for side, together in zip(one, found, strict=True):
            np.testing.assert_allclose(side, batch.split(together)[row], atol=2e-5, rtol=1e-4)


def alone_in(batch, row, length):
    return type(batch)({name: array[row : row + 1, :length] for name, array in batch.inputs.items()})


def test_the_loss_of_blocks_reaches_the_head_and_the_encoder(tiny_bert):
    model = with_head(tiny_bert).train()
    logits = span_logits(model, inputs(model, windows("bert", 12, 30)), "cpu")
    (logits[2].sum() + logits[3].square().sum()).backward()
    head = block_head(model)
    assert head.blocks.weight.grad.abs().sum() > 0 and head.spans.weight.grad is None
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0


def test_a_new_head_is_drawn_from_the_seed_and_leaves_the_spans_as_they_were(tiny_bert):
    heads = []
    for seed in (1, 1, 2):
        model = load_model(locate(tiny_bert))
        weight = dict(model.named_parameters())["qa_outputs.weight"].clone()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            add_block_head(model)
        assert torch.equal(block_head(model).spans.weight, weight)
        assert torch.equal(block_head(model).blocks.bias, torch.zeros(2))
        heads.append(block_head(model).blocks.weight)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("broken", ["cut off", "empty", "another width", "another name"])
def test_a_broken_head_is_one_error_that_names_it(broken, tiny_bert, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    file = folder / FILE_NAME
    head = {"weight": torch.zeros(2, 32), "bias": torch.zeros(2)}
    if broken == "another width":
        head["weight"] = torch.zeros(2, 31)
    if broken == "another name":
        head["bios"] = head.pop("bias")
    save_file(head, file)
    if broken == "cut off":
        file.write_bytes(file.read_bytes()[:-3])
    if broken == "empty":
        file.write_bytes(b"")
    with pytest.raises(ModelError, match=r"block_head\.safetensors: is not the block head of this model") as caught:
        load_model(locate(folder))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_plain_span_head_is_refused():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3))
    model.name_or_path = "some/model"
    with pytest.raises(ModelError, match="some/model: Sequential has no plain span head.*--no_block_head"):
        span_head(model)
