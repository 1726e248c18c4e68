"""What is packed: a run or model folder, its settings and scores, and the files of its model."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.benchmarks import Benchmark, refuse_other_contexts
from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.export.manifest import Dev
from dokhae.files import read_json
from dokhae.korean.analysis import is_address
from dokhae.model.wordpieces import FILE_NAME as WORDPIECES
from dokhae.model.wordpieces import entries_of
from dokhae.records import read_settings
from dokhae.settings import CLASSIFIER, FILE_NAME, ReaderSettings

log = logging.getLogger("dokhae")
Content = Path | bytes  # of a file in the bundle: another file, or what it holds

# what is read of a model when it answers, besides its weights; what else lies in its folder is nobody's business
KEPT = frozenset(
    {
        "config.json", "dokhae.json", "block_head.safetensors", "bert_config.json", "tokenizer.json",
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json",
        "merges.txt",
    }
)  # fmt: skip
VOCABULARIES = (".model", ".spiece", ".list")  # SentencePiece's, and ETRI's
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there; INDEX behind its name: in parts
INDEX = ".index.json"
PATHS = ("_name_or_path", "name_or_path", "tokenizer_file")  # settings in which libraries have kept where a file lay
TOKENIZER, MORPHEMES = "tokenizer.json", "vocab.korean_morp.list"  # the latter is ETRI's


@dataclass(frozen=True, slots=True)
class Trained:
    """A reader that can be packed."""

    settings: ReaderSettings
    encoder: str | None  # what its training began with; None: a model folder, which does not say
    dev: Dev | None  # None: it was not scored, or by another benchmark's rule
    files: Mapping[str, Content]  # name in the model folder -> content


def find(run: Path, row: Benchmark) -> Trained:
    """The reader in a run or model folder. ModelError or SettingsError where a leaderboard could not run it."""
    if not run.is_dir():
        raise ModelError(f"{run}: there is no such folder; name a run folder, or the model folder inside it")
    record = _mapping(run / "run.json")
    if record.get("status", "finished") != "finished":
        raise SettingsError(f"{run}: its training is {record['status']}, not finished; go on with "
                            f"`dokhae train --resume {run}`")  # fmt: skip
    folder = run / "model" if (run / "model").is_dir() else run
    settings = _settings(folder)
    _refuse(settings, row, folder)
    encoder = _settings_in(run).get("model")
    return Trained(
        settings,
        Path(encoder).name if encoder and Path(encoder).is_absolute() else encoder,  # paths are nobody else's business
        _dev(run, row),
        _files(folder, settings),
    )


def _settings_in(run: Path) -> dict[str, Any]:
    """What a training was asked for; nothing where it is no run folder."""
    path = run / "config.yaml"
    return read_settings(path) if path.exists() else {}


def _settings(folder: Path) -> ReaderSettings:
    settings = ReaderSettings.load(folder)
    if settings is None and (folder / CLASSIFIER).exists():
        raise ModelError(f"{folder}: is a classifier, which answers no questions; pack a reader (dokhae train)")
    if settings is None:
        raise ModelError(f"{folder}: has no {FILE_NAME}, so its windows and threshold are not known; pack what `dokhae "
                         "train` has made")  # fmt: skip
    for name in ("config.json", "tokenizer_config.json"):
        if "auto_map" in _mapping(folder / name):
            raise ModelError(f"{folder / name}: the model needs Python code of its own (auto_map), which a bundle does "
                             "not run; train an encoder that transformers knows")  # fmt: skip
    return settings


def _refuse(settings: ReaderSettings, row: Benchmark, folder: Path) -> None:
    refuse_other_contexts(settings.pages is not None, row, str(folder))
    if row.rule.has_null and settings.null_threshold is None:
        raise SettingsError(f"{folder}: has no null threshold, and {row.name} has questions without an answer; train "
                            f"it with --benchmark {row.name}")  # fmt: skip
    if is_address(settings.morphemes):
        raise SettingsError(f"{folder}: asks {settings.morphemes} for morphemes, and leaderboards run without network; "
                            "train it with --morphemes mecab or kiwi")  # fmt: skip
    if settings.benchmark != row.name:
        trained = "does not say for which benchmark it was trained" if settings.benchmark is None else (
            f"was trained for {settings.benchmark}")  # fmt: skip
        log.warning("%s: %s, and is packed for %s", folder, trained, row.name)


def _mapping(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it is not there."""
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: has to be a JSON object; put the old file back")
    return content


def _dev(run: Path, row: Benchmark) -> Dev | None:
    """The scores of a run, where it was scored by the benchmark's rule."""
    report = _mapping(run / "scores.json")
    if report.get("benchmark") != row.name:
        return None
    try:
        scores = report["scores"]
        questions = report.get("questions")
        return Dev(Path(report["data"]).name, report["sha256"], questions, scores, report.get("null_threshold"))
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"{run / 'scores.json'}: is not what a training writes; put the old file back") from None


def _files(folder: Path, settings: ReaderSettings) -> dict[str, Content]:
    """The files of a model that are read when it answers, and its vocabulary under the name that the field knows."""
    names = {path.name for path in folder.iterdir()}
    kept = {name for name in names if name in KEPT or name.endswith(VOCABULARIES)} | set(_weights(folder, names))
    for name in sorted(kept):
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name}: is not there, or a link to nothing; copy the file itself there")
        _warn_of_paths(folder / name)
    found: dict[str, Content] = {name: folder / name for name in sorted(kept)}
    name = MORPHEMES if settings.morphemes else WORDPIECES
    entries = entries_of(folder / TOKENIZER) if TOKENIZER in found and name not in found else None
    return found if entries is None else {**found, name: entries.encode()}


def _weights(folder: Path, names: Collection[str]) -> list[str]:
    """The files of the weights that are read, those in parts by their index. ModelError where there are none."""
    for name in WEIGHTS:
        if name in names:
            return [name]
        if f"{name}{INDEX}" in names:
            parts = _mapping(folder / f"{name}{INDEX}").get("weight_map")
            return [f"{name}{INDEX}", *sorted(set(parts.values() if isinstance(parts, dict) else ()))]
    raise ModelError(f"{folder}: has no weights ({' or '.join(WEIGHTS)}); TensorFlow's become some by `dokhae convert "
                     "tf`")  # fmt: skip


def _warn_of_paths(path: Path) -> None:
    """Where a settings file says where it once lay, which whoever gets the bundle would read."""
    content = _mapping(path) if path.name in ("config.json", "tokenizer_config.json") else {}
    for name in PATHS:
        if Path(str(content.get(name) or "")).is_absolute():
            log.warning("%s: has a path of this machine, %s; take it out if the bundle goes to others", path, name)
