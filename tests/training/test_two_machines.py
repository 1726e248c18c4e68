"""Two machines, as network namespaces with a cable between them, of which one is killed in mid-training."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dokhae
from training.small import equal, given, step_of, weights

SECONDS = 400  # for everything, on a busy machine
MACHINES = {"a": "10.87.61.1", "b": "10.87.61.2"}  # whom each other calls by
FILES = ("predictions.json", "nbest_predictions.json", "scores.json")


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def name_of(machine):
    return f"dokhae-{os.getpid()}-{machine}"


@pytest.fixture(scope="module")
def machines() -> Iterator[None]:
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, ip (iproute2) and unshare (util-linux)")
    if sh("ip", "netns", "add", name_of("a"), check=False).returncode != 0:
        pytest.skip("this machine makes no network namespaces")
    try:
        sh("ip", "netns", "add", name_of("b"))
        sh("ip", "-n", name_of("a"), "link", "add", "cable", "type", "veth", "peer", "cable", "netns", name_of("b"))
        for machine, address in MACHINES.items():
            sh("ip", "-n", name_of(machine), "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                sh("ip", "-n", name_of(machine), "link", "set", device, "up")
        yield
    finally:
        for machine in MACHINES:
            kill(machine)
            sh("ip", "netns", "delete", name_of(machine), check=False)


def pids(machine):
    return [int(pid) for pid in sh("ip", "netns", "pids", name_of(machine)).stdout.split()]


def kill(machine):
    """As when its power fails: all its processes at once."""
    for pid in pids(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def command(folder, out, epochs):
    return [
        "-m", "dokhae", "train", "--benchmark", "korquad-1.0", "--model", str(folder / "encoder"),
        "--train", str(folder / "few.json"), "--dev", str(folder / "few.json"), "--out", str(out),
        "--batch_size", "2", "--epochs", str(epochs), "--learning_rate", "1e-3", "--max_length", "64", "--step", "16",
        "--max_question_length", "24", "--device", "cpu", "--precision", "fp32", "--checkpoint_every", "1",
        "--keep.best_by", "loss",
    ]  # fmt: skip


def start(machine, words, folder, **variables):
    """A command on a machine, as a cluster's operator starts it, and starts it again."""
    script = f'hostname machine-{machine} && exec "$@"'
    inside = ["ip", "netns", "exec", name_of(machine), "unshare", "--uts", "sh", "-c", script, "sh", sys.executable]
    # the machines have no names for each other, of which torch would warn
    variables = {"GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"} | variables
    with (folder / f"{machine}.txt").open("a") as said:
        return subprocess.Popen(
            [*inside, *words], env=os.environ | variables, stdout=said, stderr=said, start_new_session=True
        )


def by_torchrun(job):
    """`start(machine, words, folder)` under torchrun."""

    def start_it(machine, words, folder):
        torchrun = [
            "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d",
            "--rdzv-endpoint", f"{MACHINES['a']}:29411", "--rdzv-id", job,
            "--rdzv-conf", f"is_host={int(machine == 'a')},keep_alive_interval=1",
            "--local-addr", MACHINES[machine], "--max-restarts", "5",
        ]  # fmt: skip
        return start(machine, [*torchrun, *words], folder, TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")

    return start_it


def by_itself(machine, words, folder, **variables):
    """The same without: `dokhae train --nodes 2` on both machines."""
    address = {"MASTER_ADDR": MACHINES["a"], "MASTER_PORT": "29412", "NODE_RANK": "ab".index(machine)}
    variables = {name: str(value) for name, value in address.items()} | variables
    return start(machine, [*words, "--nodes", "2"], folder, **variables)


def codes_of_both(words, folder, **variables):
    """How both machines end. variables: of the second alone."""
    processes = [by_itself("a", words, folder), by_itself("b", words, folder, **variables)]
    return [each.wait(SECONDS) for each in processes]


def wait_for(condition, processes, folder):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline or any(each.poll() not in (None, 0) for each in processes):
            pytest.fail("\n".join((folder / f"{each}.txt").read_text()[-4000:] for each in MACHINES))
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return given(tmp_path_factory.mktemp("machines"))


@pytest.fixture(scope="module")
def whole(machines, folder):
    """The run folder of two machines that nobody disturbs."""
    starts = by_torchrun("undisturbed")
    processes = [starts(machine, command(folder, folder / "whole", 40), folder) for machine in MACHINES]
    wait_for(lambda: all(each.poll() == 0 for each in processes), processes, folder)
    return folder / "whole"


@pytest.mark.slow
@pytest.mark.parametrize("starts", [by_torchrun("disturbed"), by_itself], ids=["torchrun", "by itself"])
def test_a_machine_that_is_killed_and_started_again_costs_nothing_but_time(starts, whole, folder, tmp_path):
    out, words = tmp_path / "run", command(folder, tmp_path / "run", 40)
    first, second = (starts(machine, words, tmp_path) for machine in MACHINES)
    wait_for(lambda: step_of(out) >= 10, [first, second], tmp_path)
    kill("b")
    assert second.wait() == -signal.SIGKILL
    assert step_of(out) < 80
    again = starts("b", words, tmp_path)
    wait_for(lambda: first.poll() == again.poll() == 0, [first, again], tmp_path)

    record = json.loads((out / "run.json").read_text())
    assert (record["status"], record["processes"], record["steps"]) == ("finished", 2, 80)
    assert [entry["status"] for entry in record["history"]] == ["killed", "finished"]
    assert [entry["hosts"] for entry in record["history"]] == [["machine-a", "machine-b"]] * 2
    assert equal(weights(out), weights(whole))
    for name in FILES:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    said = {machine: (tmp_path / f"{machine}.txt").read_text() for machine in MACHINES}
    assert said["a"].count('{"exact_match"') == 1  # by the first process alone
    if starts is not by_itself:  # a command on each machine tells its own user
        assert '{"exact_match"' not in said["b"]


@pytest.mark.slow
@pytest.mark.usefixtures("machines")
def test_a_machine_that_never_joins_is_waited_for_and_counted(folder, tmp_path):
    process = by_itself("a", command(folder, tmp_path / "run", 1), tmp_path, DOKHAE_JOIN_SECONDS="5")
    assert process.wait(SECONDS) == 2
    said = (tmp_path / "a.txt").read_text()
    assert said.startswith("dokhae: 1 of 2 nodes have joined within 5 s; start the same command on the others")
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


FULL = """
import torch

step, steps = torch.optim.AdamW.step, []

def fail_after_three(*given, **options):
    steps.append(1)
    if len(steps) > 3:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    return step(*given, **options)

torch.optim.AdamW.step = fail_after_three
"""


@pytest.mark.slow
@pytest.mark.usefixtures("machines")
def test_what_one_machine_alone_has_not_enough_of_is_told_on_both(folder, tmp_path):
    """Else the other one would wait for it, and then say that it has never joined."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "sitecustomize.py").write_text(FULL)
    words = command(folder, tmp_path / "run", 40)
    assert codes_of_both(words, tmp_path, PYTHONPATH=str(tmp_path / "full")) == [2, 2]
    for machine in MACHINES:
        assert "too little memory" in (tmp_path / f"{machine}.txt").read_text().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("machines")
def test_other_code_on_one_machine_is_found_before_training(folder, tmp_path):
    shutil.copytree(Path(dokhae.__file__).parent, tmp_path / "code" / "dokhae")
    with (tmp_path / "code" / "dokhae" / "predict.py").open("a") as file:
        file.write("# mended by hand on one node\n")
    words = command(folder, tmp_path / "run", 1)
    assert codes_of_both(words, tmp_path, PYTHONPATH=str(tmp_path / "code")) == [2, 2]
    for machine in MACHINES:
        said = (tmp_path / f"{machine}.txt").read_text()
        assert said.startswith("dokhae: process 1 on machine-b differs from process 0 on machine-a (here): code of")
        assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
