"""What comes before the first step: settings as this machine takes them, where a run goes on, data and encoder."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch

from dokhae import benchmarks
from dokhae.benchmarks import Benchmark
from dokhae.encoding import PairTokenizer, assemble
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pages import add_markers
from dokhae.encoding.report import korean_warning, lost_ends
from dokhae.errors import SettingsError
from dokhae.korean.trimming import Trimmer, trimmer
from dokhae.model import inputs, loading
from dokhae.model.blocks import add_block_head, block_head, drop_block_head
from dokhae.model.devices import choose_precision
from dokhae.model.span import span_logits
from dokhae.settings import ReaderSettings
from dokhae.training import cluster, runs
from dokhae.training.compiling import as_written, check_compiler
from dokhae.training.config import TrainConfig
from dokhae.training.contexts import for_contexts
from dokhae.training.data import Batching, ReaderData
from dokhae.training.folder import refuse_taken
from dokhae.training.identity import Identity, identity_of
from dokhae.training.module import ReaderModule
from dokhae.training.optimizers import check_optimizer
from dokhae.training.processes import Processes
from dokhae.training.splits import make_split, read_split
from dokhae.training.trackers import check_trackers
from dokhae.training.trainers import check_strategy
from dokhae.types import Example

log = logging.getLogger("dokhae")


class Start(NamedTuple):
    """How a training begins; the same in all processes."""

    resumed: bool
    before: Identity | None = None  # that the encoder has to have
    is_finished: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a training reads."""

    benchmark: Benchmark
    train: list[Example]
    dev: list[Example] | None
    model: Any
    fast: Any  # transformers' tokenizer
    tokenizer: PairTokenizer
    identity: Identity
    trimmer: Trimmer | None


def settled(config: TrainConfig, device: str, processes: Processes) -> TrainConfig:
    """The settings as the run records them: with the precision of the device and the number of processes."""
    config = for_contexts(replace(config, precision=choose_precision(config.precision, device)))
    if processes.size > 1:
        config = replace(config, devices=processes.local_size, nodes=processes.nodes)
    if config.compile:
        check_compiler(device)
    check_trackers(config)
    return config


def started(config: TrainConfig, resumed: bool, before: Identity | None, processes: Processes) -> Start:
    """What the run folder, which the first process sees, says. SettingsError where it is another training's."""
    start = Start(resumed, before)
    with processes.together():
        if processes.first:
            start = _start(config, start, processes.size)
    found: Start = processes.broadcast(start)
    return found


def _start(config: TrainConfig, start: Start, size: int) -> Start:
    if not start.resumed and runs.begun_by(cluster.job(), config):
        if runs.finished(config.out):
            log.info("%s is finished; there is nothing left to do", config.out)
            return Start(True, is_finished=True)
        log.warning("%s: its processes were started again", config.out)
        start = Start(True, runs.identity(config.out))
    if start.resumed:
        runs.warn_of_another_machine(config.out, config.device)
        runs.check_processes(config.out, size)
    else:
        refuse_taken(config.out)
    return start


def load(config: TrainConfig, device: str) -> Loaded:
    """Read data and encoder; refuse what cannot be trained, before anything is written."""
    benchmark = benchmarks.find(config.benchmark)
    train = read_split(config.train, benchmark, config.max_train_examples, config.misplaced_answers)
    dev = read_split(config.dev, benchmark, config.max_dev_examples, None) if config.dev else None
    source = loading.locate(config.model)
    fast = loading.load_tokenizer(source, config.trust_remote_code)
    pl.seed_everything(config.seed, verbose=False)  # the span head is drawn from it
    model = loading.load_model(source, config.trust_remote_code)
    tokenizer = readied(fast, model, config)
    before = ReaderSettings.found(partial(loading.find_file, source))
    if before is not None:
        loading.refuse_lost_block_head(source, before.block_head)
    warn_of_another_split(config, before)
    check_length(config, inputs.longest_input(model))
    check_optimizer(model, config, device)
    check_strategy(model, config, device)
    cutter = trimmer(config.korean_trim)
    return Loaded(benchmark, train, dev, model, fast, tokenizer, identity_of(model, tokenizer), cutter)


def readied(fast: Any, model: Any, config: TrainConfig) -> PairTokenizer:  # noqa: ANN401 - of transformers
    """The tokenizer of a training. Where contexts are pages, both get tokens for tags, and the model its block head."""
    pages = config.pages if benchmarks.find(config.benchmark).html else None
    if pages is not None:
        add_markers(fast)
        inputs.grow_embeddings(model, len(fast))
    if pages is None or config.no_block_head:
        drop_block_head(model)
    elif block_head(model) is None:
        add_block_head(model)
    names = inputs.input_names(fast, model)
    return tokenizer_of(fast, names, config.korean_split, config.morphemes, pages)


def make_data(loaded: Loaded, config: TrainConfig, show: bool, processes: Processes) -> ReaderData:
    """Features of both splits, from the cache where they are in it."""
    train = make_split("train", loaded.train, loaded.tokenizer, config.windows, show)
    dev = make_split("dev", loaded.dev, loaded.tokenizer, config.windows, show) if loaded.dev else None
    warning = korean_warning(loaded.train, train.features, loaded.tokenizer)
    if warning:
        log.warning(warning)
    hint = lost_ends(loaded.train, train.features)
    if hint and config.korean_split == config.korean_trim == "none" and config.morphemes is None:
        log.info(hint)
    accumulate, nulls = config.optimizer.accumulate, config.null_windows
    batching = Batching(config.batch_size, config.seed, config.batch_tokens, accumulate, nulls)
    return ReaderData(train, dev, loaded.tokenizer.layout, batching, processes)


def warn_of_another_split(config: TrainConfig, before: ReaderSettings | None) -> None:
    """Where the model to begin with is a reader that was trained on words cut in another way."""
    if before is not None and before.korean_split != config.korean_split:
        log.warning("%s: was trained with korean_split %s, and is trained with %s now", config.model,
                    before.korean_split, config.korean_split)  # fmt: skip


def check_length(config: TrainConfig, longest: int | None) -> None:
    """SettingsError where the windows are longer than the model's position embeddings."""
    if longest is not None and config.max_length > longest:
        raise SettingsError(f"max_length is {config.max_length}, but the positions of {config.model} end at {longest}; "
                            f"use --max_length {longest}")  # fmt: skip


def check_seen(checkpoint: Path, processes: Processes) -> None:
    """SettingsError where some processes have the checkpoint to go on from, and others cannot see it."""
    seen = processes.gather(checkpoint.exists())
    with processes.together():
        if len(set(seen)) > 1:
            blind = ", ".join(sorted({processes.hosts[rank] for rank, sees in enumerate(seen) if not sees}))
            raise SettingsError(f"{checkpoint}: is not seen on {blind}; all nodes need the run folder on a file system "
                                "that they share, or a copy of the checkpoint under the same name")  # fmt: skip


def keep_still(module: ReaderModule) -> None:
    """Take the weights that the loss does not reach out of training: AdamW leaves them alone, and DDP waits for none.

    XLNet's mask embedding is one. A batch of two windows tells, on the CPU.
    """
    weights = [weight for weight in module.model.parameters() if weight.requires_grad]
    features, layout = module.data.train.features, module.data.layout
    batch = assemble(features, np.arange(min(2, features.window_count)), layout)
    with torch.random.fork_rng(devices=()), as_written():
        logits = span_logits(module.model, batch, "cpu")
        gradients = torch.autograd.grad(torch.stack(logits).sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is None:
            weight.requires_grad_(False)
