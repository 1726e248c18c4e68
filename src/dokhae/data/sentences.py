"""Texts and pairs of texts with a class or a number each, out of tables with named columns or GLUE's files."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dokhae.data.columns import Columns, Row, rows_of
from dokhae.data.fields import described, refuse_lone_surrogates, shortened
from dokhae.errors import DataError, SettingsError
from dokhae.records import nearest
from dokhae.types import LabelledText

log = logging.getLogger("dokhae")

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def read_texts(
    path: Path,
    columns: Columns,
    labelled: bool,
    number: bool = False,
    known: Sequence[str] = (),
    skip_ragged: bool = False,
) -> list[LabelledText]:
    """The texts or pairs of a file, in file order, with classes, or with numbers where `number` is True.

    `labelled` False neither needs nor reads labels. `known` are the classes that may be found; () = any. Rows that are
    ragged or have an empty text are errors; `skip_ragged` leaves them out with a warning that counts them. Rows without
    an id column are numbered from 0, those that are left out too. DataError names the file, the row and what is wrong.
    """
    path = Path(path)
    if labelled and columns.label is None:
        raise SettingsError(f"{path}: labels are needed; name the column that holds them")
    texts: list[LabelledText] = []
    ids: set[str] = set()
    left_out = 0
    for index, row in enumerate(rows_of(path, columns.asked(labelled))):
        fault = row.fault or _empty(row, columns)
        if fault and not skip_ragged:
            raise DataError(f"{row.place}: {fault}; mend the row or drop it")
        if fault:
            left_out += 1
            continue
        text = _text(row, index, number, known)
        if text.id in ids:
            raise DataError(f"{row.place}: the id {shortened(text.id)} is given twice; give each row its own")
        ids.add(text.id)
        texts.append(text)
    if left_out:
        log.warning("%s: left out %d rows that are ragged or have an empty text; %d remain", path, left_out, len(texts))
    if not texts:
        raise DataError(f"{path}: holds no texts; is it the right file?")
    return texts


def labels_of(texts: Iterable[LabelledText]) -> tuple[str, ...]:
    """The classes of some texts, each once: in the order of numbers where all are numbers, or by their text."""
    return ordered(text.label for text in texts if isinstance(text.label, str))


def ordered(labels: Iterable[str]) -> tuple[str, ...]:
    """Each class once, in the order of labels_of."""
    found = set(labels)
    if all(NUMBER.fullmatch(label) for label in found):
        return tuple(sorted(found, key=lambda label: (float(label), label)))
    return tuple(sorted(found))


def _empty(row: Row, columns: Columns) -> str:
    """Which of a row's texts is empty, in words; "" where none is."""
    for role, column in (("first", columns.first), ("second", columns.second)):
        if column is None:
            continue
        text = row.values[role]
        if text is not None and not isinstance(text, str):
            raise DataError(f"{row.place}: {column!r} must be text, found {described(text)}")
        if not text or text.isspace():
            return f"the text in {_named(column)} is empty"
        refuse_lone_surrogates(text, str(column), row.place)
    return ""


def _named(column: str | int) -> str:
    return repr(column) if isinstance(column, str) else f"column {column + 1}"


def _text(row: Row, index: int, number: bool, known: Sequence[str]) -> LabelledText:
    label = _label(row, number, known) if "label" in row.values else None
    return LabelledText(_id(row, index), row.values["first"], row.values.get("second"), label)


def _id(row: Row, index: int) -> str:
    if "id" not in row.values:
        return str(index)
    value = row.values["id"]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise DataError(f"{row.place}: the id must be text or a whole number, found {described(value)}")
    refuse_lone_surrogates(value, "id", row.place)
    return value


def _label(row: Row, number: bool, known: Sequence[str]) -> str | float:
    value = row.values["label"]
    if value is None or (isinstance(value, float) and math.isnan(value) and not number):  # pandas leaves such cells
        value = ""
    if isinstance(value, str) and not value.strip():
        raise DataError(f"{row.place}: has no label; give each row one, or leave the row out")
    return _number(value, row.place) if number else _class(value, row.place, known)


def _number(value: Any, place: str) -> float:  # noqa: ANN401 - whatever the table holds
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise DataError(f"{place}: the label has to be a number, found {described(value)}")
    return found


def _class(value: Any, place: str, known: Sequence[str]) -> str:  # noqa: ANN401
    label = _class_name(value, place)
    if known and label not in known:
        hint = nearest(label.lower(), list(known)).partition("; known")[0]
        names = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise DataError(f"{place}: the label {shortened(label)} is not known{hint} (known are {names})")
    return label


def _class_name(value: Any, place: str) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():  # pandas writes 1.0 where the column has empty cells
        value = int(value)
    if not isinstance(value, (str, int)):
        raise DataError(f"{place}: the label has to be text or a whole number, found {described(value)}")
    label = str(value).strip()
    refuse_lone_surrogates(label, "label", place)
    return label
