"""run_qa.py: a training in ./model/DATA/MODEL, and the dev set's answers and scores under their old names there."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.kept import is_trained, refuse_begun
from dokhae.compat.kor_squad_pl.names import KORQUAD_2, SOURCE, DataSet, data_set, model_name, run_folder
from dokhae.compat.kor_squad_pl.options import OPTIONS, USED
from dokhae.compat.kor_squad_pl.scores import write_result
from dokhae.compat.names import hub_name
from dokhae.compat.table import Given, Script
from dokhae.errors import SettingsError
from dokhae.files import TEMPORARY

log = logging.getLogger("dokhae")
ANSWERS = "predictions_eval.json"
OLD_NAMES = {  # ours -> theirs
    "predictions.json": ANSWERS,
    "nbest_predictions.json": "nbest_predictions_eval.json",
    "null_odds.json": "null_odds_eval.json",
}
# options that say how questions are answered; a trained model has its own
ANSWERING = ("max_length", "step", "max_question_length", "decoding.n_best", "decoding.max_answer_length")
SCRATCH = f".evaluation{TEMPORARY}"  # in the run folder


def run(given: Given) -> None:
    """Train, or evaluate, or both."""
    data = data_set(given["data_name"])
    model = model_name(given["model_type"], given["model_name_or_path"], given["text_reader"], data)
    folder = run_folder(data, model)
    for flag in USED:
        if flag.key in given.typed:
            road.tell(f"{flag.name}: run_qa.py took it and never used it; here it counts")
    if given["do_train"]:
        train(given, data, model, folder)
        road.name_as(folder, OLD_NAMES if given["do_eval"] else {})
    elif given["do_eval"]:
        answer(given, data, folder)
    else:
        raise SettingsError("run_qa.py does nothing without --do_train or --do_eval; give one of them, or both")
    if given["do_eval"]:
        write_result(data, folder, folder / ANSWERS)


def train(given: Given, data: DataSet, model: str, folder: Path) -> None:
    """`dokhae train`, which scores the dev set with the best checkpoint too. SettingsError for a folder with a run."""
    # of several processes the others may be ahead; a restarted job goes on
    if not road.launched() and folder.is_dir() and any(folder.iterdir()):
        refuse_begun(folder, str(folder))
        raise SettingsError(f"{folder}: has a training already; leave out --do_train to evaluate it, or move it away "
                            "to train anew")  # fmt: skip
    settings = given.settings() | placed(given) | of_lightning(given)
    if data.full_name == KORQUAD_2 and "max_answer_length" not in given.typed:
        settings.pop("decoding.max_answer_length")  # 30 tokens are no paragraph and no table
    files = {"train": data.train, "dev": data.dev, "out": folder}
    road.run("train", settings={**road.recipe(SOURCE, data.benchmark, settings), "model": hub_name(model), **files})


def answer(given: Given, data: DataSet, folder: Path) -> None:
    """`dokhae predict` with the trained model; the answers come into its run folder under the old names alone.

    What the command line does not say is as it was trained.
    """
    refuse_begun(folder, str(folder))
    if not is_trained(folder):
        raise SettingsError(f"{folder / 'model'}: there is no trained model; train it first, with --do_train")
    settings = given.typed_settings((*ANSWERING, *(("null_threshold",) if data.benchmark == "squad-2.0" else ())))
    places = {name: value for name, value in placed(given).items() if name != "optimizer.accumulate"}
    ours = {"benchmark": data.benchmark, "batch_size": given["batch_size"], **settings, **places}
    scratch = folder / SCRATCH
    try:
        road.run("predict", data.dev, settings={"model": folder, "out": scratch / "predictions.json", **ours})
        road.name_as(scratch, OLD_NAMES, folder)
    finally:
        if road.speaks():
            shutil.rmtree(scratch, ignore_errors=True)


def placed(given: Given) -> dict[str, Any]:
    """Devices for --gpu_ids, or for Lightning's --gpus, which may also be how many; -1 was all of them there."""
    by_count = "gpus" in given.typed and "gpu_ids" not in given.typed
    ids, option = (given["gpus"], "--gpus") if by_count else (given["gpu_ids"], "--gpu_ids")
    if ids.strip() == "-1" or (by_count and ids.isdigit()):
        import torch

        count = torch.cuda.device_count() if ids.strip() == "-1" else int(ids)
        ids = ",".join(map(str, range(count)))
    return machine.place(ids or "-1", option, given["accumulate_grad_batches"] or 1)


def of_lightning(given: Given) -> dict[str, Any]:
    """Options of Lightning's that are not one setting."""
    found: dict[str, Any] = {}
    if "max_epochs" in given.typed and "num_train_epochs" not in given.typed:
        found["epochs"] = given["max_epochs"]
    if given["precision"] in ("16", "bf16"):
        found["precision"] = machine.half({"16": "fp16"}.get(given["precision"], "bf16"), "--precision")
    if given["precision"] == "64":
        raise SettingsError("--precision 64: models are trained in 32 or 16 bits here; leave it out for 32")
    return found


RUN_QA = Script(SOURCE, "run_qa.py", "train a reader on KorQuAD or SQuAD, and score it", OPTIONS, run)
