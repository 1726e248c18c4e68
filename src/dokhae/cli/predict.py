"""dokhae predict."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from dokhae.settings import NullThreshold
    from dokhae.types import Prediction

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return predict


def predict(
    data: Positional[Path],
    model: str,
    out: Path,
    benchmark: str | None = None,
    null_threshold: float | Literal["f1", "em"] | None = None,
    batch_size: int = 32,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Answer every question of a data file, with the windows, decoding and threshold that were saved with the model.

    Writes the answers to --out, nbest_predictions.json and (where "no answer" exists) null_odds.json beside it.

    Example: dokhae predict KorQuAD_v1.0_dev.json --model runs/koelectra --out predictions.json

    Args:
        data: questions: .json, .jsonl, .csv, .tsv or .parquet; answers are not needed
        model: run folder, model folder or hub name
        out: predictions file to write
        benchmark: how the data is read, and whether "no answer" exists; by default the model's own
        null_threshold: null score difference above which the answer is "", or the threshold fitted for f1 (ROUGE-W
            in klue-mrc) or em
        batch_size: windows at once
        device: where to run
        precision: of the matrix products; auto is the fastest of the device; by default the one that the model was
            scored in
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import benchmarks
    from dokhae.errors import SettingsError
    from dokhae.files import refuse_folder, sha256
    from dokhae.outputs import beside, write_predictions
    from dokhae.progress import track
    from dokhae.reader import Reader
    from dokhae.settings import NullThreshold

    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; at least 1 is needed")
    refuse_folder(out)  # now, not when all is computed
    if data.resolve() in (path.resolve() for path in (out, *beside(out))):
        raise SettingsError(f"{out}: writing there would replace the data file {data}; name another --out")
    reader = Reader.load(model, device, precision, trust_remote_code=trust_remote_code)
    name = benchmark or reader.settings.benchmark
    if name is None:
        log.warning("%s: does not say for which benchmark it was trained, so every question gets an answer; "
                    "--benchmark squad-2.0 lets it say that there is none", model)  # fmt: skip
    row = benchmarks.find(name or "squad-1.1")
    examples = row.read(data, False)
    threshold = reader.settings.null_threshold
    if row.rule.has_null:
        threshold = chosen_threshold(threshold or NullThreshold(), null_threshold)
        log.info(threshold.described(sha256(data)))
    elif null_threshold is not None:
        raise SettingsError(f"{row.name} has no unanswerable questions, so --null_threshold means nothing there; "
                            "give --benchmark squad-2.0")  # fmt: skip
    else:
        threshold = None
    reader = reader.with_null_threshold(threshold)
    without = 0

    def counted(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        nonlocal without
        for prediction in predictions:
            without += not prediction.n_best
            yield prediction

    with track("predict", len(examples), unit=" questions") as update:
        predictions = reader.predict_each(examples, batch_size, update)
        written = write_predictions(out, counted(predictions), row.rule.has_null)
    if without:
        log.warning(
            "%d of %d questions have no legal span in any window; their answer is empty", without, len(examples)
        )
    log.info("wrote %s\nscore: dokhae evaluate %s %s --benchmark %s", ", ".join(map(str, written)), data, out,
             name or "BENCHMARK")  # fmt: skip


def chosen_threshold(saved: NullThreshold, asked: float | str | None) -> NullThreshold:
    """The saved threshold, one of the two fitted ones, or a number."""
    from dokhae.errors import SettingsError
    from dokhae.settings import NullThreshold

    if asked is None:
        return saved
    if not isinstance(asked, str):
        if math.isnan(asked):
            raise SettingsError("null_threshold is not a number (nan); give a number, f1 or em")
        return NullThreshold(asked, "set")
    value = saved.f1 if asked == "f1" else saved.exact_match
    if value is None:
        raise SettingsError(f"the model has no threshold fitted for {asked}; give a number")
    return replace(saved, value=value)
