"""No permission and no room: one clear line, the old file as it was, nothing half-written beside it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from cli.conftest import squad

NOBODY = 65534


@contextlib.contextmanager
def as_nobody():
    """Root may read and write everything, so it has to be somebody else for a moment."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def predict(dokhae, questions, tiny_bert, open_folder):
    """Arguments of a predict that works; it has run once, so that everything is imported."""
    shutil.copytree(tiny_bert, open_folder / "model")
    (open_folder / "model" / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone
    shutil.copy(questions, open_folder / "questions.json")

    def arguments(out):
        return ("predict", open_folder / "questions.json", "--model", open_folder / "model",
                "--benchmark", "squad-1.1", "--out", out)  # fmt: skip

    assert dokhae(*arguments(open_folder / "first" / "p.json")).code == 0
    return arguments


def test_a_file_that_may_not_be_read_is_named(refusal, predict, open_folder):
    for path in (open_folder / "questions.json", open_folder / "first" / "p.json"):
        path.chmod(0o000)
    with as_nobody():
        assert refusal(*predict(open_folder / "new.json")) == (
            f"{open_folder / 'questions.json'}: no permission to read it; check its owner and mode"
        )
        assert "no permission to read it" in refusal(
            "evaluate", open_folder / "questions.json", open_folder / "first" / "p.json", "--benchmark", "squad-1.1"
        )


def test_a_folder_that_may_not_be_written_is_named(refusal, predict, open_folder):
    locked = open_folder / "locked"
    locked.mkdir(mode=0o555)
    with as_nobody():
        assert refusal(*predict(locked / "p.json")).endswith(
            f"{locked / 'p.json'}: cannot be written: Permission denied; nothing was changed"
        )
        assert refusal(*predict(locked / "deeper" / "p.json")).endswith(
            f"{locked / 'deeper'}: cannot be made a folder: Permission denied"
        )
    assert list(locked.iterdir()) == []


def test_a_model_that_may_not_be_read_is_named(refusal, predict, open_folder):
    for path in (open_folder / "model").iterdir():
        path.chmod(0o000)
    with as_nobody():
        assert refusal(*predict(open_folder / "new.json")) == (
            f"{open_folder / 'model' / 'config.json'}: no permission to read it; check its owner and mode"
        )


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB that is full, but for an old predictions file that stands on it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("a small disk cannot be mounted here")
    try:
        (folder / "p.json").write_text("old", encoding="utf-8")
        with contextlib.suppress(OSError), (folder / "filling").open("wb", buffering=0) as filling:
            while True:
                filling.write(b"x" * 4096)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_file(dokhae, predict, small_disk):
    outcome = dokhae(*predict(small_disk / "p.json"))
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == (
        f"dokhae: {small_disk / 'p.json'}: cannot be written: No space left on device; nothing was changed"
    )
    assert (small_disk / "p.json").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in small_disk.iterdir()) == ["filling", "p.json"]


def test_a_limit_on_file_sizes_leaves_the_old_file(write, tiny_bert, tmp_path):
    path, out = write("questions.json", squad()), tmp_path / "out" / "p.json"
    out.parent.mkdir()
    out.write_text("old", encoding="utf-8")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))

    ended = subprocess.run(
        [sys.executable, "-m", "dokhae", "predict", path, "--model", tiny_bert, "--benchmark", "squad-1.1",
         "--out", out],
        capture_output=True, text=True, preexec_fn=limit, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"dokhae: {out}: cannot be written: File too large; nothing was changed\n"
    assert out.read_text(encoding="utf-8") == "old"
    assert [path.name for path in out.parent.iterdir()] == ["p.json"]
