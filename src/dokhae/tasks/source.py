"""Where labelled texts come from: a task of GLUE, which knows its columns, or the columns of one's own files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dokhae.data.columns import Columns
from dokhae.data.sentences import labels_of, read_texts
from dokhae.errors import DataError, SettingsError
from dokhae.tasks import glue
from dokhae.tasks.glue import OWN, SentenceTask
from dokhae.types import LabelledText


@dataclass(frozen=True, slots=True)
class TextSource:
    """The name of a task, or columns; SettingsError for both, for neither, and for a name that is not known."""

    task: str = OWN
    first: str | None = None  # column of the text, or of the first one of a pair
    second: str | None = None  # of a pair's second text
    label: str | None = None
    id: str | None = None  # None: rows are numbered from 0
    regression: bool = False  # labels are numbers

    def __post_init__(self) -> None:
        """Refuse what says nothing, or two things."""
        if self.task != OWN:
            glue.find_task(self.task)
            if self.first or self.second or self.label or self.id or self.regression:
                raise SettingsError(f"task {self.task} knows its columns and labels; leave out first, second, label, "
                                    "id and regression, or leave out task")  # fmt: skip
        elif self.first is None:
            raise SettingsError("give --task (mrpc, sst-2, ...), or the columns of your own file: --first, and for "
                                "pairs --second")  # fmt: skip
        columns = [name for name in (self.first, self.second, self.label, self.id) if name is not None]
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise SettingsError(f"the column {twice!r} is named for two things; name one column for each")

    def named(self, labels: Sequence[str]) -> SentenceTask:
        """The task; where it is one's own, with these classes, or none where a number is predicted."""
        if self.task != OWN:
            return glue.find_task(self.task)
        return glue.custom_task(str(self.first), self.second, self.label, labels, self.regression, id=self.id)

    @property
    def is_pair(self) -> bool:
        """Whether there are two texts in a row."""
        return (self.second if self.task == OWN else glue.find_task(self.task).columns.second) is not None

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.regression if self.task == OWN else glue.find_task(self.task).is_regression

    def labelled(self, path: Path, skip_ragged: bool = False) -> list[LabelledText]:
        """The labelled texts of a file; of one's own files with any class. DataError as glue.read has it."""
        if self.task != OWN:
            return glue.read(glue.find_task(self.task), path, True, skip_ragged)
        if self.label is None:
            raise SettingsError("which column has the classes, or the numbers? give --label")
        columns = Columns(str(self.first), self.second, self.label, self.id)
        return read_texts(path, columns, True, self.regression, skip_ragged=skip_ragged)

    def taught_by(self, texts: Sequence[LabelledText], path: Path) -> SentenceTask:
        """The task whose classes are those of the training texts. DataError where they have one class alone."""
        labels = () if self.is_regression else labels_of(texts)
        if len(labels) == 1:
            raise DataError(f"{path}: all labels are {labels[0]!r}; two classes or more are needed")
        return self.named(labels)
