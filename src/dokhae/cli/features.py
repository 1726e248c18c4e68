"""dokhae features."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return features


def features(
    data: Positional[Path],
    model: str,
    out: Path,
    layers: str = "-1,-2,-3,-4",
    pooling: Literal["none", "cls", "mean"] = "none",
    max_length: int = 128,
    batch_tokens: int = 4096,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    morphemes: str | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Write the hidden states of an encoder for every line of a text file: of its tokens, or one vector a line.

    --out FILE.jsonl is what extract_features.py of BERT wrote; FILE.parquet and FILE.safetensors are for real sizes.

    Example: dokhae features lines.txt --model klue/bert-base --layers -1,-2 --out features.jsonl

    Args:
        data: UTF-8 text; each line a text, or a pair `first ||| second`
        model: run folder, model folder or hub name
        out: file to write, .jsonl, .parquet or .safetensors
        layers: numbers with commas between them: -1 is the last layer, 0 the first one behind the embeddings
        pooling: none: a vector for each token; cls: for each line that of its CLS token; mean: the mean of its tokens'
        max_length: tokens of a line, special tokens included; longer ones are cut and counted
        batch_tokens: tokens at once
        device: where to run
        precision: of the matrix products; auto is the fastest of the device
        morphemes: analyser of a morpheme BERT: kiwi, mecab, or the address of a service; by default the model's own
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae.cli.predict import FEW_KERNELS
    from dokhae.encoding.ahead import ahead
    from dokhae.errors import SettingsError
    from dokhae.files import refuse_folder
    from dokhae.progress import track
    from dokhae.tasks.extraction import ExtractionConfig, Extractor, States
    from dokhae.tasks.extraction_files import Taken, open_file, refuse_another_suffix
    from dokhae.tasks.extraction_lines import count_lines, read_lines

    for name, value in FEW_KERNELS.items():  # read when torch is imported
        os.environ.setdefault(name, value)
    refuse_another_suffix(out)
    refuse_folder(out)  # now, not when all is computed
    if data.resolve() == out.resolve():
        raise SettingsError(f"{out}: writing there would replace the text file; name another --out")
    config = ExtractionConfig(numbers(layers), pooling, max_length, batch_tokens)
    count = count_lines(data)
    extractor = Extractor.load(model, config, device, precision, morphemes, trust_remote_code)
    taken = Taken(model, config.layers, pooling, extractor.hidden, extractor.names)
    with track("features", count, True, " lines") as update, open_file(out, taken) as write:

        def written(states: States) -> int:
            write(states)
            return states.after

        for done in ahead(written, extractor.states(read_lines(data))):
            update(done)
    if extractor.cut:
        log.warning("%d of %d lines are longer than %d tokens and were cut", extractor.cut, count, max_length)
    log.info("wrote %s: %d lines, layers %s", out, count, layers)


def numbers(layers: str) -> tuple[int, ...]:
    """The layers that a text names. SettingsError where they are no numbers."""
    from dokhae.errors import SettingsError

    try:
        return tuple(int(part) for part in layers.split(","))
    except ValueError:
        raise SettingsError(f"layers is {layers!r}; it has to be numbers with commas, such as -1,-2") from None
