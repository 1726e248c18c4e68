"""Classifiers, encoders and BERT's three classes: which heads are taken, drawn anew and told of; what is refused."""

from __future__ import annotations

import doctest
import json
import logging
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import dokhae
from dokhae.errors import ModelError
from dokhae.model import bert
from dokhae.model.loading import load_classifier, load_encoder, load_model, load_trained_classifier, locate
from dokhae.model.packing import is_packed
from etri_on_the_spot import write_etri
from tiny_models import make_model

YES_NO = ("no", "yes")


@pytest.fixture(autouse=True)
def _heard(monkeypatch):
    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)


@pytest.fixture(scope="module")
def saved(tiny_bert, tmp_path_factory):
    """A folder of a classifier with two classes, and the classifier."""
    folder = tmp_path_factory.mktemp("classifier") / "bert"
    shutil.copytree(tiny_bert, folder)
    with torch.random.fork_rng():
        model = load_classifier(locate(tiny_bert), YES_NO)
    model.save_pretrained(folder)
    return folder, model


def weights(model):
    return {name: weight for name, weight in model.state_dict().items()}


def test_a_new_head_is_for_the_labels_and_drawn_from_the_seed(tiny_bert, caplog):
    heads = []
    with torch.random.fork_rng():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            model = load_classifier(locate(tiny_bert), YES_NO)
            heads.append(model.classifier.weight.tolist())
    assert heads[0] == heads[1] != heads[2]
    config = model.config
    assert (config.id2label, config.label2id) == ({0: "no", 1: "yes"}, {"no": 0, "yes": 1})
    assert (config.num_labels, config.problem_type) == (2, "single_label_classification")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert is_packed(model) and caplog.text == ""


def test_no_labels_are_a_number(tiny_bert):
    with torch.random.fork_rng():
        config = load_classifier(locate(tiny_bert), ()).config
    assert (config.num_labels, config.problem_type, config.id2label) == (1, "regression", {0: "score"})


def test_a_head_of_as_many_labels_is_kept(saved, caplog):
    folder, model = saved
    for made in (load_classifier(locate(folder), ("no", "yes")), load_trained_classifier(locate(folder))):
        assert all(torch.equal(weight, weights(model)[name]) for name, weight in weights(made).items())
    assert made.config.id2label == {0: "no", 1: "yes"}
    assert caplog.text == ""
    made = load_classifier(locate(folder), ("false", "true"))
    assert made.config.id2label == {0: "false", 1: "true"}
    assert caplog.text.endswith("its head is for no, yes; the training goes on from there for false, true\n")


def test_a_head_of_another_shape_is_drawn_anew_and_told(saved, caplog):
    folder, model = saved
    with torch.random.fork_rng():
        made = load_classifier(locate(folder), ("a", "b", "c"))
    assert made.classifier.weight.shape == (3, 32) and made.config.num_labels == 3
    assert torch.equal(made.bert.pooler.dense.weight, model.bert.pooler.dense.weight)
    assert caplog.messages == [
        f"{folder}: its head is for another number of labels than 3, so classifier.bias, classifier.weight are drawn "
        "anew"
    ]


def test_an_encoder_of_another_shape_is_refused(saved, tmp_path):
    folder = tmp_path / "wrong"
    shutil.copytree(saved[0], folder)
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace('"type_vocab_size": 2', '"type_vocab_size": 3'))
    with pytest.raises(ModelError, match=r"wrong: bert.embeddings.token_type_embeddings.weight is not of the shape"):
        load_classifier(locate(folder), YES_NO)


def test_a_classifier_without_its_head_is_refused(tiny_bert):
    with pytest.raises(
        ModelError, match=r"is no trained classifier: it lacks bert.pooler.dense.bias \(4 weights in all"
    ):
        load_trained_classifier(locate(tiny_bert))


def test_an_encoder_is_what_stands_below_any_head(saved, tiny_bert, caplog):
    folder, model = saved
    encoder = load_encoder(locate(folder))
    assert type(encoder) is transformers.BertModel and is_packed(encoder)
    assert all(torch.equal(weight, weights(model.bert)[name]) for name, weight in weights(encoder).items())
    with torch.random.fork_rng():
        load_encoder(locate(tiny_bert))  # without a pooler, which no hidden state needs
    assert caplog.text == ""


def test_an_encoder_without_its_weights_is_told_of(tmp_path, caplog):
    folder = make_model("bert", tmp_path / "bert")
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))
    with torch.random.fork_rng():
        load_encoder(locate(folder))
    assert "lacks encoder.layer.1.attention.output.LayerNorm.bias, " in caplog.text


def test_the_three_classes_are_transformers_own_and_their_examples_hold(saved, tiny_bert):
    assert (dokhae.BertModel, dokhae.load) == (transformers.BertModel, bert.load)
    names = {"name": tiny_bert, "classifier": saved[0]}
    with torch.random.fork_rng():
        done = doctest.testmod(bert, extraglobs=names)
    assert (done.failed, done.attempted) == (0, 12)


def test_they_are_loaded_in_evaluation_and_as_transformers_would(saved):
    model, tokenizer = dokhae.load(dokhae.BertForSequenceClassification, saved[0])
    assert not model.training and not is_packed(model) and tokenizer.is_fast
    inputs = tokenizer("서울은 크다.", "A town", return_tensors="pt")
    own = dokhae.BertForSequenceClassification.from_pretrained(saved[0])
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, own.eval()(**inputs).logits)


def test_weights_that_a_class_misses_are_told_of(tiny_bert, caplog):
    with torch.random.fork_rng():
        dokhae.load(dokhae.BertModel, tiny_bert)
    assert caplog.messages == [
        f"{tiny_bert}: lacks pooler.dense.bias, pooler.dense.weight; they are random now, and so is what comes of them"
    ]


def test_another_kind_of_model_is_refused(tmp_path):
    folder = make_model("roberta", tmp_path / "roberta")
    with pytest.raises(ModelError, match="is a model of the kind roberta, and BertModel of bert; load it as a class"):
        dokhae.load(dokhae.BertModel, folder)
    assert type(dokhae.load(transformers.RobertaForQuestionAnswering, folder)[0]).__name__ == (
        "RobertaForQuestionAnswering"
    )


def test_a_model_that_is_not_there_is_one_error():
    with pytest.raises(ModelError, match="there is no such model folder"):
        dokhae.load(dokhae.BertModel, "./none")


@pytest.mark.slow  # its vocabulary is made by analysers
def test_etris_morpheme_bert_is_loaded_with_every_head_as_it_is_handed_out(tmp_path, caplog):
    folder = write_etri(tmp_path / "etri")
    with torch.random.fork_rng():
        classifier, encoder = load_classifier(locate(folder), YES_NO), load_encoder(locate(folder))
        reader, tokenizer = dokhae.load(dokhae.BertForQuestionAnswering, folder)
    assert [message for message in caplog.messages if "lacks" in message] == [
        f"{folder}: lacks qa_outputs.bias, qa_outputs.weight; they are random now, and so is what comes of them"
    ]
    assert classifier.config.id2label == {0: "no", 1: "yes"} and is_packed(classifier) and is_packed(encoder)
    assert torch.equal(classifier.bert.pooler.dense.weight, encoder.pooler.dense.weight)
    for name, weight in weights(encoder).items():
        assert torch.equal(weight, weights(classifier.bert)[name]), name
    assert torch.equal(encoder.embeddings.word_embeddings.weight, reader.bert.embeddings.word_embeddings.weight)
    assert tokenizer.is_fast


@pytest.mark.parametrize("labels", [(), ("a", "b", "c")])
def test_a_classifier_of_any_labels_can_become_a_reader(labels, tiny_bert, tmp_path):
    """transformers would make as many logits of spans as there are labels."""
    shutil.copytree(tiny_bert, tmp_path / "bert")
    with torch.random.fork_rng():
        load_classifier(locate(tiny_bert), labels).save_pretrained(tmp_path / "bert")
        model = load_model(locate(tmp_path / "bert"))
    assert (model.qa_outputs.out_features, model.config.num_labels) == (2, 2)
    assert is_packed(model)


def test_an_encoder_whose_weights_are_elsewhere_is_told_of(tiny_bert, tmp_path, caplog):
    shutil.copytree(tiny_bert, tmp_path / "bert")
    path = tmp_path / "bert" / "model.safetensors"
    weights = {name.replace("bert.embeddings", "of.another"): weight for name, weight in load_file(path).items()}
    save_file(weights, path)
    with torch.random.fork_rng():
        for load in (load_model, lambda source: load_classifier(source, YES_NO)):
            load(locate(tmp_path / "bert"))
            assert "lacks bert.embeddings.LayerNorm.bias, " in caplog.text
            assert caplog.text.endswith("they begin random, and have all to learn: is the folder whole?\n")
            caplog.clear()


def test_a_classifier_of_any_number_of_labels_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "bert")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"problem_type": "multi_label_classification"}))
    with pytest.raises(ModelError, match="gives a text any number of its labels, which dokhae does not"):
        load_trained_classifier(locate(folder))
