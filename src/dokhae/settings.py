"""What is saved beside a model's weights, so that every later consumer cuts, decodes and refuses as it was fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.errors import ModelError
from dokhae.files import read_json, write_json
from dokhae.korean.splitting import Split
from dokhae.korean.trimming import Trim
from dokhae.pages.text import PageConfig
from dokhae.records import from_mapping

FILE_NAME = "dokhae.json"
CLASSIFIER = "dokhae_classifier.json"  # what stands in its place beside a model that tells classes
FORMAT = 1
Saved = TypeVar("Saved")


@dataclass(frozen=True, slots=True)
class NullThreshold:
    """When to say that there is no answer: null score difference > value. Says where the value comes from."""

    value: float = 0.0
    origin: Literal["default", "set", "fitted"] = "default"
    exact_match: float | None = None  # the value that is best for EM on `split`
    f1: float | None = None  # the value that is best for F1 (or what stands for it in the benchmark) on `split`
    split: str | None = None  # the file it was fitted on
    sha256: str | None = None  # of that file
    f1_label: str = "F1"  # the second score's name: ROUGE-W for KLUE-MRC

    def described(self, scored: str | None = None) -> str:
        """In words, with a mark where the scored file is the one it was fitted on."""
        if self.origin != "fitted":
            return f"null threshold {self.value:g} ({self.origin})"
        aim = self.f1_label if self.value == self.f1 else "EM"
        same = "; FITTED ON THE SPLIT IT IS REPORTED ON" if scored is not None and scored == self.sha256 else ""
        return f"null threshold {self.value:g} (fitted for {aim} on {self.split}{same})"


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How a trained reader reads and answers, and the benchmark it was trained for."""

    benchmark: str | None = None
    windows: WindowConfig = field(default_factory=WindowConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    null_threshold: NullThreshold | None = None  # None: always answers
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # in which it was scored, and the threshold fitted
    korean_split: Split = "none"  # where words are cut before the tokenizer sees them
    korean_trim: Trim = "none"  # which analyser finds particles to cut off the ends of answers
    morphemes: str | None = None  # analyser (or its address) that writes texts as morphemes; for a morpheme BERT
    pages: PageConfig | None = None  # how pages in HTML become text; None: contexts are text
    block_head: bool = False  # whether the model has a second head, which is kept in a file of its own
    rewritten_by: str | None = None  # version of the list or analyser that cut words or wrote morphemes

    def save(self, folder: Path) -> None:
        """Write dokhae.json into a model folder."""
        write_saved(self, folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path) -> ReaderSettings | None:
        """Read dokhae.json from a model folder; None where there is none (a model that dokhae did not train)."""
        path = folder / FILE_NAME
        if not path.exists():
            return None
        return read_saved(cls, path)

    @classmethod
    def found(cls, find_file: Callable[[str], Path | None]) -> ReaderSettings | None:
        """Those of a model of which only single files can be had, wherever it is; None where it has none."""
        path = find_file(FILE_NAME)
        return None if path is None else cls.load(path.parent)


def write_saved(settings: Any, path: Path) -> None:  # noqa: ANN401 - a dataclass
    """Write the settings of a model beside its weights."""
    write_json(path, {"format": FORMAT, **asdict(settings)})


def read_saved(kind: type[Saved], path: Path) -> Saved:
    """Settings that `write_saved` has written. ModelError for a file of another format."""
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ModelError(f"{path}: is not a settings file of format {FORMAT}; use the dokhae version that wrote it")
    return from_mapping(kind, content, str(path))
