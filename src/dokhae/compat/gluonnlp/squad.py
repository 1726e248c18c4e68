"""GluonNLP's run_squad.py: its options, and what they are of a training."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.gluonnlp.evaluating import (
    WINDOWS,
    benchmark,
    data_file,
    evaluate_all,
    n_best,
    name_files,
    precision,
    predict,
    trained,
)
from dokhae.compat.gluonnlp.names import hub_name
from dokhae.compat.kept import refuse_other_answers, refuse_run
from dokhae.compat.table import Flag, Given, Script, bare
from dokhae.errors import SettingsError

log = logging.getLogger("dokhae")
BETAS = (0.9, 0.999)  # of Adam, here as there by default
SHOWN_BY_A_BAR = "progress is a bar here, and metrics.csv has the loss"

FLAGS = (
    Flag("--model_name", default="google_albert_base_v2", note="--model, by the hub's name; a folder here comes first"),
    Flag("--do_train", bare, note="dokhae train"),
    Flag("--do_eval", bare, note="--dev of the training; alone dokhae predict and dokhae evaluate"),
    Flag("--data_dir", default="squad", note="the folder of train-v2.0.json and dev-v2.0.json"),
    Flag("--version", default="2.0", choices=("1.1", "2.0"), note="--benchmark squad-1.1 or squad-2.0"),
    Flag("--output_dir", default="squad_out", to="out"),
    Flag(
        "--comm_backend",
        default="device",
        choices=("horovod", "dist_sync_device", "device"),
        note="who starts several processes is torchrun, or --gpus",
    ),
    Flag("--gpus", default="0", note="--devices and --device; without a GPU optimizer.accumulate makes up for them"),
    Flag("--seed", int, 100, to="seed"),
    Flag("--pre_shuffle_seed", int, 100, gone="the order of batches follows from --seed"),
    Flag("--log_interval", int, 50, gone=SHOWN_BY_A_BAR),
    Flag("--eval_log_interval", int, 10, gone=SHOWN_BY_A_BAR),
    Flag("--save_interval", int, to="checkpoint_every"),
    Flag("--epochs", float, 3.0, to="epochs"),
    Flag("--num_train_steps", int, to="max_steps"),
    Flag("--batch_size", int, 8, to="batch_size"),
    Flag("--eval_batch_size", int, 16, note="--batch_size of dokhae predict, where nothing is trained"),
    Flag("--max_grad_norm", float, 1.0, note="--optimizer.clip; below 0 there is none"),
    Flag("--optimizer", default="adamw", note="adamw: --optimizer.no_bias_correction; adam: without it"),
    Flag("--adam_epsilon", float, 1e-6, to="optimizer.adam_epsilon"),
    Flag("--adam_betas", default="(0.9, 0.999)", note="always these"),
    Flag("--num_accumulated", int, 1, note="--optimizer.accumulate"),
    Flag("--lr", float, 2e-5, to="learning_rate"),
    Flag("--warmup_ratio", float, 0.1, note="--optimizer.warmup"),
    Flag("--warmup_steps", int, note="--optimizer.warmup"),
    Flag("--wd", float, 0.01, to="optimizer.weight_decay"),
    Flag("--layerwise_decay", float, -1.0, note="--optimizer.layer_decay, for ELECTRA; -1: none"),
    Flag("--untunable_depth", float, -1.0, note="--optimizer.frozen_layers, for ELECTRA; -1: none"),
    Flag("--classifier_dropout", float, 0.1, gone="it was the joint answerability head's; the span head has none"),
    Flag("--max_seq_length", int, 512, to="max_length"),
    Flag("--doc_stride", int, 128, to="step"),
    Flag("--max_query_length", int, 64, to="max_question_length"),
    Flag("--round_to", int, gone="windows are laid end to end, so no length is rounded up"),
    Flag("--overwrite_cache", bare, gone="features are kept by what they are made of, so they are never old"),
    Flag("--start_top_n", int, 5, note="--decoding.n_best; the larger of the two"),
    Flag("--end_top_n", int, 5, note="--decoding.n_best; the larger of the two"),
    Flag("--n_best_size", int, 20, gone="an n-best list has as many entries as --start_top_n says"),
    Flag("--max_answer_length", int, 30, to="decoding.max_answer_length"),
    Flag("--param_checkpoint", note="--model: the folder of a run or model"),
    Flag("--backbone_path", note="--model: the folder of an encoder"),
    Flag("--all_evaluate", bare, note="dokhae evaluate --run RUN --checkpoints all; in training --keep.best_by f1"),
    Flag("--max_saved_ckpt", int, 5, note="--keep.best, with --all_evaluate"),
    Flag("--dtype", default="float32", note="--precision"),
    Flag("--eval_dtype", default="float32", note="--precision of dokhae predict, where nothing is trained"),
)


def run(given: Given) -> None:
    """Train, evaluate, or both. SettingsError for neither, and for data, models and settings that are not to be had."""
    refuse(given)
    if given["param_checkpoint"] is not None and road.speaks():
        log.info("--param_checkpoint %s: the model in %s", given["param_checkpoint"], trained(given))
    place = machine.place(given["gpus"], "--gpus", given["num_accumulated"])  # once: it changes the environment
    if given["do_train"]:
        train(given, place)
    elif given["all_evaluate"]:
        evaluate_all(given, place)
    else:
        predict(given, place)


def refuse(given: Given) -> None:
    """SettingsError for what can be known before anything runs."""
    if not given["do_train"] and not given["do_eval"]:
        raise SettingsError("run_squad.py: nothing to do; give --do_train, --do_eval, or both")
    out = Path(given["output_dir"])
    for part, wanted in (("train", given["do_train"]), ("dev", given["do_eval"])):
        if wanted:
            data_file(given, part)
    if given["do_train"]:
        encoder(given)
        adam(given)
        refuse_run(out)
    else:
        trained(given)
        otherwise = [f"--{name}" for name in WINDOWS if name in given.typed] if not given["all_evaluate"] else []
        dev = data_file(given, "dev")
        refuse_other_answers(out, benchmark(given), dev, f"--param_checkpoint {out}", otherwise)


def train(given: Given, place: dict[str, Any]) -> None:
    """Train, and with --do_eval score the dev file: the training answers it, so nothing is computed twice."""
    if road.speaks():
        log.info("GluonNLP's joint answerability head is not in dokhae yet: a span head with a null score stands in "
                 "its place, so scores cannot be compared with those of its table")  # fmt: skip
    road.tell_unused(given, ("eval_batch_size", "eval_dtype"), "a training answers as it trains")
    if not given["all_evaluate"]:
        road.tell_unused(given, ("max_saved_ckpt",), "without --all_evaluate the last checkpoint alone is kept")
    if given["comm_backend"] != "device" and not road.launched():
        log.info("--comm_backend %s: this is one process; horovodrun starts several", given["comm_backend"])
    road.run("train", settings=settings_of(given, place))
    if not given["do_eval"]:
        return
    if given["all_evaluate"]:
        evaluate_all(given, place)
    else:
        name_files(given, "last.ckpt")


def settings_of(given: Given, place: dict[str, Any]) -> dict[str, Any]:
    """Our settings of a training. SettingsError for what there is no such setting for."""
    kept = {"keep.best_by": "f1", "keep.best": given["max_saved_ckpt"]}
    settings = {
        **given.settings(),
        **place,
        **layers(given),
        **(kept if given["do_eval"] and given["all_evaluate"] else {}),
        "model": encoder(given),
        "train": data_file(given, "train"),
        "dev": data_file(given, "dev") if given["do_eval"] else None,
        "precision": precision(given["dtype"], "--dtype"),
        "decoding.n_best": n_best(given),
        "optimizer.clip": max(given["max_grad_norm"], 0.0),
        "optimizer.warmup": given["warmup_ratio"] if given["warmup_steps"] is None else given["warmup_steps"],
        "optimizer.no_bias_correction": adam(given) == "adamw",
    }
    return road.recipe("gluonnlp", benchmark(given), settings)


def layers(given: Given) -> dict[str, Any]:
    """What slower and frozen layers are here; the old script had them for ELECTRA alone."""
    decay, depth = given["layerwise_decay"], int(given["untunable_depth"])
    found = {"optimizer.layer_decay": decay, "optimizer.frozen_layers": depth}
    wanted = {name: value for name, value in found.items() if value > 0}
    if wanted and "electra" not in given["model_name"]:
        road.tell("--layerwise_decay and --untunable_depth: the old script had them for ELECTRA alone; "
                  f"{given['model_name']} is trained without")  # fmt: skip
        return {}
    return wanted


def adam(given: Given) -> str:
    """The optimizer's name. SettingsError for one, or for betas, that there are none of here."""
    name = str(given["optimizer"])
    if name not in ("adamw", "adam"):
        raise SettingsError(f"--optimizer {name}: is adamw or adam here")
    try:
        betas = ast.literal_eval(given["adam_betas"])
    except (ValueError, SyntaxError):
        betas = None
    if betas != BETAS:
        raise SettingsError(f"--adam_betas {given['adam_betas']}: they are always {BETAS} here; leave it out")
    return name


def encoder(given: Given) -> str:
    """What a training begins with: --param_checkpoint, --backbone_path, or the encoder by its name."""
    backbone = given["backbone_path"]
    if given["param_checkpoint"] is not None:
        return str(trained(given))
    if backbone is None:
        return hub_name(given["model_name"])
    if not Path(backbone).expanduser().is_dir():
        raise SettingsError(f"--backbone_path {backbone}: is not a folder, and MXNet's .params cannot be read here; "
                            "name the folder of an encoder in Hugging Face's form")  # fmt: skip
    return str(backbone)


RUN_SQUAD = Script("gluonnlp", "run_squad.py", "train a reader on SQuAD, or evaluate one", FLAGS, run)
