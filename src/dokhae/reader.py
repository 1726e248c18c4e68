"""What users hold: a trained reader that answers questions with exact character offsets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dokhae.budget import WHOLE, Budget, Meter
from dokhae.decoding import DecodingConfig
from dokhae.encoding import Features, PairTokenizer, WindowConfig, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.report import cut_questions, korean_warning
from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.korean.analysis import is_address
from dokhae.korean.trimming import Trim, trimmer
from dokhae.predict import Score, Way, predict_alone, predict_each
from dokhae.settings import CLASSIFIER, FILE_NAME, NullThreshold, ReaderSettings
from dokhae.sharing import ALONE, World
from dokhae.types import Example, Prediction

log = logging.getLogger("dokhae")


class Reader:
    """A tokenizer, a score and the settings that were saved with the model.

    >>> reader = Reader.load("runs/korquad/model")
    >>> prediction = reader(question="수도는 어디인가?", context="서울은 대한민국의 수도이다.")
    >>> prediction.text, prediction.start, prediction.end
    ('서울', 0, 2)
    """

    def __init__(
        self,
        tokenizer: PairTokenizer,
        score: Score,
        settings: ReaderSettings,
        longest: int | None = None,
        budget: Budget = WHOLE,
    ) -> None:
        if longest is not None and settings.windows.max_length > longest:
            raise SettingsError(f"windows of {settings.windows.max_length} tokens are asked for, but the model's "
                                f"positions end at {longest}; lower max_length")  # fmt: skip
        self.tokenizer = tokenizer
        self.score = score
        self.settings = settings
        self.longest = longest  # tokens of a window that the model's positions allow; None: any number
        self.budget = budget
        self.meter = Meter()  # windows that were read, of how many
        self._trimmer = trimmer(settings.korean_trim)
        self._said: set[str] = set()  # kinds of warnings

    def __reduce__(self) -> tuple[type[Reader], tuple[Any, ...]]:
        """For pickle, and for a copy: what it was made of. Its meter begins anew."""
        return type(self), (self.tokenizer, self.score, self.settings, self.longest, self.budget)

    @classmethod
    def load(
        cls,
        model: str | Path,
        device: str = "auto",
        precision: str | None = None,
        settings: ReaderSettings | None = None,
        trust_remote_code: bool = False,
        morphemes: str | None = None,
    ) -> Reader:
        """Load a reader from a model folder, a run folder (its `model/`), or the hub.

        precision: fp32, bf16, fp16 or auto (the fastest of the device); by default the one that the model was scored
        in, or fp32 where the device cannot compute in that. settings: overrides what was saved with the model; a model
        that dokhae did not train has the defaults, cut to what its positions allow. morphemes: the analyser of a
        morpheme BERT in place of the saved one. Raises ModelError where there is no such model, or none with a fast
        tokenizer, and for one from the hub that would send texts to an address of its own.
        """
        from dokhae.model import inputs, loading

        source = loading.locate(model)
        _refuse_classifier(source.folder)
        fast = loading.load_tokenizer(source, trust_remote_code)
        network = loading.load_trained(source, trust_remote_code)
        longest = inputs.longest_input(network)
        if settings is None:
            settings = ReaderSettings.found(partial(loading.find_file, source)) or _defaults(longest)
            if morphemes is None and is_address(settings.morphemes) and source.folder is None:
                raise ModelError(f"{model}: its settings send every question and context to {settings.morphemes}; say "
                                 "--morphemes with that address if you want it, or --morphemes mecab")  # fmt: skip
        if morphemes is not None:
            settings = replace(settings, morphemes=morphemes)
        loading.refuse_lost_block_head(source, settings.block_head)
        names = inputs.input_names(fast, network)
        tokenizer = tokenizer_of(fast, names, settings.korean_split, settings.morphemes, settings.pages)
        _warn_of_another(tokenizer.rewritten_by, settings.rewritten_by, str(model))

        from dokhae.model.devices import choose_device, choose_precision, usable_precision
        from dokhae.model.span import TorchScore

        device = choose_device(device)
        chosen = choose_precision(precision, device) if precision else usable_precision(settings.precision, device)
        return cls(tokenizer, TorchScore(network, device, chosen), settings, longest)

    def __call__(self, question: str, context: str) -> Prediction:
        """Answer one question; `.text` is "" (and start and end None) where the reader says there is no answer.

        Raises DataError for what is not text, or not valid Unicode (half of a surrogate pair).
        """
        return self.predict([Example(id="", question=question, context=context)])[0]

    def predict(
        self,
        examples: Sequence[Example],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Prediction]:
        """One prediction for each example, in their order. progress is called with the questions done.

        Raises DataError as __call__, SettingsError for a batch_size below 1.
        """
        return list(self.predict_each(examples, batch_size, progress))

    def predict_each(
        self,
        examples: Sequence[Example],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
        world: World = ALONE,
    ) -> Iterator[Prediction]:
        """The same one after another: for so many questions that their n-best lists would fill the memory.

        world: the processes that share the work; each of them is given all predictions.
        """
        _refuse_no_text(examples)
        cut: set[int] = set()
        yield from predict_each(examples, self._features_of(examples, cut), self._way(batch_size, world), progress)
        self._say("cut", cut_questions(examples, sorted(cut), self.settings.windows))

    def predict_alone(
        self,
        examples: Sequence[Example],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
        world: World = ALONE,
    ) -> Iterator[tuple[Prediction, float]]:
        """Each prediction with its seconds, from its texts to its answer: one question after another, after a warm-up.

        Nothing is shared: a page is tokenized for each of its questions. Raises SettingsError in several processes.
        """
        _refuse_no_text(examples)
        cut: set[int] = set()
        yield from predict_alone(examples, self._features_of(examples, cut), self._way(batch_size, world), progress)
        self._say("cut", cut_questions(examples, sorted(cut), self.settings.windows))

    def _features_of(self, examples: Sequence[Example], cut: set[int]) -> Callable[[range], Features]:
        """What builds the features of a portion of them; it adds the numbers of cut questions to `cut`."""

        def features_of(portion: range) -> Features:
            part = examples[portion.start : portion.stop]
            features = build_features(part, self.tokenizer, self.settings.windows)
            cut.update((features.truncated_questions + portion.start).tolist())
            if portion.start == 0:
                self._say("korean", korean_warning(part, features, self.tokenizer))
            return features

        return features_of

    def _way(self, batch_size: int, world: World) -> Way:
        threshold = self.settings.null_threshold
        return Way(
            layout=self.tokenizer.layout,
            score=self.score,
            decoding=self._decoding(),
            null_threshold=None if threshold is None else threshold.value,
            batch_size=batch_size,
            world=world,
            trimmer=self._trimmer,
            budget=self.budget,
            meter=self.meter,
        )

    def _decoding(self) -> DecodingConfig:
        """As the settings say, with what they leave open filled in."""
        html, window = self.settings.pages is not None, self.settings.windows.max_length
        return self.settings.decoding.for_contexts(html, window)

    def _say(self, kind: str, line: str | None) -> None:
        """Warn, but once of each kind: a server would do it with every question, each with numbers of its own."""
        if line is not None and kind not in self._said:
            self._said.add(kind)
            log.warning(line)

    def with_null_threshold(self, threshold: NullThreshold | None) -> Reader:
        """The same reader that says "no answer" by another threshold, or (None) always answers."""
        return self._with(null_threshold=threshold)

    def with_korean_trim(self, trim: Trim) -> Reader:
        """The same reader that cuts particles off its answers by another analyser, or (none) leaves them."""
        return self._with(korean_trim=trim)

    def with_windows(self, windows: WindowConfig) -> Reader:
        """The same reader that cuts contexts otherwise. SettingsError where the model's positions end before."""
        return self._with(windows=windows)

    def with_decoding(self, decoding: DecodingConfig) -> Reader:
        """The same reader that searches answers otherwise."""
        return self._with(decoding=decoding)

    def with_budget(self, max_windows: int | None = None, latency_ms: float | None = None) -> Reader:
        """The same reader that reads so many windows of a context, or as long as it may (once it has warmed up).

        The windows that share most with the question are read first, and one is always read; the answer is the best of
        what was read. None: no bound. Raises SettingsError for less than 1 window, or 0 ms.
        """
        return self._like(self.settings, Budget(max_windows, latency_ms))

    def _with(self, **changed: Any) -> Reader:  # noqa: ANN401 - fields of ReaderSettings
        return self._like(replace(self.settings, **changed), self.budget)

    def _like(self, settings: ReaderSettings, budget: Budget) -> Reader:
        made = Reader(self.tokenizer, self.score, settings, self.longest, budget)
        made._said = self._said
        return made


def _refuse_no_text(examples: Sequence[Example]) -> None:
    """DataError for a question or context that is not text, or not valid Unicode."""
    before: object = examples  # is no context
    for example in examples:
        parts = [("question", example.question)]
        if example.context is not before:  # once, where its questions come one after another
            before = example.context
            parts.append(("context", example.context))
        for name, text in parts:
            whose = f"{example.id}: the {name}" if example.id else f"the {name}"
            if not isinstance(text, str):
                raise DataError(f"{whose} is {type(text).__name__}, and has to be text")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"{whose} is not valid Unicode: {error.reason}; mend the text") from None


def _refuse_classifier(folder: Path | None) -> None:
    """ModelError for a folder of a trained classifier, whose answers would be random."""
    if folder is not None and (folder / CLASSIFIER).exists() and not (folder / FILE_NAME).exists():
        raise ModelError(f"{folder}: is a classifier, which answers no questions; use `dokhae classify predict`, or "
                         "train a reader from it (dokhae train --model)")  # fmt: skip


def _defaults(longest: int | None) -> ReaderSettings:
    """For a model that dokhae did not train: the usual windows, cut to what the positions allow."""
    settings = ReaderSettings()
    if longest is None or longest >= settings.windows.max_length:
        return settings
    return replace(settings, windows=replace(settings.windows, max_length=longest, overlap=longest // 4))


def _warn_of_another(now: str | None, saved: str | None, model: str) -> None:
    """Where words are cut, or morphemes written, by another version than the model was trained with."""
    if saved is not None and now != saved:
        log.warning("%s: was trained on texts %s, and they are %s here; its answers may be worse", model, saved, now)
