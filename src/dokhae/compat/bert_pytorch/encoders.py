"""--bert_model, or the three files of version 0.1: what --model is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.compat import road
from dokhae.compat.bert_pytorch.outputs import WEIGHTS, leave
from dokhae.compat.kept import encoder_folder, is_trained, refuse_begun
from dokhae.compat.names import hub_name
from dokhae.compat.table import Given
from dokhae.errors import SettingsError
from dokhae.files import read_json, sha256, write_json

log = logging.getLogger("dokhae")
FILES = ("init_checkpoint", "vocab_file", "bert_config_file")
RENAMED = {"bert-base-multilingual": "bert-base-multilingual-uncased"}  # of version 0.2
RECORD = "converted_from.json"  # in an encoder's folder


@dataclass(frozen=True, slots=True)
class Everyone:
    """All processes that the launcher has started, for work that needs no GPU."""

    device: str = "cpu"
    devices: int | None = None
    nodes: int = 1
    go_on: str = "start it again"


@dataclass(frozen=True, slots=True)
class Old:
    """The files of an encoder from before transformers."""

    weights: Path  # pytorch_model.bin, or model.ckpt for model.ckpt.index and its .data files
    config: Path
    vocab: Path
    casing: str

    @property
    def is_tensorflow(self) -> bool:
        """Whether it is a checkpoint of TensorFlow."""
        return self.weights.suffix == ".ckpt" or Path(f"{self.weights}.index").exists()

    def record(self) -> dict[str, Any]:
        """By which an encoder made from the same files is known again. DataError where one cannot be read."""
        weights = self.weights.parent.glob(f"{self.weights.name}.*") if self.is_tensorflow else [self.weights]
        files = [self.config, self.vocab, *sorted(weights)]
        return {"casing": self.casing, "sha256": {path.name: sha256(path) for path in files}}


def encoder(given: Given, out: Path) -> str:
    """A hub name, a folder, or the folder beside `out` with what was converted from old files: out-encoder.

    SettingsError where nothing, or two things, are named.
    """
    files = [f"--{name}" for name in FILES if given[name] is not None]
    name = given["bert_model"]
    if name is not None and files:
        raise SettingsError(f"{given.script.file}: --bert_model and {files[0]} name two models; give one of them")
    casing = "uncased" if given["do_lower_case"] else "auto"
    if name is None:
        return str(converted(_of_three(given, files, casing), out))
    folder = Path(name).expanduser()
    if folder.is_file():
        raise SettingsError(f"{folder}: is a file; unpack an archive (tar xzf) and give its folder as --bert_model")
    if is_old(folder):
        config = next(path for path in _configs(folder) if path.exists())
        return str(converted(Old(folder / "pytorch_model.bin", config, folder / "vocab.txt", casing), out))
    return hub_name(RENAMED.get(name, name))


def answering(given: Given, out: Path, verb: str = "dokhae train") -> str:
    """What was trained in --output_dir, its old files beside it, or else the model given, as it is.

    verb: what goes on with a training. SettingsError where one has begun there and not ended.
    """
    from dokhae.training import runs

    if is_trained(out):
        if not (out / WEIGHTS).exists() and runs.finished(out):  # a training that was gone on with
            leave(out)
        return str(out)
    refuse_begun(out, f"--output_dir {out}", verb)
    road.tell(
        f"{out / 'model'}: is not there, so nothing was trained in --output_dir; the model given answers as it is"
    )
    return encoder(given, out)


def _of_three(given: Given, files: list[str], casing: str) -> Old:
    """The files of --init_checkpoint and the two others. SettingsError where one is not given."""
    if not files:
        raise SettingsError(f"{given.script.file}: which encoder? give --bert_model NAME_OR_FOLDER, or --vocab_file, "
                            "--bert_config_file and --init_checkpoint")  # fmt: skip
    if given["init_checkpoint"] is None:
        raise SettingsError(f"{given.script.file}: without --init_checkpoint the encoder has learnt nothing; if that "
                            "is meant, make one with `dokhae scratch` and give its folder as --bert_model")  # fmt: skip
    if len(files) < len(FILES):
        missing = next(f"--{name}" for name in FILES if given[name] is None)
        raise SettingsError(f"{given.script.file}: --init_checkpoint needs {missing} beside it")
    weights, vocab, config = (Path(given[name]).expanduser() for name in FILES)
    return Old(weights.with_suffix("") if weights.suffix == ".index" else weights, config, vocab, casing)


def is_old(folder: Path) -> bool:
    """Whether a folder is what the old scripts left, or were given: weights, and a config without a model_type."""
    configs = [path for path in _configs(folder) if path.exists()]
    if (folder / "model" / "config.json").exists() or not (folder / "pytorch_model.bin").exists() or not configs:
        return False
    content = read_json(configs[0])
    return isinstance(content, dict) and "model_type" not in content


def _configs(folder: Path) -> tuple[Path, Path]:
    return folder / "config.json", folder / "bert_config.json"


def converted(old: Old, out: Path) -> Path:
    """The encoder's folder, made by the first of all processes; of each machine where they share no disk."""
    from dokhae.training.meeting import joined

    folder = encoder_folder(out)
    with joined(Everyone(), "cpu") as processes:
        with processes.together():
            if processes.first:
                _convert(old, folder)
        with processes.together():
            if processes.local_rank == 0 and not folder.exists():
                _convert(old, folder)
    return folder


def _convert(old: Old, folder: Path) -> None:
    """Run dokhae convert, unless the folder was made from the same files."""
    record, path = old.record(), folder / RECORD
    if path.exists() and read_json(path) == record:
        log.info("%s: is there, converted from the same files", folder)
        return
    if folder.exists():
        raise SettingsError(f"{folder}: is in the way of the encoder that is to be converted; move it away")
    settings: dict[str, Any] = {"config": old.config, "vocab": old.vocab, "out": folder, "casing": old.casing}
    road.run("convert", "tf" if old.is_tensorflow else "pytorch", old.weights, settings=settings)
    write_json(path, record)
