"""What has to be the same in all processes of a training, compared before it starts."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import dokhae
from dokhae.errors import SettingsError
from dokhae.files import sha256
from dokhae.training import runs
from dokhae.training.identity import Identity
from dokhae.training.processes import Processes
from dokhae.training.run_config import RunConfig

PACKAGES = ("torch", "transformers", "tokenizers", "numpy")  # beside dokhae's own code
PLACES = ("train", "dev", "model")  # may lie elsewhere on each machine; their content is compared
SHOWN = 12  # characters of a hash


def check_code(config: RunConfig, processes: Processes) -> None:
    """SettingsError in all processes where one of them has other code, packages or settings than the first."""
    if processes.size == 1:
        return
    facts = {f"version of {name}": version(name) for name in PACKAGES}
    facts["code of dokhae"] = f"{dokhae.__version__} {code_hash()[:SHOWN]}"
    settings = runs.by_name(runs.resolved(config))
    facts |= {f"setting {name}": str(value) for name, value in settings.items() if name not in PLACES}
    _compare(facts, processes)


def check_content(config: RunConfig, identity: Identity, processes: Processes) -> None:
    """SettingsError in all processes where one of them has other data files or another encoder than the first."""
    if processes.size == 1:
        return
    files = {"training file": config.train, "dev file": config.dev}
    facts = {name: sha256(path)[:SHOWN] for name, path in files.items() if path is not None}
    facts |= {"encoder": identity.encoder[:SHOWN], "tokenizer": identity.tokenizer[:SHOWN]}
    _compare(facts, processes)


def code_hash() -> str:
    """SHA-256 over dokhae's own files: sources and tables of recipes."""
    folder = Path(dokhae.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for ending in ("py", "yaml") for path in folder.rglob(f"*.{ending}")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def _compare(facts: dict[str, str], processes: Processes) -> None:
    with processes.together():
        first, *others = everybody = processes.gather(facts)
        rank = next((rank for rank, other in enumerate(others, start=1) if other != first), None)
        if rank is None:
            return
        other = everybody[rank]
        names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
        differing = "; ".join(f"{name}: {other.get(name)} there, {first.get(name)} here" for name in names)
        raise SettingsError(f"process {rank} on {processes.hosts[rank]} differs from process 0 on "
                            f"{processes.hosts[0]} (here): {differing}; make them the same")  # fmt: skip
