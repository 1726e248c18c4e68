"""KorSQuAD-pl's names: data sets and their folders, kinds of models, the folder of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dokhae.errors import DataError, SettingsError
from dokhae.records import nearest

SOURCE = "kor-squad-pl"
DATA, MODELS = Path("data"), Path("model")  # in the working directory
KORQUAD_2 = "korquad_v2.0"
BENCHMARKS = {
    "korquad_v1.0": "korquad-1.0",
    KORQUAD_2: "korquad-2.1",
    "squad_v1.1": "squad-1.1",
    "squad_v2.0": "squad-2.0",
}
FIRST = {"korquad_v1": "korquad_v1.0", "korquad_v2": KORQUAD_2, "squad_v1": "squad_v1.1", "squad_v2": "squad_v2.0"}
# what any version of its utils/models.py took
KINDS = (
    "bert", "roberta", "xlnet", "xlm", "distilbert", "albert", "kobert", "distilkobert", "koelectra", "electra",
)  # fmt: skip
# its first versions took one name for the model and its tokenizer, whose meaning hung on the language
READERS = {
    "bert": {"korquad": "bert-base-multilingual-cased", "squad": "bert-base-uncased"},
    "kobert": {"korquad": "monologg/kobert"},
    "koelectra": {"korquad": "monologg/koelectra-base-discriminator"},
}


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set by its old name."""

    name: str  # as it was typed: korquad_v1.0, or korquad_v1 as in the first versions
    benchmark: str  # ours

    @property
    def train(self) -> Path:
        """Training data; DataError where it is not there."""
        return self._part("train")

    @property
    def dev(self) -> Path:
        """Dev data; DataError where it is not there."""
        return self._part("dev")

    def _part(self, part: str) -> Path:
        """A file, or of pages also a folder of them."""
        path, folder = DATA / self.name / f"{part}.json", DATA / self.name / part
        if path.exists():
            return path
        if self.full_name == KORQUAD_2 and folder.is_dir():
            return folder
        or_folder = f" and no folder {folder}" if self.full_name == KORQUAD_2 else ""
        raise DataError(f"{path}: there is no such file{or_folder}; {self._advice()}")

    def _advice(self) -> str:
        if self.full_name != self.name:
            return f"say --data_name {self.full_name}, or put the data there"
        script = "download_squad.py" if self.name.startswith("squad") else "download_korquad.py"
        more = f" --data_name {self.name}" if self.name == KORQUAD_2 else ""
        return f"fetch the data with: dokhae compat {script} --download_dir ./{DATA}{more}"

    @property
    def full_name(self) -> str:
        """As its last version calls it."""
        return FIRST.get(self.name, self.name)


def data_set(name: str) -> DataSet:
    """The data set of an old name. SettingsError with the nearest one where there is none."""
    lower = name.lower()
    benchmark = BENCHMARKS.get(FIRST.get(lower, lower))
    if benchmark is None:
        raise SettingsError(f"--data_name {name} is not known{nearest(lower, list(BENCHMARKS))}")
    return DataSet(lower, benchmark)


def model_name(kind: str | None, name: str | None, reader: str | None, data: DataSet) -> str:
    """What --model_name_or_path says, or in its place the first versions' --text_reader.

    SettingsError where neither does, and for a kind of model that it never had.
    """
    if reader is not None and name is None:
        language = data.name.partition("_")[0]
        found = READERS.get(reader.lower(), {}).get(language)
        if found is None:
            known = ", ".join(each for each, names in READERS.items() if language in names)
            raise SettingsError(f"--text_reader {reader} is not known for {data.name}; known are {known}")
        return found
    if kind is None or name is None:
        raise SettingsError("run_qa.py needs --model_type and --model_name_or_path, such as --model_type bert "
                            "--model_name_or_path bert-base-uncased")  # fmt: skip
    if kind.lower() not in KINDS:
        raise SettingsError(f"--model_type {kind} is not known{nearest(kind.lower(), list(KINDS))}")
    return name


def run_folder(data: DataSet, model: str) -> Path:
    """Where a training of a model on a data set is: model/squad_v2.0/bert-base-uncased."""
    return MODELS / data.name / model.lower().replace("/", "-")
