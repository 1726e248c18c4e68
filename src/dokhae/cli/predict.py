"""dokhae predict."""

from __future__ import annotations

import logging
import math
import os
import shlex
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from dokhae.cli.changes import DecodingChanges, WindowChanges
from dokhae.korean.trimming import Trim

if TYPE_CHECKING:
    from dokhae.benchmarks import Benchmark
    from dokhae.budget import Budget, Meter
    from dokhae.reader import Reader
    from dokhae.settings import NullThreshold
    from dokhae.sharing import World
    from dokhae.types import Prediction

log = logging.getLogger("dokhae")
# torch and oneDNN keep a thousand kernels, one for each size of a batch; memory is not to grow with the questions
FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16", "LRU_CACHE_CAPACITY": "16"}
LATENCY_FILE = "latency.json"  # beside the predictions
AS_SAVED, AS_DECODED = WindowChanges(), DecodingChanges()
LAUNCHED = {"TORCHELASTIC_RUN_ID", "SLURM_NTASKS"}  # what the launchers tell their processes


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
    devices: int | None = None,
    korean_trim: Trim | None = None,
    morphemes: str | None = None,
    max_windows: int | None = None,
    latency_ms: float | None = None,
    latency: bool = False,
    windows: Annotated[WindowChanges, tyro.conf.arg(name="")] = AS_SAVED,
    decoding: DecodingChanges = AS_DECODED,
    trust_remote_code: bool = False,
) -> None:
    """Answer every question of a data file, with the windows, decoding and threshold that were saved with the model.

    Windows and decoding can be given, for a model that dokhae did not train above all; it has none saved.

    Writes the answers to --out, nbest_predictions.json and (where "no answer" exists) null_odds.json beside it.

    Example: dokhae predict KorQuAD_v1.0_dev.json --model runs/koelectra --out predictions.json

    Args:
        data: questions: .json, .jsonl, .csv, .tsv or .parquet, of korquad-2.1 also a folder; answers are not needed
        model: run folder, model folder or hub name
        out: predictions file to write
        benchmark: how the data is read, and whether "no answer" exists; by default the model's own
        null_threshold: null score difference above which the answer is "", or the threshold fitted for f1 (ROUGE-W
            in klue-mrc) or em
        batch_size: windows at once, at most; a CPU takes fewer long ones
        device: where to run
        precision: of the matrix products; auto is the fastest of the device; by default the one that the model was
            scored in
        korean_trim: analyser that finds particles to cut off the answers, or none; by default the model's own
        devices: processes that share the questions, one a device; as many as torchrun or SLURM has started, else 1
        morphemes: analyser of a morpheme BERT: kiwi, mecab, or the address of a service; by default the model's own
        max_windows: windows of a question that are read, those that share most with it (BM25); by default all
        latency_ms: milliseconds that a question may take: its best windows are read until there is no time for more
        latency: answer every question alone, one after another, and tell the seconds it took, as the leaderboard of
            KorQuAD does; writes latency.json beside --out
        windows: how contexts are cut
        decoding: how answers are searched
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae.budget import Budget
    from dokhae.errors import SettingsError, optional
    from dokhae.files import refuse_folder
    from dokhae.outputs import beside
    from dokhae.sharing import ALONE, refuse_sharing

    for name, value in FEW_KERNELS.items():  # read when torch is imported
        os.environ.setdefault(name, value)
    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; at least 1 is needed")
    if devices is not None and devices < 1:
        raise SettingsError(f"devices is {devices}; it has to be at least 1")
    refuse_folder(out)  # now, not when all is computed
    budget, timed = Budget(max_windows, latency_ms), [out.with_name(LATENCY_FILE)] if latency else []
    if timed or latency_ms is not None:
        refuse_sharing(devices or 1)
    if out in timed:
        raise SettingsError(f"{out}: is the name of a file that is written beside the predictions; choose another")
    if data.resolve() in (path.resolve() for path in (out, *beside(out), *timed)):
        raise SettingsError(f"{out}: writing there would replace the data file {data}; name another --out")
    asked = Questions(
        data,
        model,
        out,
        benchmark,
        null_threshold,
        batch_size,
        device,
        precision,
        devices,
        trust_remote_code,
        korean_trim,
        morphemes,
        budget,
        latency,
        windows,
        decoding,
    )
    if devices is None and not os.environ.keys() & LAUNCHED:
        answer(asked, ALONE)
        return
    with optional("answering in several processes", "train"):
        from dokhae.training.cluster import needed
        from dokhae.training.launch import launch

    if needed(asked):
        launch(asked, partial(answer_together, asked))
    else:
        answer_together(asked)


@dataclass(frozen=True, slots=True)
class Questions:
    """What `dokhae predict` was given."""

    data: Path
    model: str
    out: Path
    benchmark: str | None
    null_threshold: float | str | None
    batch_size: int
    device: str
    precision: str | None
    devices: int | None
    trust_remote_code: bool
    korean_trim: Trim | None
    morphemes: str | None
    budget: Budget
    latency: bool
    windows: WindowChanges
    decoding: DecodingChanges
    nodes: int = 1  # several are torchrun's or SLURM's to start
    go_on: str = "start it again"  # what to do after it was stopped


def answer_together(asked: Questions) -> None:
    """One of the processes that a launcher has started."""
    from dokhae.model.devices import choose_device
    from dokhae.training.meeting import joined

    with joined(asked, choose_device(asked.device)) as processes:
        answer(asked, processes)


def answer(asked: Questions, world: World) -> None:
    """Answer the questions together with the other processes of a world; the first one writes."""
    from dokhae import benchmarks
    from dokhae.budget import WHOLE
    from dokhae.outputs import write_predictions
    from dokhae.progress import track
    from dokhae.reader import Reader

    trusted, analyser = asked.trust_remote_code, asked.morphemes
    reader = Reader.load(asked.model, asked.device, asked.precision, trust_remote_code=trusted, morphemes=analyser)
    reader = changed(reader, asked)
    name = asked.benchmark or reader.settings.benchmark
    if name is None:
        log.warning("%s: does not say for which benchmark it was trained, so every question gets an answer; "
                    "--benchmark squad-2.0 lets it say that there is none", asked.model)  # fmt: skip
    row = benchmarks.find(name or "squad-1.1")
    benchmarks.refuse_other_contexts(reader.settings.pages is not None, row, asked.model)
    examples = row.read(asked.data, False)
    reader = reader.with_null_threshold(usable_threshold(reader.settings.null_threshold, asked, row))
    if asked.korean_trim is not None:
        reader = reader.with_korean_trim(asked.korean_trim)
    reader = reader.with_budget(asked.budget.max_windows, asked.budget.latency_ms)
    seen = Seen()
    with track("predict", len(examples), world.rank == 0, " questions") as update:
        way = (examples, asked.batch_size, update, world)
        predictions = seen.clocked(reader.predict_alone(*way)) if asked.latency else reader.predict_each(*way)
        if world.rank > 0:
            deque(predictions, maxlen=0)
            return
        written = write_predictions(asked.out, seen.counted(predictions), row.rule.has_null, row.html)
    if seen.without:
        log.warning(
            "%d of %d questions have no legal span in any window; their answer is empty", seen.without, len(examples)
        )
    if asked.budget != WHOLE:
        log.info(reader.meter.line())
    if seen.seconds:
        written.append(write_latency(asked, seen.seconds, reader.meter))
    log.info("wrote %s\nscore: dokhae evaluate %s %s --benchmark %s", ", ".join(map(str, written)),
             shlex.quote(str(asked.data)), shlex.quote(str(asked.out)), name or "BENCHMARK")  # fmt: skip


def changed(reader: Reader, asked: Questions) -> Reader:
    """The reader with the windows and the decoding that were asked for."""
    own = reader.settings
    windows, decoding = asked.windows.made(own.windows), asked.decoding.made(own.decoding)
    if (windows, decoding) == (own.windows, own.decoding):
        return reader
    if own.benchmark is not None:
        log.warning("%s: answers with other windows or another decoding than it was scored with", asked.model)
    return reader.with_windows(windows).with_decoding(decoding)


@dataclass(slots=True)
class Seen:
    """What is counted of predictions while they pass."""

    without: int = 0  # that have no candidate
    seconds: list[float] = field(default_factory=list)  # of each question, where that is asked for

    def counted(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """The same predictions."""
        for prediction in predictions:
            self.without += not prediction.n_best
            yield prediction

    def clocked(self, timed: Iterable[tuple[Prediction, float]]) -> Iterator[Prediction]:
        """The predictions without their seconds."""
        for prediction, seconds in timed:
            self.seconds.append(seconds)
            yield prediction


def write_latency(asked: Questions, seconds: Sequence[float], meter: Meter) -> Path:
    """Say how long one question took, and write it beside the predictions."""
    from dokhae.budget import latency
    from dokhae.files import write_json

    found = latency(seconds)
    log.info("latency: median %.3f s, mean %.3f s, 95%% within %.3f s, longest %.3f s (%d questions, each alone)",
             *found.values(), len(seconds))  # fmt: skip
    path = asked.out.with_name(LATENCY_FILE)
    of = {"questions": len(seconds), "windows_read": meter.read, "windows": meter.windows, **asdict(asked.budget)}
    write_json(path, {"unit": "seconds", **found, **of})
    return path


def usable_threshold(saved: NullThreshold | None, asked: Questions, row: Benchmark) -> NullThreshold | None:
    """The null threshold for a benchmark; None where every question has an answer."""
    from dokhae.errors import SettingsError
    from dokhae.files import sha256
    from dokhae.settings import NullThreshold

    if row.rule.has_null:
        threshold = chosen_threshold(saved or NullThreshold(), asked.null_threshold)
        log.info(threshold.described(sha256(asked.data)))
        return threshold
    if asked.null_threshold is not None:
        raise SettingsError(f"{row.name} has no unanswerable questions, so --null_threshold means nothing there; "
                            "give --benchmark squad-2.0")  # fmt: skip
    return None


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
