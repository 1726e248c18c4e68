"""A training whose terminal is closed, and one whose messages nobody reads any more: the last step is saved."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import termios
import threading

import pytest

from training.small import command, given, step_of
from waiting import wait_until

SECONDS = 300  # on a busy machine
EVERY = 4  # steps from checkpoint to checkpoint
PROCESSES = [1, pytest.param(2, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return given(tmp_path_factory.mktemp("terminal"))


def words(folder, out, processes):
    return [*command(folder, out, 300), "--checkpoint_every", str(EVERY), "--devices", str(processes)]


def start(words, stream, **more):
    variables = os.environ | {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return subprocess.Popen(words, env=variables, stderr=stream, start_new_session=True, **more)


def check_stopped(process, out):
    assert process.wait(SECONDS) == 130
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert step_of(out) > EVERY


@contextlib.contextmanager
def read(descriptor):
    """Something reads what is said, as long as the block lasts."""
    done = threading.Event()

    def read_all():
        os.set_blocking(descriptor, False)
        while not done.wait(0.01):
            with contextlib.suppress(BlockingIOError):
                os.read(descriptor, 1 << 16)

    thread = threading.Thread(target=read_all)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("processes", PROCESSES)
def test_a_terminal_that_is_closed_stops_a_training_as_ctrl_c_does(processes, folder, tmp_path):
    out = tmp_path / "run"
    ours, theirs = os.openpty()
    process = start(
        words(folder, out, processes),
        theirs,
        stdin=theirs,
        stdout=theirs,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the terminal of its session
    )
    os.close(theirs)
    with read(ours):
        wait_until(lambda: step_of(out) > EVERY, SECONDS)
    os.close(ours)
    check_stopped(process, out)


@pytest.mark.parametrize("processes", PROCESSES)
def test_ctrl_c_that_ends_the_reader_too_loses_no_step(processes, folder, tmp_path):
    """`dokhae train 2>&1 | tee log`: the terminal sends it to both."""
    out = tmp_path / "run"
    process = start(words(folder, out, processes), subprocess.PIPE)
    with read(process.stderr.fileno()):
        wait_until(lambda: step_of(out) > EVERY, SECONDS)
    process.stderr.close()
    os.killpg(process.pid, signal.SIGINT)
    check_stopped(process, out)
