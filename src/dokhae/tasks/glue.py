"""GLUE's nine tasks as rows, and tasks of one's own: which columns are read, which classes there are, how it is scored.

Columns, the order of classes and the names of submissions are those of GLUE's files and of jiant, its authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dokhae.data.columns import Columns, column_names
from dokhae.data.sentences import read_texts
from dokhae.errors import DataError, SettingsError
from dokhae.metrics import classification
from dokhae.records import nearest
from dokhae.types import LabelledText

Array = NDArray[Any]  # (row,)
OWN = "own"  # the task of files that are none of GLUE's
Metric = Callable[[Array, Array], float]  # (gold, predicted)

OF_CLASSES: dict[str, Metric] = {
    "accuracy": classification.accuracy,
    "f1": classification.f1,
    "macro_f1": classification.macro_f1,
    "matthews": classification.matthews,
}
OF_NUMBERS: dict[str, Metric] = {"pearson": classification.pearson, "spearman": classification.spearman}


@dataclass(frozen=True, slots=True)
class SentenceTask:
    """A text or a pair in, a class or a number out."""

    name: str
    title: str
    columns: Columns  # of the files with labels
    test: Columns  # of the files without
    labels: tuple[str, ...]  # the classes in the order of their ids; () = a number is predicted
    metrics: tuple[str, ...]
    submissions: tuple[tuple[str, str], ...] = ()  # test file without suffix, name of its predictions for GLUE

    @property
    def is_regression(self) -> bool:
        """Whether a number is predicted, not a class."""
        return not self.labels


BINARY = ("0", "1")  # the second one is the positive class of F1
ENTAILMENT = ("entailment", "not_entailment")
SENTENCES = Columns("sentence1", "sentence2", "label")
TEST_SENTENCES = Columns("sentence1", "sentence2", id="index")
TEST_SENTENCE = Columns("sentence", id="index")

TASKS = (
    SentenceTask(
        "cola", "CoLA",
        Columns(first=3, label=1),  # no header: source, label, the author's mark, sentence
        TEST_SENTENCE, BINARY, ("matthews",), submissions=(("test", "CoLA.tsv"),),
    ),
    SentenceTask(
        "sst-2", "SST-2", Columns("sentence", label="label"), TEST_SENTENCE,
        BINARY, ("accuracy",), submissions=(("test", "SST-2.tsv"),),
    ),
    SentenceTask(
        "mrpc", "MRPC", Columns("#1 String", "#2 String", "Quality"), Columns("#1 String", "#2 String", id="index"),
        BINARY, ("accuracy", "f1"), submissions=(("test", "MRPC.tsv"),),
    ),
    SentenceTask(
        "sts-b", "STS-B", Columns("sentence1", "sentence2", "score"), TEST_SENTENCES,
        (), ("pearson", "spearman"), submissions=(("test", "STS-B.tsv"),),
    ),
    SentenceTask(
        "qqp", "QQP", Columns("question1", "question2", "is_duplicate"), Columns("question1", "question2", id="id"),
        BINARY, ("accuracy", "f1"), submissions=(("test", "QQP.tsv"),),
    ),
    SentenceTask(
        "mnli", "MNLI", Columns("sentence1", "sentence2", "gold_label"), TEST_SENTENCES,
        ("contradiction", "entailment", "neutral"), ("accuracy",),
        submissions=(
            ("test_matched", "MNLI-m.tsv"), ("test_mismatched", "MNLI-mm.tsv"), ("diagnostic", "AX.tsv"),
        ),
    ),
    SentenceTask(
        "qnli", "QNLI", Columns("question", "sentence", "label"), Columns("question", "sentence", id="index"),
        ENTAILMENT, ("accuracy",), submissions=(("test", "QNLI.tsv"),),
    ),
    SentenceTask(
        "rte", "RTE", SENTENCES, TEST_SENTENCES,
        ENTAILMENT, ("accuracy",), submissions=(("test", "RTE.tsv"),),
    ),
    SentenceTask(
        "wnli", "WNLI", SENTENCES, TEST_SENTENCES,
        BINARY, ("accuracy",), submissions=(("test", "WNLI.tsv"),),
    ),
)  # fmt: skip


def names() -> list[str]:
    """Every name that `find_task` knows."""
    return [task.name for task in TASKS]


def find_task(name: str) -> SentenceTask:
    """A task of GLUE, whatever the case and the hyphens of its name; SettingsError with the nearest one."""
    for task in TASKS:
        if _plain(name) == _plain(task.name):
            return task
    near = nearest(name.lower(), names()).partition("; known")[0]
    raise SettingsError(f"task {name!r} is not known{near or ';'} known are {', '.join(names())}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def custom_task(
    first: str,
    second: str | None,
    label: str | None,
    labels: Sequence[str] = (),
    is_regression: bool = False,
    id: str | None = None,
) -> SentenceTask:
    """A task of one's own files, which have these columns.

    `labels` are the classes in the order of their ids (`labels_of` finds them), none where a number is predicted. The
    metrics are accuracy and macro F1, or Pearson and Spearman.
    """
    if is_regression == bool(labels):
        raise SettingsError("either classes are given, or a number is to be predicted")
    if len(set(labels)) < len(labels):
        raise SettingsError(f"a class is given twice: {', '.join(labels)}")
    metrics = ("pearson", "spearman") if is_regression else ("accuracy", "macro_f1")
    columns, test = Columns(first, second, label, id), Columns(first, second, None, id)
    return SentenceTask(OWN, "own", columns, test, tuple(labels), metrics)


def read(task: SentenceTask, path: Path, labelled: bool, skip_ragged: bool = False) -> list[LabelledText]:
    """The texts of a file in the layout of the task's training or test files; DataError as read_texts has it.

    `labelled` False takes both layouts and reads no labels. An unknown label is an error. `skip_ragged` leaves out,
    with a warning, ragged rows and empty texts: QQP's train.tsv has a few broken rows and two questions without text.
    """
    columns = _layout(task, Path(path), labelled)
    return read_texts(path, columns, labelled, task.is_regression, task.labels, skip_ragged)


def _layout(task: SentenceTask, path: Path, labelled: bool) -> Columns:
    found = column_names(path)
    has_labels = task.columns.label in found  # then rows are numbered, with and without their labels
    is_test = not has_labels and all(name in found for name in task.test.asked(labelled=False).values())
    if not labelled:
        return task.test if is_test else task.columns
    if is_test and isinstance(task.columns.label, int):
        raise DataError(f"{path}: has the header of {task.title}'s test files; files with labels have none")
    return task.columns


def score(task: SentenceTask, gold: Array, predicted: Array) -> dict[str, float]:
    """Each metric of a task by name, and "score", their mean, which GLUE averages over its tasks.

    `gold` and `predicted` are ids of classes, places in `task.labels`, or numbers: (row,).
    """
    known = OF_NUMBERS if task.is_regression else OF_CLASSES
    scores = {name: known[name](gold, predicted) for name in task.metrics}
    return scores | {"score": math.fsum(scores.values()) / len(scores)}


def submission_name(task: SentenceTask, test_path: Path | None = None) -> str:
    """The name that GLUE wants for the predictions of a test file; MNLI's three are told by the test file's name."""
    if not task.submissions:
        raise SettingsError(f"task {task.name}: GLUE takes no predictions of it")
    by_test = dict(task.submissions)
    return by_test.get(Path(test_path).stem if test_path else "", task.submissions[0][1])
