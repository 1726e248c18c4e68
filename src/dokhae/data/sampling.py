"""The packaged sample of invented passages."""

from __future__ import annotations

from pathlib import Path

from dokhae.errors import DataError

FILES = {
    "train": "train.json",
    "dev": "dev.json",
    "test": "test.json",
    "handwritten": "handwritten.json",
    "encoder": "encoder",
}


def sample_path(part: str) -> Path:
    """A part of the sample: "train", "dev", "test", "handwritten" (SQuAD 2.0 form), or the folder of its "encoder"."""
    from importlib.resources import files

    if part not in FILES:
        raise DataError(f"the sample has no {part!r}; it has {', '.join(FILES)}")
    return Path(str(files("dokhae.data") / "sample" / FILES[part]))
