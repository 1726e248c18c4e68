from __future__ import annotations

import logging
import shutil

import pytest
import transformers
from transformers.utils import logging as transformers_logging

from dokhae.errors import ModelError
from dokhae.model import loading
from tiny_models import KINDS, POSITIONS, make_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """kind -> folder of a tiny model."""
    folder = tmp_path_factory.mktemp("kinds")
    return {kind: make_model(kind, folder / kind) for kind in KINDS}


def test_a_folder_is_taken_as_it_is(tiny_bert):
    source = loading.locate(tiny_bert)
    assert (source.name, source.folder, source.offline) == (str(tiny_bert), tiny_bert, False)
    assert source.options == {"local_files_only": True}


def test_the_home_folder_can_be_abbreviated(tiny_bert, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_bert.parent))
    assert loading.locate("~/bert").folder == tiny_bert


@pytest.mark.parametrize("name", ["./none", "/none", "~/none", "a/b/c", r"models\bert"])
def test_what_can_only_be_a_folder_is_not_asked_of_the_hub(name):
    with pytest.raises(ModelError, match="there is no such model folder"):
        loading.locate(name)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="is a folder without a model: it has none of config.json, "):
        loading.locate(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_loaded_in_float32_with_their_positions(models, kind):
    model = loading.load_model(loading.locate(models[kind]))
    assert {str(weights.dtype) for weights in model.parameters()} == {"torch.float32"}
    assert loading.longest_input(model) == POSITIONS


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bert", ("input_ids", "token_type_ids", "attention_mask")),
        ("electra", ("input_ids", "token_type_ids", "attention_mask")),
        ("albert", ("input_ids", "attention_mask", "token_type_ids")),  # transformers 5 does not list the types
        ("roberta", ("input_ids", "attention_mask")),
        ("distilbert", ("input_ids", "attention_mask")),
    ],
)
def test_inputs_are_what_the_tokenizer_makes_and_the_model_takes(models, kind, names):
    source = loading.locate(models[kind])
    assert loading.input_names(loading.load_tokenizer(source), loading.load_model(source)) == names


def test_token_types_without_an_embedding_are_left_out(models):
    """As in KLUE's RoBERTa, whose tokenizer is BERT's."""
    tokenizer = loading.load_tokenizer(loading.locate(models["bert"]))
    model = loading.load_model(loading.locate(models["roberta"]))
    assert loading.input_names(tokenizer, model) == ("input_ids", "attention_mask")


def test_inputs_that_the_files_list_are_taken_as_they_are(models, tmp_path):
    source = loading.locate(models["albert"])
    tokenizer = loading.load_tokenizer(source)
    tokenizer.init_kwargs["model_input_names"] = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(tmp_path)
    tokenizer = loading.load_tokenizer(loading.locate(tmp_path))
    assert loading.input_names(tokenizer, loading.load_model(source)) == ("input_ids", "attention_mask")


def test_relative_positions_have_no_end():
    config = transformers.T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    assert loading.longest_input(transformers.T5ForQuestionAnswering(config)) is None


def test_a_missing_head_is_drawn_from_the_seed_and_told_where_it_matters(tiny_bert, tmp_path, caplog, monkeypatch):
    import torch

    folder = tmp_path / "encoder"
    shutil.copytree(tiny_bert, folder)
    transformers.BertModel(transformers.BertConfig.from_pretrained(folder)).save_pretrained(folder)
    source = loading.locate(folder)
    heads = []
    with torch.random.fork_rng():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            heads.append(loading.load_model(source).qa_outputs.weight.tolist())
    assert heads[0] == heads[1] != heads[2]
    assert caplog.text == ""
    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)
    loading.load_trained(source)
    assert "lacks qa_outputs.bias, qa_outputs.weight; they are random now" in caplog.text
    caplog.clear()
    loading.load_trained(loading.locate(tiny_bert))
    assert caplog.text == ""


def test_a_file_of_a_folder_is_found(tiny_bert):
    source = loading.locate(tiny_bert)
    assert loading.find_file(source, "config.json") == tiny_bert / "config.json"
    assert loading.find_file(source, "dokhae.json") is None


def test_quiet_gives_back_what_it_took():
    logger = logging.getLogger("transformers")
    before = logger.level, transformers_logging.is_progress_bar_enabled()
    with pytest.raises(ValueError, match="inside"), loading.quiet():
        assert (logger.level, transformers_logging.is_progress_bar_enabled()) == (logging.ERROR, False)
        raise ValueError("inside")
    assert (logger.level, transformers_logging.is_progress_bar_enabled()) == before
    with loading.quiet(bars=True):
        assert transformers_logging.is_progress_bar_enabled() is before[1]
