"""run_classifier.py over dokhae classify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dokhae.compat import road
from dokhae.compat.bert_pytorch.encoders import answering, encoder
from dokhae.compat.bert_pytorch.options import MODEL, TRAINING, place, precision, steps, tell_alone
from dokhae.compat.bert_pytorch.outputs import leave
from dokhae.compat.bert_pytorch.results import of_training, write_results
from dokhae.compat.kept import refuse_run
from dokhae.compat.table import Flag, Given, Script, bare
from dokhae.errors import DataError, SettingsError
from dokhae.files import read_json

FLAGS = (
    *MODEL,
    Flag("--data_dir", required=True, note="its train.tsv is --train, its dev.tsv is --dev"),
    Flag("--task_name", required=True, note="--task"),
    Flag("--output_dir", required=True, note="--out: the run folder, which also gets the files of old"),
    Flag("--do_train", bare, note="dokhae classify train"),
    Flag("--do_eval", bare, note="--dev; without --do_train, dokhae classify predict and evaluate"),
    Flag("--max_seq_length", int, 128, "max_length"),
    Flag("--eval_batch_size", int, 8, note="--batch_size of dokhae classify predict"),
    *TRAINING,
)
DEV = {"mnli": "dev_matched.tsv", "mnli-mm": "dev_mismatched.tsv"}  # the others have one dev.tsv
RAGGED = ("qqp",)  # has broken rows, which the old script left out as well
SCORES = "eval_scores.json"  # what dokhae classify evaluate says


def run(given: Given) -> None:
    """Train, score the dev file, or both; of MNLI both dev files."""
    from dokhae.tasks import glue

    out, data = Path(given["output_dir"]).expanduser(), Path(given["data_dir"]).expanduser()
    name = given["task_name"].lower()
    task = "mnli" if name == "mnli-mm" else glue.find_task(name).name
    dev = DEV.get(name, "dev.tsv")
    refuse(given, out, [data / file for doing, file in (("do_train", "train.tsv"), ("do_eval", dev)) if given[doing]])
    tell_alone(given)
    if given["do_train"]:
        train(given, task, data, dev, out)
    if given["do_eval"]:
        score(given, task, data, out)


def score(given: Given, task: str, data: Path, out: Path) -> None:
    """Write eval_results.txt; for MNLI also the one of the mismatched file, in a folder beside."""
    model, name = answering(given, out, "dokhae classify train"), given["task_name"].lower()
    if not road.speaks():  # one process writes one file
        return
    if given["do_train"]:
        scores, losses = read_json(out / "scores.json")["scores"], of_training(out)
    else:
        scores, losses = evaluate(given, task, data / DEV.get(name, "dev.tsv"), model, out), {}
    write_results(out / "eval_results.txt", scores, losses)
    other = data / DEV["mnli-mm"]
    if name == "mnli" and other.exists():
        beside = out.with_name(f"{out.name}-MM")
        losses.pop("eval_loss", None)  # of the first file
        write_results(beside / "eval_results.txt", evaluate(given, task, other, model, beside), losses)


def refuse(given: Given, out: Path, files: list[Path]) -> None:
    """SettingsError or DataError for what cannot be done, before anything is loaded."""
    if not (given["do_train"] or given["do_eval"]):
        raise SettingsError("run_classifier.py: nothing is to be done; give --do_train, --do_eval, or both")
    for file in files:
        if not file.exists():
            raise DataError(f"{file}: no such file; --data_dir is the folder of a task as GLUE's archive has it")
    if given["do_train"]:
        refuse_run(out, "dokhae classify train")


def train(given: Given, task: str, data: Path, dev: str, out: Path) -> None:
    """Train as the old script did, and leave its files."""
    numbers = steps(given)  # what cannot be is refused before an encoder is converted
    settings = {
        "task": task,
        "model": encoder(given, out),
        "train": data / "train.tsv",
        "dev": data / dev if given["do_eval"] else None,
        "out": out,
        "skip_ragged": task in RAGGED,
        **published(),
        **numbers,
    }
    road.run("classify", "train", settings=settings)
    leave(out)


def published() -> dict[str, Any]:
    """What the table of SQuAD says of BertAdam and precision, which are the same here."""
    from dokhae import recipes

    table = recipes.defaults("bert-pytorch", "squad-1.1")
    return {name: value for name, value in table.items() if name.startswith("optimizer.") or name == "precision"}


def evaluate(given: Given, task: str, dev: Path, model: str, out: Path) -> dict[str, float]:
    """Predictions of a dev file and their scores."""
    predictions, ragged = out / "predictions.tsv", {"skip_ragged": task in RAGGED}
    how = {"model": model, "out": predictions, "batch_size": given["eval_batch_size"], **place(given)}
    road.run("classify", "predict", dev, settings={"task": task, **how, **precision(given), **ragged})
    road.run("classify", "evaluate", dev, predictions, settings={"task": task, "out": out / SCORES, **ragged})
    return dict(read_json(out / SCORES))


RUN_CLASSIFIER = Script(
    "bert-pytorch", "run_classifier.py", "fine-tune BERT on a task of GLUE, and score it", FLAGS, run
)
