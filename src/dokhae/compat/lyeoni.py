"""lyeoni/KorQuAD: BERT on KorQuAD, and its submission to CodaLab."""

from __future__ import annotations

import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.table import Flag, Given, Script, bare
from dokhae.errors import DataError, ModelError

SOURCE = "lyeoni"
HERE = Path()  # where the model's three files are
FILES = ("vocab.txt", "config.json", "pytorch_model.bin")
PREDICTS = "it predicts and never trains: dokhae train does that"
ONE = "the model is in the working directory"
SERVERS = "it was for a debugger on another machine"
OPTIONS = (
    Flag("input", note="the argument of dokhae predict", required=True),
    Flag("output", note="--out", required=True),
    Flag("--max_seq_length", int, 512, to="max_length"),
    Flag("--doc_stride", int, 128, to="step"),
    Flag("--max_query_length", int, 64, to="max_question_length"),
    Flag("--predict_batch_size", int, 8, to="batch_size"),
    Flag("--n_best_size", int, 20, to="decoding.n_best"),
    Flag("--max_answer_length", int, 30, to="decoding.max_answer_length"),
    Flag("--version_2_with_negative", bare, note="--benchmark squad-2.0"),
    Flag("--null_score_diff_threshold", float, 0.0, note="--null_threshold, with --version_2_with_negative"),
    Flag("--no_cuda", bare, note="--device cpu"),
    Flag("--fp16", bare, note="--precision fp16, on a GPU"),
    Flag("--bert_model", default="bert-base-multilingual-cased", gone=ONE),
    Flag("--output_dir", gone="the second argument is the file to write"),
    Flag("--predict_file", gone="the first argument is the file with the questions"),
    Flag("--do_predict", bare, gone="it always does"),
    Flag("--do_train", bare, gone=PREDICTS),
    Flag("--train_file", gone=PREDICTS),
    Flag("--train_batch_size", int, 32, gone=PREDICTS),
    Flag("--learning_rate", float, 5e-5, gone=PREDICTS),
    Flag("--num_train_epochs", float, 3.0, gone=PREDICTS),
    Flag("--warmup_proportion", float, 0.1, gone=PREDICTS),
    Flag("--gradient_accumulation_steps", int, 1, gone=PREDICTS),
    Flag("--loss_scale", float, 0.0, gone=PREDICTS),
    Flag("--seed", int, 42, gone="nothing is drawn"),
    Flag("--do_lower_case", bare, gone="the vocabulary shows whether texts are lower-cased; the old script never did"),
    Flag("--local_rank", int, -1, gone="under torchrun its processes share the questions by themselves"),
    Flag("--verbose_logging", bare, gone="warnings are always shown, each once"),
    Flag("--server_ip", default="", gone=SERVERS),
    Flag("--server_port", default="", gone=SERVERS),
)


def submit(given: Given) -> None:
    """Answer the questions of a file with the model in the working directory, which stays as it is.

    Files from before transformers become a Hugging Face folder for as long as it takes.
    """
    if (HERE / "tokenizer.json").exists():
        predict(given, HERE)
        return
    missing = [name for name in FILES if not (HERE / name).exists()]
    if missing:
        raise ModelError(f"{', '.join(missing)}: not in the working directory, where the model's files have to be: "
                         f"{', '.join(FILES)}")  # fmt: skip
    if not Path(given["input"]).exists():  # before a model is converted for it
        raise DataError(f"{given['input']}: no such file")
    with tempfile.TemporaryDirectory(prefix="dokhae-") as name:
        folder = Path(name) / "model"
        road.run("convert", "pytorch", HERE, settings={"out": folder})
        predict(given, folder)


def predict(given: Given, model: Path) -> None:
    """`dokhae predict` with the old settings; questions without an answer only where they were asked for."""
    settings: dict[str, Any] = {"model": model, "out": given["output"], "benchmark": "korquad-1.0"}
    if given["version_2_with_negative"]:
        settings |= {"benchmark": "squad-2.0", "null_threshold": given["null_score_diff_threshold"]}
    elif "null_score_diff_threshold" in given.typed:
        road.tell("--null_score_diff_threshold: means nothing without --version_2_with_negative")
    if given["no_cuda"]:
        settings["device"] = "cpu"
    if given["fp16"]:
        settings["precision"] = machine.half("fp16", "--fp16")
    road.run("predict", given["input"], settings=settings | given.settings() | {"decoding.search": "pruned"})


def check_cuda(given: Given) -> None:
    """Versions and GPUs on stdout, as the old script said them; also where there is no GPU, which it failed at."""
    import torch

    count = torch.cuda.device_count()
    said = {
        "Python Version:": platform.python_version(),
        "PyTorch Version:": torch.__version__,
        "CUDA Available:": torch.cuda.is_available(),
        "Device Count:": count,
    }
    if count:
        said |= {"Current Device:": torch.cuda.current_device(), "Device Name": torch.cuda.get_device_name(0)}
    sys.stdout.write("".join(f"{name}  {value}\n" for name, value in said.items()))


SUBMISSION = Script(
    SOURCE,
    "run_squad_for_submission.py",
    "answer a file's questions with the vocab.txt, config.json and pytorch_model.bin that are here",
    OPTIONS,
    submit,
)
SCRIPTS: tuple[Script, ...] = (
    SUBMISSION,
    replace(SUBMISSION, file="run_squad.py", what="the same, as its README uploads it: run_squad.py INPUT OUTPUT"),
    Script(SOURCE, "check_cuda.py", "what Python, PyTorch and GPUs there are", (), check_cuda),
)
