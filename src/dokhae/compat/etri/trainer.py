"""KorQuAD with ETRI's morpheme BERT on many GPUs: run_squad_ETRI_multigpu.py, and the shell file that starts it."""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.etri.files import encoder
from dokhae.compat.kept import refuse_begun, refuse_other_answers, refuse_run
from dokhae.compat.reading import read
from dokhae.compat.table import Flag, Given, Script, truth
from dokhae.errors import SettingsError

log = logging.getLogger("dokhae")
BENCHMARK = "korquad-1.0"
FILE = "run_squad_ETRI_multigpu.py"
NO_TPU = "there are no TPUs here"
CLONE, RESULT = "BERT_BASE_DIR", "OUTPUT_DIR"  # variables of the shell file
# where the versions of the shell file have the weights, and what it gives the trainer besides files
CHECKPOINTS = ("ETRI_pretrained", "ETRI_morp_TF")
LEARNS = ["--do_train=True", "--do_predict=True", "--do_lower_case=False", "--train_batch_size=8",
          "--learning_rate=8.5e-5", "--num_train_epochs=1.0", "--save_checkpoints_steps=1000", "--max_seq_length=384",
          "--max_query_length=128", "--doc_stride=128", "--use_tpu=False", "--num_gpus=4"]  # fmt: skip

FLAGS = (
    Flag("--vocab_file", note="vocab.korean_morp.list, in the folder that --model names"),
    Flag("--bert_config_file", note="bert_config.json, in the folder that --model names"),
    Flag("--init_checkpoint", note="pytorch_model.bin or model.ckpt, in the folder that --model names"),
    Flag("--output_dir", required=True, to="out"),
    Flag("--do_train", truth, False, note="dokhae train"),
    Flag("--train_file", to="train"),
    Flag("--do_predict", truth, False, note="--dev of the training; alone dokhae predict"),
    Flag("--predict_file", note="--dev of the training; alone the data of dokhae predict"),
    Flag("--do_lower_case", truth, True, note="nothing is lower-cased: the vocabulary of morphemes has capitals"),
    Flag("--max_seq_length", int, 384, to="max_length"),
    Flag("--doc_stride", int, 128, to="step"),
    Flag("--max_query_length", int, 64, to="max_question_length"),
    Flag("--train_batch_size", int, 32, to="batch_size"),
    Flag("--predict_batch_size", int, 8, note="--batch_size of dokhae predict, where nothing is trained"),
    Flag("--learning_rate", float, 5e-5, to="learning_rate"),
    Flag("--num_train_epochs", float, 3.0, to="epochs"),
    Flag("--warmup_proportion", float, 0.1, to="optimizer.warmup"),
    Flag("--save_checkpoints_steps", int, 1000, to="checkpoint_every"),
    Flag("--iterations_per_loop", int, 1000, gone=NO_TPU),
    Flag("--n_best_size", int, 20, to="decoding.n_best"),
    Flag("--max_answer_length", int, 30, to="decoding.max_answer_length"),
    Flag("--use_tpu", truth, False, note=f"refused where it is True: {NO_TPU}"),
    Flag("--tpu_name", gone=NO_TPU),
    Flag("--tpu_zone", gone=NO_TPU),
    Flag("--gcp_project", gone=NO_TPU),
    Flag("--master", gone=NO_TPU),
    Flag("--num_tpu_cores", int, 8, gone=NO_TPU),
    Flag("--verbose_logging", truth, False, gone="what cannot be used of the data is counted and said"),
    Flag("--null_score_diff_threshold", float, 0.0, gone="KorQuAD 1.0 has an answer to every question"),
    Flag("--num_gpus", int, 8, note="--devices; without a GPU optimizer.accumulate makes up for them"),
    Flag("--multi_worker", truth, False, note="torchrun on each machine, which is said"),
    Flag(
        "--morphemes", default="mecab", note="--morphemes, not of the old script: kiwi, mecab, or a service's address"
    ),
)


def run(given: Given) -> None:
    """Train, predict, or both. SettingsError for neither, and for files that are not there."""
    refuse(given)
    count = given["num_gpus"]
    place = machine.place(",".join(map(str, range(count))), f"--num_gpus {count}, GPUs", 1)
    if given["do_train"]:
        train(given, place)
    else:
        predict(given, place)


def refuse(given: Given) -> None:
    """SettingsError for what can be known before anything runs."""
    if not given["do_train"] and not given["do_predict"]:
        raise SettingsError(f"{given.script.file}: nothing to do; give --do_train=True, --do_predict=True, or both")
    if given["use_tpu"]:
        raise SettingsError(f"--use_tpu: {NO_TPU}; leave it out")
    if given["num_gpus"] < 1:
        raise SettingsError(f"--num_gpus is {given['num_gpus']}; it has to be at least 1")
    for option, wanted in (("train_file", given["do_train"]), ("predict_file", given["do_predict"])):
        if wanted and not Path(given[option] or "").is_file():
            what = "is not given" if given[option] is None else f"{given[option]}: is not here"
            raise SettingsError(f"--{option} {what}; fetch KorQuAD with: dokhae data download {BENCHMARK} --out data")
    if given["multi_worker"] and not road.launched():
        raise SettingsError("--multi_worker: machines find each other by torchrun here; type on each of them: torchrun "
                            f"--nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-id korquad --rdzv-endpoint "
                            f"FIRST_MACHINE:29500 -m dokhae compat etri/{FILE} and the options")  # fmt: skip
    out = Path(given["output_dir"])
    if given["do_train"]:
        refuse_run(out)
    else:
        trained(given)
        refuse_other_answers(out, BENCHMARK, Path(given["predict_file"]), f"--init_checkpoint {out}")


def train(given: Given, place: dict[str, Any]) -> None:
    """Train the morpheme BERT; with --do_predict its last weights answer --predict_file, in the same run."""
    road.tell_unused(given, ("predict_batch_size",), "a training answers as it trains")
    count = given["num_gpus"]
    if count > 1 and not road.launched():
        epochs = given["num_train_epochs"]
        log.info("--num_train_epochs %g: passes over the data, shared by all; the old script took the steps of one, "
                 "so with %d GPUs it read the data %d times as often", epochs, count, count)  # fmt: skip
    settings = {
        **given.settings(),
        **place,
        "model": encoder(given),
        "dev": given["predict_file"] if given["do_predict"] else None,
        "keep.best_by": "last",
        "morphemes": given["morphemes"],
    }
    road.run("train", settings=road.recipe("etri", BENCHMARK, settings))


def predict(given: Given, place: dict[str, Any]) -> None:
    """Answer --predict_file with a trained model."""
    out = Path(given["output_dir"])
    settings = {
        "model": trained(given),
        "out": out / "predictions.json",
        "benchmark": BENCHMARK,
        "batch_size": given["predict_batch_size"],
        "morphemes": given["morphemes"] if "morphemes" in given.typed else None,
        "device": place.get("device"),
        "devices": place.get("devices"),
    }
    road.run("predict", given["predict_file"], settings=settings)


def trained(given: Given) -> Path:
    """The run in --output_dir, or the run or model folder in --init_checkpoint. SettingsError for neither."""
    out = Path(given["output_dir"])
    for folder in (out, Path(given["init_checkpoint"] or out)):
        if any((place / "config.json").exists() for place in (folder, folder / "model")):
            return folder
    refuse_begun(out, str(out))
    raise SettingsError(f"{out}: no training has finished there; give --do_train=True, or --init_checkpoint with a run "
                        "folder")  # fmt: skip


def run_shell(given: Given) -> None:
    """The shell file: run_squad_ETRI_multigpu.py on the files below BERT_BASE_DIR; what is typed behind it wins."""
    from dokhae.model.etri import SIZES, VOCABULARY

    base = Path(os.environ.get(CLONE, "."))
    folder = next((base / name for name in CHECKPOINTS if (base / name).is_dir()), base / CHECKPOINTS[0])
    vocabulary, sizes = (next((place / name for place in (folder, base) if (place / name).exists()), base / name)
                         for name in (VOCABULARY, SIZES))  # fmt: skip
    weights = folder / ("pytorch_model.bin" if (folder / "pytorch_model.bin").exists() else "model.ckpt")
    data = base / "eval" / "koquad"
    words = [
        f"--vocab_file={vocabulary}",
        f"--bert_config_file={sizes}",
        f"--init_checkpoint={weights}",
        f"--train_file={data / 'KorQuAD_v1.0_train.json'}",
        f"--predict_file={data / 'KorQuAD_v1.0_dev.json'}",
        f"--output_dir={os.environ.get(RESULT) or base / 'squad_result'}",
        *LEARNS,
        *(f"{flag.name}={given[flag.key]}" for flag in FLAGS if flag.key in given.typed and not flag.gone),
    ]
    log.info("%s %s", FILE, shlex.join(words))
    run(read(MULTIGPU, words))


MULTIGPU = Script("etri", FILE, "train a morpheme BERT on KorQuAD 1.0, and let it answer", FLAGS, run)
WITHOUT_RECORDS = replace(MULTIGPU, file="run_squad_ETRI_multigpu_no_TFRecord.py")
SHELL = Script(
    "etri",
    "run_squad_ETRI.sh",
    f"{FILE} on the files below BERT_BASE_DIR",
    tuple(replace(flag, required=False) for flag in FLAGS),
    run_shell,
    shell=f'export {CLONE}="${{{CLONE}:-/root/workspace}}"\nexport {RESULT}="${{{RESULT}:-${CLONE}/squad_result}}"\n',
)
