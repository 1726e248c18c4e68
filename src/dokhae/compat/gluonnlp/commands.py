"""What GluonNLP starts run_squad.py with: nlp_data, horovodrun and mpirun, and a command file for each encoder."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from dokhae.compat import road
from dokhae.compat.gluonnlp.names import row_of
from dokhae.compat.gluonnlp.squad import RUN_SQUAD, refuse
from dokhae.compat.gluonnlp.squad import run as run_squad
from dokhae.compat.reading import read
from dokhae.compat.table import Flag, Given, Script, bare, rest
from dokhae.errors import SettingsError

log = logging.getLogger("dokhae")
LOCAL = {"localhost", "127.0.0.1", socket.gethostname()}
OURS = ("-m", "dokhae", "compat", RUN_SQUAD.name)
# our setting in the published table -> the option of run_squad.py that a command file gives it with
GIVEN = {
    "batch_size": "--batch_size",
    "optimizer.accumulate": "--num_accumulated",
    "optimizer.layer_decay": "--layerwise_decay",
    "epochs": "--epochs",
    "learning_rate": "--lr",
    "optimizer.warmup": "--warmup_ratio",
    "optimizer.weight_decay": "--wd",
    "max_length": "--max_seq_length",
    "optimizer.clip": "--max_grad_norm",
}
# command file run_squad2_*.sh -> GluonNLP's name of its encoder
COMMANDS = {
    "albert_base": "google_albert_base_v2",
    "albert_large": "google_albert_large_v2",
    "albert_xlarge": "google_albert_xlarge_v2",
    "albert_xxlarge": "google_albert_xxlarge_v2",
    "electra_small": "google_electra_small",
    "electra_base": "google_electra_base",
    "electra_large": "google_electra_large",
    "gluon_en_cased_bert_base_v1": "gluon_en_cased_bert_base_v1",
    "mobilebert": "google_uncased_mobilebert",
    "roberta_large": "fairseq_roberta_large",
    "uncased_bert_base": "google_en_uncased_bert_base",
    "uncased_bert_large": "google_en_uncased_bert_large",
    "uncased_bert_wwm_large": "google_en_uncased_bert_wwm_large",
}
OTHERWISE = {"uncased_bert_wwm_large": {"max_length": 384}}  # its command file, where the published steps are of 512


def prepare_squad(given: Given) -> None:
    """Fetch SQuAD into --save-path; what is there and intact stays."""
    settings = {"out": given["save_path"], "source": given["source"], "overwrite": given["overwrite"]}
    road.run("data", "download", f"squad-{given['version']}", settings=settings)


def run_command(name: str, given: Given) -> None:
    """A command file: fetch SQuAD unless it is there, and start run_squad.py in one process or, by horovodrun, four."""
    version, model = given["version"], COMMANDS[name]
    words = ["--model_name", model, "--data_dir", "squad", "--output_dir", f"fintune_{model}_squad_{version}",
             "--version", version, "--do_eval", "--do_train", *options_of(name), "--dtype", given["dtype"],
             "--overwrite_cache", *(given["more"] or ())]  # fmt: skip
    alone = ["--gpus", "0,1,2,3", *words]
    options = read(RUN_SQUAD, alone)  # what is wrong with them is said before anything is fetched
    files = [Path("squad") / f"{part}-v{version}.json" for part in ("train", "dev")]
    if all(file.exists() for file in files):
        log.info("%s: already there", ", ".join(map(str, files)))
    else:
        prepare_squad(read(NLP_DATA, ["prepare_squad", "--version", version]))
    if given["distributed"] == "1":
        words = ["-np", "4", "-H", "localhost:4", "python3", "run_squad.py", "--comm_backend", "horovod", *words]
        log.info("horovodrun %s", shlex.join(words))
        distribute(read(HOROVODRUN, words))
    log.info("run_squad.py %s", shlex.join(alone))
    run_squad(options)


def options_of(name: str) -> list[str]:
    """What a command file gives run_squad.py, by the published table."""
    from dokhae.recipes.dotted import flat

    settings = flat(row_of(COMMANDS[name]).settings, name) | OTHERWISE.get(name, {})
    pairs = ((option, settings[ours]) for ours, option in GIVEN.items() if ours in settings)
    return [word for option, value in pairs for word in (option, str(value))]


def distribute(given: Given) -> NoReturn:
    """Become torchrun, with as many processes of run_squad.py on this machine. Its exit code and signals are ours then.

    Raises SettingsError for several machines, with what to type on each, and for what run_squad.py would refuse.
    """
    words = inner(given)
    refuse(read(RUN_SQUAD, words))
    count, slots = given["np"], slots_of(given["H"], given["np"])
    if count < 1:
        raise SettingsError(f"-np is {count}; it has to be at least 1")
    if count > sum(slots.values()):
        raise SettingsError(f"-np {count}: the hosts in -H have {sum(slots.values())} slots")
    if not slots.keys() <= LOCAL or len(slots) > 1:
        first = next(iter(slots))
        line = ["torchrun", "--nnodes", str(len(slots)), "--nproc-per-node", str(slots[first]), "--rdzv-backend",
                "c10d", "--rdzv-id", "squad", "--rdzv-endpoint", f"{first}:29500", *OURS, *words]  # fmt: skip
        raise SettingsError(f"-H {given['H']}: other machines are not reached from here; type on each of them: "
                            f"{shlex.join(line)}")  # fmt: skip
    line = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *OURS, *words]
    log.info("Horovod is torchrun here: python %s", shlex.join(line))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *line])


def inner(given: Given) -> list[str]:
    """The options of run_squad.py in the command that is to be started."""
    command = given["command"] or []
    place = next((place for place, word in enumerate(command[:2]) if Path(word).name == RUN_SQUAD.file), None)
    if place is None:
        raise SettingsError(
            f"{given.script.file}: starts python3 run_squad.py alone, not {shlex.join(command) or 'nothing'}"
        )
    return list(command[place + 1 :])


def slots_of(hosts: str | None, count: int) -> dict[str, int]:
    """Host -> processes that it takes, of server1:4,server2:4. SettingsError for another form."""
    if hosts is None:
        return {"localhost": count}
    pairs = [host.partition(":") for host in hosts.split(",")]
    if not all(host and (number.isdigit() or not colon) for host, colon, number in pairs):
        raise SettingsError(f"-H {hosts}: has to be hosts with their numbers of processes, such as localhost:4")
    return {host: int(number or 1) for host, _, number in pairs}


STARTER = (
    Flag("-np", int, required=True, note="--nproc-per-node of torchrun", also=("--num-proc",)),
    Flag("-H", note="one machine; for several, what to type on each is said", also=("--hosts", "--host")),
    Flag("--allow-run-as-root", bare, gone="torchrun does not ask who runs it"),
    Flag("--verbose", bare, gone="torchrun says what goes wrong"),
    Flag("--gloo", bare, gone="NCCL connects GPUs and gloo CPUs"),
    Flag("--mpi", bare, gone="NCCL connects GPUs and gloo CPUs"),
    Flag("--start-timeout", int, gone="torchrun waits for its own processes"),
    Flag("-x", gone="processes of torchrun have the whole environment"),
    Flag("--bind-to", gone="torchrun binds no cores", also=("-bind-to",)),
    Flag("--map-by", gone="torchrun binds no cores", also=("-map-by",)),
    Flag("command", rest, note="python3 run_squad.py and its options"),
)
COMMAND = (
    Flag("distributed", default="0", choices=("0", "1"), note="0: one process with its GPUs; 1: four by horovodrun"),
    Flag("version", default="2.0", choices=("1.1", "2.0"), note="--version of run_squad.py"),
    Flag("dtype", default="float32", choices=("float32", "float16"), note="--dtype of run_squad.py"),
    Flag("more", rest, note="more options of run_squad.py, which win"),
)
NLP_DATA = Script(
    "gluonnlp",
    "nlp_data",
    "fetch SQuAD",
    (
        Flag("dataset", required=True, choices=("prepare_squad",), note="dokhae data download"),
        Flag("--version", default="1.1", choices=("1.1", "2.0"), note="squad-1.1 or squad-2.0"),
        Flag("--save-path", default="squad", to="out"),
        Flag("--cache-path", gone="the files themselves are in --save-path"),
        Flag("--overwrite", bare, to="overwrite"),
        Flag("--source", note="not of the old script: a mirror, or a folder with the files"),
    ),
    prepare_squad,
)
HOROVODRUN = Script("gluonnlp", "horovodrun", "run_squad.py in several processes, by torchrun", STARTER, distribute)
MPIRUN = Script("gluonnlp", "mpirun", "run_squad.py in several processes, by torchrun", STARTER, distribute)
SQUAD2 = tuple(
    Script(
        "gluonnlp",
        f"commands/run_squad2_{name}.sh",
        f"train {model} as the published table says",
        COMMAND,
        partial(run_command, name),
    )
    for name, model in COMMANDS.items()
)
