"""The Optuna study of a sweep: made once, opened again only for the same sweep; and the folder that belongs to it."""

from __future__ import annotations

import contextlib
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import yaml
from filelock import FileLock
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from dokhae.errors import DokhaeError, SettingsError, TrainingError
from dokhae.files import make_folder, read_json, refuse_full_folder, write_json, write_text
from dokhae.sweeps.fingerprint import differences, fingerprint
from dokhae.sweeps.sampling import make_pruner, make_sampler
from dokhae.sweeps.spec import Spec, to_file
from dokhae.sweeps.storage import close_storage, open_storage, shown, sqlite

KEY = "dokhae"  # the study's attribute with what it was made from
SECONDS_TO_WAIT = 10.0  # for another process that is making the study


@contextlib.contextmanager
def opened(spec: Spec, out: Path, url: str | None) -> Iterator[Study]:
    """The study, with its sampler and pruner, for the block; `out` and its spec.yaml are made where they are not there.

    SettingsError for a study or a folder of another sweep; nothing in them is changed.
    """
    with _quiet():
        sampler, pruner = make_sampler(spec), make_pruner(spec)
    stamp = fingerprint(spec)
    before = _before(out, spec, url)
    with _quiet(), _one_clear_error(url or str(out)), folder_lock(make_folder(out)):
        storage = open_storage(url or sqlite(out / "study.db"))
        try:
            study = _study(spec, storage, stamp, url, out if before else None)
            content = {"name": spec.name, "storage": shown(url), "id": study.user_attrs[KEY]["id"]}
            if before and before != content:
                raise SettingsError(f"{out}: is not of the study {spec.name} in {shown(url)}, which has begun anew; "
                                    "name another --out")  # fmt: skip
            write_json(out / "study.json", content)
            write_text(out / "spec.yaml", yaml.safe_dump(to_file(spec), sort_keys=False, allow_unicode=True))
        except BaseException:
            close_storage(storage)
            raise
    study.sampler, study.pruner = sampler, pruner
    try:
        with _quiet():
            yield study
    except (StorageInternalError, SQLAlchemyError) as error:
        raise TrainingError(f"{shown(url)}: the study cannot be reached: {_first_line(error)}; the same command goes "
                            "on from here") from None  # fmt: skip
    finally:
        close_storage(storage)


def folder_lock(out: Path) -> FileLock:
    """Held while a process looks for its next trial, and while it opens the study: SQLite has no locks of rows."""
    return FileLock(out / ".lock")


def _before(out: Path, spec: Spec, url: str | None) -> dict[str, Any]:
    """What study.json in the folder holds, {} for a new folder. SettingsError for a folder of something else."""
    if not any((out / name).exists() for name in ("study.json", "study.db", ".lock")):
        refuse_full_folder(out)
    if not (out / "study.json").exists():
        return {}
    before: dict[str, Any] = read_json(out / "study.json")
    for what, now in (("name", spec.name), ("storage", shown(url))):
        if before.get(what) != now:
            raise SettingsError(f"{out}: belongs to a sweep with another {what}: {before.get(what)}, not {now}; name "
                                f"another --out, or give that {what}")  # fmt: skip
    if url is None and not (out / "study.db").exists():
        raise SettingsError(f"{out}: its study.db is gone; put it back, or name another --out")
    return before


def _study(spec: Spec, storage: BaseStorage, stamp: dict[str, Any], url: str | None, out: Path | None) -> Study:
    """The study, made by exactly one process; `out`: the folder that says it has been made."""
    try:
        if out is None:
            direction = StudyDirection.MINIMIZE if spec.objective == "loss" else StudyDirection.MAXIMIZE
            study = optuna.create_study(storage=storage, study_name=spec.name, direction=direction)
            study.set_user_attr(KEY, {"id": uuid.uuid4().hex, "fingerprint": stamp})
            return study
    except DuplicatedStudyError:
        pass
    try:
        study = optuna.load_study(storage=storage, study_name=spec.name)
    except KeyError:
        raise SettingsError(f"{out}: its study {spec.name} is no longer in {shown(url)}; put it back, or name another "
                            "--out") from None  # fmt: skip
    told = differences(_stamp(study, stamp)["fingerprint"], stamp)
    if told:
        raise SettingsError(f"{spec.where}: the study {spec.name} in {shown(url)} is of another spec: {told}; give "
                            "this one another name (name: in the spec) and --out")  # fmt: skip
    return study


def _stamp(study: Study, own: dict[str, Any]) -> dict[str, Any]:
    """What the study was made from. Whoever has made it may not have written that yet, or been killed before."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while KEY not in study.user_attrs and not study.get_trials(deepcopy=False):
        if time.monotonic() > until:
            study.set_user_attr(KEY, {"id": uuid.uuid4().hex, "fingerprint": own})
        time.sleep(0.2)
    if KEY not in study.user_attrs:
        raise SettingsError(f"the study {study.study_name} was not made by dokhae; give the sweep another name")
    found: dict[str, Any] = study.user_attrs[KEY]
    return found


@contextlib.contextmanager
def _one_clear_error(where: str) -> Iterator[None]:
    try:
        yield
    except DokhaeError:
        raise
    except Exception as error:  # of whatever database there is, or its driver that is missing
        raise SettingsError(f"{shown(where)}: the study cannot be opened: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return str(error.__cause__ or error).partition("\n")[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back Optuna's own messages, and its warnings of what may change in its next version."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
