"""What is packed: a run or model folder, its settings and scores, and the files of its model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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

KEPT = (".json", ".txt", ".model", ".spiece", ".list", ".safetensors")  # settings, vocabularies, weights
SAFE_WEIGHTS, OLD_WEIGHTS = "model*.safetensors", "pytorch_model*.bin"
TOKENIZER, MORPHEMES = "tokenizer.json", "vocab.korean_morp.list"  # the latter is ETRI's


@dataclass(frozen=True, slots=True)
class Trained:
    """A reader that can be packed."""

    folder: Path  # its model's
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
    encoder = read_settings(run / "config.yaml").get("model") if (run / "config.yaml").exists() else None
    return Trained(
        folder,
        settings,
        Path(encoder).name if encoder and Path(encoder).is_absolute() else encoder,  # paths are nobody else's business
        _dev(run, row),
        _files(folder, settings),
    )


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
        questions = scores.get("total") or len(_mapping(run / "predictions.json")) or None
        return Dev(Path(report["data"]).name, report["sha256"], questions, scores, report.get("null_threshold"))
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"{run / 'scores.json'}: is not what a training writes; put the old file back") from None


def _files(folder: Path, settings: ReaderSettings) -> dict[str, Content]:
    """The files of a model that are read when it answers, and its vocabulary under the name that the field knows."""
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in paths:
        if path.is_symlink() and not path.exists():
            raise ModelError(f"{path}: is a link to nothing; copy the file itself there")
    weights = [*folder.glob(SAFE_WEIGHTS)] or [*folder.glob(OLD_WEIGHTS)]
    if not weights:
        raise ModelError(f"{folder}: has no weights ({SAFE_WEIGHTS} or {OLD_WEIGHTS}); TensorFlow's become some by "
                         "`dokhae convert tf`")  # fmt: skip
    found: dict[str, Content] = {path.name: path for path in paths
                                 if path.is_file() and (path.suffix in KEPT or path in weights)}  # fmt: skip
    name = MORPHEMES if settings.morphemes else WORDPIECES
    entries = entries_of(folder / TOKENIZER) if TOKENIZER in found and name not in found else None
    return found if entries is None else {**found, name: entries.encode()}
