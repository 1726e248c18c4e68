"""result.json of a training, and evaluate_korquad_v1.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dokhae.compat import road
from dokhae.compat.kor_squad_pl.names import SOURCE, DataSet
from dokhae.compat.table import Flag, Given, Script
from dokhae.files import read_json, write_text

RESULT = "result.json"
# SQuAD 1.1 was scored as 2.0 is, which gives the same numbers under other names
SCORED_AS = {"squad-1.1": "squad-2.0"}


def write_result(data: DataSet, folder: Path, answers: Path) -> None:
    """Score answers with `dokhae evaluate`; the scores go to result.json in a folder and to stdout, as they did."""
    if not road.speaks():
        return
    result, benchmark = folder / RESULT, SCORED_AS.get(data.benchmark, data.benchmark)
    road.run("evaluate", data.dev, answers, settings={"benchmark": benchmark, "out": result})
    text = json.dumps(read_json(result), ensure_ascii=False, indent=4)
    write_text(result, text)
    sys.stdout.write(f"{text}\n")


def evaluate(given: Given) -> None:
    """KorQuAD 1.0's official scores on stdout."""
    road.run("evaluate", given["dataset_file"], given["prediction_file"], settings={"benchmark": "korquad-1.0"})


EVALUATE = Script(
    SOURCE,
    "evaluate_korquad_v1.py",
    "KorQuAD 1.0's official scores of a predictions file",
    (
        Flag("--dataset_file", note="the first argument of dokhae evaluate", required=True),
        Flag("--prediction_file", note="the second argument of dokhae evaluate", required=True),
    ),
    evaluate,
)
