"""Predictions of a classifier as files: GLUE's table of index and prediction, or JSON lines with probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from dokhae.data.lines import text_lines
from dokhae.errors import DataError, SettingsError
from dokhae.files import atomic_path, parse_json
from dokhae.tasks.classifier import ClassPrediction
from dokhae.tasks.glue import SentenceTask

HEADER = "index\tprediction"  # of what GLUE's server takes


def refuse_another_suffix(path: Path) -> None:
    """SettingsError where the suffix of a predictions file says neither form."""
    if path.suffix.lower() not in (".tsv", ".jsonl"):
        raise SettingsError(f"{path}: predictions are written as .tsv (GLUE's form) or .jsonl (with probabilities); "
                            "give the file one of these endings")  # fmt: skip


def write_predictions(path: Path, predictions: Iterable[ClassPrediction], task: SentenceTask) -> int:
    """Write predictions as they come, whole or not at all; says how many. The suffix names the form."""
    refuse_another_suffix(path)
    is_table = path.suffix.lower() == ".tsv"
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        if is_table:
            file.write(f"{HEADER}\n")
        for prediction in predictions:
            file.write(f"{_row(prediction, path) if is_table else _line(prediction, task.labels)}\n")
            count += 1
    return count


def read_predictions(path: Path, is_number: bool) -> dict[str, str | float]:
    """Id -> class or number, of a file in either form. DataError names the line that is neither."""
    refuse_another_suffix(path)
    is_table = path.suffix.lower() == ".tsv"
    found: dict[str, str | float] = {}
    for number, line in enumerate(text_lines(path), 1):
        place = f"{path}: line {number}"
        line = line.rstrip("\r\n")
        if not line.strip() or (is_table and number == 1 and line.split("\t")[0] in ("index", "id")):
            continue
        id, label = _cells(line, place) if is_table else _fields(line, place)
        if id in found:
            raise DataError(f"{place}: the id {id!r} is given twice")
        found[id] = _number(label, place) if is_number else str(label)
    return found


def _row(prediction: ClassPrediction, path: Path) -> str:
    cells = prediction.id, str(prediction.label)
    for cell in cells:
        if any(mark in cell for mark in "\t\r\n"):
            raise DataError(f"{path}: {cell!r} has a tab or a line end, which no table can hold; write .jsonl instead")
    return "\t".join(cells)


def _line(prediction: ClassPrediction, labels: Sequence[str]) -> str:
    content: dict[str, object] = {"id": prediction.id, "label": prediction.label}
    if prediction.probabilities:
        content["probabilities"] = dict(zip(labels, prediction.probabilities, strict=True))
    return json.dumps(content, ensure_ascii=False)


def _cells(line: str, place: str) -> tuple[str, str]:
    cells = line.split("\t")
    if len(cells) != 2:
        raise DataError(f"{place}: has {len(cells)} cells, but a prediction has two: its index and its label")
    return cells[0], cells[1]


def _fields(line: str, place: str) -> tuple[str, object]:
    content = parse_json(line, place, is_line=True)
    if not isinstance(content, dict) or not {"id", "label"} <= content.keys():
        raise DataError(f"{place}: is no prediction: it has no id or no label")
    return str(content["id"]), content["label"]


def _number(label: object, place: str) -> float:
    try:
        return float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(f"{place}: the prediction has to be a number, found {label!r}") from None
