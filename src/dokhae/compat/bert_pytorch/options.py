"""What the trainers of pytorch-pretrained-BERT have in common: options, and the steps that they stand for."""

from __future__ import annotations

import math
from typing import Any

from dokhae.compat import machine, road
from dokhae.compat.table import Flag, Given, bare
from dokhae.errors import SettingsError

MODEL = (
    Flag("--bert_model", note="--model, by its name on the hub today; a folder of the old form is converted first"),
    Flag("--vocab_file", note="with --init_checkpoint: --vocab of dokhae convert"),
    Flag("--bert_config_file", note="with --init_checkpoint: --config of dokhae convert"),
    Flag("--init_checkpoint", note="what dokhae convert pytorch, or tf, makes an encoder of; its folder is --model"),
    Flag("--do_lower_case", bare, note="--casing uncased of dokhae convert; another encoder's tokenizer knows it"),
)
DEVICE = (
    Flag("--no_cuda", bare, note="--device cpu"),
    Flag("--local_rank", int, -1, note="the launcher tells each process which it is", also=("--local-rank",)),
)
TRAINING = (
    Flag("--train_batch_size", int, 32, note="--batch_size of one device, times --optimizer.accumulate"),
    Flag("--learning_rate", float, 5e-5, "learning_rate"),
    Flag("--num_train_epochs", float, 3.0, "epochs"),
    Flag("--warmup_proportion", float, 0.1, "optimizer.warmup"),
    Flag("--gradient_accumulation_steps", int, 1, note="--optimizer.accumulate; the batch is divided by it"),
    Flag("--accumulate_gradients", int, 1, note="the same, by its first name"),
    Flag("--optimize_on_cpu", bare, note="--optimizer.offload"),
    Flag("--fp16", bare, note="--precision fp16, on a GPU"),
    Flag("--loss_scale", float, 0.0, gone="the loss of fp16 is scaled as its gradients allow"),
    Flag("--seed", int, 42, "seed"),
    Flag("--save_checkpoints_steps", int, None, "checkpoint_every"),
    Flag("--iterations_per_loop", int, 1000, gone="was for TPUs"),
    Flag("--cache_dir", gone="models are kept in the hub's cache; HF_HUB_CACHE says where that is"),
    Flag("--overwrite_output_dir", bare, gone="no run is overwritten; move the folder away, or name another"),
    Flag("--server_ip", gone="start the command under a debugger instead"),
    Flag("--server_port", gone="start the command under a debugger instead"),
    *DEVICE,
)


def steps(given: Given) -> dict[str, Any]:
    """Settings of the training: those with a name of their own, batches, optimizer, precision and devices.

    SettingsError for numbers that cannot be.
    """
    accumulate = accumulated(given)
    batch = given["train_batch_size"] // accumulate
    if batch < 1:
        raise SettingsError(f"{given.script.file}: --train_batch_size {given['train_batch_size']} cannot be divided by "
                            f"--gradient_accumulation_steps {accumulate}")  # fmt: skip
    warmup = given["warmup_proportion"]
    if warmup >= 1:
        raise SettingsError(f"{given.script.file}: --warmup_proportion is {warmup}; it has to be below 1")
    return {
        **given.settings(),
        "optimizer.warmup": max(warmup, 0.0),  # -1 was none
        "optimizer.accumulate": accumulate,
        "optimizer.offload": offloaded(given),
        **precision(given),
        **devices(given, batch),
    }


def accumulated(given: Given) -> int:
    """Batches of a step, by either name. SettingsError for both with different numbers, and for less than 1."""
    names = [name for name in ("gradient_accumulation_steps", "accumulate_gradients") if name in given.typed]
    found = {given[name] for name in names} or {1}
    if len(found) > 1:
        raise SettingsError(f"{given.script.file}: --gradient_accumulation_steps and --accumulate_gradients are two "
                            "names for one thing; give one of them")  # fmt: skip
    accumulate = int(found.pop())
    if accumulate < 1:
        raise SettingsError(f"{given.script.file}: --{names[0]} is {accumulate}; it has to be at least 1")
    return accumulate


def offloaded(given: Given) -> bool:
    """Whether Adam's state goes to the CPU; where there is no GPU it is there as it is."""
    if not given["optimize_on_cpu"] or given["no_cuda"]:
        return False
    import torch

    if not torch.cuda.is_available():
        road.tell("--optimize_on_cpu: there is no GPU here, so the optimizer is on the CPU as it is")
    return torch.cuda.is_available()


def precision(given: Given) -> dict[str, Any]:
    """--fp16, where there is a GPU for it."""
    if not given["fp16"]:
        return {}
    return {"precision": "auto" if given["no_cuda"] else machine.half("fp16", "--fp16")}


def devices(given: Given, batch: int) -> dict[str, Any]:
    """Where a batch goes: to the CPU, or in equal parts to all GPUs. Under a launcher each process has a whole one."""
    if road.launched():
        return {"batch_size": batch, **place(given)}
    count = gpus(given)
    parts = math.gcd(batch, count) if count else 1
    if parts < count:
        road.tell(f"a batch of {batch} cannot be dealt to {count} GPUs in equal parts; {parts} of them take part")
    return {"batch_size": batch // parts, "devices": parts if parts > 1 else None, **place(given)}


def place(given: Given) -> dict[str, Any]:
    """--no_cuda."""
    return {"device": "cpu"} if given["no_cuda"] else {}


def gpus(given: Given) -> int:
    """GPUs that an old script would have taken: all that it saw."""
    import torch

    return 0 if given["no_cuda"] else torch.cuda.device_count()


def tell_alone(given: Given) -> None:
    """Say that --local_rank has started nothing."""
    if given["local_rank"] >= 0 and not road.launched():
        road.tell(f"--local_rank {given['local_rank']}: was not started by torchrun or torch.distributed.launch, so "
                  "this is one process by itself")  # fmt: skip
