"""What users hold: a trained classifier of texts or pairs of texts; and the path from texts to logits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Batch, Features, Layout, PairTokenizer, assemble
from dokhae.encoding.ahead import ahead
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pairs import PairConfig, build_pairs
from dokhae.errors import DataError, NotFinite, SettingsError
from dokhae.settings import CLASSIFIER, read_saved, write_saved
from dokhae.sharing import ALONE, World, deal, most_tokens, plan, portions
from dokhae.tasks.source import TextSource
from dokhae.types import Example, LabelledText

log = logging.getLogger("dokhae")

Logits = NDArray[np.float32]
Score = Callable[[Batch], Logits]  # a batch of R texts -> (R, labels)


@dataclass(frozen=True, slots=True)
class ClassPrediction:
    """What a classifier says to one text or pair."""

    id: str
    label: str | float  # a class, or a number
    probabilities: tuple[float, ...] = ()  # of each class in the model's order; () for a number

    @property
    def probability(self) -> float | None:
        """Of the class; None for a number."""
        return max(self.probabilities, default=None)


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """How a trained classifier reads texts, and the task it was trained for; its classes are in config.json."""

    source: TextSource | None = None  # None: a model that dokhae did not train
    max_length: int = 128
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # in which it was scored
    morphemes: str | None = None
    rewritten_by: str | None = None  # version of the analyser that wrote morphemes

    def save(self, folder: Path) -> None:
        """Write them into a model folder."""
        write_saved(self, folder / CLASSIFIER)


def as_examples(texts: Sequence[LabelledText]) -> list[Example]:
    """Texts as what the tokenizer reads: the context is the text, or the second one of a pair."""
    return [
        Example(text.id, "", text.first) if text.second is None else Example(text.id, text.first, text.second)
        for text in texts
    ]


def logits_each(
    examples: Sequence[Example],
    features_of: Callable[[range], Features],
    layout: Layout,
    score: Score,
    batch_size: int,
    progress: Callable[[int], None] = lambda done: None,
    world: World = ALONE,
) -> Iterator[Logits]:
    """The logits of each example, (labels,), in their order; the same in every process of the world.

    Nothing but a portion of them is in memory at once. features_of: builds the features of the examples with these
    numbers; it may be called in another thread. Raises NotFinite where the logits are no numbers.
    """
    numbers = list(portions(examples))
    walk = ahead if len(numbers) > 1 else map
    for features, portion in zip(walk(features_of, numbers), numbers, strict=True):
        batches = deal(plan(features, layout, batch_size, tokens=most_tokens(score)), world)
        with world.together():
            found = [(windows, score(assemble(features, windows, layout))) for windows in batches]
        yield from in_order([part for own in world.gather(found) for part in own])
        progress(portion.stop)


def in_order(parts: Sequence[tuple[NDArray[np.int64], Logits]]) -> Logits:
    """The logits of some batches, (texts, labels), in the order of the texts' numbers. NotFinite as logits_each."""
    windows, logits = (np.concatenate(each) for each in zip(*parts, strict=True))
    if not np.isfinite(logits).all():
        raise NotFinite("the model's logits are not finite (NaN or infinity): its weights are broken, or the precision "
                        "is too small for it; try --precision fp32")  # fmt: skip
    return np.asarray(logits[np.argsort(windows)])


def predicted(id: str, logits: Logits, labels: Sequence[str]) -> ClassPrediction:
    """What logits, (labels,), mean; without labels they are a number."""
    if not labels:
        return ClassPrediction(id, float(logits[0]))
    raised = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities = tuple((raised / raised.sum()).tolist())
    return ClassPrediction(id, labels[int(np.argmax(logits))], probabilities)


class Classifier:
    """A tokenizer, a score and the classes it tells apart; none: it gives a number.

    >>> classifier = Classifier.load("runs/mrpc")
    >>> classifier("The cat sat.", "A cat was sitting.").label
    '1'
    """

    def __init__(
        self,
        tokenizers: Callable[[Literal["single", "pair"]], PairTokenizer],
        score: Score,
        labels: Sequence[str],
        settings: ClassifierSettings,
    ) -> None:
        self.tokenizers, self.score, self.labels, self.settings = tokenizers, score, tuple(labels), settings

    @classmethod
    def load(
        cls, model: str | Path, device: str = "auto", precision: str | None = None, trust_remote_code: bool = False
    ) -> Classifier:
        """Load a classifier from a model folder, a run folder (its `model/`), or the hub.

        precision: as Reader.load. Raises ModelError where there is no such model.
        """
        from dokhae.model import inputs, loading
        from dokhae.model.devices import choose_device, choose_precision, usable_precision
        from dokhae.model.sentences import ClassScore

        source = loading.locate(model)
        fast = loading.load_tokenizer(source, trust_remote_code)
        network = loading.load_trained_classifier(source, trust_remote_code)
        path, longest = loading.find_file(source, CLASSIFIER), inputs.longest_input(network)
        default = ClassifierSettings(max_length=min(longest or 512, 512))
        settings = default if path is None else read_saved(ClassifierSettings, path)
        names = inputs.input_names(fast, network)

        def tokenizers(texts: Literal["single", "pair"]) -> PairTokenizer:
            return tokenizer_of(fast, names, morphemes=settings.morphemes, texts=texts)

        device = choose_device(device)
        chosen = choose_precision(precision, device) if precision else usable_precision(settings.precision, device)
        return cls(tokenizers, ClassScore(network, device, chosen), classes_of(network.config), settings)

    def __call__(self, first: str, second: str | None = None) -> ClassPrediction:
        """The class of one text or pair. DataError for text that is empty or not valid Unicode."""
        for text in (first, *([] if second is None else [second])):
            if not isinstance(text, str):
                raise DataError(f"a text is {type(text).__name__}; it has to be a string")
            if not text.strip():
                raise DataError("a text is empty; there is nothing to tell of it")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"a text is not valid Unicode: {error.reason}; mend it") from None
        return next(self.predict_each([LabelledText("", first, second, None)]))

    def predict_each(
        self,
        texts: Sequence[LabelledText],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
        world: World = ALONE,
    ) -> Iterator[ClassPrediction]:
        """One prediction for each text or pair, in their order; a portion of them is in memory at once.

        SettingsError where some are pairs and others are not, or the model was trained on the other kind. What is cut
        is counted and warned of.
        """
        kind, source = kind_of(texts), self.settings.source
        if source is not None and source.is_pair != (kind == "pair"):
            kinds = "pairs, and these are single texts; give both texts (--second)"
            turned = "single texts, and these are pairs; give one text of each"
            raise SettingsError(f"the model was trained on {kinds if source.is_pair else turned}")
        examples, tokenizer = as_examples(texts), self.tokenizers(kind)
        cut = 0

        def features_of(portion: range) -> Features:
            nonlocal cut
            asked = examples[portion.start : portion.stop]
            features = build_pairs(asked, tokenizer, PairConfig(self.settings.max_length))
            cut += len(features.truncated_questions)
            return features

        found = logits_each(examples, features_of, tokenizer.layout, self.score, batch_size, progress, world)
        for example, logits in zip(examples, found, strict=True):
            yield predicted(example.id, logits, self.labels)
        if cut:
            log.warning("%d of %d texts or pairs are longer than %d tokens and were cut", cut, len(examples),
                        self.settings.max_length)  # fmt: skip


def kind_of(texts: Sequence[LabelledText]) -> Literal["single", "pair"]:
    """Whether these are texts or pairs. SettingsError where they are both."""
    pairs = {text.second is not None for text in texts}
    if len(pairs) > 1:
        raise SettingsError("some of these are pairs and others single texts; give them apart")
    return "pair" if pairs == {True} else "single"


def classes_of(config: Any) -> tuple[str, ...]:  # noqa: ANN401 - of transformers
    """The classes that a model's settings name, by their numbers; none where it gives a number."""
    if config.num_labels == 1 or config.problem_type == "regression":
        return ()
    return tuple(str(config.id2label[number]) for number in range(config.num_labels))
