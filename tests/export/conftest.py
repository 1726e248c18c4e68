"""A bundle of a tiny run, made once."""

from __future__ import annotations

import shutil

import pytest

from export.bundles import Packed, make_packed


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Packed:
    """Read only: copy what is to be changed."""
    return make_packed(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def run(packed, tmp_path):
    """A copy of the run that may be changed."""
    return shutil.copytree(packed.run, tmp_path / "run")
