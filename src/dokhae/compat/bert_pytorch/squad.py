"""run_squad.py and run_squad2.py over dokhae train and dokhae predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dokhae.compat import road
from dokhae.compat.bert_pytorch.encoders import answering, encoder
from dokhae.compat.bert_pytorch.options import (
    MODEL,
    TRAINING,
    devices,
    precision,
    steps,
    tell_alone,
)
from dokhae.compat.bert_pytorch.outputs import leave
from dokhae.compat.kept import is_trained, refuse_other_answers, refuse_run
from dokhae.compat.table import Flag, Given, Script, bare
from dokhae.errors import DataError, SettingsError

FLAGS = (
    *MODEL,
    Flag("--output_dir", required=True, note="--out: the run folder, which also gets the files of old"),
    Flag("--train_file", note="--train; no --dev: the last weights are the result"),
    Flag("--predict_file", note="the data of dokhae predict"),
    Flag("--do_train", bare, note="dokhae train"),
    Flag("--do_predict", bare, note="dokhae predict, with what was trained in --output_dir, else --bert_model"),
    Flag("--max_seq_length", int, 384, "max_length"),
    Flag("--doc_stride", int, 128, "step"),
    Flag("--max_query_length", int, 64, "max_question_length"),
    Flag("--predict_batch_size", int, 8, note="--batch_size of dokhae predict"),
    Flag("--n_best_size", int, 20, "decoding.n_best"),
    Flag("--max_answer_length", int, 30, "decoding.max_answer_length"),
    Flag("--verbose_logging", bare, gone="what is skipped or cut is always counted and said"),
    Flag("--null_score_diff_threshold", float, 0.0, note="--null_threshold, where questions may have no answer"),
    *TRAINING,
)
ANSWERING = ("max_length", "step", "max_question_length", "decoding.n_best", "decoding.max_answer_length")
NEGATIVES = Flag("--version_2_with_negative", bare, note="--benchmark squad-2.0 in place of squad-1.1")


def run_squad(given: Given) -> None:
    """SQuAD 1.1 and files of its form, KorQuAD 1.0 too; with --version_2_with_negative SQuAD 2.0."""
    run(given, "squad-2.0" if given["version_2_with_negative"] else "squad-1.1")


def run_squad2(given: Given) -> None:
    """SQuAD 2.0."""
    run(given, "squad-2.0")


def run(given: Given, benchmark: str) -> None:
    """Train, predict, or both."""
    out = Path(given["output_dir"]).expanduser()
    refuse(given, benchmark, out)
    tell_alone(given)
    if benchmark == "squad-1.1" and "null_score_diff_threshold" in given.typed:
        road.tell("--null_score_diff_threshold: means nothing without --version_2_with_negative")
    if given["do_train"]:
        train(given, benchmark, out)
    if given["do_predict"]:
        predict(given, benchmark, out)


def refuse(given: Given, benchmark: str, out: Path) -> None:
    """SettingsError or DataError for what cannot be done, before anything is loaded."""
    script = given.script.file
    if not (given["do_train"] or given["do_predict"]):
        raise SettingsError(f"{script}: nothing is to be done; give --do_train, --do_predict, or both")
    for doing, file in (("do_train", "train_file"), ("do_predict", "predict_file")):
        if given[doing] and given[file] is None:
            raise SettingsError(f"{script}: --{doing} needs --{file}")
        if given[doing] and not Path(given[file]).expanduser().exists():
            raise DataError(f"{given[file]}: no such file; `dokhae data download squad-1.1 squad-2.0 korquad-1.0` "
                            "fetches them")  # fmt: skip
    if given["do_train"]:
        refuse_run(out)
    elif is_trained(out):
        otherwise = [flag.name for flag in given.script.flags if flag.to in ANSWERING and flag.key in given.typed]
        refuse_other_answers(out, benchmark, Path(given["predict_file"]), f"--bert_model {out}", otherwise)


def train(given: Given, benchmark: str, out: Path) -> None:
    """Train without a dev file, as the old script did, and leave its files."""
    settings = {
        **steps(given),
        "model": encoder(given, out),
        "train": given["train_file"],
        "out": out,
        "null_threshold": given["null_score_diff_threshold"] if benchmark == "squad-2.0" else None,
    }
    road.run("train", settings=road.recipe("bert-pytorch", benchmark, settings))
    leave(out)


def predict(given: Given, benchmark: str, out: Path) -> None:
    """Answer --predict_file with what was trained in --output_dir, or else with --bert_model as it is."""
    model = answering(given, out)
    settings: dict[str, Any] = {
        "model": model,
        "out": out / "predictions.json",
        "benchmark": benchmark,
        "null_threshold": threshold(given, benchmark, out),
        **devices(given, given["predict_batch_size"]),
        **precision(given),
        **(given.typed_settings(ANSWERING) if is_trained(out) else bare_model(given, benchmark)),
    }
    road.run("predict", given["predict_file"], settings=settings)


def threshold(given: Given, benchmark: str, out: Path) -> float | None:
    """The null threshold that was typed, or the old default; what was trained here knows its own."""
    if benchmark != "squad-2.0" or (is_trained(out) and "null_score_diff_threshold" not in given.typed):
        return None
    return float(given["null_score_diff_threshold"])


def bare_model(given: Given, benchmark: str) -> dict[str, Any]:
    """Windows and decoding, by the old script's defaults where nothing was typed, of a model that has none saved."""
    table = road.recipe("bert-pytorch", benchmark, given.settings())
    return {name: table[name] for name in (*ANSWERING, "decoding.search")}


RUN_SQUAD = Script(
    "bert-pytorch", "run_squad.py", "fine-tune BERT on SQuAD or KorQuAD, and answer", (*FLAGS, NEGATIVES), run_squad
)
RUN_SQUAD2 = Script("bert-pytorch", "run_squad2.py", "the same for SQuAD 2.0", FLAGS, run_squad2)
