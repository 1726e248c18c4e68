"""A run is a folder: config.yaml is what was asked for, run.json what it ran on and how it ended."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from dokhae.benchmarks import Benchmark
from dokhae.errors import SettingsError
from dokhae.files import make_folder, read_json, sha256, write_json, write_text
from dokhae.records import from_mapping, read_settings, to_mapping
from dokhae.training.checkpoints import Interrupted
from dokhae.training.config import TrainConfig

PACKAGES = ("dokhae", "torch", "transformers", "tokenizers", "lightning", "numpy")


def check_free(out: Path) -> None:
    """SettingsError where something is in the folder of a new run already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        advice = f", or go on with --resume {out}" if (out / "config.yaml").exists() else ""
        raise SettingsError(f"{out}: is not an empty folder; name another --out{advice}")


def create(config: TrainConfig) -> None:
    """Make the run folder with its config.yaml."""
    out = make_folder(config.out)
    content = to_mapping(config) | {
        name: str(Path(path).resolve()) if path is not None else None
        for name, path in (("train", config.train), ("dev", config.dev), ("out", out))
    }
    if Path(config.model).expanduser().is_dir():
        content["model"] = str(Path(config.model).expanduser().resolve())
    write_text(out / "config.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def load(run: Path) -> TrainConfig:
    """The settings that a run was started with. SettingsError where its data is no longer the same."""
    path = run / "config.yaml"
    if not path.exists():
        raise SettingsError(f"{run}: is not a run folder (it has no config.yaml)")
    config = replace(from_mapping(TrainConfig, read_settings(path), str(path)), out=run)
    record = run / "run.json"
    before = read_json(record)["data"] if record.exists() else {}
    now = data_hashes(config) if before else {}
    for file, digest in now.items():
        if digest != before.get(file, digest):
            raise SettingsError(f"{file}: has changed since {run} was started; put the old file back, or train anew")
    return config


def finished(run: Path) -> bool:
    """Whether a run went to its end, scores and all."""
    record = run / "run.json"
    return record.exists() and read_json(record)["status"] == "finished"


def data_hashes(config: TrainConfig) -> dict[str, str]:
    """SHA-256 of the run's data files."""
    return {str(file.resolve()): sha256(file) for file in (config.train, config.dev) if file is not None}


@contextlib.contextmanager
def recorded(config: TrainConfig, benchmark: Benchmark, device: str, steps: int, resumed: bool) -> Iterator[None]:
    """Keep run.json true: running, finished, interrupted or failed."""
    path = config.out / "run.json"
    before = read_json(path).get("history", []) if resumed and path.exists() else []
    started = time.time()
    facts = {
        "benchmark": benchmark.name,
        "command": sys.argv,
        "seed": config.seed,
        "device": device,
        "threads": os.cpu_count(),
        "steps": steps,
        "data": data_hashes(config),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }

    def write(status: str) -> None:
        entry = {"status": status, "resumed": resumed, "started": _clock(started), "seconds": time.time() - started}
        write_json(path, {"status": status, **facts, "history": [*before, entry]})

    write("running")
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        write("interrupted")
        raise
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
