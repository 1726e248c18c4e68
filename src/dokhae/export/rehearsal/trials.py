"""The command of a bundle on one question, on all of them, and on some with the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dokhae.errors import DataError
from dokhae.export.rehearsal.commands import RehearsalFailed, Usage
from dokhae.export.rehearsal.places import Desk, Place
from dokhae.export.rehearsal.questions import write_all, write_some
from dokhae.files import read_json

TIMED = 50  # questions, spread over the file, of which the warm latency is taken
SECONDS = ("median", "mean", "percentile_95", "longest")


@dataclass(frozen=True, slots=True)
class Trials:
    """Runs a bundle's command; each run has a working directory of its own."""

    place: Place
    data: Path
    as_folder: bool  # whether the command is given a folder
    ids: Sequence[str]  # of the data's questions, each once
    work: Path

    def one(self) -> Usage:
        """The whole command for one question."""
        desk = Desk.made(self.work / "one")
        return self.place.answer(desk, write_some(self.data, desk.questions, self.as_folder, self.ids[:1]))

    def every(self) -> tuple[Usage, Path]:
        """The command on all questions, and the predictions file that it has written, or not."""
        desk = Desk.made(self.work / "all")
        return self.place.answer(desk, write_all(self.data, desk.questions, self.as_folder)), desk.answers

    @property
    def timed_ids(self) -> Sequence[str]:
        """The questions that are timed."""
        return self.ids[:: max(1, len(self.ids) // TIMED)][:TIMED]

    def timed(self) -> tuple[dict[str, float], list[str]]:
        """Seconds of questions that are answered alone; files of dokhae that came from elsewhere than the bundle."""
        desk = Desk.made(self.work / "timed")
        given = write_some(self.data, desk.questions, self.as_folder, self.timed_ids)
        foreign = self.place.answer_watched(desk, given, "--latency")
        try:
            found = read_json(desk.answers.with_name("latency.json"))
            return {name: float(found[name]) for name in SECONDS}, foreign
        except (DataError, KeyError, TypeError, ValueError):
            raise RehearsalFailed("predict.py --latency has not written latency.json beside the predictions") from None
