"""Whether a folder computes what its checkpoint does: both read the same texts, and their outputs are compared."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.convert.families import FAMILIES
from dokhae.convert.folders import Electra, scheme_in, some
from dokhae.convert.graph import Graph
from dokhae.convert.sides import as_text, graph_of, load_folder, tensorflow_outputs, transformers_outputs
from dokhae.data import read_examples, sample_path
from dokhae.data.lines import pair_of, text_lines
from dokhae.errors import ModelError
from dokhae.model.tensorflow import Checkpoint, open_checkpoint
from dokhae.model.variables import Scheme, reason_to_leave_out, weight_name

log = logging.getLogger("dokhae")
BESIDE = ("bert_config.json", "albert_config.json")  # what a checkpoint came with, in its folder
# The most that a standard deviation may be in float32, and that the mean loss of all texts may differ by. That of one
# text may differ by more (docs/convert.md), for float32 itself has steps of 2.4e-7 from 2 on.
STATES, LOSS = 9e-7, 2.5e-7
LOGITS = 1e-5  # of any head, whose outputs are larger than the states
MORE = 14  # texts beside these
TEXTS = (
    (
        "훈민정음을 만든 왕은 누구인가?",
        "훈민정음은 조선의 네 번째 왕인 세종이 1443년에 만들어 1446년에 반포한 글자이다. 처음에는 스물여덟 자였고, "
        "지금은 스물네 자를 쓴다.",
    ),
    (
        "Who brought the last ship back to Spain?",
        "Ferdinand Magellan set out in 1519 with five ships. He was killed in 1521, and Juan Sebastian Elcano brought "
        "the last one, the Victoria, back to Spain in 1522.",
    ),
)


class NotTheSame(ModelError):
    """A folder does not compute what its checkpoint does."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an output of the two models is apart, over all texts."""

    name: str
    deviation: float  # standard deviation
    most: float  # the largest one
    held: float  # what the bound is on: the standard deviation, of the loss how far the means of the texts are apart
    bound: float

    @property
    def is_too_large(self) -> bool:
        """Whether the bound is exceeded; what is no number exceeds it too."""
        return not self.held <= self.bound


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a checkpoint and its folder."""

    differences: list[Difference]  # of all outputs that the folder's model has, layer by layer
    not_compared: tuple[str, ...]  # outputs of the checkpoint that the folder has not, and variables of no output


def compare(
    checkpoint: Path,
    folder: Path,
    config: Path | None = None,
    text: Path | None = None,
    electra: Electra = "discriminator",
) -> Comparison:
    """Both sides on the lines of a file, or without one on packaged texts.

    config: the settings that the checkpoint came with; without, as settings_for says. Raises ModelError where the two
    cannot be compared, NotTheSame where the folder lacks layers.
    """
    texts = read_texts(text) if text else packaged_texts()
    opened = open_checkpoint(checkpoint)
    scheme = scheme_in(opened, electra == "generator")
    tokenizer, model = load_folder(folder)
    config = config or settings_for(opened, folder)
    _refuse_other_vocabulary(opened, model, folder)
    graph = graph_of(opened, config, electra == "generator")
    longest = model.config.max_position_embeddings
    apart: dict[str, _Apart] = {}
    lost: tuple[str, ...] = ()
    for where, pair in texts.items():  # one at a time: logits of all words of all texts are gigabytes
        read = as_text(tokenizer, *pair, longest, where)
        ours, theirs = transformers_outputs(model, read), tensorflow_outputs(graph, read, opened)
        if not apart:
            _refuse_unused(graph, scheme, opened, config)
            lost = tuple(name for name in theirs if name not in ours)
        for name in ours:
            apart.setdefault(name, _Apart()).add(_minus(name, theirs, ours, opened))
    layers = [name for name in lost if name.startswith("layer ")]
    if layers:
        raise NotTheSame(f"{folder}: does not compute what {checkpoint} does: it lacks {some(layers)}")
    rest = [name for name in opened.shapes if name not in graph.used and not reason_to_leave_out(name, scheme)]
    return Comparison([one.difference(name) for name, one in apart.items()], (*lost, *rest))


def settings_for(checkpoint: Checkpoint, folder: Path) -> Path:
    """The one bert_config.json or albert_config.json beside a checkpoint, or else the config.json of its folder."""
    found = [path for path in map(checkpoint.path.with_name, BESIDE) if path.exists()]
    if len(found) == 1:
        log.info("settings of the checkpoint: %s", found[0])
        return found[0]
    own = folder / "config.json"
    log.warning("%s: stands in for the checkpoint's own settings, so that what the shapes of variables do not show is "
                "not checked: the number of attention heads, the activation, ALBERT's number of layers; name the "
                "checkpoint's with --config", own)  # fmt: skip
    return own


def refuse_differences(found: Iterable[Difference], checkpoint: Path, folder: Path) -> None:
    """NotTheSame that names the first output that exceeds its bound."""
    larger = [one for one in found if one.is_too_large]
    if larger:
        first = larger[0]
        measure = "a difference of the means" if first.name == "loss" else "a standard deviation"
        more = f", and {len(larger) - 1} more outputs" if len(larger) > 1 else ""
        raise NotTheSame(f"{folder}: does not compute what {checkpoint} does: {first.name} has {measure} of "
                         f"{first.held:.1e}, and {first.bound:.1e} is the most{more}")  # fmt: skip


def read_texts(path: Path) -> dict[str, tuple[str, str]]:
    """The texts of a file by where they stand, one a line: `question ||| context`, or one alone and ""."""
    lines = {f"{path}: line {number}": pair_of(line) for number, line in enumerate(text_lines(path), 1) if line.strip()}
    return {where: (first, second or "") for where, (first, second) in lines.items()}


def packaged_texts() -> dict[str, tuple[str, str]]:
    """TEXTS, and questions with their contexts out of what people wrote for the packaged sample, by their numbers."""
    examples = read_examples(sample_path("handwritten"))
    more = [(one.question, one.context) for one in examples[:: len(examples) // MORE][:MORE]]
    return {f"text {number}": pair for number, pair in enumerate([*TEXTS, *more], 1)}


def _refuse_other_vocabulary(checkpoint: Checkpoint, model: Any, folder: Path) -> None:  # noqa: ANN401
    """ModelError where the folder's ids are not those of the checkpoint."""
    rows = {shape[0] for name, shape in checkpoint.shapes.items() if name.endswith("/word_embeddings")}
    if rows and model.config.vocab_size not in rows:
        raise ModelError(f"{folder}: has {model.config.vocab_size} entries in its vocabulary, and {checkpoint.path} "
                         f"has embeddings for {max(rows)}; name the one that the folder was made from")  # fmt: skip


def _refuse_unused(graph: Graph, scheme: Scheme, checkpoint: Checkpoint, config: Path) -> None:
    """ModelError where there are variables of the encoder that nothing was computed from."""
    pooler = FAMILIES[scheme.name].pooler
    weights = {name: str(weight_name(name, scheme)) for name in graph.values if name not in graph.used}
    unused = [name for name, weight in weights.items()
              if weight.startswith(f"{scheme.name}.") and not (pooler and weight.startswith(pooler))]  # fmt: skip
    if unused:
        raise ModelError(f"{checkpoint.path}: {len(unused)} variables of its encoder have no part in what {config} "
                         f"describes: {some(unused)}; take the settings that it came with")  # fmt: skip


def _minus(name: str, theirs: dict[str, Any], ours: dict[str, Any], checkpoint: Checkpoint) -> Any:  # noqa: ANN401
    """How far an output is apart, of one text, in float64."""
    import numpy as np

    if name not in theirs:
        raise ModelError(f"{checkpoint.path}: has no {name}, and the folder's model has; name the checkpoint that the "
                         "folder was made from")  # fmt: skip
    one, other = np.float64(theirs[name]), np.float64(ours[name])
    if one.size != other.size:
        raise ModelError(f"{checkpoint.path}: its {name} are of another shape than the folder's; name the checkpoint "
                         "that the folder was made from")  # fmt: skip
    return one.ravel() - other.ravel()


@dataclass(slots=True)
class _Apart:
    """What is kept of how far an output is apart, over the texts so far."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    most: float = 0.0

    def add(self, values: Any) -> None:  # noqa: ANN401 - a numpy array
        self.count += values.size
        self.total += float(values.sum())
        self.squares += float((values * values).sum())
        self.most = float(max(self.most, abs(values).max()))  # NaN, where it comes, is found in the sums

    def difference(self, name: str) -> Difference:
        mean = self.total / self.count
        deviation = math.sqrt(max(self.squares / self.count - mean * mean, 0.0)) if mean == mean else math.nan
        if name == "loss":
            return Difference(name, deviation, self.most, abs(mean), LOSS)
        return Difference(name, deviation, self.most, deviation, LOGITS if name.endswith("logits") else STATES)
