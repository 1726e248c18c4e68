"""The whole road with tiny random encoders and their real kinds of tokenizer: train, score, save, load, answer."""

from __future__ import annotations

import json
import os
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import dokhae
from dokhae.data import read_examples
from dokhae.errors import DataError, SettingsError, TrainingError
from dokhae.files import sha256
from dokhae.training import KeepConfig, OptimizerConfig
from dokhae.training.checkpoints import Diverged
from tiny_models import make_model
from training.small import FEW, config, equal, logged, weights, write_squad


def test_a_run_folder_is_complete(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, out, epochs=2), show=False)

    names = {path.name for path in out.iterdir()}
    assert names == {
        "config.yaml", "run.json", "checkpoints", "model", "predictions.json", "nbest_predictions.json",
        "scores.json", "tensorboard", "metrics.csv",
    }  # fmt: skip
    assert {"config.json", "model.safetensors", "tokenizer.json", "dokhae.json"} <= {
        path.name for path in (out / "model").iterdir()
    }
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["versions"]["torch"]
    assert list(record["data"].values())[0] == sha256(data)
    rows = logged(out)
    assert [row["dev_em"] for row in rows if row["dev_em"]] != []
    assert list((out / "tensorboard").glob("events.*"))


def test_the_same_command_twice_gives_the_same_weights(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    for name in ("one", "two"):
        dokhae.train(config(model, data, tmp_path / name, epochs=2), show=False)
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    dokhae.train(config(model, data, tmp_path / "three", epochs=2, seed=7), show=False)
    assert not equal(weights(tmp_path / "one"), weights(tmp_path / "three"))


def test_squad_2_fits_thresholds_and_says_on_which_split(tmp_path):
    data = write_squad(tmp_path / "few.json", [*FEW, ("What does the ship carry?", "The town has a mill.", None)])
    out = tmp_path / "run"
    model = make_model("bert", tmp_path / "encoder")
    report = dokhae.train(config(model, data, out, benchmark="squad-2.0", epochs=2), show=False)

    assert report["scores"]["total"] == len(FEW) + 1
    assert "FITTED ON THE SPLIT IT IS REPORTED ON" in report["null_threshold"]
    saved = json.loads((out / "model" / "dokhae.json").read_text())["null_threshold"]
    assert saved["origin"] == "fitted"
    assert saved["split"] == "few.json"
    assert saved["sha256"] == sha256(data)
    odds = json.loads((out / "null_odds.json").read_text())
    answers = json.loads((out / "predictions.json").read_text())
    assert all((answers[id] == "") == (odds[id] > saved["value"]) for id in odds)
    predictions = dokhae.Reader.load(out, device="cpu").predict(read_examples(data))
    assert {prediction.id: prediction.text for prediction in predictions} == answers


def test_a_set_threshold_is_kept(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, out, benchmark="squad-2.0", epochs=1, null_threshold=-1e9), show=False)
    assert set(json.loads((out / "predictions.json").read_text()).values()) == {""}
    assert json.loads((out / "model" / "dokhae.json").read_text())["null_threshold"]["origin"] == "set"


def test_the_best_checkpoints_are_kept_and_the_result_is_the_best(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    model = make_model("bert", tmp_path / "encoder")
    keep = KeepConfig(best_by="loss", best=2)
    dokhae.train(config(model, data, out, epochs=4, learning_rate=1e-3, keep=keep), show=False)
    kept = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert len(kept) == 3
    assert kept[-1] == "last.ckpt"
    losses = [float(row["dev_loss"]) for row in logged(out) if row["dev_loss"]]
    assert len(losses) == 4
    assert {f"{loss:.4f}" for loss in sorted(losses)[:2]} == {name.split("=")[-1][:6] for name in kept[:2]}


def test_the_last_model_is_the_result_where_that_is_asked_for(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, out, epochs=3, keep=KeepConfig(best_by="last")), show=False)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(weight, last[f"model.{name}"]) for name, weight in weights(out).items())
    assert dokhae.evaluate_run(out, "best", device="cpu", show=False)["best"]["checkpoint"] == "last.ckpt"


def test_training_stops_when_the_score_does_not_get_better(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    keep = KeepConfig(best_by="em", patience=2)
    dokhae.train(config(model, data, tmp_path / "run", epochs=50, learning_rate=1e-12, keep=keep), show=False)
    rows = logged(tmp_path / "run")
    assert sum(bool(row["dev_em"]) for row in rows) == 3  # the first, and two that were no better


def test_a_part_of_an_epoch_is_trained_and_scored(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, tmp_path / "run", epochs=1.5, batch_size=2), show=False)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["steps"] == round(1.5 * len(FEW) / 2)
    assert (tmp_path / "run" / "scores.json").exists()


def test_an_encoder_that_gives_its_attention_away_is_trained_and_saved(tmp_path):
    folder = make_model("bert", tmp_path / "encoder")
    content = json.loads((folder / "config.json").read_text()) | {"output_attentions": True}
    (folder / "config.json").write_text(json.dumps(content))
    dokhae.train(config(folder, write_squad(tmp_path / "few.json", FEW), tmp_path / "run", max_steps=1), show=False)
    assert (tmp_path / "run" / "scores.json").exists()


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize(
    ("schedule", "power", "later"),  # later: of the highest rate, a third of the way down
    [
        ("linear", 1, 2 / 3),
        ("cosine", 1, 3 / 4),
        ("polynomial", 1, 2 / 3),
        ("polynomial", 2, 4 / 9),
        ("constant", 1, 1),
    ],
)
def test_every_schedule_warms_up_and_ends_where_it_should(schedule, power, later, offload, tmp_path):
    from dokhae.training.optimizers import make_optimizer, make_schedule

    chosen = OptimizerConfig(schedule=schedule, power=power, warmup=0.1, offload=offload)
    settings = config(tmp_path, tmp_path, tmp_path, optimizer=chosen)
    optimizer = make_optimizer(torch.nn.Linear(1, 1), settings)
    scheduler = make_schedule(optimizer, settings, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == 0.0
    assert rates[5] == pytest.approx(settings.learning_rate / 2)
    assert max(rates) == pytest.approx(settings.learning_rate)
    assert rates[40] == pytest.approx(later * settings.learning_rate)
    assert rates[-1] == pytest.approx(settings.learning_rate if schedule == "constant" else 0.0, abs=1e-6)


def test_a_warm_up_that_never_ends_and_a_threshold_for_nothing_are_told(tmp_path, caplog):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(
        make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1, batch_size=2, null_threshold=0.5,
        optimizer=OptimizerConfig(warmup=3),
    )  # fmt: skip
    dokhae.train(settings, show=False)
    assert "optimizer.warmup is 3 steps, and there are 3: the learning rate only rises" in caplog.text
    assert "korquad-1.0 has no unanswerable questions: null_threshold 0.5 is not used" in caplog.text


def test_biases_and_norms_are_not_decayed(tmp_path):
    from transformers import AutoModelForQuestionAnswering

    from dokhae.training.module import TrainingModule

    model = AutoModelForQuestionAnswering.from_pretrained(make_model("bert", tmp_path / "encoder"))
    module = TrainingModule(model, None, config(tmp_path, tmp_path, tmp_path), 10)
    decayed, plain = module.configure_optimizers()["optimizer"].param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0.0
    assert all(
        name.endswith("weight") and "LayerNorm" not in name for name in (names[id(w)] for w in decayed["params"])
    )
    assert all(name.endswith("bias") or "LayerNorm" in name for name in (names[id(w)] for w in plain["params"]))


def test_bf16_and_accumulation_train_too(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = config(
        model, data, tmp_path / "run", epochs=2, batch_size=2, precision="bf16", optimizer=OptimizerConfig(accumulate=2)
    )
    dokhae.train(settings, show=False)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["steps"] == 2 * -(-len(FEW) // 4)


def test_without_a_dev_file_the_last_weights_are_the_result(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    assert dokhae.train(config(model, data, tmp_path / "run", dev=None, epochs=1), show=False) == {}
    assert load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert not (tmp_path / "run" / "scores.json").exists()


def test_nan_loss_stops_names_the_step_and_keeps_the_last_good_checkpoint(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = config(
        model, data, tmp_path / "run", epochs=5, batch_size=2, learning_rate=1e38, checkpoint_every=1,
        optimizer=OptimizerConfig(clip=0.0),
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+.*lower learning_rate"):
        dokhae.train(settings, show=False)
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] >= 1
    assert all(bool(torch.isfinite(weight).all()) for weight in last["state_dict"].values())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_a_divergence_that_only_the_validation_shows_is_called_one(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model, changes = make_model("bert", tmp_path / "encoder"), {"epochs": 1, "batch_size": 6, "learning_rate": 1e30}
    with pytest.raises(Diverged, match="dev split are not finite after step 1: training has diverged; lower learning"):
        dokhae.train(config(model, data, tmp_path / "run", **changes), show=False)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_windows_that_are_more_than_batch_tokens_are_counted(tmp_path, caplog):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, tmp_path / "run", epochs=1, batch_tokens=10), show=False)
    assert "of 6 windows have more than the 10 tokens of batch_tokens; each is a batch of its own" in caplog.text


def test_broken_weights_are_never_saved_over_good_ones(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = config(
        model, data, tmp_path / "run", epochs=5, batch_size=2, learning_rate=1e37, checkpoint_every=1,
        optimizer=OptimizerConfig(clip=0.0, warmup=0.0, weight_decay=30.0),
    )  # fmt: skip
    with pytest.raises(TrainingError, match="the weights are not finite after step 1: training has diverged"):
        dokhae.train(settings, show=False)
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(bool(torch.isfinite(weight).all()) for weight in state.values())


def test_a_question_without_an_answer_is_refused_where_the_benchmark_knows_none(tmp_path):
    rows = [*FEW, ("What does the ship carry?", "The town has a mill.", None)]
    data = write_squad(tmp_path / "few.json", FEW)
    dev = write_squad(tmp_path / "dev.json", rows)
    model = make_model("bert", tmp_path / "encoder")
    with pytest.raises(DataError, match=r"dev\.json: question q6 has no answer, which korquad-1\.0 does not know"):
        dokhae.train(config(model, data, tmp_path / "run", dev=dev), show=False)
    assert not (tmp_path / "run").exists()


def test_the_process_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")

    def state():
        flags = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
        numbers = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
        return flags, torch.backends.cudnn.benchmark, numbers, dict(os.environ)

    before = state()
    dokhae.train(config(model, data, tmp_path / "run", epochs=1), show=False)
    assert state() == before


def test_a_folder_with_something_in_it_is_not_trained_into(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("do not lose me")
    model = make_model("bert", tmp_path / "encoder")
    with pytest.raises(SettingsError, match="is not an empty folder"):
        dokhae.train(config(model, data, tmp_path / "run"), show=False)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_misplaced_answers_stop_the_training_or_are_skipped_and_counted(tmp_path, caplog):
    content = json.loads(write_squad(tmp_path / "few.json", FEW).read_text(encoding="utf-8"))
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] += 1
    (tmp_path / "few.json").write_text(json.dumps(content), encoding="utf-8")
    model = make_model("bert", tmp_path / "encoder")
    settings = config(model, tmp_path / "few.json", tmp_path / "run", epochs=1)
    with pytest.raises(DataError, match="is not at offset"):
        dokhae.train(settings, show=False)
    assert not (tmp_path / "run").exists()
    skipping = config(model, tmp_path / "few.json", tmp_path / "run", epochs=1, misplaced_answers="skip")
    dokhae.train(skipping, show=False)
    assert "1 questions skipped" in caplog.text


def test_lower_casing_that_strips_accents_is_said_loudly_for_hangul(tmp_path, caplog):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert-uncased", tmp_path / "encoder")
    dokhae.train(config(model, data, tmp_path / "run", epochs=1), show=False)
    assert caplog.text.count("LOWER-CASES AND STRIPS ACCENTS") == 1


def test_a_run_can_be_trained_further(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    first = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "first", epochs=1)
    dokhae.train(first, show=False)
    dokhae.train(config(tmp_path / "first", data, tmp_path / "second", epochs=1), show=False)
    assert not equal(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_klue_mrc_says_rouge_w_where_the_others_say_f1(tmp_path, capsys):
    rows = [*FEW, ("What does the ship carry?", "The town has a mill.", None)]
    content = json.loads(write_squad(tmp_path / "few.json", rows).read_text(encoding="utf-8"))
    for paragraph in content["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            question["guid"] = question.pop("id")
    data = tmp_path / "klue.json"
    data.write_text(json.dumps(content), encoding="utf-8")
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", benchmark="klue-mrc", epochs=1)
    report = dokhae.train(settings)
    assert list(report["scores"])[:2] == ["exact_match", "rouge_w"]
    assert report["null_threshold"].split(" (")[1].startswith("fitted for ROUGE-W on klue.json")
    assert "dev EM 0.00 ROUGE-W " in capsys.readouterr().err
