from __future__ import annotations

import json
import logging
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.utils import logging as transformers_logging

from dokhae import Reader
from dokhae.errors import ModelError
from dokhae.model import finding, inputs, loading
from tiny_models import FAMILIES, POSITIONS, make_model, shared_tokenizer
from tokenizers_on_the_spot import train_luke

WITH_TYPES = ("input_ids", "token_type_ids", "attention_mask")
WITHOUT_TYPES = ("input_ids", "attention_mask")
UNENDING = ("deberta-v2", "deberta-v3", "xlnet")  # relative positions


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """family -> folder of a tiny model."""
    folder = tmp_path_factory.mktemp("families")
    return {family: make_model(family, folder / family) for family in FAMILIES}


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


def test_a_folder_keeps_the_case_of_its_name(tiny_bert, tmp_path):
    folder = tmp_path / "KoELECTRA-Base-v3"
    shutil.copytree(tiny_bert, folder)
    source = loading.locate(folder)
    assert (source.name, source.folder) == (str(folder), folder)
    assert loading.load_model(source).name_or_path == loading.load_tokenizer(source).name_or_path == str(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_models_are_loaded_in_float32_with_their_positions(models, family):
    model = loading.load_model(loading.locate(models[family]))
    assert {str(weights.dtype) for weights in model.parameters()} == {"torch.float32"}
    assert inputs.longest_input(model) == (None if family in UNENDING else POSITIONS)


def test_sparse_attention_takes_whole_blocks(tmp_path):
    model = loading.load_model(loading.locate(make_model("big-bird", tmp_path / "big-bird", positions=130)))
    assert inputs.longest_input(model) == 128


@pytest.mark.parametrize(
    ("family", "names"),
    [
        *((family, WITH_TYPES) for family in ("bert", "electra", "mobilebert", "kobigbird", "xlnet")),
        *((family, (*WITHOUT_TYPES, "token_type_ids")) for family in ("albert", "big-bird")),  # types are not listed
        *((family, WITHOUT_TYPES) for family in ("roberta", "xlm-roberta", "longformer", "distilbert")),
        ("klue-roberta", WITHOUT_TYPES),  # the tokenizer has two types, the model one
        ("deberta-v3", WITHOUT_TYPES),  # the tokenizer has two types, the model none
        *((family, WITHOUT_TYPES) for family in ("modernbert", "mmbert")),
        ("fnet", ("input_ids", "token_type_ids")),
    ],
)
def test_inputs_are_what_the_tokenizer_makes_and_the_model_takes(models, family, names):
    source = loading.locate(models[family])
    assert inputs.input_names(loading.load_tokenizer(source), loading.load_model(source)) == names


def test_token_types_without_an_embedding_are_left_out(models):
    """As in KLUE's RoBERTa, whose tokenizer is BERT's."""
    tokenizer = loading.load_tokenizer(loading.locate(models["bert"]))
    model = loading.load_model(loading.locate(models["roberta"]))
    assert inputs.input_names(tokenizer, model) == ("input_ids", "attention_mask")


def test_inputs_that_the_files_list_are_taken_as_they_are(models, tmp_path):
    source = loading.locate(models["albert"])
    tokenizer = loading.load_tokenizer(source)
    tokenizer.init_kwargs["model_input_names"] = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(tmp_path)
    tokenizer = loading.load_tokenizer(loading.locate(tmp_path))
    assert inputs.input_names(tokenizer, loading.load_model(source)) == ("input_ids", "attention_mask")


def test_an_attention_mask_is_given_whether_the_tokenizer_lists_it_or_not(models):
    tokenizer = loading.load_tokenizer(loading.locate(models["bert"]))
    tokenizer.model_input_names = ["input_ids"]
    names = inputs.input_names(tokenizer, loading.load_model(loading.locate(models["mobilebert"])))
    assert set(names) == {*WITHOUT_TYPES, "token_type_ids"}


def test_a_model_that_reads_entities_too_is_refused(tmp_path):
    tokenizer = train_luke()
    config = transformers.LukeConfig(
        vocab_size=len(tokenizer), entity_vocab_size=len(tokenizer.entity_vocab), hidden_size=8, entity_emb_size=8,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
    )  # fmt: skip
    transformers.LukeForQuestionAnswering(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError) as caught:
        Reader.load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: LukeForQuestionAnswering also reads entity_ids, entity_attention_mask, entity_token_type_ids, "
        "entity_position_ids, which a question and a context do not give; choose an encoder of text alone, such as "
        "BERT, RoBERTa or ELECTRA"
    )


def test_an_input_that_only_the_tokenizer_could_explain_is_refused(models):
    tokenizer = loading.load_tokenizer(loading.locate(models["roberta"]))
    config = transformers.LiltConfig(vocab_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2)
    model = transformers.LiltForQuestionAnswering(config)
    assert inputs.input_names(tokenizer, model) == WITHOUT_TYPES  # places on a page are not needed
    tokenizer.model_input_names.append("bbox")
    with pytest.raises(ModelError, match="LiltForQuestionAnswering also reads bbox, which a question and a context do"):
        inputs.input_names(tokenizer, model)


def test_a_decoder_makes_its_own_inputs():
    config = transformers.BartConfig(
        vocab_size=8, d_model=8, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8, decoder_ffn_dim=8,
        encoder_attention_heads=2, decoder_attention_heads=2, bos_token_id=0, eos_token_id=2, forced_eos_token_id=2,
    )  # fmt: skip
    model = transformers.BartForQuestionAnswering(config)
    assert inputs.input_names(shared_tokenizer("roberta"), model) == WITHOUT_TYPES


@pytest.mark.parametrize("family", ["kobigbird", "longformer"])
def test_a_model_that_looks_for_another_separator_is_refused(models, family):
    source = loading.locate(models[family])
    tokenizer, model = loading.load_tokenizer(source), loading.load_model(source)
    ours = tokenizer.sep_token_id
    model.config.sep_token_id = 66  # BigBird's own, wherever a config does not say another
    with pytest.raises(ModelError, match=f"says that token 66 is the separator, its tokenizer says {ours}; correct"):
        inputs.input_names(tokenizer, model)


def test_relative_positions_have_no_end():
    config = transformers.T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    assert inputs.longest_input(transformers.T5ForQuestionAnswering(config)) is None


def test_a_missing_head_is_drawn_from_the_seed_and_told_where_it_matters(tiny_bert, tmp_path, caplog, monkeypatch):
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


def rewritten(folder, new, change, **config):
    """A copy of a model's folder, with other weights and settings."""
    shutil.copytree(folder, new)
    weights = load_file(new / "model.safetensors")
    change(weights)
    save_file(weights, new / "model.safetensors", {"format": "pt"})
    path = new / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return loading.locate(new)


def test_relative_positions_that_are_no_longer_computed_are_refused(tiny_bert, tmp_path):
    distances = "bert.encoder.layer.0.attention.self.distance_embedding.weight"
    source = rewritten(tiny_bert, tmp_path / "relative", lambda weights: weights.update({distances: torch.ones(3, 8)}),
                       position_embedding_type="relative_key_query")  # fmt: skip
    with pytest.raises(ModelError, match="was trained with relative positions .* choose a model with absolute ones"):
        loading.load_model(source)


def test_weights_of_an_encoder_that_have_no_place_are_told(tiny_bert, tmp_path, caplog, monkeypatch):
    def grow(weights):
        weights |= {name.replace("layer.0", "layer.1"): weight.clone() for name, weight in weights.items()}
        weights |= {"bert.pooler.dense.weight": torch.ones(3), "cls.predictions.bias": torch.ones(3)}  # as published

    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)
    loading.load_model(rewritten(tiny_bert, tmp_path / "deeper", grow))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'deeper'}: has encoder.layer.1.attention.output.LayerNorm.bias, "
        "encoder.layer.1.attention.output.LayerNorm.weight, encoder.layer.1.attention.output.dense.bias, "
        "encoder.layer.1.attention.output.dense.weight, …, which have no place in BertForQuestionAnswering; "
        "it goes on without them"
    ]


@pytest.mark.parametrize("load", [loading.load_model, loading.load_trained, loading.load_encoder])
def test_an_encoder_none_of_whose_weights_is_there_is_refused(models, tmp_path, load):
    shutil.copytree(models["bert"], tmp_path / "other")
    shutil.copy(models["roberta"] / "model.safetensors", tmp_path / "other")
    with pytest.raises(ModelError) as caught:
        load(loading.locate(tmp_path / "other"))
    prefix = "" if load is loading.load_encoder else "bert."
    there = f"there is roberta.embeddings.LayerNorm.bias, and not {prefix}embeddings.LayerNorm.bias; take files of one"
    assert there in str(caught.value)


def test_what_is_counted_and_not_learnt_is_not_told(models, tmp_path, caplog, monkeypatch):
    """transformers passes over it only where the model has it too."""
    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)
    counted = {"longformer.embeddings.position_ids": torch.arange(8)[None]}
    loading.load_model(rewritten(models["longformer"], tmp_path / "counted", lambda weights: weights.update(counted)))
    assert not caplog.records


def test_a_model_that_was_to_give_tuples_answers_as_others_do(tiny_bert, tmp_path):
    source = rewritten(tiny_bert, tmp_path / "tuples", dict, return_dict=False)
    question, context = "Who?", "Nara launched it."
    assert Reader.load(source.name)(question, context) == Reader.load(tiny_bert)(question, context)
    assert inputs.longest_input(loading.load_encoder(source)) == POSITIONS


def test_a_head_for_beam_search_is_not_taken_for_a_simple_one(tmp_path, caplog, monkeypatch):
    """The auto class gives XLNet's simple head whatever class config.json names; its weights are not there then."""
    tokenizer = shared_tokenizer("xlnet")
    config = transformers.XLNetConfig(vocab_size=len(tokenizer), d_model=8, n_layer=1, n_head=2, d_inner=8)
    transformers.XLNetForQuestionAnswering(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)
    with torch.random.fork_rng():
        reader = Reader.load(tmp_path, device="cpu")
    assert reader.score.model.config.architectures == ["XLNetForQuestionAnswering"]
    assert "lacks qa_outputs.bias, qa_outputs.weight; they are random now, and so are its answers" in caplog.text


def test_a_file_of_a_folder_is_found(tiny_bert):
    source = loading.locate(tiny_bert)
    assert loading.find_file(source, "config.json") == tiny_bert / "config.json"
    assert loading.find_file(source, "dokhae.json") is None


def test_quiet_gives_back_what_it_took():
    logger = logging.getLogger("transformers")
    before = logger.level, transformers_logging.is_progress_bar_enabled()
    with pytest.raises(ValueError, match="inside"), finding.quiet():
        assert (logger.level, transformers_logging.is_progress_bar_enabled()) == (logging.ERROR, False)
        raise ValueError("inside")
    assert (logger.level, transformers_logging.is_progress_bar_enabled()) == before
    with finding.quiet(bars=True):
        assert transformers_logging.is_progress_bar_enabled() is before[1]
