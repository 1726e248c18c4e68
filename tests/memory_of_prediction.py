"""`python tests/memory_of_prediction.py QUESTIONS FOLDER`: the peak memory of answering so many questions into files.

Prints MiB beyond what the examples take. The score is arithmetic on the tokens, so nothing of torch is loaded, and a
few MiB of ours would show.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from dokhae.data import read_examples, sample_path
from dokhae.encoding import Layout, PairTokenizer
from dokhae.outputs import write_predictions
from dokhae.reader import Reader
from dokhae.settings import ReaderSettings
from dokhae.types import Example
from oracle import arbitrary

# as a BERT tokenizer lays a pair out: [CLS] question [SEP] context [SEP]
LAYOUT = Layout(((2,), (3,), (3,)), ((0,), (0,), (1,)), (0, 1), True, (0, 0), 0, 0, False, ("input_ids",))


def varied(count: int) -> list[Example]:
    """The sample's questions again and again, each time of other contexts."""
    sample, made = read_examples(sample_path("dev")), []
    for number in range(-(-count // len(sample))):
        contexts = {one.context: f"{one.context} ({number})" for one in sample}
        made += [replace(one, id=f"{one.id}-{number}", context=contexts[one.context]) for one in sample]
    return made[:count]


def status(field: str) -> float:
    """A line of /proc/self/status, MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def resident() -> float:
    """What this process holds, without what is free to be given back."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return status("VmRSS")


def main(questions: int, folder: Path) -> None:
    """Answer a few, which loads what is loaded once; then all."""
    tokenizer = PairTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), LAYOUT)
    reader = Reader(tokenizer, arbitrary, ReaderSettings())
    reader.predict(varied(64))
    before = resident()
    examples = varied(questions)
    taken = resident() - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    write_predictions(folder / f"{questions}.json", reader.predict_each(examples), with_null=False)
    sys.stdout.write(f"{status('VmHWM') - taken}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
