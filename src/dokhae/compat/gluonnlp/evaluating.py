"""GluonNLP's run_squad.py without a training: which model it evaluates, and the files that it leaves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.kept import is_trained, refuse_begun
from dokhae.compat.table import Given
from dokhae.errors import SettingsError
from dokhae.files import read_json, write_json
from dokhae.records import read_settings

log = logging.getLogger("dokhae")
RESULTS = "best_results.json"
NAMES = {"predictions.json": "revised_predictions.json", "null_odds.json": "na_prob.json"}
# what a model that dokhae trained has its own of
WINDOWS = ("max_seq_length", "doc_stride", "max_query_length", "max_answer_length", "start_top_n", "end_top_n")


def predict(given: Given, place: dict[str, Any]) -> None:
    """Answer the dev file with a trained model, and score the answers."""
    model, dev, out = trained(given), data_file(given, "dev"), Path(given["output_dir"])
    types = [name for name in ("eval_dtype", "dtype") if name in given.typed]
    settings = {
        **windows(given, model),
        "model": model,
        "out": out / "predictions.json",
        "benchmark": benchmark(given),
        "batch_size": given["eval_batch_size"],
        "precision": precision(given[types[0]], f"--{types[0]}") if types else None,
        "device": place.get("device"),
        "devices": place.get("devices"),
    }
    road.run("predict", dev, settings=settings)
    if road.speaks():
        road.run("evaluate", dev, out / "predictions.json", settings={"benchmark": benchmark(given)})
    name_files(given, str(model))


def windows(given: Given, model: Path) -> dict[str, Any]:
    """Windows and decoding as far as they were typed; all of the old script's, for a model that has none saved."""
    has_none = not any((folder / "dokhae.json").exists() for folder in (model, model / "model"))
    asked = {name for name in WINDOWS if has_none or name in given.typed}
    found = {flag.to: given[flag.key] for flag in given.script.flags if flag.key in asked and flag.to}
    if asked & {"start_top_n", "end_top_n"}:
        found["decoding.n_best"] = n_best(given)
    return found | ({"decoding.search": "pruned"} if has_none else {})


def n_best(given: Given) -> int:
    """Starts that are searched, and ends of each; one number here."""
    return max(int(given["start_top_n"]), int(given["end_top_n"]))


def evaluate_all(given: Given, place: dict[str, Any]) -> None:
    """Score all checkpoints of the run in --output_dir. SettingsError where it was trained without a dev file."""
    if given["param_checkpoint"] is not None and not given["do_train"]:
        raise SettingsError("--all_evaluate scores the checkpoints in --output_dir; leave out --param_checkpoint")
    out = Path(given["output_dir"])
    if read_settings(out / "config.yaml").get("dev") is None:
        raise SettingsError(f"{out}: was trained without --do_eval, so only its last checkpoint was kept; leave out "
                            "--all_evaluate")  # fmt: skip
    if road.speaks():
        road.run("evaluate", settings={"run": out, "checkpoints": "all", "device": place.get("device")})
        name_files(given, str(read_json(out / RESULTS)["best"]["checkpoint"]))


def trained(given: Given) -> Path:
    """The run or model folder that --param_checkpoint names, or the run in --output_dir. SettingsError for none."""
    named, out = given["param_checkpoint"], Path(given["output_dir"])
    if named is None:
        if is_trained(out):
            return out
        refuse_begun(out, str(out))
        raise SettingsError(f"{out}: no training has finished there; give --do_train, or --param_checkpoint with a run "
                            "or a model folder")  # fmt: skip
    path = Path(named).expanduser()
    run = path.parent if path.parent != Path() else out
    if path.is_dir():
        return path
    if path.suffix == ".params" and not path.exists() and is_trained(run):
        return run
    why = {
        ".params": "is MXNet's, which cannot be read here; train again with --do_train, or name",
        ".ckpt": "is one checkpoint of a run; --all_evaluate scores them all, or name",
    }.get(path.suffix, "is a file; name")
    raise SettingsError(f"--param_checkpoint {path}: {why if path.exists() else 'is not here; name'} the folder of a "
                        "run or model")  # fmt: skip


def name_files(given: Given, checkpoint: str) -> None:
    """The old script's file names; its flat scores in best_results.json, beside what `dokhae evaluate --run` wrote."""
    if not road.speaks():
        return
    out, dev = Path(given["output_dir"]), data_file(given, "dev")
    road.name_as(out, NAMES)
    ours = read_json(out / RESULTS) if given["all_evaluate"] else {}
    write_json(out / RESULTS, {**scores_of(out, dev, benchmark(given)), "best_ckpt": checkpoint, **ours})
    log.info("wrote %s", out / RESULTS)


def scores_of(out: Path, dev: Path, name: str) -> dict[str, float | int]:
    """The official scores of a folder's answers, and of SQuAD 2.0 those at the best thresholds on this very file."""
    from dokhae.evaluation import evaluate

    scores, odds = evaluate(dev, out / "predictions.json", name), out / "null_odds.json"
    if not odds.exists():
        return scores
    lists = read_json(out / "nbest_predictions.json")
    spans = {key: n_best[0]["text"] if n_best else "" for key, n_best in lists.items()}
    best = evaluate(dev, spans, name, odds, na_prob_thresh=0.0)
    return scores | {key: value for key, value in best.items() if key.startswith("best_")}


def data_file(given: Given, part: str) -> Path:
    """SQuAD's train or dev file of a version. SettingsError where it is not there."""
    folder, version = given["data_dir"], given["version"]
    path = Path(folder).expanduser() / f"{part}-v{version}.json"
    if not path.exists():
        raise SettingsError(f"{path}: is not here; fetch it with: dokhae compat nlp_data prepare_squad --version "
                            f"{version} --save-path {folder}")  # fmt: skip
    return path


def benchmark(given: Given) -> str:
    """What we call the version."""
    return f"squad-{given['version']}"


def precision(dtype: str, option: str) -> str:
    """fp32, or fp16 where there is a GPU. SettingsError for another type."""
    if dtype not in ("float32", "float16"):
        raise SettingsError(f"{option} {dtype}: is float32 or float16 here")
    return "fp32" if dtype == "float32" else machine.half("fp16", f"{option} {dtype}")
