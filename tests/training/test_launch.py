"""`dokhae train --devices 2` by itself: it starts its processes, and starts them again where one of them is killed."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.distributed import DistError
from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousTimeoutError

import dokhae
from dokhae.errors import SettingsError
from dokhae.stopping import ASKING
from dokhae.training import KeepConfig, worker
from dokhae.training.checkpoints import Interrupted
from dokhae.training.launch import Launched
from dokhae.training.meeting import LostProcess, NotMet
from dokhae.training.processes import Failure
from dokhae.training.worker import ASKED, Order, verdict_in, work
from training.small import command, config, equal, given, step_of, weights
from training.world import PATIENCE, PROCESSES, results, run
from waiting import wait_until

SECONDS = 300  # on a busy machine
SETTINGS = {"batch_size": 2, "learning_rate": 1e-3, "keep": KeepConfig(best_by="loss"), "checkpoint_every": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return given(tmp_path_factory.mktemp("launch"))


class Started:
    """A command that runs, and what it says."""

    def __init__(self, words, folder):
        self.said = folder / "said.txt"
        variables = os.environ | {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
        with self.said.open("w") as file:
            self.process = subprocess.Popen(words, env=variables, stdout=file, stderr=file, start_new_session=True)

    def wait_until(self, condition):
        deadline = time.monotonic() + SECONDS
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(self.said.read_text())
            time.sleep(0.02)

    def children(self):
        """The processes that train."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [int(pid) for pid in found if b"spawn_main" in command_of(pid)]

    def end(self):
        return self.process.wait(SECONDS), self.said.read_text()


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def train(rank, changes):
    torch.set_num_threads(1)
    return dokhae.train(changes, show=False)


@pytest.mark.slow
def test_a_mistake_in_the_settings_is_one_line_and_not_tried_again(folder, tmp_path):
    words = command(folder, tmp_path / "run", 1, "--train", str(tmp_path / "nowhere.json"))
    code, said = Started(words, tmp_path).end()
    assert (code, said) == (2, f"dokhae: {tmp_path}/nowhere.json: no such file\n")
    assert not (tmp_path / "run").exists()


def test_what_can_be_seen_before_is_said_before_processes_are_started(folder, tmp_path, monkeypatch):
    changes = config(folder / "encoder", folder / "few.json", tmp_path, devices=2)
    with pytest.raises(SettingsError, match="only a training of one can be watched"):
        dokhae.train(changes, show=False, watch=lambda step, scores: None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for more, message in (
        ({"out": tmp_path / "full"}, "full: is not an empty folder; name another --out"),
        ({"strategy": "fsdp", "out": tmp_path / "run"}, "fsdp divides the weights among GPUs, and the device is cpu"),
        ({"nodes": 2, "out": tmp_path / "run"}, "nodes above 1 need MASTER_ADDR, MASTER_PORT, NODE_RANK in the env"),
    ):
        changes = config(folder / "encoder", folder / "few.json", **{"devices": 2} | more)
        with pytest.raises(SettingsError, match=message):
            dokhae.train(changes, show=False)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("NODE_RANK", "0")
    with pytest.raises(SettingsError, match="nodes above 1 need MASTER_PORT in the environment"):
        dokhae.train(changes, show=False)
    monkeypatch.setenv("MASTER_PORT", "29500")
    monkeypatch.setenv("NODE_RANK", "2")
    with pytest.raises(SettingsError, match="NODE_RANK is 2, and of 2 nodes the last one has 1; number them from 0"):
        dokhae.train(changes, show=False)
    monkeypatch.setenv("NODE_RANK", "0")
    monkeypatch.setenv("MASTER_PORT", "http")
    with pytest.raises(SettingsError, match="MASTER_PORT is 'http' and NODE_RANK '0'; they have to be numbers"):
        dokhae.train(changes, show=False)
    monkeypatch.setenv("NODE_RANK", "²")  # a digit, but no number
    with pytest.raises(SettingsError, match="NODE_RANK '²'; they have to be numbers"):
        dokhae.train(changes, show=False)
    monkeypatch.setenv("NODE_RANK", "0")
    for port in ("0", "65536"):
        monkeypatch.setenv("MASTER_PORT", port)
        with pytest.raises(SettingsError, match=f"MASTER_PORT is {port}; ports go from 1 to 65535"):
            dokhae.train(changes, show=False)


@pytest.mark.slow
@pytest.mark.parametrize("who", [0, 1])
def test_a_process_that_is_killed_is_started_again_from_the_last_checkpoint(who, folder, tmp_path):
    whole, out = folder / f"whole-{who}", tmp_path / "run"
    results(run(2, train, config(folder / "encoder", folder / "few.json", whole, epochs=40, **SETTINGS)))
    started = Started(command(folder, out, 40), tmp_path)
    started.wait_until(lambda: step_of(out) >= 6)
    os.kill(started.children()[who], signal.SIGKILL)
    code, said = started.end()
    assert code == 0, said
    assert "Traceback" not in said
    assert f"{out}: its processes were started again" in said
    history = json.loads((out / "run.json").read_text())["history"]
    assert [entry["status"] for entry in history][-1] == "finished" and len(history) == 2
    assert equal(weights(out), weights(whole))
    for name in ("predictions.json", "nbest_predictions.json", "scores.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    code, said = Started(command(folder, out, 40), tmp_path).end()
    assert (code, said.count("\n")) == (2, 1)
    assert "is not an empty folder; name another --out, or go on with --resume" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", ASKING)
def test_ctrl_c_saves_the_last_step_and_resuming_ends_with_the_same_weights(number, folder, tmp_path):
    whole, out = folder / f"stopped-{number}", tmp_path / "run"
    results(run(2, train, config(folder / "encoder", folder / "few.json", whole, epochs=100, **SETTINGS)))
    started = Started(command(folder, out, 100), tmp_path)
    started.wait_until(lambda: step_of(out) >= 3)
    if number == signal.SIGTERM:
        os.kill(started.process.pid, number)
    else:  # as a terminal does: to all of them
        os.killpg(started.process.pid, number)
    code, said = started.end()
    assert code == 130
    assert "Traceback" not in said
    assert said.count("stopping") == said.count("stopping (once more stops at once)") == 1
    stopped = re.search(r"dokhae: stopped after step (\d+) of 200; go on with: dokhae train --resume", said)
    assert int(stopped[1]) == step_of(out) < 200
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert dokhae.resume(out, show=False) == json.loads((out / "scores.json").read_text())
    assert equal(weights(out), weights(whole))


@pytest.mark.slow
@pytest.mark.parametrize("number", ASKING)
def test_ctrl_c_before_the_first_step_starts_nothing_again(number, folder, tmp_path):
    started = Started(command(folder, tmp_path / "run", 1), tmp_path)
    started.wait_until(lambda: len(started.children()) == 2)
    os.killpg(started.process.pid, number)  # while they import torch
    code, said = started.end()
    assert code == 130
    assert said == "\nstopping (once more stops at once)\ndokhae: stopped; start it again\n"


@pytest.mark.slow
def test_a_script_that_its_processes_would_start_again_is_told_what_it_lacks(folder, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "run"
    script.write_text(
        f"import dokhae\nfrom dokhae.training import TrainConfig\ndokhae.train(TrainConfig("
        f"benchmark='korquad-1.0', model={str(folder / 'encoder')!r}, train={str(folder / 'few.json')!r}, "
        f"dev=None, out={str(out)!r}, max_length=64, device='cpu', devices=2), show=False)\n"
    )
    code, said = Started([sys.executable, str(script)], tmp_path).end()
    assert code == 1
    assert said.endswith(
        "SettingsError: each of the processes imports the script that has started them; put what it does below "
        '`if __name__ == "__main__":`\n'
    )
    assert said.count("Traceback") == 1  # the script's own, which handles no errors
    assert not out.exists()


def test_somebody_elses_process_that_has_not_got_so_far_is_told_too(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(SystemExit, match="each of the processes imports the script"):
        dokhae.train(config(folder / "encoder", folder / "few.json", tmp_path / "run", devices=2), show=False)


def terminated():
    """As the agent does to those that are left where another process was killed."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS)


def stopped_while_it_ends():
    raise Interrupted("stopped at once; go on")


def refused():
    raise SettingsError("a mistake")


def alone():
    """As where the others have just been stopped."""
    raise NotMet("1 of 2 processes have joined")


@pytest.mark.parametrize(
    ("task", "asked", "code", "word"),
    [
        (terminated, False, 130, None),
        (terminated, True, 130, Failure(Interrupted, "stopped; start it again")),
        (stopped_while_it_ends, False, 130, None),
        (stopped_while_it_ends, True, 130, Failure(Interrupted, "stopped at once; go on")),
        (refused, False, 2, Failure(SettingsError, "a mistake")),
        (alone, False, 2, Failure(NotMet, "1 of 2 processes have joined")),
        (alone, True, 130, Failure(Interrupted, "stopped; start it again")),
    ],
)
def test_only_who_was_asked_to_stop_says_that_all_were_stopped(task, asked, code, word, tmp_path):
    """Else the one that is left where another was killed would end the training, and nothing would be started again."""
    if asked:
        (tmp_path / ASKED).touch()
    order = Order(config(tmp_path, tmp_path, tmp_path), task, tmp_path, None)
    process = PROCESSES.Process(target=work, args=(order,))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == code
    assert verdict_in(tmp_path) == word


@pytest.mark.parametrize(
    ("began", "there", "kind", "words"),
    [
        (True, 2, LostProcess, "another node has ended, and has not come back within 7 s; .*; start it again"),
        (False, 1, SettingsError, "1 of 2 nodes have joined within 7 s; start the same command on the others"),
        (False, 2, SettingsError, "all 2 nodes were there, but did not come together within 7 s: one has ended"),
    ],
)
@pytest.mark.parametrize("error", [RendezvousClosedError, RendezvousTimeoutError, DistError])
def test_nodes_that_do_not_come_together_are_told_from_those_that_have_gone(
    began, there, kind, words, error, tmp_path, monkeypatch
):
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "NODE_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOKHAE_JOIN_SECONDS", "7")
    launched = Launched(Order(config(tmp_path, tmp_path, tmp_path, nodes=2), alone, tmp_path, None))
    monkeypatch.setattr(launched, "_began", began)
    monkeypatch.setattr(launched._nodes, "joined", lambda of: there)
    found = launched._explained(error("x"))
    assert type(found) is kind and re.match(words, str(found))


def writes_when_it_ends(folder):
    (folder / "begun").touch()
    try:
        time.sleep(SECONDS)
    finally:
        (folder / "ended").touch()


def waits_in_c(folder):
    """As one does that waits for another: no handler of Python's is run meanwhile."""
    (folder / "begun").write_text(str(os.getpid()))
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    for _ in range(2):
        libc.pthread_mutex_lock(mutex)


def launches(order):
    worker.LONGEST_STEP = 0.5
    multiprocessing.get_context("fork").Process(target=work, args=(order,)).start()
    time.sleep(SECONDS)


def test_no_process_goes_on_without_who_has_launched_it(tmp_path):
    (folder := tmp_path / "order").mkdir()
    order = Order(config(tmp_path, tmp_path, tmp_path), partial(writes_when_it_ends, tmp_path), folder, None)
    launcher = PROCESSES.Process(target=launches, args=(order,))
    launcher.start()
    wait_until((tmp_path / "begun").exists, PATIENCE)
    launcher.kill()  # which cannot tell the other one
    wait_until((tmp_path / "ended").exists, PATIENCE)
    wait_until(lambda: not folder.exists(), PATIENCE)


def test_a_process_that_hears_nothing_does_not_stay_without_who_has_launched_it(tmp_path):
    (folder := tmp_path / "order").mkdir()
    order = Order(config(tmp_path, tmp_path, tmp_path), partial(waits_in_c, tmp_path), folder, None)
    launcher = PROCESSES.Process(target=launches, args=(order,))
    launcher.start()
    wait_until(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text(), PATIENCE)
    launcher.kill()
    wait_until(lambda: not command_of(int((tmp_path / "begun").read_text())), PATIENCE)
    assert not folder.exists()


@pytest.mark.slow
def test_ctrl_c_twice_ends_a_process_that_hears_nothing(folder, tmp_path):
    out = tmp_path / "run"
    started = Started(command(folder, out, 10_000), tmp_path)
    started.wait_until(lambda: step_of(out) > 0)
    os.kill(started.children()[1], signal.SIGSTOP)  # the other one waits for it
    os.killpg(started.process.pid, signal.SIGINT)
    started.wait_until(lambda: "once more stops at once" in started.said.read_text())
    os.kill(started.process.pid, signal.SIGINT)
    begun = time.monotonic()
    code, said = started.end()
    assert code == 130 and time.monotonic() - begun < SECONDS / 3
    assert "Traceback" not in said
    assert said.endswith(f"dokhae: stopped; go on with: dokhae train --resume {out}\n")
    assert json.loads((out / "run.json").read_text())["status"] == "running"  # it could not say so


@pytest.mark.slow
def test_a_launcher_that_is_killed_leaves_a_run_that_can_be_gone_on_with(folder, tmp_path):
    out = tmp_path / "run"
    started = Started(command(folder, out, 10_000), tmp_path)
    started.wait_until(lambda: step_of(out) >= 3)
    left = started.children()
    os.kill(started.process.pid, signal.SIGKILL)
    started.process.wait()
    wait_until(lambda: not any(b"spawn_main" in command_of(pid) for pid in left), SECONDS)
    assert "Traceback" not in started.said.read_text()
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "127.0.0.1",
            "MASTER_PORT {port} cannot be opened at 127.0.0.1 .*: is that its own address, and the port free",
        ),
        ("no.such.host.invalid", "MASTER_ADDR no.such.host.invalid: cannot be reached: "),
    ],
)
def test_an_address_that_the_first_node_cannot_take_is_told(host, message, folder, tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name, value in {"MASTER_ADDR": host, "MASTER_PORT": str(port), "NODE_RANK": "0"}.items():
            monkeypatch.setenv(name, value)
        changes = config(folder / "encoder", folder / "few.json", tmp_path / "run", nodes=2)
        with pytest.raises(SettingsError, match=message.format(port=port)):
            dokhae.train(changes, show=False)


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_is_given_up(folder, tmp_path):
    out = tmp_path / "run"
    started = Started(command(folder, out, 10_000), tmp_path)
    for _ in range(4):
        before = step_of(out)
        started.wait_until(lambda before=before: step_of(out) > before)
        killed = started.children()
        os.kill(killed[1], signal.SIGKILL)
        # the other one may still save a checkpoint; only what the next two save tells that they train
        started.wait_until(lambda killed=killed: not set(killed) & set(started.children()))
    code, said = started.end()
    assert code == 2
    assert "dokhae: process 1 of 2 has failed 4 times, the last time with SIGKILL; go on with: dokhae train" in said
    assert step_of(out) > 0


@pytest.mark.slow
def test_a_run_of_two_processes_is_reproduced_by_two(folder, tmp_path):
    out = tmp_path / "run"
    results(run(2, train, config(folder / "encoder", folder / "few.json", out, epochs=3, **SETTINGS)))
    assert dokhae.reproduce(out, show=False)["same_weights"]
    assert dokhae.evaluate_run(out, device="cpu", show=False)["best"]["scores"]
