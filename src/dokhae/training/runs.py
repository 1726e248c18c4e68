"""A run is a folder: config.yaml is what was asked for, run.json what it ran on and how it ended."""

from __future__ import annotations

import calendar
import contextlib
import logging
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from dokhae.errors import DataError, SettingsError
from dokhae.files import make_folder, read_json, sha256, write_json, write_text
from dokhae.model.devices import choose_device
from dokhae.records import from_mapping, read_settings, to_mapping
from dokhae.training.checkpoints import LAST, Interrupted, Pruned
from dokhae.training.identity import Identity, identity_in
from dokhae.training.meeting import LostProcess
from dokhae.training.run_config import Config, RunConfig, is_free

log = logging.getLogger("dokhae")
JOB = "job.json"  # the cluster's job that began the run
CLOCK = "%Y-%m-%dT%H:%M:%SZ"
STATUSES = (
    (Interrupted, "interrupted"),
    (KeyboardInterrupt, "interrupted"),
    (Pruned, "pruned"),
    (LostProcess, "killed"),
)
PACKAGES = ("dokhae", "torch", "transformers", "tokenizers", "lightning", "numpy")


def create(config: RunConfig, job: str | None = None) -> None:
    """Write the run's config.yaml, and make its folder for that. job: what a restart of its job has in common."""
    out = make_folder(config.out)
    if job is not None:
        write_json(out / JOB, {"job": job})
    write_text(out / "config.yaml", yaml.safe_dump(resolved(config), sort_keys=False, allow_unicode=True))


def resolved(config: RunConfig) -> dict[str, Any]:
    """The settings as plain values, with whole paths: a run can be gone on with from another folder."""
    content = {config.mark: None, **to_mapping(config)}  # what kind of run it is comes first
    for name in ("train", "dev", "out"):
        if content[name] is not None:
            content[name] = str(Path(content[name]).resolve())
    if Path(config.model).expanduser().is_dir():
        content["model"] = str(Path(config.model).expanduser().resolve())
    table, ending, row = (content.get("recipe") or "").partition(".yaml/")
    if ending:  # a table of one's own
        content["recipe"] = f"{Path(table).expanduser().resolve()}{ending}{row}"
    return content


def load(
    run: Path,
    kind: type[Config],
    trust_remote_code: bool = False,
    data: Mapping[str, Path] | None = None,
    used: Sequence[str] = ("train", "dev"),
) -> Config:
    """The settings that a run was started with. SettingsError where config.yaml has other ones, the data that is used
    is no longer the same, or the run is of another kind.

    trust_remote_code has to be said again: the run folder may be somebody else's. data: where "train" and "dev" are
    now, if they have moved.
    """
    path = run / "config.yaml"
    if not path.exists():
        raise SettingsError(f"{run}: is not a run folder (it has no config.yaml); a training that was stopped before "
                            "it began is started again without --resume")  # fmt: skip
    refuse_another_kind(run, kind)
    begun = replace(from_mapping(kind, read_settings(path), str(path)), out=run)
    if begun.trust_remote_code and not trust_remote_code:
        raise SettingsError(f"{run}: runs Python code that comes with its model; allow that with --trust_remote_code")
    moved = data or {}
    config = replace(begun, train=moved.get("train", begun.train), dev=moved.get("dev", begun.dev))
    record = record_of(run)
    _refuse_changed(path, begun, record)
    digests, settings = record.get("data", {}), record.get("settings", {})
    for name in used if settings else ():
        file, before = getattr(config, name), settings.get(name)  # under which the hash is, also where files have moved
        if (file is None) != (before is None):
            raise SettingsError(f"{path}: {name} is {file}, but the run began with {before}; put that back, or train "
                                "again into another folder")  # fmt: skip
        if file is not None and sha256(file) != digests.get(before):
            raise SettingsError(f"{file}: has changed since {run} was started; put the old file back, or train anew")
    return config


def by_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those in groups with a dot."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = by_name(value) if isinstance(value, Mapping) else {}
        found |= {f"{name}.{each}": one for each, one in inner.items()} if inner else {name: value}
    return found


def _refuse_changed(path: Path, config: RunConfig, record: Mapping[str, Any]) -> None:
    """SettingsError where a config.yaml no longer says what the run began with, as far as that makes the result."""
    now, before = by_name(resolved(config)), by_name(record.get("settings", {}))
    for name, value in before.items():
        if name in now and now[name] != value and not is_free(name) and name != "model":  # whose hash is compared
            raise SettingsError(f"{path}: {name} is {now[name]}, but the run began with {value}; put that back, or "
                                "train again into another folder")  # fmt: skip


def refuse_another_kind(run: Path, kind: type[RunConfig]) -> None:
    """SettingsError where a run folder is one of another kind of training."""
    path = run / "config.yaml"
    if path.exists() and kind.mark not in read_settings(path):
        raise SettingsError(f"{path}: has no {kind.mark}: it is no run of `{kind.verb}`; use the verb that began it")


def begun_by(job: str | None, config: RunConfig) -> bool:
    """Whether this very job, which was started again, has begun this very training in its run folder."""
    path, settings = config.out / JOB, config.out / "config.yaml"
    if job is None or not path.exists() or read_json(path) != {"job": job}:
        return False
    if not settings.exists():
        return True
    try:
        begun = from_mapping(type(config), read_settings(settings), str(settings))  # with defaults for what it lacks
    except SettingsError:  # of another kind of training, or of a dokhae with other settings
        return False
    return resolved(begun) == resolved(config)


def check_processes(run: Path, size: int) -> None:
    """SettingsError where a run began with another number of processes: its batches were dealt to that many."""
    before = record_of(run).get("processes", size)
    if before != size:
        raise SettingsError(f"{run}: began with {before} process{'es' if before > 1 else ''}, and these are {size}; go "
                            "on with as many as before")  # fmt: skip


def identity(run: Path) -> Identity | None:
    """What the run's last checkpoint, or the run itself, began with; None where it was stopped before that was known.

    SettingsError for a checkpoint that cannot be gone on with, or a run folder that has lost its run.json.
    """
    last = run / "checkpoints" / LAST
    if not last.exists():
        log.warning("%s: was stopped before its first checkpoint; it starts over", run)
        record = record_of(run)
        return identity_at_start(record) if "encoder" in record else None
    if not (run / "run.json").exists():
        raise SettingsError(f"{run}: has a checkpoint but no run.json, which says on what data and encoder it began; "
                            "put it back, or train again into another folder")  # fmt: skip
    return identity_in(last)


def identity_at_start(record: dict[str, Any]) -> Identity:
    """What run.json says of the encoder that the run began with."""
    encoder = record["encoder"]
    return Identity(str(record["versions"]["dokhae"]), encoder["sha256"], encoder["tokenizer_sha256"])


def machine(device: str) -> dict[str, Any]:
    """What may change the last bits: the device, and the versions of what computes."""
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def warn_of_another_machine(run: Path, device: str) -> None:
    """Say in what this machine and installation differ from those that the run began on."""
    before, now = record_of(run), machine(choose_device(device))
    then, versions = before.get("versions", {}), now.pop("versions")
    pairs = [(name, before.get(name), value) for name, value in now.items()]
    pairs += [(name, then.get(name), value) for name, value in versions.items()]
    for name, old, new in pairs if before else ():
        if old != new:
            log.warning("%s: began with %s %s, here it is %s: the last bits may differ", run, name, old, new)


def finished(run: Path) -> bool:
    """Whether a run went to its end, scores and all."""
    return record_of(run).get("status") == "finished"


def record_of(run: Path) -> dict[str, Any]:
    """What run.json holds; empty where there is none yet."""
    path = run / "run.json"
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: is not a run's record; put the old file back, or delete it")
    return content


def data_hashes(config: RunConfig) -> dict[str, str]:
    """SHA-256 of the run's data files."""
    return {str(file.resolve()): sha256(file) for file in (config.train, config.dev) if file is not None}


@contextlib.contextmanager
def recorded(config: RunConfig, identity: Identity, device: str, steps: int, hosts: Sequence[str]) -> Iterator[None]:
    """Keep run.json true: running, finished, interrupted, pruned or failed. A resumed run's goes on.

    hosts: the machine of each process.
    """
    path = config.out / "run.json"
    before = record_of(config.out)
    earlier = [_ended(entry, config.out) for entry in before.get("history", [])]
    started, here = time.time(), machine(device)
    facts = {
        "command": before.get("command", sys.argv),  # the one that began the run; those of resuming are in its history
        "settings": resolved(config),
        "seed": config.seed,
        "steps": steps,
        "processes": len(hosts),
        "data": data_hashes(config),
        "encoder": {"sha256": identity.encoder, "tokenizer_sha256": identity.tokenizer},
        **{name: before.get(name, value) for name, value in here.items()},
    }

    def write(status: str) -> None:
        entry = {
            "status": status,
            "command": sys.argv,
            "resumed": bool(before),
            "started": _clock(started),
            "seconds": time.time() - started,
            "hosts": list(dict.fromkeys(hosts)),
            **here,
        }
        write_json(path, {"status": status, **facts, "history": [*earlier, entry]})

    write("running")
    try:
        yield
    except BaseException as error:
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), "failed")
        with contextlib.suppress(DataError):  # of a full disk; what went wrong before is what has to be told
            write(status)
        if isinstance(error, KeyboardInterrupt):  # outside of the training loop, where nothing is left to save
            raise Interrupted(f"stopped; {config.go_on}") from None
        raise
    write("finished")


def _ended(entry: dict[str, Any], run: Path) -> dict[str, Any]:
    """An entry of the history; of a process that was killed, with the time up to its last checkpoint."""
    if entry["status"] != "running":
        return entry
    last = run / "checkpoints" / LAST
    saved = last.stat().st_mtime if last.exists() else 0.0
    return entry | {"status": "killed", "seconds": max(saved - _seconds(entry["started"]), 0.0)}


def _version(package: str) -> str | None:
    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return None


def _seconds(text: str) -> float:
    return calendar.timegm(time.strptime(text, CLOCK))


def _clock(seconds: float) -> str:
    return time.strftime(CLOCK, time.gmtime(seconds))
