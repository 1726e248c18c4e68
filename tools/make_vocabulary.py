"""Make the demo's WordPiece vocabulary from the packaged sample: python tools/make_vocabulary.py [FILE]

Every letter and syllable, whole and continuing, then the commonest words and endings of the training passages. The
same file byte for byte each time (the trainer of `tokenizers` numbers its pieces in another order each time).
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "src" / "dokhae" / "data" / "sample"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORD = re.compile(r"\w+|[^\w\s]")
LEAST = 8  # times that a word or an ending has to occur


def texts(split: str) -> list[str]:
    """Contexts and questions of a split."""
    content = json.loads((SAMPLE / f"{split}.json").read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in content["data"] for paragraph in article["paragraphs"]]
    return [text for one in paragraphs for text in (one["context"], *(qa["question"] for qa in one["qas"]))]


def vocabulary() -> list[str]:
    """The entries, in the order of their numbers."""
    words = Counter(word for text in texts("train") for word in WORD.findall(text))
    letters = sorted({letter for word in words for letter in word} | {chr(code) for code in range(0x21, 0x7F)})
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        pieces[word] += count
        pieces.update({f"##{word[-size:]}": count for size in (2, 3) if size < len(word)})
    common = sorted(piece for piece, count in pieces.items() if count >= LEAST and len(piece.removeprefix("##")) > 1)
    return [*SPECIALS, *letters, *(f"##{letter}" for letter in letters), *common]


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE / "vocab.txt"
    target.write_text("\n".join(vocabulary()) + "\n", encoding="utf-8", newline="\n")
