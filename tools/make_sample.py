"""Writes the packaged sample: short Korean and English passages about invented things, with questions.

Run `python tools/make_sample.py`; it writes {train,dev,test}.json to src/dokhae/data/sample, the same bytes every time.
The hand-written passages beside them, handwritten.json, come from no template.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

from sample.names import Draw
from sample.passages import EASY, LANGUAGES, answerable, in_squad_form, passages, question, unanswerable

SAMPLE = Path(__file__).resolve().parent.parent / "src" / "dokhae" / "data" / "sample"
SEED = 20240517
PASSAGES = {"train": 1500, "dev": 60, "test": 160}  # Korean and English in turn
ANSWERABLE, UNANSWERABLE = 2, 1  # questions a passage


def make_split(draw: Draw, split: str, count: int) -> list[dict[str, Any]]:
    """The articles of a split; its names occur in no other."""
    articles = []
    for number, passage in enumerate(islice(passages(draw, split, EASY), count)):
        questions = [
            *answerable(draw, passage, [question] * ANSWERABLE),
            *(unanswerable(draw, passage, split, EASY) for _ in range(UNANSWERABLE)),
        ]
        language = LANGUAGES[number % len(LANGUAGES)]
        articles.append(in_squad_form(passage, questions, f"sample-{split}-{language}-{number + 1:03}"))
    return articles


def write_sample(folder: Path) -> None:
    """Write all splits into a folder."""
    draw = Draw(SEED)
    for split, count in PASSAGES.items():
        content = {"version": "dokhae-sample-2", "data": make_split(draw, split, count)}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / f"{split}.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Read the command line, write the sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=SAMPLE, help="folder to write to (default: the packaged sample)")
    write_sample(parser.parse_args().out)


if __name__ == "__main__":
    main()
