"""Features of tokens, a second, against one text after another padded to 128. `python -m speed.extraction`.

The other side is transformers' own model, and where the rows say JSON lines, what extract_features.py did with its
states. dokhae's is the whole way of `dokhae features`, from the file of lines to the file of features.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer

from dokhae import benchmarks
from dokhae.tasks.extraction import ExtractionConfig, Extractor
from dokhae.tasks.extraction_files import Taken, open_file
from dokhae.tasks.extraction_lines import read_lines
from speed.command import run_command
from speed.measure import Comparison, Measured, measure
from speed.report import Row, publish
from speed.shared import encoder_folder, results_file, shared_file
from speed.turns import ratio, summary

LAYERS = (-1, -2, -3, -4)
REQUIRED = 3.0  # times as fast as one text after another
ALIKE = 2e-4  # of the states: both sides round in another order
SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is read, and where it is written."""

    lines: int = 160  # sentences of SQuAD 1.1's dev contexts, the first of every tenth context
    threads: int = 2  # of torch
    repeats: int = 5
    tries: int = 3  # of a row that others disturb
    max_length: int = 128  # tokens; what the other side pads to
    model: Path | None = None  # folder of an encoder; None: MiniLM
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    out: Path = results_file("extraction")


class Plain:
    """transformers' own model and tokenizer, batches padded to the full length."""

    def __init__(self, folder: Path, max_length: int, batch_size: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.max_length, self.batch_size = max_length, batch_size

    def states(self, texts: list[str]) -> Iterator[tuple[list[str], list[np.ndarray]]]:
        """Of each text its tokens, and the states of each layer, (token, hidden)."""
        for first in range(0, len(texts), self.batch_size):
            some = texts[first : first + self.batch_size]
            asked = {"padding": "max_length", "truncation": True, "max_length": self.max_length}
            inputs = self.tokenizer(some, return_tensors="pt", **asked)
            with torch.inference_mode():
                found = self.model(**inputs, output_hidden_states=True).hidden_states
            for row, length in enumerate(inputs["attention_mask"].sum(dim=1).tolist()):
                ids = inputs["input_ids"][row, :length].tolist()
                yield self.tokenizer.convert_ids_to_tokens(ids), [found[one][row, :length].numpy() for one in LAYERS]

    def all_states(self, texts: list[str]) -> list[np.ndarray]:
        """Of each text, (token, layer, hidden)."""
        return [np.stack(layers, axis=1) for _, layers in self.states(texts)]

    def json_lines(self, texts: list[str], out: Path) -> Path:
        """A file as the old script wrote it, number by number."""
        with out.open("w", encoding="utf-8") as file:
            for number, (tokens, layers) in enumerate(self.states(texts)):
                features = [
                    {"token": token, "layers": [
                        {"index": index, "values": [round(x.item(), 6) for x in states[place]]}
                        for index, states in zip(LAYERS, layers, strict=True)
                    ]}
                    for place, token in enumerate(tokens)
                ]  # fmt: skip
                file.write(json.dumps({"linex_index": number, "features": features}) + "\n")
        return out


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status."""
    begun = time.perf_counter()
    torch.set_num_threads(arguments.threads)
    folder = arguments.model or encoder_folder()
    texts = sentences(arguments)
    extractor = Extractor.load(folder, ExtractionConfig(LAYERS, max_length=arguments.max_length), "cpu")
    with tempfile.TemporaryDirectory() as made:
        lines, at = Path(made) / "lines.txt", Path(made)
        lines.write_text("\n".join(texts) + "\n", encoding="utf-8")

        def ours(suffix: str) -> Callable[[], Path]:
            return lambda: written(extractor, lines, at / f"ours{suffix}")

        one, many = (Plain(folder, arguments.max_length, size) for size in (1, 32))
        theirs = Path(made) / "other.jsonl"
        ways: list[tuple[str, str, Callable[[], Any], Callable[[Any, Any], str], float | None]] = [
            (".safetensors", "one after another, states alone", lambda: one.all_states(texts), same, REQUIRED),
            (".jsonl", "one after another, the old script's file", lambda: one.json_lines(texts, theirs), same_lines,
             REQUIRED),
            (".jsonl", "the old script: batches of 32, its file", lambda: many.json_lines(texts, theirs), same_lines,
             None),
        ]  # fmt: skip
        rows = [
            quiet_row(Comparison(f"features to {suffix}", len(texts), "lines", other, run_other, ours(suffix), check,
                                 required, repeats=arguments.repeats), arguments.tries)
            for suffix, other, run_other, check, required in ways
        ]  # fmt: skip
    tokens = [len(one.tokenizer(text)["input_ids"]) for text in texts]
    settings = {name: value for name, value in asdict(arguments).items() if name not in ("model", "data", "out")}
    settings |= {"encoder": folder.parent.name, "layers": LAYERS, "precision": "fp32",
                 "tokens of a line": f"{np.mean(tokens):.1f} on average, up to {max(tokens)}"}  # fmt: skip
    return publish(rows, settings, begun, arguments.out)


def sentences(arguments: Arguments) -> list[str]:
    """Whole sentences of real texts, of every tenth context."""
    examples = benchmarks.find("squad-1.1").read(shared_file("squad-1.1/dev.json", arguments.data), False)
    contexts = list(dict.fromkeys(example.context for example in examples))[::10]
    found = [part for context in contexts for part in SENTENCE.split(" ".join(context.split())) if part]
    return found[: arguments.lines]


def written(extractor: Extractor, lines: Path, out: Path) -> Path:
    """What `dokhae features` does once its model is there."""
    config = extractor.config
    taken = Taken("", config.layers, config.pooling, extractor.hidden, extractor.names)
    with open_file(out, taken) as write:
        for states in extractor.states(read_lines(lines)):
            write(states)
    return out


def same(other: list[np.ndarray], ours: Path) -> str:
    """What was compared; AssertionError where states differ."""
    found = load_file(ours)
    assert np.diff(found["bounds"]).tolist() == [len(states) for states in other]
    np.testing.assert_allclose(found["states"], np.concatenate(other), atol=ALIKE)
    return f"tokens, and {found['states'].size:,} numbers within {ALIKE:g}"


def same_lines(other: Path, ours: Path) -> str:
    """The same of two files of JSON lines."""
    pairs = [list(map(json.loads, path.read_text(encoding="utf-8").splitlines())) for path in (other, ours)]
    for theirs, own in zip(*pairs, strict=True):
        assert theirs["linex_index"] == own["linex_index"]
        for one, two in zip(theirs["features"], own["features"], strict=True):
            assert one["token"] == two["token"]
            for layer, mine in zip(one["layers"], two["layers"], strict=True):
                assert layer["index"] == mine["index"]
                np.testing.assert_allclose(layer["values"], mine["values"], atol=ALIKE)
    return f"tokens, indices, and all numbers within {ALIKE:g}"


def quiet_row(comparison: Comparison, tries: int) -> Row:
    """The row, of a moment when others left the processor alone where there is one in so many tries."""
    for _ in range(tries):
        row = as_row(measure(comparison))
        if not row.disturbed:
            break
        sys.stderr.write(f"{row.name}: others used {row.others_share:.0%}\n")
    return row


def as_row(found: Measured) -> Row:
    """Lines a second, and how many times as many as the other side's."""
    rates = [[found.comparison.size / one for one in side.wall] for side in (found.dokhae, found.other)]
    return Row(
        found.comparison.name, summary(rates[0]), "lines/s", found.comparison.other, ratio(*rates),
        found.comparison.required, others_share=found.others_share,
        details={"other lines/s": summary(rates[1])["median"], "CPU ratio": found.cpu_ratio, "equal": found.equal},
    )  # fmt: skip


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
