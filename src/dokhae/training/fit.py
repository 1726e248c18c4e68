"""fit(): the whole of one training, from its settings to a finished run folder."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dokhae.errors import SettingsError
from dokhae.files import clear_left_over, make_folder, read_json
from dokhae.model.answering import explained_memory
from dokhae.model.devices import choose_device
from dokhae.model.packing import is_packed
from dokhae.training import cluster, runs
from dokhae.training.agreement import check_code, check_content
from dokhae.training.checkpoints import LAST, Checkpoints
from dokhae.training.data import TrainingData
from dokhae.training.folder import alone_in, explained_disk, refuse_taken
from dokhae.training.identity import Identity, check_same
from dokhae.training.isolation import isolated
from dokhae.training.meeting import explained_loss, joined
from dokhae.training.module import TrainingModule
from dokhae.training.optimizers import check_optimizer, freeze
from dokhae.training.preparing import Start, check_seen, keep_still, settled, started
from dokhae.training.processes import Processes
from dokhae.training.run_config import Config, RunConfig, Watch
from dokhae.training.task import Task
from dokhae.training.trackers import tracked
from dokhae.training.trainers import check_strategy, make_trainer, quiet
from dokhae.training.weights import take_best

log = logging.getLogger("dokhae")


def fit(
    config: Config,
    task: Task[Config],
    show: bool = True,
    watch: Watch | None = None,
    resumed: bool = False,
    before: Identity | None = None,
) -> dict[str, Any]:
    """Train, score on the dev file and write the run folder; returns what scores.json holds.

    show: progress on stderr. watch: told the dev scores. resumed: the run folder is there; go on from its last
    checkpoint, or start over where it has none yet. before: the identity that the encoder has to have. Raises
    DokhaeError for everything a user can mend; Interrupted after Ctrl-C, when the last step is saved.
    """
    if cluster.needed(config):
        from dokhae.training.launch import launch  # torch's launcher, which few need

        if watch is not None:
            raise SettingsError(f"{cluster.asked(config)} processes are asked for, but only a training of one can be "
                                "watched; leave out devices and nodes (a sweep: start it several times)")  # fmt: skip
        cluster.check_place(config.strategy, choose_device(config.device))
        if not resumed and config.nodes == 1:  # of several, another one may have begun
            refuse_taken(config.out)
        return dict(launch(config, partial(fit, config, task, show, None, resumed, before)))
    device = choose_device(config.device)
    meeting = joined(config, device)
    with isolated(), explained_disk(config), meeting as processes, contextlib.ExitStack() as held:
        with processes.together():
            config = settled(config, device, processes, task)
            if processes.first:
                held.enter_context(alone_in(config.out))
        check_code(config, processes)
        start = started(config, resumed, before, processes)
        if start.is_finished:
            return dict(processes.broadcast(_report(config.out) if processes.first else {}))
        return _fit(config, task, device, show and processes.first, watch, start, processes)


def _fit(
    config: Config,
    task: Task[Config],
    device: str,
    show: bool,
    watch: Watch | None,
    start: Start,
    processes: Processes,
) -> dict[str, Any]:
    with processes.together():
        loaded = task.load(config, device)
        check_optimizer(loaded.model, config, device)
        check_strategy(loaded.model, config, device)
        if start.before is not None:
            check_same(loaded.identity, start.before, config.model, str(config.out))
    check_content(config, loaded.identity, processes)
    lesson = processes.local_first(lambda: loaded.lesson(show, processes))
    data = lesson.data
    with processes.together():
        if processes.first and not (start.resumed and (config.out / "config.yaml").exists()):
            runs.create(config, cluster.job())
    batches = data.train_dataloader()
    steps = step_count(config, len(batches))
    if config.batch_tokens is not None:
        log.info("batches of up to %d tokens: %.1f windows on average", config.batch_tokens, batches.mean_windows)
        longer = int((batches.lengths > config.batch_tokens).sum())
        if longer:
            log.warning("%d of %d windows have more than the %d tokens of batch_tokens; each is a batch of its own",
                        longer, len(batches.lengths), config.batch_tokens)  # fmt: skip
    if len(batches.chosen) < data.train.features.window_count:
        log.info("training: on %d of %d windows", len(batches.chosen), data.train.features.window_count)
    log.info("training: %d steps on %s in %s%s", steps, device, config.precision, processes.in_words())
    if not is_packed(loaded.model):
        log.info("training: in batches of similar length, padded: %s cannot take windows end to end",
                 type(loaded.model).__name__)  # fmt: skip
    module = TrainingModule(loaded.model.train(), lesson, config, steps)
    if processes.size > 1:  # DDP has to know before it takes the model
        freeze(loaded.model, config)
        keep_still(module)
    checkpoints = Checkpoints(config, steps, loaded.identity, watch, processes)
    with contextlib.ExitStack() as record, explained_memory():
        with processes.together():
            if processes.first:
                record.enter_context(runs.recorded(config, loaded.identity, device, steps, processes.hosts))
        record.enter_context(explained_loss(config))  # the record has to know it from a failure
        _train(module, data, checkpoints, device, show)
        if config.strategy == "fsdp":  # whose parts of the weights are of no use to others
            module.model = loaded.anew()
        take_best(module, checkpoints)
        return lesson.finish(module.model, device, show)


def _train(module: TrainingModule, data: TrainingData, checkpoints: Checkpoints, device: str, show: bool) -> None:
    last, processes = checkpoints.folder / LAST, data.processes
    with quiet(), contextlib.ExitStack() as told:
        trackers = []
        with processes.together():
            if processes.first:
                clear_left_over(make_folder(checkpoints.folder))
                clear_left_over(checkpoints.config.out)
                trackers = told.enter_context(tracked(checkpoints.config))
        check_seen(last, processes)
        trainer = make_trainer(module, checkpoints, device, show, trackers)
        with checkpoints.listening():
            try:
                trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True)
            finally:
                module.leave_as_it_was()
            checkpoints.stop_if_asked(trainer)  # in the last step
            if data.dev is not None and not trainer.should_stop and checkpoints.validated_at != trainer.global_step:
                trainer.validate(module, datamodule=data, verbose=False)  # stopped in the middle of an epoch
                checkpoints.keep_if_best(trainer)
                checkpoints.save_last(trainer)  # which now knows of it
            checkpoints.stop_if_asked(trainer)


def step_count(config: RunConfig, batches: int) -> int:
    """Optimizer steps of the whole run."""
    per_epoch = math.ceil(batches / config.optimizer.accumulate)
    return config.max_steps or max(round(config.epochs * per_epoch), 1)


def resume(
    run: Path,
    task: Task[Config],
    show: bool = True,
    trust_remote_code: bool = False,
    watch: Watch | None = None,
    data: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint. Raises SettingsError where there is nothing to resume.

    data: where "train" and "dev" are now, if they have moved.
    """
    runs.refuse_another_kind(run, task.kind)
    if runs.finished(run):
        if cluster.first_process():
            log.info("%s is finished; there is nothing left to do", run)
        return _report(run)
    config = runs.load(run, task.kind, trust_remote_code, data)
    if data and cluster.first_process():
        runs.create(config)  # the next time they will be there
    return fit(config, task, show, watch, resumed=True, before=runs.identity(run))


def _report(run: Path) -> dict[str, Any]:
    """What a finished run's scores.json holds; empty without a dev file."""
    path = run / "scores.json"
    return dict(read_json(path)) if path.exists() else {}
