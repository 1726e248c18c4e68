"""What the processes of test_cache run; it imports nothing heavy, for each of them starts anew."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from dokhae.encoding import Layout, PairTokenizer, WindowConfig, cached_features
from dokhae.types import Example

CONTEXT = "In 1704 the Early Otter was launched at Korustead. 서온호는 보리를 싣고 다녔다."
EXAMPLES = [Example(f"q{number}", f"{number}?", f"{CONTEXT} {number}") for number in range(300)]


def build(saved: str, layout: Layout, folder: Path, barrier) -> list[int]:
    """Build (or read) the features of EXAMPLES when all processes are ready; returns their context's token ids."""
    tokenizer = PairTokenizer(Tokenizer.from_str(saved), layout)
    barrier.wait(60)
    return cached_features(EXAMPLES, tokenizer, WindowConfig(), folder).context_ids.tolist()
