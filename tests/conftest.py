"""What every test may ask for."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from speed.shared import shared_file

from dokhae.errors import DataError
from dokhae.stopping import ASKING


def pytest_configure() -> None:
    """Signals that are ignored where tests are started (nohup, a shell in the background) are what some are about."""
    usual = {number: signal.SIG_DFL for number in ASKING} | {signal.SIGINT: signal.default_int_handler}
    for number, handler in usual.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not go through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("squad-1.1/dev.json")`: a path in the shared data; where that is missing, skip, or fail in CI."""
    return find_shared


def find_shared(path: str) -> Path:
    try:
        return shared_file(path)
    except DataError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """The folder of a tiny random BERT with a span head; read only: copy it before changing it."""
    from tiny_models import make_model

    return make_model("bert", tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
