"""Old checkpoints as folders: which class, every weight in its place, all accounted for, one error for each mistake."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from checkpoints_on_the_spot import electra_variables, tiny, variables_of, write_files
from dokhae.convert.folders import Wanted, account, convert_pytorch, convert_tensorflow, files_of
from dokhae.errors import ModelError, SettingsError
from dokhae.model import loading
from dokhae.model.tensorflow import Checkpoint, weights_of
from dokhae.model.variables import BERT
from tokenizers_on_the_spot import wordpiece


def opened(variables: dict[str, np.ndarray]) -> Checkpoint:
    """What open_checkpoint gives for a checkpoint of these variables."""
    shapes = {name: value.shape for name, value in sorted(variables.items())}
    return Checkpoint(Path("bert_model.ckpt.index"), shapes, variables.__getitem__)


@pytest.fixture
def wanted(tmp_path):
    """`wanted(model, casing=…, **settings)`: the files beside the weights of a tiny model, and where to write."""

    def make(model, casing="auto", **changes):
        config, vocab = write_files(tmp_path, model, **changes)
        return Wanted(config, vocab, tmp_path / "out", casing)

    return make


def refusal(convert, *arguments):
    with pytest.raises((ModelError, SettingsError)) as refused:
        convert(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


WHOLE = [
    ("Bert", "ForPreTraining"),
    ("Bert", "ForQuestionAnswering"),
    ("Bert", "ForSequenceClassification"),
    ("Bert", "ForMaskedLM"),
    ("Bert", "Model"),
    ("Albert", "ForPreTraining"),
    ("Albert", "ForQuestionAnswering"),
    ("Albert", "Model"),
    ("Electra", "ForPreTraining"),
    ("Electra", "Model"),
]


@pytest.mark.parametrize(("family", "ending"), WHOLE)
def test_a_checkpoint_becomes_the_class_of_its_variables_with_every_weight(wanted, family, ending):
    model = tiny(family, ending)
    made = wanted(model)
    done = convert_tensorflow(opened(variables_of(model)), made)
    assert (done.class_name, done.left_out) == (family + ending, {})
    assert done.unknown_settings == ("directionality", "pooler_type")
    again, report = getattr(transformers, family + ending).from_pretrained(made.out, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {name: weight.tolist() for name, weight in again.state_dict().items()} == {
        name: weight.tolist() for name, weight in model.state_dict().items()
    }
    assert again.config.architectures == [family + ending]
    assert done.loaded == len(variables_of(model))


def test_what_is_not_loaded_is_named(wanted):
    model = tiny("Bert")
    done = convert_tensorflow(opened(variables_of(model, slots=True)), wanted(model))
    assert done.loaded == 46
    assert {reason: len(names) for reason, names in done.left_out.items()} == {
        "slots of the optimizer": 92,
        "counters of the training": 1,
    }
    assert done.left_out["counters of the training"] == ("global_step",)


def test_the_pooler_of_a_span_head_is_left_out(wanted):
    model = tiny("Bert", "ForQuestionAnswering")
    pooler = {name: value for name, value in variables_of(tiny("Bert")).items() if "pooler" in name}
    done = convert_tensorflow(opened(variables_of(model) | pooler), wanted(model))
    assert done.class_name == "BertForQuestionAnswering"
    assert done.left_out == {"parts that BertForQuestionAnswering has not":
                             ("bert/pooler/dense/bias", "bert/pooler/dense/kernel")}  # fmt: skip


def test_without_a_pooler_the_encoder_is_written_without_one(wanted):
    model = tiny("Bert", "Model")
    made = wanted(model)
    variables = {name: value for name, value in variables_of(model).items() if "pooler" not in name}
    assert convert_tensorflow(opened(variables), made).class_name == "BertModel"
    _, report = transformers.BertModel.from_pretrained(made.out, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    span = loading.load_model(loading.locate(made.out))
    assert torch.equal(span.bert.encoder.layer[1].output.dense.weight, model.encoder.layer[1].output.dense.weight)


def test_both_heads_without_a_pooler_are_a_masked_lm(wanted):
    model = tiny("Bert")
    variables = {name: value for name, value in variables_of(model).items() if "pooler" not in name}
    done = convert_tensorflow(opened(variables), wanted(model))
    assert done.class_name == "BertForMaskedLM"
    assert done.left_out == {
        "parts that BertForMaskedLM has not": (
            "cls/seq_relationship/output_bias",
            "cls/seq_relationship/output_weights",
        )
    }


@pytest.mark.parametrize("apart", [False, True])
def test_either_half_of_electra(tmp_path, apart):
    halves = {"discriminator": tiny("Electra"), "generator": tiny("Electra", "ForMaskedLM", 1)}
    checkpoint = opened(electra_variables(apart))
    config, vocab = write_files(tmp_path, tiny("Electra"))
    for half, model in halves.items():
        done = convert_tensorflow(checkpoint, Wanted(config, vocab, tmp_path / half), half)
        assert done.class_name == {"discriminator": "ElectraForPreTraining", "generator": "ElectraForMaskedLM"}[half]
        again = transformers.AutoModel.from_pretrained(tmp_path / half)
        for name, weight in again.state_dict().items():
            shared = name.startswith("embeddings.") and not apart
            source = halves["discriminator"] if shared else model
            assert torch.equal(weight, source.electra.state_dict()[name]), name
        other = "the generator" if half == "discriminator" else "the discriminator"
        assert set(done.left_out) == {other}
        assert done.loaded + len(done.left_out[other]) == len(checkpoint.shapes)


def test_labels_follow_from_the_shape(wanted):
    model = tiny("Bert", "ForSequenceClassification", num_labels=5)
    made = wanted(model)
    convert_tensorflow(opened(variables_of(model)), made)
    assert transformers.AutoConfig.from_pretrained(made.out).num_labels == 5


def test_the_case_is_told_by_the_files_where_they_tell_it(wanted):
    model = tiny("Bert", "Model")
    made = wanted(model)
    made.vocab.with_name("tokenizer_config.json").write_text('{"do_lower_case": true}')
    done = convert_tensorflow(opened(variables_of(model)), made)
    assert done.casing == "uncased, as do_lower_case says"
    again = transformers.AutoTokenizer.from_pretrained(made.out)
    assert "".join(again.tokenize("Café")).replace("##", "") == "cafe"


def test_alberts_gelu_is_the_one_with_tanh(wanted):
    for family, activation in (("Albert", "gelu_new"), ("Bert", "gelu")):
        model = tiny(family, "Model")
        made = wanted(model, hidden_act="gelu")
        out = made.out.with_name(family)
        convert_tensorflow(opened(variables_of(model)), Wanted(made.config, made.vocab, out))
        assert json.loads((out / "config.json").read_text())["hidden_act"] == activation


def test_the_folder_is_a_model_like_any_other(wanted):
    model = tiny("Bert")
    made = wanted(model)
    convert_tensorflow(opened(variables_of(model)), made)
    source = loading.locate(made.out)
    tokenizer, span = loading.load_tokenizer(source), loading.load_model(source)
    assert tokenizer.is_fast
    assert len(tokenizer) == span.config.vocab_size == len(wordpiece(False))
    assert tokenizer.model_max_length == 128
    assert torch.equal(span.bert.embeddings.word_embeddings.weight, model.bert.embeddings.word_embeddings.weight)


# Files that are not what they should be


def spoilt(**values):
    return variables_of(tiny("Bert")) | values


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (lambda: spoilt(**{"crf/transitions": np.zeros(3), "bert/adapter/kernel": np.zeros((2, 2))}),
            "has 2 variables that are no part of BERT as it is known here: bert/adapter/kernel, crf/transitions"),
        (lambda: spoilt(**{"bert/encoder/layer_2/output/dense/bias": np.zeros(32)}),
            "has bert.encoder.layer.2.output.dense.bias, which by bert_config.json is not in the model"),
        (lambda: spoilt(**{"bert/pooler/dense/kernel": np.zeros((32, 16))}),
            "bert.pooler.dense.weight is of the shape (16, 32), and by bert_config.json of (32, 32)"),
        (lambda: spoilt(**{"bert/embeddings/LayerNorm/bias": np.ones(32)}),
            "bert/embeddings/LayerNorm/beta and bert/embeddings/LayerNorm/bias are both bert.embeddings.LayerNorm.b"),
        (lambda: spoilt(**{"cls/predictions/bias": np.ones(len(wordpiece(False)))}),
            "cls/predictions/bias and cls/predictions/output_bias are both cls.predictions.bias, which a model has on"),
        (lambda: spoilt(**{"bert/pooler/dense/bias": np.full(32, np.nan)}), "bert.pooler.dense.bias has values"),
        (lambda: {"model/wte": np.zeros(3), "global_step": np.array(1)},
            "is no BERT, ALBERT or ELECTRA: none of its 2 variables begins with bert/ or electra/ (global_step"),
        (lambda: {name: value for name, value in spoilt().items() if "layer_1/output/dense/bias" not in name},
            "lacks bert.encoder.layer.1.output.dense.bias (1 weights in all), which BertForPreTraining of bert_con"),
        (lambda: {name: value for name, value in spoilt().items() if "pooler/dense/bias" not in name},
            "lacks bert.pooler.dense.bias (1 weights in all)"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_not_all_known_is_refused_and_nothing_written(wanted, variables, message):
    made = wanted(tiny("Bert"))
    said = refusal(convert_tensorflow, opened(variables()), made)
    assert said.startswith(f"bert_model.ckpt.index: {message}")
    assert not made.out.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "is not the settings of a BERT: hidden_size is None, and has to be a number from 1 on"),
        ({"num_attention_heads": "2"}, "is not the settings of a BERT: num_attention_heads is '2'"),
        ({"num_attention_heads": 5}, "no BertForPreTraining can be made of these settings: "),
        ({"hidden_act": "relux"}, "no BertForPreTraining can be made of these settings: "),
        ({"hidden_dropout_prob": "x"}, "BertConfig cannot be made of these settings: Validation error for field"),
        ({"model_type": "albert"}, "is of a model of the type 'albert', and the weights are BERT's; take the settings"),
        ({"model_type": ["bert"]}, "is of a model of the type ['bert'], and the weights are BERT's; take the settings"),
    ],
)
def test_settings_that_are_damaged_are_refused(wanted, changes, message):
    made = wanted(tiny("Bert"), **changes)
    said = refusal(convert_tensorflow, opened(variables_of(tiny("Bert"))), made)
    assert said.startswith(f"{made.config}: {message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 64}, "LayerNorm.bias is of the shape (32,), and by bert_config.json of (64,); take the"),
        ({"num_hidden_layers": 3}, "lacks bert.encoder.layer.2.attention.self.query.weight (16 weights in all)"),
        (
            {"num_hidden_layers": 1},
            "has bert.encoder.layer.1.attention.output.LayerNorm.bias, which by bert_config.json",
        ),
        (
            {"max_position_embeddings": 64},
            "position_embeddings.weight is of the shape (128, 32), and by bert_config.json",
        ),
    ],
)
def test_a_config_of_another_model_is_refused(wanted, changes, message):
    said = refusal(convert_tensorflow, opened(variables_of(tiny("Bert"))), wanted(tiny("Bert"), **changes))
    assert said.startswith("bert_model.ckpt.index: ")
    assert message in said


def test_other_files_that_are_not_what_they_should_be(wanted, tmp_path):
    checkpoint, made = opened(variables_of(tiny("Bert"))), wanted(tiny("Bert"))
    made.vocab.write_text("\n".join(wordpiece(False)[:-2]) + "\n", encoding="utf-8")
    rows = len(wordpiece(False))
    assert refusal(convert_tensorflow, checkpoint, made) == (
        f"{made.vocab}: has {rows - 2} entries, and bert_model.ckpt.index has embeddings for {rows}; take the "
        "vocabulary and the weights of one and the same model"
    )
    made.config.write_text("[]")
    assert "is not the settings of a model" in refusal(convert_tensorflow, checkpoint, made)
    made.config.unlink()
    assert "no such file" in refusal(convert_tensorflow, checkpoint, made)
    made.out.mkdir()
    (made.out / "mine.txt").write_text("mine")
    assert "is not an empty folder; name another --out" in refusal(convert_tensorflow, checkpoint, made)
    assert (made.out / "mine.txt").read_text() == "mine"


def test_what_is_no_electra_has_no_generator(wanted):
    for family in ("Bert", "Albert"):
        said = refusal(convert_tensorflow, opened(variables_of(tiny(family))), wanted(tiny(family)), "generator")
        assert said == f"bert_model.ckpt.index: is of {family.upper()}, which has no generator; leave out --electra"


def test_an_encoder_alone_has_each_weight_once_too():
    variables = ("bert/pooler/dense/beta", "bert/pooler/dense/bias")
    said = refusal(weights_of, variables, lambda _: np.ones(3), Path("bert_model.ckpt.index"))
    assert said.startswith("bert_model.ckpt.index: bert/pooler/dense/beta and bert/pooler/dense/bias are both bert.")


def test_every_variable_is_loaded_or_left_out():
    variables = variables_of(tiny("Bert"), slots=True)
    weights, left_out = account(opened(variables), BERT)
    named = [*weights.called.values(), *(name for names in left_out.values() for name in names)]
    assert sorted(named) == sorted(variables)


# Old PyTorch folders


def old_folder(folder, model, bare=False, config="bert_config.json", **more):
    """pytorch_model.bin with gamma and beta, as pytorch-pretrained-bert saved it; bare: of an encoder alone."""
    folder.mkdir()
    settings, _ = write_files(folder, model)
    settings.rename(folder / config)
    weights = {}
    for name, weight in (model.base_model if bare else model).state_dict().items():
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        weights[old] = weight.clone()
    torch.save(weights | more, folder / "pytorch_model.bin")
    return folder


def converted(folder, out):
    path, config, vocab = files_of(folder)
    return convert_pytorch(path, Wanted(config, vocab, out))


@pytest.mark.parametrize("bare", [False, True])
def test_an_old_bin_becomes_a_folder(tmp_path, bare):
    model = tiny("Bert")
    positions = {"embeddings.position_ids" if bare else "bert.embeddings.position_ids": torch.arange(128)}
    folder = old_folder(tmp_path / "old", model, bare, **positions)
    done = converted(folder / "pytorch_model.bin" if bare else folder, tmp_path / "out")
    assert done.class_name == ("BertModel" if bare else "BertForPreTraining")
    assert done.left_out == {f"parts that {done.class_name} has not": ("bert.embeddings.position_ids",)}
    again = transformers.BertModel.from_pretrained(tmp_path / "out")
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, model.bert.state_dict()[name]), name
    assert not any(path.suffix == ".bin" for path in (tmp_path / "out").iterdir())


def test_an_old_span_head_answers_as_before(tmp_path):
    model = tiny("Bert", "ForQuestionAnswering")
    converted(old_folder(tmp_path / "old", model, config="config.json"), tmp_path / "out")
    again = loading.load_trained(loading.locate(tmp_path / "out"))
    assert torch.equal(again.qa_outputs.weight, model.qa_outputs.weight)


class Malicious:
    def __reduce__(self):
        return os.system, ("touch malicious",)


def test_an_old_bin_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = old_folder(tmp_path / "old", tiny("Bert"))
    for write in (
        lambda path: torch.save({"x": Malicious()}, path),
        lambda path: path.write_bytes(pickle.dumps(Malicious())),
    ):
        write(folder / "pytorch_model.bin")
        assert "cannot be read as weights alone" in refusal(converted, folder, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"]


def test_a_weight_under_its_old_and_its_new_name_is_refused(tmp_path):
    folder = old_folder(tmp_path / "old", tiny("Bert"), **{"bert.embeddings.LayerNorm.weight": torch.ones(32)})
    assert refusal(converted, folder, tmp_path / "out") == (
        f"{folder / 'pytorch_model.bin'}: bert.embeddings.LayerNorm.gamma and bert.embeddings.LayerNorm.weight are "
        "both bert.embeddings.LayerNorm.weight, which a model has once; take a file that has one of them"
    )
    assert not (tmp_path / "out").exists()


def test_old_folders_that_are_not_whole_are_refused(tmp_path):
    folder = old_folder(tmp_path / "old", tiny("Bert"), **{"lstm.weight": torch.ones(2, 2)})
    assert "has lstm.weight, which by bert_config.json is not in the model" in refusal(
        converted, folder, tmp_path / "out"
    )
    weights = torch.load(folder / "pytorch_model.bin")
    del weights["lstm.weight"]
    weights["cls.predictions.decoder.weight"][0, 0] += 1
    torch.save(weights, folder / "pytorch_model.bin")
    assert "decoder.weight and bert.embeddings.word_embeddings.weight differ" in refusal(
        converted, folder, tmp_path / "out"
    )
    for kind in ("roberta", ["bert"]):
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        said = refusal(converted, folder, tmp_path / "out")
        assert f"is of a model of the type {kind!r}; bert, albert, electra are" in said
    for name, option in (("vocab.txt", "--vocab"), ("config.json", "--config"), ("pytorch_model.bin", "the weights")):
        (folder / name).unlink()
        (folder / "bert_config.json").unlink(missing_ok=True)
        assert option in refusal(converted, folder, tmp_path / "out")
    assert "no such file" in refusal(converted, tmp_path / "none.bin", tmp_path / "out")
