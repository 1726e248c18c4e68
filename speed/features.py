"""Rows about features: dokhae's windows against the plain way's, and against its own cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dokhae import benchmarks
from dokhae.encoding import Batch, Features, PairTokenizer, WindowConfig, assemble, build_features, cached_features
from dokhae.encoding.windows import DEFAULT_STEP
from dokhae.types import Example
from speed import checks, legacy
from speed import plain_features as plain
from speed.measure import Comparison
from speed.shared import encoder_folder, shared_file

SETTINGS = plain.PlainSettings()
# the plain way cuts no question
WINDOWS = WindowConfig(SETTINGS.max_length, overlap=SETTINGS.overlap, max_question_length=SETTINGS.max_length // 2)
BATCH = 32  # windows laid out at once


def training() -> Comparison:
    """Training features of SQuAD 1.1 with MiniLM's vocabulary."""
    examples = read("squad-1.1", "train")
    return training_row("training features, SQuAD 1.1", examples, minilm_tokenizer(), 4.5, 6.0)


def training_korean() -> Comparison:
    """The same of KorQuAD 1.0 with multilingual BERT's vocabulary."""
    examples = read("korquad-1.0", "train")
    return training_row("training features, KorQuAD 1.0", examples, multilingual_tokenizer(), None, None)


def training_row(
    name: str,
    examples: Sequence[Example],
    fast: Any,  # noqa: ANN401 - a transformers tokenizer
    required: float | None,
    aim: float | None,
) -> Comparison:
    """Windows with ids, masks, types and labels, from examples in memory."""
    rows, tokenizer = plain.to_dataset(examples), PairTokenizer.of(fast)
    return Comparison(
        name=name,
        size=len(examples),
        unit="questions",
        other="Hugging Face map",
        run_other=lambda: plain.training_features(rows, fast, SETTINGS),
        run_dokhae=lambda: laid_out(examples, tokenizer),
        check=lambda rows, ours: checks.same_training(rows, ours, examples),
        required=required,
        aim=aim,
    )


def validation() -> Comparison:
    """Validation features of SQuAD 1.1: no labels, but characters for every token of the context."""
    examples, fast = read("squad-1.1", "train"), minilm_tokenizer()
    rows, tokenizer = plain.to_dataset(examples), PairTokenizer.of(fast)
    return Comparison(
        name="validation features, SQuAD 1.1",
        size=len(examples),
        unit="questions",
        other="Hugging Face map",
        run_other=lambda: plain.validation_features(rows, fast, SETTINGS),
        run_dokhae=lambda: laid_out(examples, tokenizer),
        check=checks.same_validation,
        required=6.0,
        aim=8.0,
    )


def against_legacy() -> Comparison:
    """Against the converter of BERT's run_squad.py, on some questions: it is slow."""
    examples, fast = read("squad-1.1", "train")[:500], minilm_tokenizer()
    tokenizer = PairTokenizer.of(fast)
    words = legacy.WordPieces(fast.get_vocab())
    return Comparison(
        name="training features, SQuAD 1.1",
        size=len(examples),
        unit="questions",
        other="run_squad.py's converter",
        run_other=lambda: legacy.convert(examples, words, SETTINGS.max_length, DEFAULT_STEP),
        run_dokhae=lambda: laid_out(examples, tokenizer, WindowConfig(SETTINGS.max_length, step=DEFAULT_STEP)),
        check=checks.same_as_legacy,
        repeats=3,
    )


def cache() -> Comparison:
    """A second start on the same data (the cache is read) against the first (built and written)."""
    examples, tokenizer = read("squad-1.1", "train"), PairTokenizer.of(minilm_tokenizer())
    scratch = Path(tempfile.mkdtemp(prefix="dokhae-speed-"))
    filled, empty = scratch / "filled", scratch / "empty"
    cached_features(examples, tokenizer, WINDOWS, filled)
    return Comparison(
        name="second start, cache",
        size=len(examples),
        unit="questions",
        other="first start",
        run_other=lambda: cached_features(examples, tokenizer, WINDOWS, empty),
        run_dokhae=lambda: cached_features(examples, tokenizer, WINDOWS, filled),
        check=checks.same_features,
        required=10.0,
        before=lambda: shutil.rmtree(empty, ignore_errors=True),
        after=lambda: shutil.rmtree(scratch),
    )


def read(benchmark: str, split: str) -> list[Example]:
    """All questions of a split of the shared data."""
    return benchmarks.find(benchmark).read(shared_file(f"{benchmark}/{split}.json"), True)


def minilm_tokenizer() -> Any:  # noqa: ANN401 - a transformers tokenizer
    """MiniLM's: lower-casing, 30,522 pieces."""
    return plain.load_tokenizer(encoder_folder())


def multilingual_tokenizer() -> Any:  # noqa: ANN401 - a transformers tokenizer
    """Multilingual BERT's: cased, 119,547 pieces."""
    from transformers import BertTokenizerFast

    return BertTokenizerFast(vocab=str(shared_file("vocab/bert-base-multilingual-cased.txt")), do_lower_case=False)


def laid_out(
    examples: Sequence[Example], tokenizer: PairTokenizer, config: WindowConfig = WINDOWS
) -> tuple[Features, list[Batch]]:
    """The features of some examples, and every window as the model takes it, in their order."""
    features = build_features(examples, tokenizer, config)
    windows = np.arange(features.window_count)
    batches = [assemble(features, windows[first : first + BATCH], tokenizer.layout) for first in windows[::BATCH]]
    return features, batches
