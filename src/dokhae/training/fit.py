"""fit(): the whole of one training, from a TrainConfig to a finished run folder."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from filelock import FileLock, Timeout
from lightning.pytorch.callbacks import EarlyStopping

from dokhae import benchmarks
from dokhae.encoding import PairTokenizer
from dokhae.encoding.report import hangul_warning
from dokhae.errors import DataError, SettingsError
from dokhae.files import clear_left_over, make_folder, read_json, refuse_full_folder
from dokhae.model import inputs, loading
from dokhae.model.span import check_precision, choose_device, explained_memory
from dokhae.training import results, runs
from dokhae.training.checkpoints import LAST, WATCHED, AtomicCheckpoints, Checkpoints
from dokhae.training.config import TrainConfig, Watch
from dokhae.training.data import ReaderData
from dokhae.training.identity import Identity, check_same, identity_of
from dokhae.training.isolation import isolated
from dokhae.training.logs import Progress, loggers
from dokhae.training.module import ReaderModule
from dokhae.training.optimizers import depths_for
from dokhae.training.splits import make_split, read_split
from dokhae.training.trackers import check_trackers, tracked

log = logging.getLogger("dokhae")
LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def fit(
    config: TrainConfig,
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
    with isolated(), alone_in(config.out), explained_disk(config.out):
        return _fit(config, show, watch, resumed, before)


def _fit(
    config: TrainConfig, show: bool, watch: Watch | None, resumed: bool, before: Identity | None
) -> dict[str, Any]:
    if resumed:
        runs.warn_of_another_machine(config.out, config.device)
    else:
        resumable = (config.out / "config.yaml").exists()
        refuse_full_folder(config.out, f", or go on with --resume {config.out}" if resumable else "")
    benchmark = benchmarks.find(config.benchmark)
    device = choose_device(config.device)
    check_precision(config.precision, device)
    check_trackers(config)
    train = read_split(config.train, benchmark, config.max_train_examples, config.misplaced_answers)
    dev = read_split(config.dev, benchmark, config.max_dev_examples, None) if config.dev else None
    source = loading.locate(config.model)
    fast = loading.load_tokenizer(source, config.trust_remote_code)
    pl.seed_everything(config.seed, verbose=False)  # the span head is drawn from it
    model = loading.load_model(source, config.trust_remote_code)
    check_length(config, inputs.longest_input(model))
    depths_for(model, config)  # refuses what cannot be optimized, before anything is written
    tokenizer = PairTokenizer.of(fast, inputs.input_names(fast, model))
    identity = identity_of(model, tokenizer)
    if before is not None:
        check_same(identity, before, config.model, str(config.out))
    data = ReaderData(
        make_split("train", train, tokenizer, config.windows, show),
        make_split("dev", dev, tokenizer, config.windows, show) if dev else None,
        tokenizer.layout,
        config.batch_size,
        config.seed,
    )
    warning = hangul_warning(train, data.train.features, tokenizer)
    if warning:
        log.warning(warning)
    if not resumed:
        runs.create(config)
    steps = step_count(config, len(data.train_dataloader()))
    log.info("training: %d steps on %s in %s", steps, device, config.precision)
    module = ReaderModule(model.train(), data, benchmark, config, steps)
    checkpoints = Checkpoints(config, steps, identity, watch)
    with runs.recorded(config, identity, device, steps), explained_memory():
        _train(module, data, checkpoints, device, show)
        settings = results.keep_model(config, module, checkpoints, fast, benchmark)
        return results.score(config, module, benchmark, settings, device, show)


def _train(module: ReaderModule, data: ReaderData, checkpoints: Checkpoints, device: str, show: bool) -> None:
    last = checkpoints.folder / LAST
    clear_left_over(make_folder(checkpoints.folder))
    clear_left_over(checkpoints.config.out)
    with quiet(), tracked(checkpoints.config) as trackers:
        trainer = make_trainer(module, checkpoints, device, show, trackers)
        with checkpoints.listening():
            trainer.fit(
                module,
                datamodule=data,
                ckpt_path=last if last.exists() else None,
                weights_only=True,
            )
        if data.dev is not None and not trainer.should_stop and module.validated_at != trainer.global_step:
            trainer.validate(module, datamodule=data, verbose=False)  # stopped in the middle of an epoch
            checkpoints.keep_if_best(trainer)
            checkpoints.save_last(trainer)  # which now knows of it


def make_trainer(
    module: ReaderModule, checkpoints: Checkpoints, device: str, show: bool, trackers: list[Any]
) -> pl.Trainer:
    """Lightning's trainer with what the config asks for."""
    config = module.config
    callbacks: list[Any] = [Progress(module.steps, show, module.benchmark.rule.f1_label)]
    if config.keep.patience is not None:
        monitor, mode = WATCHED[config.keep.best_by]
        callbacks.append(
            EarlyStopping(
                monitor,
                patience=config.keep.patience,
                mode=mode,
                check_on_train_epoch_end=False,
                check_finite=False,  # it would stop at once, and a resumed run would not know
            )  # fmt: skip
        )
    return pl.Trainer(
        accelerator=device,
        devices=1,
        precision=LIGHTNING_PRECISION[config.precision],  # type: ignore[arg-type]
        max_steps=module.steps,
        max_epochs=-1,
        accumulate_grad_batches=config.optimizer.accumulate,
        gradient_clip_val=config.optimizer.clip or None,
        deterministic="warn" if device == "cpu" else None,
        callbacks=[*callbacks, checkpoints],  # checkpoints last: they save the state of the others
        logger=[*loggers(config.out), *trackers],
        plugins=[AtomicCheckpoints(checkpoints.identity)],
        default_root_dir=config.out,
        num_sanity_val_steps=0,
        log_every_n_steps=max(min(module.steps // 10, 10), 1),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextlib.contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """SettingsError where another process trains in this run folder."""
    lock = FileLock(make_folder(run.parent) / f".{run.name}.training.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(f"{run}: another process is training in it; wait for it, or name another --out") from None
    except OSError as error:
        raise DataError(f"{run}: cannot be made: {error.strerror or error}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is ours; who waits for it looks again
        lock.release()


@contextlib.contextmanager
def explained_disk(run: Path) -> Iterator[None]:
    """DataError with advice where the disk takes no more, whoever was writing."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DataError(f"{run}: cannot be written: {error.strerror}; make room, then go on with: "
                        f"dokhae train --resume {run}") from None  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back Lightning's banner of devices and its advice about loaders of its own kind."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        logger.setLevel(level)


def step_count(config: TrainConfig, batches: int) -> int:
    """Optimizer steps of the whole run."""
    per_epoch = math.ceil(batches / config.optimizer.accumulate)
    return config.max_steps or max(round(config.epochs * per_epoch), 1)


def check_length(config: TrainConfig, longest: int | None) -> None:
    """SettingsError where the windows are longer than the model's position embeddings."""
    if longest is not None and config.max_length > longest:
        raise SettingsError(f"max_length is {config.max_length}, but the positions of {config.model} end at {longest}; "
                            f"use --max_length {longest}")  # fmt: skip


def resume(
    run: Path,
    show: bool = True,
    trust_remote_code: bool = False,
    watch: Watch | None = None,
    data: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint. Raises SettingsError where there is nothing to resume.

    data: where "train" and "dev" are now, if they have moved.
    """
    if runs.finished(run):
        log.info("%s is finished; there is nothing left to do", run)
        return read_json(run / "scores.json") if (run / "scores.json").exists() else {}
    config = runs.load(run, trust_remote_code, data)
    if data:
        runs.create(config)  # the next time they will be there
    return fit(config, show, watch, resumed=True, before=runs.identity(run))
