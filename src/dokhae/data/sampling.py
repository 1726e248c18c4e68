"""The packaged sample of invented passages."""

from __future__ import annotations

from pathlib import Path

from dokhae.errors import DataError

SPLITS = ("train", "dev")


def sample_path(split: str) -> Path:
    """The SQuAD 2.0 file of the sample's "train" or "dev" split."""
    from importlib.resources import files

    if split not in SPLITS:
        raise DataError(f"the sample has no split {split!r}; it has {' and '.join(SPLITS)}")
    return Path(str(files("dokhae.data") / "sample" / f"{split}.json"))
