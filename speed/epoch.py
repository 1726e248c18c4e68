"""One full epoch of the fast path over the whole shared training split, with its scores. `python -m speed.epoch`.

The reader that it leaves is the one that inference is measured with.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dokhae.files import read_json, write_json
from speed.command import run_command
from speed.measure import Others
from speed.parity import ParitySettings, dokhae_config
from speed.report import Row, publish
from speed.shared import precisions, results_file, shared_file, surroundings
from speed.turns import CACHE, Turn, run_apart
from speed.undo import ALLOCATOR

EVERYTHING = 10**9  # questions: more than any split has
FACTS = "epoch.json"  # in the run folder: how it went


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is trained, and where it is written."""

    threads: int = 2  # of torch
    seed: int = 0
    train_questions: int = EVERYTHING
    dev_questions: int = EVERYTHING
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    cache: Path = CACHE  # where the run is kept
    out: Path = results_file("epoch")

    def settings(self) -> ParitySettings:
        """Those of the parity runs, over other numbers of questions, in the fastest precision here."""
        return replace(
            ParitySettings(),
            precision=precisions()[0],
            train_questions=self.train_questions,
            dev_questions=self.dev_questions,
        )


def run(arguments: Arguments) -> int:
    """Train unless it is done; print and write what it scored."""
    begun = time.perf_counter()
    facts = read_json(fine_tuned(arguments) / FACTS)
    cost = {name: facts[name] for name in ("seconds", "steps", "others_inside")} | {"peak MiB": facts["peak_mib"]}
    # scores do not suffer from others, so they count however busy the machine was
    rows = [
        Row(name="one epoch: EM", value=single(facts["exact_match"]), unit=""),
        Row(name="one epoch: F1", value=single(facts["f1"]), unit="", details=cost),
    ]
    return publish(rows, asdict(arguments.settings()) | {"seed": arguments.seed}, begun, arguments.out)


def single(value: float) -> dict[str, float]:
    """A value that was measured once."""
    return {"median": value, "least": value, "most": value}


def fine_tuned(arguments: Arguments) -> Path:
    """The folder of the run, trained now unless it was before with the same settings."""
    content = json.dumps([asdict(arguments.settings()), arguments.seed], sort_keys=True)
    run_folder = arguments.cache / f"reader-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    if (run_folder / FACTS).exists():
        return run_folder
    given = {"out": str(run_folder), "settings": asdict(arguments.settings()), "seed": arguments.seed,
             "train": str(shared_file("squad-1.1/train.json", arguments.data)),
             "dev": str(shared_file("squad-1.1/dev.json", arguments.data))}  # fmt: skip
    arguments.cache.mkdir(parents=True, exist_ok=True)
    facts = run_apart(Turn("speed.epoch:train", given, ALLOCATOR | {"OMP_NUM_THREADS": str(arguments.threads)}))
    write_json(run_folder / FACTS, facts | {"surroundings": surroundings()})
    return run_folder


def train(out: str, settings: dict[str, Any], seed: int, train: str, dev: str) -> dict[str, Any]:
    """Work of a turn: dokhae.train, or its resumption where a process was stopped before."""
    import dokhae

    folder, others = Path(out), Others()
    if (folder / "config.yaml").exists():
        report = dokhae.resume(folder, show=False)
    else:
        report = dokhae.train(
            dokhae_config(Path(train), Path(dev), folder, ParitySettings(**settings), seed), show=False
        )
    record, scores = read_json(folder / "run.json"), report["scores"]
    return {
        "exact_match": scores["exact_match"],
        "f1": scores["f1"],
        "steps": record["steps"],
        "seconds": sum(entry["seconds"] for entry in record["history"]),
        "others_inside": others.share(),
    }


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
