"""Data files -> splits ready for training, with a report of everything that was cut, skipped or cannot be learned."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from dokhae import data
from dokhae.benchmarks import Benchmark
from dokhae.encoding import Features, PairTokenizer, WindowConfig, cached_features
from dokhae.encoding.report import cut_questions
from dokhae.errors import DataError
from dokhae.progress import track
from dokhae.training.data import Split
from dokhae.types import Example

log = logging.getLogger("dokhae")


def read_split(path: Path, benchmark: Benchmark, limit: int | None, misplaced: str | None) -> list[Example]:
    """Examples of a file; misplaced: "error", "skip", "repair", or None where offsets do not matter (dev data)."""
    examples = benchmark.read(path, True)[:limit]
    moved = answers_out = skipped = 0
    if misplaced == "skip":
        examples, skipped = data.drop_misplaced(examples)
    elif misplaced == "repair":
        examples, moved, answers_out, skipped = data.repair_misplaced(examples)
    elif misplaced == "error":
        data.check_answers(examples, str(path))
    if moved:
        log.warning("%s: %d answers were not at their offsets and have been moved there", path, moved)
    if answers_out:
        log.warning("%s: %d answers are nowhere near their offsets and were left out", path, answers_out)
    if skipped:
        log.warning("%s: %d questions skipped: they have answers that are not at their offsets", path, skipped)
    if not examples:
        raise DataError(f"{path}: no question is left to work with")
    unanswerable = next((example.id for example in examples if not example.answers), None)
    if unanswerable is not None and not benchmark.rule.has_null:
        raise DataError(
            f"{path}: question {unanswerable} has no answer, which {benchmark.name} does not know; "
            "use --benchmark squad-2.0"
        )
    return examples


def make_split(
    name: str, examples: list[Example], tokenizer: PairTokenizer, windows: WindowConfig, show: bool = True
) -> Split:
    """Build (or read from the cache) the features of some examples, and report what was cut."""
    contexts = len({hash(example.context) for example in examples})  # pages are not kept as text
    with track(f"tokenize {name}", contexts, show, " contexts") as update:
        features = cached_features(examples, tokenizer, windows, progress=update)
    log.info("%s: %d questions, %d contexts, %d windows", name, len(examples), contexts, features.window_count)
    for line in losses(name, examples, features, windows):
        log.warning(line)
    return Split(examples, features)


def losses(name: str, examples: list[Example], features: Features, windows: WindowConfig) -> list[str]:
    """What was cut or cannot be learned, counted."""
    cut = cut_questions(examples, features.truncated_questions.tolist(), windows)
    lines = [f"{name}: {cut}"] if cut else []
    answered = np.array([bool(example.answers) for example in examples])
    held = np.zeros(len(examples), dtype=bool)
    held[features.window_example[features.held()]] = True
    lost = np.flatnonzero(answered & ~held)
    if len(lost):
        lines.append(
            f"{name}: {len(lost)} of {int(answered.sum())} answers lie whole in no window: labelled as no answer "
            f"(the first is {examples[lost[0]].id}); `dokhae ceiling` says why"
        )
    return lines
