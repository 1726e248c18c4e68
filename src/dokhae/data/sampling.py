"""The packaged sample of invented passages."""

from __future__ import annotations

from pathlib import Path

from dokhae.errors import DataError

FILES = {"train": "train.json", "dev": "dev.json", "vocabulary": "vocab.txt"}


def sample_path(part: str) -> Path:
    """The sample's "train" or "dev" split (SQuAD 2.0 form), or its WordPiece "vocabulary"."""
    from importlib.resources import files

    if part not in FILES:
        raise DataError(f"the sample has no {part!r}; it has {', '.join(FILES)}")
    return Path(str(files("dokhae.data") / "sample" / FILES[part]))
