"""The training of a classifier on the shared road: what it learns, what it leaves, how it goes on."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

import dokhae
from dokhae import tasks
from dokhae.errors import DataError, SettingsError
from dokhae.tasks import ClassPrediction
from dokhae.tasks.outputs import read_predictions, write_predictions
from dokhae.tasks.scoring import score_predictions
from dokhae.tasks.source import TextSource
from dokhae.training.checkpoints import Checkpoints, Diverged, Interrupted
from dokhae.training.module import TrainingModule
from tasks.small import config, pairs, singles, write_table
from tiny_models import make_model

OWN = {"first": "text", "label": "kind"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_model("bert", tmp_path_factory.mktemp("models") / "bert", spread=None)


@pytest.fixture(scope="module")
def trained(encoder, tmp_path_factory):
    """A run on single texts of one's own columns, which it has learned."""
    folder = tmp_path_factory.mktemp("own")
    result = tasks.train(config(encoder, singles(folder / "d.tsv"), folder / "run", epochs=30, **OWN), show=False)
    return folder, result


def test_texts_of_two_kinds_are_learned_and_scored(trained):
    folder, result = trained
    assert result["scores"] == {"accuracy": 100.0, "macro_f1": 100.0, "score": 100.0}
    always = {"accuracy": 50.0, "macro_f1": 100 / 3, "score": 125 / 3}
    assert result["majority_baseline"] == {"label": "ship", "scores": pytest.approx(always)}
    assert json.loads((folder / "run" / "scores.json").read_text()) == result
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "finished"
    assert (folder / "run" / "predictions.tsv").read_text().splitlines() == [
        "index\tprediction", "0\tship", "1\tship", "2\tship", "3\ttown", "4\ttown", "5\ttown",
    ]  # fmt: skip


def test_the_saved_model_says_the_same_and_knows_its_classes(trained):
    folder, _ = trained
    classifier = tasks.Classifier.load(folder / "run", device="cpu")
    assert classifier.labels == ("ship", "town")
    found = classifier("The ship Lorn carried honey cakes.")
    assert (found.label, len(found.probabilities)) == ("ship", 2)
    assert sum(found.probabilities) == pytest.approx(1)
    settings = json.loads((folder / "run" / "model" / "config.json").read_text())
    assert settings["id2label"] == {"0": "ship", "1": "town"}
    assert settings["architectures"] == ["BertForSequenceClassification"]


def test_a_predictions_file_scores_what_the_training_said(trained):
    folder, result = trained
    scores = score_predictions(TextSource(**OWN), folder / "d.tsv", folder / "run" / "predictions.tsv")
    assert scores == result["scores"]


@pytest.mark.parametrize(("here", "scored_in"), [(True, "bf16"), (False, "fp32")])
def test_pairs_of_a_task_are_read_whole_and_in_batches_of_one_road(here, scored_in, encoder, tmp_path, monkeypatch):
    """bf16, accumulation, batches by tokens and layer decay are the reader's own."""
    monkeypatch.setattr("dokhae.model.devices.onednn_takes", lambda dtype: here)
    settings = config(
        encoder, pairs(tmp_path / "d.tsv"), tmp_path / "run", task="mrpc", batch_tokens=120, precision="bf16",
        optimizer=dokhae.training.OptimizerConfig(accumulate=2, layer_decay=0.9),
    )  # fmt: skip
    result = tasks.train(settings, show=False)
    assert set(result["scores"]) == {"accuracy", "f1", "score"}
    assert result["task"] == "mrpc"
    saved = json.loads((tmp_path / "run" / "model" / "dokhae_classifier.json").read_text())
    assert (saved["source"]["task"], saved["precision"], saved["max_length"]) == ("mrpc", scored_in, 48)


def test_numbers_are_come_close_to(encoder, tmp_path):
    rows = [("The ship Lorn carried honey cakes.", "4.5"), ("In 1822 the town was founded.", "0.5")] * 3
    data = write_table(tmp_path / "d.tsv", rows, "text kind")
    settings = config(encoder, data, tmp_path / "run", epochs=60, learning_rate=1e-2, regression=True, **OWN)
    result = tasks.train(settings, show=False)
    assert result["scores"]["pearson"] > 99
    assert "majority_baseline" not in result
    source = TextSource(**OWN, regression=True)
    assert score_predictions(source, data, tmp_path / "run" / "predictions.tsv") == result["scores"]
    classifier = tasks.Classifier.load(tmp_path / "run", device="cpu")
    for text, number in rows[:2]:
        said = classifier(text)
        assert said.label == pytest.approx(float(number), abs=0.5)
        assert (said.probabilities, said.probability) == ((), None)


def test_the_best_epoch_can_be_chosen_by_the_score_of_the_task(encoder, tmp_path):
    keep = tasks.KeepClassifier(best_by="score", patience=1)
    result = tasks.train(
        config(encoder, singles(tmp_path / "d.tsv"), tmp_path / "run", epochs=40, keep=keep, **OWN), show=False
    )
    (best,) = (tmp_path / "run" / "checkpoints").glob("best-*")
    assert best.name.endswith(f"dev_score={result['scores']['score']:.4f}.ckpt")


def test_a_divergence_that_only_the_validation_shows_is_called_one(encoder, tmp_path):
    settings = config(encoder, singles(tmp_path / "d.tsv"), tmp_path / "run", max_steps=1, learning_rate=1e30, **OWN)
    with pytest.raises(Diverged, match="dev split are not finite after step 1: training has diverged; lower learning"):
        tasks.train(settings, show=False)


def test_a_stopped_run_goes_on_to_the_same_weights(encoder, tmp_path, monkeypatch):
    data, step_of = pairs(tmp_path / "d.tsv"), TrainingModule.training_step
    tasks.train(config(encoder, data, tmp_path / "whole", task="mrpc"), show=False)

    def stop_at_three(module, part, index):
        asked = next(each for each in module.trainer.callbacks if isinstance(each, Checkpoints)).request.asked
        if module.global_step == 2 and not asked:
            os.kill(os.getpid(), signal.SIGINT)
        return step_of(module, part, index)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", stop_at_three)
        with pytest.raises(Interrupted, match=r"after step 3 of \d+; go on with: dokhae classify train --resume "):
            tasks.train(config(encoder, data, tmp_path / "stopped", task="mrpc"), show=False)
    tasks.resume(tmp_path / "stopped", show=False)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_is_gone_on_with_by_the_verb_that_began_it(trained):
    folder, _ = trained
    with pytest.raises(SettingsError, match="has no benchmark: it is no run of `dokhae train`"):
        dokhae.resume(folder / "run", show=False)


def test_a_class_that_training_does_not_know_is_named(encoder, tmp_path):
    dev = write_table(tmp_path / "dev.tsv", [("A ship.", "ship"), ("A tower.", "tower")], "text kind")
    data = singles(tmp_path / "d.tsv")
    with pytest.raises(DataError, match=r"dev\.tsv.*3: the label 'tower' is not known; did you mean town\?"):
        tasks.train(config(encoder, data, tmp_path / "run", dev=dev, **OWN), show=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give --task"),
        ({"task": "mrcp"}, "did you mean mrpc"),
        ({"task": "mrpc", "first": "text"}, "task mrpc knows its columns"),
        ({"first": "text", "label": "text"}, "the column 'text' is named for two things"),
        ({"first": "text", "epochs": 0}, "epochs is 0"),
        ({"first": "text", "max_length": 7}, "max_length is 7 tokens; at least 8 are needed"),
        ({"first": "text", "keep": tasks.KeepClassifier(best_by="f1")}, "it can be loss, score, last"),
    ],
)
def test_settings_that_name_no_texts_are_refused(changes, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        config(tmp_path, tmp_path, tmp_path, **changes)


def test_pairs_and_single_texts_are_given_apart(trained):
    folder, _ = trained
    classifier = tasks.Classifier.load(folder / "run", device="cpu")
    texts = [dokhae.types.LabelledText("0", "A ship.", None, None), dokhae.types.LabelledText("1", "A", "B", None)]
    with pytest.raises(SettingsError, match="some of these are pairs"):
        list(classifier.predict_each(texts))
    with pytest.raises(SettingsError, match="was trained on single texts, and these are pairs; give one text of each"):
        classifier("A ship.", "A town.")
    with pytest.raises(DataError, match="a text is empty"):
        classifier("  ")


def test_scores_of_a_file_are_those_of_the_training_where_it_lacks_a_class(trained, tmp_path):
    folder, _ = trained
    rows = [("A ship of 1802 had two masts.", "ship"), ("The town of Valibury lies inland.", "ship")]
    dev = write_table(tmp_path / "dev.tsv", rows, "text kind")
    changes = {"train": folder / "d.tsv", "dev": dev, "epochs": 1, **OWN}
    result = tasks.train(config(folder / "run", dev, tmp_path / "run", **changes), show=False)
    assert result["scores"] == {"accuracy": 50.0, "macro_f1": pytest.approx(100 / 3), "score": pytest.approx(125 / 3)}
    assert score_predictions(TextSource(**OWN), dev, tmp_path / "run" / "predictions.tsv") == result["scores"]


def test_one_class_alone_teaches_nothing(encoder, tmp_path):
    data = write_table(tmp_path / "d.tsv", [("A ship.", "ship"), ("Another.", "ship")], "text kind")
    with pytest.raises(DataError, match=r"d\.tsv: all labels are 'ship'; two classes or more are needed"):
        tasks.train(config(encoder, data, tmp_path / "run", **OWN), show=False)


def test_what_no_table_can_hold_goes_into_json_lines(tmp_path):
    task = TextSource(**OWN).named(("a", "b"))
    odd = ClassPrediction("x\ty\u2028z", "a", (0.75, 0.25))
    with pytest.raises(DataError, match="has a tab or a line end, which no table can hold; write .jsonl instead"):
        write_predictions(tmp_path / "p.tsv", [odd], task)
    assert not (tmp_path / "p.tsv").exists()
    assert write_predictions(tmp_path / "p.jsonl", [odd], task) == 1
    assert read_predictions(tmp_path / "p.jsonl", False) == {"x\ty\u2028z": "a"}


@pytest.mark.slow
def test_processes_without_a_share_of_the_dev_texts_wait_for_the_others(encoder, tmp_path):
    """Of three processes, two have no batch to validate."""
    data = pairs(tmp_path / "d.tsv")
    settings = config(encoder, data, tmp_path / "run", task="mrpc", devices=3, batch_size=16, max_dev_examples=1)
    assert tasks.train(settings, show=False)["scores"]["accuracy"] in (0.0, 100.0)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_accumulation(encoder, tmp_path):
    data = pairs(tmp_path / "d.tsv")
    accumulate = dokhae.training.OptimizerConfig(accumulate=2)
    tasks.train(config(encoder, data, tmp_path / "one", task="mrpc", optimizer=accumulate), show=False)
    tasks.train(config(encoder, data, tmp_path / "two", task="mrpc", devices=2), show=False)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-6
    assert (tmp_path / "one" / "predictions.tsv").read_bytes() == (tmp_path / "two" / "predictions.tsv").read_bytes()
