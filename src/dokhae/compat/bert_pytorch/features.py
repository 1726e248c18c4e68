"""extract_features.py over dokhae features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dokhae.compat import road
from dokhae.compat.bert_pytorch.encoders import encoder
from dokhae.compat.bert_pytorch.options import DEVICE, MODEL, place, tell_alone
from dokhae.compat.table import Flag, Given, Script
from dokhae.errors import DataError, SettingsError
from dokhae.files import refuse_folder

FLAGS = (
    *MODEL,
    Flag("--input_file", required=True, note="the texts of dokhae features"),
    Flag("--output_file", required=True, note="--out; JSON lines, whatever its ending"),
    Flag("--layers", str, "-1,-2,-3,-4", "layers"),
    Flag("--max_seq_length", int, 128, "max_length"),
    Flag("--batch_size", int, 32, note="--batch_tokens: so many lines of --max_seq_length"),
    *DEVICE,
)


def run(given: Given) -> None:
    """The hidden states of every line, in the form of old."""
    out, texts = Path(given["output_file"]).expanduser(), Path(given["input_file"]).expanduser()
    if not texts.exists():
        raise DataError(f"{texts}: no such file; --input_file is a text file with a text, or a pair, in each line")
    if given["batch_size"] < 1:
        raise SettingsError(f"extract_features.py: --batch_size is {given['batch_size']}; it has to be at least 1")
    refuse_folder(out)
    if out.resolve() == texts.resolve():
        raise SettingsError(f"{out}: is the text file itself; name another --output_file")
    tell_alone(given)
    model = encoder(given, out)
    if not road.speaks():  # one process writes one file
        return
    lines = out if out.suffix == ".jsonl" else out.with_name(f"{out.name}.jsonl")
    if lines != out and lines.exists():
        raise SettingsError(f"{lines}: is in the way; move it away, for it is written and then renamed to {out.name}")
    settings: dict[str, Any] = {
        "model": model,
        "out": lines,
        **given.settings(),
        "batch_tokens": given["batch_size"] * given["max_seq_length"],
        **place(given),
    }
    road.run("features", texts, settings=settings)
    if lines != out:
        os.replace(lines, out)
        road.tell(f"renamed it to {out}")


EXTRACT_FEATURES = Script("bert-pytorch", "extract_features.py", "hidden states of the lines of a file", FLAGS, run)
