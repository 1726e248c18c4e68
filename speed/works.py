"""Works of a turn besides training: a run with its scores, a prediction, and the memory of one taken apart."""

from __future__ import annotations

import ctypes
import gc
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from dokhae import benchmarks
from dokhae.files import read_json
from dokhae.types import Example
from speed.parity import ParitySettings, dokhae_config
from speed.sides import device_peak
from speed.turns import peak_mib


def score(settings: dict[str, Any], device: str, train: str, dev: str) -> dict[str, Any]:
    """Work of a turn: dokhae.train as in the parity runs, on the device."""
    import dokhae

    with tempfile.TemporaryDirectory() as folder:
        told = dokhae_config(Path(train), Path(dev), Path(folder) / "run", ParitySettings(**settings), 0)
        begun = time.perf_counter()
        scores = dokhae.train(replace(told, device=device), show=False)["scores"]  # type: ignore[arg-type]
        seconds, steps = time.perf_counter() - begun, read_json(told.out / "run.json")["steps"]
    return {"exact_match": scores["exact_match"], "f1": scores["f1"], "seconds": seconds, "steps": steps}


def predict(model: str, questions: int, device: str, precision: str, data: str) -> dict[str, Any]:
    """Work of a turn: the reader's answers to so many questions, after some that warm it up."""
    from dokhae import Reader

    read = benchmarks.find("squad-1.1").read(Path(data), True)
    examples = repeated(read, questions)
    reader = Reader.load(model, device=device, precision=precision)
    reader.predict(read[:64])
    begun = time.perf_counter()
    answered = len(reader.predict(examples))
    return {"seconds": time.perf_counter() - begun, "answered": answered, **device_peak(device)}


def memory(model: str, questions: int, data: str) -> dict[str, Any]:
    """Work of a turn: answer so many questions as `dokhae predict` does, which writes one prediction after another."""
    from dokhae import Reader
    from dokhae.outputs import write_predictions

    reader = Reader.load(model, device="cpu", precision="fp32")
    read = benchmarks.find("squad-1.1").read(Path(data), True)
    reader.predict(read[:64])  # what is loaded or kept only once does not count
    empty = resident_mib()
    examples = repeated(read, questions)
    given = resident_mib() - empty
    forget_peak()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        write_predictions(Path(folder) / "predictions.json", reader.predict_each(examples), False)
        seconds, peak = time.perf_counter() - begun, peak_mib()
    return {"examples_mib": given, "beyond_mib": peak - given, "peak_mib": peak, "seconds": seconds}


def repeated(examples: list[Example], count: int) -> list[Example]:
    """So many examples; each time round with other ids and other contexts, so that nothing is tokenized only once."""
    made: list[Example] = []
    for number in range(-(-count // len(examples))):
        contexts = {one.context: f"{one.context} ({number})" for one in examples}
        made += [replace(one, id=f"{one.id}-{number}", context=contexts[one.context]) for one in examples]
    return made[:count]


def resident_mib() -> float:
    """The memory that this process has now, MiB, without what it only keeps for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return float(psutil.Process().memory_info().rss) / 2**20


def forget_peak() -> None:
    """Let the peak begin anew; where the system cannot, it stays what it was."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5", encoding="ascii")


def pages(folder: str, vocabulary: str, cache: str) -> dict[str, Any]:
    """Work of a turn: read KorQuAD 2.x pages and make their features, as a training begins."""
    from transformers import BertTokenizerFast

    from dokhae.encoding import WindowConfig, cached_features
    from dokhae.encoding.korean import tokenizer_of
    from dokhae.encoding.pages import add_markers
    from dokhae.pages.text import PageConfig

    begun = time.perf_counter()
    examples = benchmarks.find("korquad-2.1").read(Path(folder), True)
    read, read_peak = time.perf_counter() - begun, peak_mib()
    fast = BertTokenizerFast(vocab=vocabulary, do_lower_case=False)
    add_markers(fast)
    begun = time.perf_counter()
    windows = WindowConfig(384, overlap=128, lead=32)
    features = cached_features(examples, tokenizer_of(fast, pages=PageConfig()), windows, Path(cache))
    made = {"read": read, "made": time.perf_counter() - begun, "read_peak_mib": read_peak, "peak_mib": peak_mib()}
    counts = {"questions": len(examples), "tokens": len(features.context_ids), "windows": features.window_count}
    return made | counts | {"kept_mib": resident_mib()}
