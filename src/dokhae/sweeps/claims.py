"""Which process works on which trial. A trial that was left behind is gone on with under its own number.

Where a worker sees the owner's own lock file, that tells who is alive: the system drops the lock with the process.
Elsewhere the time does, which the owner writes into the study every minute.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from dokhae.files import make_folder
from dokhae.sweeps.study import folder_lock

log = logging.getLogger("dokhae")

OWNER, SURPLUS, SEEN_FIRST = "owner", "surplus", "seen without an owner"  # attributes of a trial
SECONDS_BETWEEN_SIGNS = 60.0
SECONDS_UNTIL_LEFT = 600.0  # without a sign of its owner on another machine, or on this one before it was restarted
SECONDS_TO_SETTLE = 3.0  # two machines that take over the same trial see each other


@dataclass(frozen=True, slots=True)
class Claim:
    """A trial that this process alone works on."""

    trial: Trial
    run: Path
    lock: FileLock
    owner: dict[str, Any]


class Claims:
    """Looks for work in a study; `shared`: it has a storage of its own, and workers in other folders and machines."""

    def __init__(self, study: Study, out: Path, shared: bool) -> None:
        self.study, self.out, self.shared = study, out, shared
        self._id = uuid.uuid4().hex

    @contextlib.contextmanager
    def next(self, trials: int, at_most: int) -> Iterator[Claim | None]:
        """A trial that was left behind, or else a new one while there are fewer than `trials`; None when all is done.

        at_most: how many there can ever be. The trial is this process's for the block.
        """
        with folder_lock(self.out):
            claim = self._left_behind() or self._new(trials, at_most)
        if claim is None:
            yield None
            return
        stop = threading.Event()
        signs = threading.Thread(target=self._give_signs, args=(claim, stop), daemon=True)
        try:
            if self.shared:
                signs.start()
            yield claim
        finally:
            stop.set()
            if self.shared:
                signs.join()
            claim.lock.release()

    def _new(self, trials: int, at_most: int) -> Claim | None:
        while len(self.counted()) < trials:
            trial = self.study.ask()
            if sum(each.number < trial.number for each in self.counted()) >= at_most:  # another machine was quicker
                trial.set_user_attr(SURPLUS, True)
                self.study.tell(trial, state=TrialState.FAIL)
                continue
            claim = self._claim(self.study.get_trials(deepcopy=False)[trial.number], self._folder(trial.number))
            if claim is not None:
                return claim
        return None

    def counted(self) -> list[FrozenTrial]:
        """The trials of the sweep."""
        return [each for each in self.study.get_trials(deepcopy=False) if SURPLUS not in each.user_attrs]

    def _left_behind(self) -> Claim | None:
        for each in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            with contextlib.suppress(UpdateFinishedTrialError):  # its owner has just told its end
                claim = self._take_over(each)
                if claim is not None:
                    log.info("trial %d was left behind: going on with it", each.number)
                    return claim
        return None

    def _take_over(self, left: FrozenTrial) -> Claim | None:
        run = self._folder(left.number)
        if not self.shared:
            return self._claim(left, run)
        owner = left.user_attrs.get(OWNER) or {"run": None, "seen": self._seen_first(left)}
        if owner["run"] and not run.exists() and Path(owner["run"]).parent.is_dir():
            run = Path(owner["run"])  # another worker's, on this machine or on a file system that both see
        here = owner.get("place", "") == _place(run.parent)
        if here or time.time() - owner["seen"] > SECONDS_UNTIL_LEFT:
            return self._claim(left, run, settle=not here)
        return None

    def _claim(self, frozen: FrozenTrial, run: Path, settle: bool = False) -> Claim | None:
        """The trial, if nobody else has it."""
        lock = FileLock(make_folder(run.parent) / f".{run.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        try:
            trial = Trial(self.study, frozen._trial_id)
            owner = {"id": self._id, "run": str(run), "host": platform.node(), "place": _place(run.parent)}
            claim = Claim(trial, run, lock, owner)
            _sign(claim)
            if not settle or self._is_still_mine(frozen.number):
                return claim
        except BaseException:
            lock.release()
            raise
        lock.release()
        return None

    def _is_still_mine(self, number: int) -> bool:
        """Whether no other machine has taken the trial over at the same moment."""
        time.sleep(SECONDS_TO_SETTLE)
        now = self.study.get_trials(deepcopy=False)[number]
        return not now.state.is_finished() and now.user_attrs[OWNER]["id"] == self._id

    def _seen_first(self, frozen: FrozenTrial) -> float:
        """Since when a trial is known to have no owner: it is new, or its process was killed at once."""
        if SEEN_FIRST not in frozen.user_attrs:
            Trial(self.study, frozen._trial_id).set_user_attr(SEEN_FIRST, time.time())
        return float(frozen.user_attrs.get(SEEN_FIRST, time.time()))

    def _folder(self, number: int) -> Path:
        return self.out.resolve() / "runs" / f"trial-{number:04d}"

    def _give_signs(self, claim: Claim, stop: threading.Event) -> None:
        while not stop.wait(SECONDS_BETWEEN_SIGNS):
            with contextlib.suppress(Exception):  # the storage may be away for a while; the next sign tells again
                _sign(claim)
        claim.trial.storage.remove_session()


def _sign(claim: Claim) -> None:
    claim.trial.set_user_attr(OWNER, claim.owner | {"seen": time.time()})


def _place(folder: Path) -> str | None:
    """The same for two processes only where one of them sees the locks that the other holds in the folder: one running
    kernel, and one folder of its file systems. Containers may share a host's name and a path, and neither of these.
    """
    if not folder.exists():
        return None
    found = folder.stat()
    return f"{_kernel()} {found.st_dev} {found.st_ino}"


def _kernel() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # no Linux
        return f"{platform.node()} {uuid.getnode()}"
