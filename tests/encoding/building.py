"""What the processes of test_cache run; it imports nothing heavy, for each of them starts anew."""

from __future__ import annotations

import time
from pathlib import Path

from tokenizers import Tokenizer

from dokhae.encoding import Layout, PairTokenizer, WindowConfig, cached_features
from dokhae.types import Example

CONTEXT = "In 1704 the Early Otter was launched at Korustead. 서온호는 보리를 싣고 다녔다."
EXAMPLES = [Example(f"q{number}", f"{number}?", f"{CONTEXT} {number}") for number in range(300)]


def build(saved: str, layout: Layout, folder: Path, barrier) -> tuple[list[int], int]:
    """The features of EXAMPLES when all processes are ready: their context's token ids, how many were tokenized."""
    tokenizer = PairTokenizer(Tokenizer.from_str(saved), layout)
    done = [0]
    barrier.wait(60)
    features = cached_features(EXAMPLES, tokenizer, WindowConfig(), folder, done.append)
    return features.context_ids.tolist(), done[-1]


def build_for_ever(saved: str, layout: Layout, folder: Path, building) -> None:
    """Begin to build the features of EXAMPLES, tell so, and never end."""

    def stop(done: int) -> None:
        building.set()
        time.sleep(600)

    cached_features(EXAMPLES, PairTokenizer(Tokenizer.from_str(saved), layout), WindowConfig(), folder, stop)
