"""Predictions as the files that the field knows: predictions.json, nbest_predictions.json, null_odds.json.

Of pages in HTML also clean_predictions.json, the answers as one sees them.

They are written question by question, so predictions may come from a generator and need not be in memory at once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any

from dokhae.errors import SettingsError
from dokhae.files import atomic_paths, explained_writing
from dokhae.pages.clean import clean
from dokhae.types import Candidate, Prediction

BESIDE = ("nbest_predictions.json", "null_odds.json", "clean_predictions.json")
SHOWN = ("text", "probability", "start_logit", "end_logit", "start", "end")  # of a candidate
CANDIDATE = "    {\n" + ",\n".join(f'      "{name}": %s' for name in SHOWN) + "\n    }"

Add = Callable[[str, str], None]


def write_predictions(path: Path, predictions: Iterable[Prediction], with_null: bool, html: bool = False) -> list[Path]:
    """Write the answers to `path`, and the n-best lists (and, with_null, the null odds) beside it: each of
    them whole, and none before all are.

    html: answers are pieces of pages; what one sees of them is written beside them, and scores the same.
    Null odds are null score differences; a question without any legal span has the largest float. An id that comes
    again (data files may repeat a question) is not written again. Returns the paths.
    """
    if path.name in BESIDE:
        raise SettingsError(f"{path}: is the name of a file that is written beside the predictions; choose another")
    ways: list[tuple[Path, Callable[[Prediction], str]]] = [
        (path, lambda prediction: quoted(prediction.text)),
        (path.with_name(BESIDE[0]), _n_best_text),
    ]
    if with_null:
        ways.append((path.with_name(BESIDE[1]), lambda prediction: repr(finite(prediction.null_score_difference))))
    if html:
        ways.append((path.with_name(BESIDE[2]), lambda prediction: quoted(clean(prediction.text))))
    written: set[str] = set()
    coming = iter(predictions)
    begun = list(islice(coming, 1))  # a model that cannot answer says so before anything is made
    targets = [target for target, _ in ways]
    with atomic_paths(targets) as temporaries, contextlib.ExitStack() as stack:
        files = [
            (stack.enter_context(_json_object(target, temporary)), text)
            for (target, text), temporary in zip(ways, temporaries, strict=True)
        ]
        for prediction in chain(begun, coming):
            if prediction.id in written:
                continue
            written.add(prediction.id)
            for add, text in files:
                add(prediction.id, text(prediction))
    return targets


@contextlib.contextmanager
def _json_object(path: Path, temporary: Path) -> Iterator[Add]:
    """A function add(key, JSON text) for a file that is written entry by entry, as json.dumps indents it by 2.

    path: the name it is to have, for errors.
    """
    with explained_writing(path):
        file = temporary.open("w", encoding="utf-8")
    before = "{\n  "

    def add(key: str, text: str) -> None:
        nonlocal before
        with explained_writing(path):
            file.write(f"{before}{quoted(key)}: {text}")
        before = ",\n  "

    try:
        yield add
        with explained_writing(path):
            file.write("\n}\n" if before.startswith(",") else "{}\n")
    finally:
        with explained_writing(path):  # what it holds is written now
            file.close()


def _n_best_text(prediction: Prediction) -> str:
    # a third of the time of json's encoder, which is written in Python where it indents
    entries = ",\n".join(CANDIDATE % _shown(candidate) for candidate in prediction.n_best)
    return f"[\n{entries}\n  ]" if entries else "[]"


def _shown(candidate: Candidate) -> tuple[str | float, ...]:
    text, start, end, start_logit, end_logit, probability = candidate
    return quoted(text), repr(probability), repr(start_logit), repr(end_logit), start, end


def beside(path: Path) -> list[Path]:
    """The files that may be written beside the predictions."""
    return [path.with_name(name) for name in BESIDE]


def n_best(prediction: Prediction) -> list[dict[str, Any]]:
    """The candidates of one question, best first, offsets in characters of its context."""
    return [{name: getattr(candidate, name) for name in SHOWN} for candidate in prediction.n_best]


def finite(difference: float) -> float:
    """JSON has no infinity."""
    return min(difference, math.nextafter(math.inf, 0.0))
