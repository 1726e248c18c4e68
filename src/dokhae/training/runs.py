"""A run is a folder: config.yaml is what was asked for, run.json what it ran on and how it ended."""

from __future__ import annotations

import contextlib
import logging
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from dokhae.errors import DataError, SettingsError
from dokhae.files import make_folder, read_json, sha256, write_json, write_text
from dokhae.records import from_mapping, read_settings, to_mapping
from dokhae.training.checkpoints import LAST, Interrupted, Pruned
from dokhae.training.config import TrainConfig
from dokhae.training.identity import Identity, identity_in

log = logging.getLogger("dokhae")
PACKAGES = ("dokhae", "torch", "transformers", "tokenizers", "lightning", "numpy")


def create(config: TrainConfig) -> None:
    """Make the run folder with its config.yaml."""
    out = make_folder(config.out)
    write_text(out / "config.yaml", yaml.safe_dump(resolved(config), sort_keys=False, allow_unicode=True))


def resolved(config: TrainConfig) -> dict[str, Any]:
    """The settings as plain values, with whole paths: a run can be gone on with from another folder."""
    content = dict(to_mapping(config))
    for name in ("train", "dev", "out"):
        if content[name] is not None:
            content[name] = str(Path(content[name]).resolve())
    if Path(config.model).expanduser().is_dir():
        content["model"] = str(Path(config.model).expanduser().resolve())
    table, ending, row = (config.recipe or "").partition(".yaml/")
    if ending:  # a table of one's own
        content["recipe"] = f"{Path(table).expanduser().resolve()}{ending}{row}"
    return content


def load(run: Path, trust_remote_code: bool = False) -> TrainConfig:
    """The settings that a run was started with. SettingsError where its data is no longer the same.

    trust_remote_code has to be said again: the run folder may be somebody else's.
    """
    path = run / "config.yaml"
    if not path.exists():
        raise SettingsError(f"{run}: is not a run folder (it has no config.yaml)")
    config = replace(from_mapping(TrainConfig, read_settings(path), str(path)), out=run)
    if config.trust_remote_code and not trust_remote_code:
        raise SettingsError(f"{run}: runs Python code that comes with its model; allow that with --trust_remote_code")
    before = record_of(run).get("data", {})
    now = data_hashes(config) if before else {}
    for file, digest in now.items():
        if digest != before.get(file, digest):
            raise SettingsError(f"{file}: has changed since {run} was started; put the old file back, or train anew")
    return config


def identity(run: Path) -> Identity | None:
    """What the run's last checkpoint began with; None where it was stopped before there was one.

    SettingsError for a checkpoint that cannot be gone on with, or a run folder that has lost its run.json.
    """
    last = run / "checkpoints" / LAST
    if not last.exists():
        log.warning("%s: was stopped before its first checkpoint; it starts over", run)
        return None
    if not (run / "run.json").exists():
        raise SettingsError(f"{run}: has a checkpoint but no run.json, which says on what data and encoder it began; "
                            "put it back, or train again into another folder")  # fmt: skip
    return identity_in(last)


def identity_at_start(record: dict[str, Any]) -> Identity:
    """What run.json says of the encoder that the run began with."""
    encoder = record["encoder"]
    return Identity(str(record["versions"]["dokhae"]), encoder["sha256"], encoder["tokenizer_sha256"])


def differing_machines(record: dict[str, Any]) -> list[str]:
    """In what this installation differs from the one of a run, as far as it may change the last bits."""
    then, now = record.get("versions", {}), versions()
    lines = [f"ran with {name} {then.get(name)}, this is {now[name]}" for name in now if then.get(name) != now[name]]
    for name, value in (("platform", platform.platform()), ("threads", torch.get_num_threads())):
        if record.get(name) != value:
            lines.append(f"ran with {name} {record.get(name)}, here it is {value}")
    return lines


def versions() -> dict[str, str | None]:
    """The versions of what shapes the numbers."""
    return {name: _version(name) for name in PACKAGES}


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


def data_hashes(config: TrainConfig) -> dict[str, str]:
    """SHA-256 of the run's data files."""
    return {str(file.resolve()): sha256(file) for file in (config.train, config.dev) if file is not None}


@contextlib.contextmanager
def recorded(config: TrainConfig, identity: Identity, device: str, steps: int, resumed: bool) -> Iterator[None]:
    """Keep run.json true: running, finished, interrupted, pruned or failed."""
    path = config.out / "run.json"
    before = record_of(config.out) if resumed else {}
    started = time.time()
    facts = {
        "command": before.get("command", sys.argv),  # the one that began the run; those of resuming are in its history
        "settings": resolved(config),
        "seed": config.seed,
        "device": device,
        "threads": torch.get_num_threads(),
        "steps": steps,
        "data": data_hashes(config),
        "encoder": {"sha256": identity.encoder, "tokenizer_sha256": identity.tokenizer},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
    }

    def write(status: str) -> None:
        entry = {
            "status": status,
            "command": sys.argv,
            "resumed": resumed,
            "started": _clock(started),
            "seconds": time.time() - started,
        }
        write_json(path, {"status": status, **facts, "history": [*before.get("history", []), entry]})

    write("running")
    try:
        yield
    except Interrupted:
        write("interrupted")
        raise
    except Pruned:
        write("pruned")
        raise
    except KeyboardInterrupt:  # outside of the training loop, where nothing is left to save
        write("interrupted")
        raise Interrupted(f"stopped; go on with: dokhae train --resume {config.out}") from None
    except BaseException:
        write("failed")
        raise
    write("finished")


def _version(package: str) -> str | None:
    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return None


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
