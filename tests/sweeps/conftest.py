"""A data file for sweeps of tiny models."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.small import FEW, write_squad


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> Path:
    """A file of six questions; read only."""
    return write_squad(tmp_path_factory.mktemp("data") / "few.json", FEW)
