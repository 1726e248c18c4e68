"""Hidden states of texts and pairs of texts, a portion of a file's lines at a time: what `dokhae features` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Batch, Features, Layout, PairConfig, PairTokenizer, assemble, build_pairs, sequence_lengths
from dokhae.encoding.ahead import ahead
from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import ModelError, NotFinite, SettingsError
from dokhae.korean.analysis import is_address
from dokhae.korean.splitting import Split
from dokhae.settings import CLASSIFIER, ReaderSettings, read_saved
from dokhae.tasks.classifier import ClassifierSettings
from dokhae.tasks.extraction_lines import chunks
from dokhae.types import Example

BYTES = 1 << 26  # of states in memory at once; those before them are being written meanwhile
Kind = Literal["single", "pair"]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ExtractionConfig:
    """Which states are taken, and what the model reads at once."""

    layers: tuple[int, ...] = (-1, -2, -3, -4)  # 0 is the first layer behind the embeddings, -1 the last one
    pooling: Literal["none", "cls", "mean"] = "none"  # states of tokens; or of texts, as model.sentences.Pooling says
    max_length: int = 128  # tokens of a text or pair, special tokens included; longer ones are cut
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        """Refuse what takes nothing."""
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise SettingsError(f"layers are {', '.join(map(str, self.layers)) or 'none'}; name one or more, each once")
        if self.batch_tokens < 1:
            raise SettingsError(f"batch_tokens is {self.batch_tokens}; at least 1 is needed")
        PairConfig(self.max_length)


@dataclass(frozen=True, slots=True)
class States:
    """Of some lines that follow one another."""

    first: int  # number of the first of them, from 0
    ids: NDArray[np.int32]  # (T,) tokens of all of them
    bounds: Ints  # (lines + 1,) where each line's tokens begin among the T
    values: NDArray[np.float32]  # (T, layers, hidden), or where they are pooled (lines, layers, hidden)

    @property
    def after(self) -> int:
        """Number of the line behind them."""
        return self.first + len(self.bounds) - 1


@dataclass(frozen=True, slots=True)
class _Part:
    """Tokenized lines of one kind."""

    lines: Ints  # (windows,) which line of the chunk each is
    features: Features
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Lines that were tokenized together."""

    lengths: Ints  # (lines,) tokens, special ones included
    parts: list[_Part]


class Extractor:
    """An encoder, its tokenizer for texts and for pairs, and what is taken of it."""

    def __init__(
        self,
        tokenizers: Callable[[Kind], PairTokenizer],
        score: Callable[[Batch], Sequence[NDArray[np.float32]]],
        config: ExtractionConfig,
        hidden: int,
        names: Callable[[list[int]], list[str]],
    ) -> None:
        self.tokenizers: dict[Kind, PairTokenizer] = {kind: tokenizers(kind) for kind in ("single", "pair")}
        self.score, self.config, self.hidden = score, config, hidden
        self.names = names  # of tokens, by their ids
        self.cut = 0  # lines that were longer than allowed, so far

    @classmethod
    def load(
        cls,
        model: str | Path,
        config: ExtractionConfig,
        device: str = "auto",
        precision: str = "fp32",
        morphemes: str | None = None,
        trust_remote_code: bool = False,
    ) -> Extractor:
        """The encoder of a run folder, a model folder or the hub; its texts are written as it was trained.

        morphemes: the analyser of a morpheme BERT; None: the saved one. Raises ModelError where there is no such model,
        SettingsError where it has no such layers or positions.
        """
        from dokhae.model import inputs, loading
        from dokhae.model.devices import choose_device, choose_precision
        from dokhae.model.sentences import HiddenScore

        source = loading.locate(model)
        fast = loading.load_tokenizer(source, trust_remote_code)
        encoder = loading.load_encoder(source, trust_remote_code)
        if encoder.config.is_encoder_decoder:
            raise ModelError(f"{model}: is an encoder with a decoder; choose an encoder alone, such as BERT or ELECTRA")
        inputs.check_length(config.max_length, inputs.longest_input(encoder), str(model))
        layers = places_of(config.layers, encoder.config.num_hidden_layers, str(model))
        split, own = _writing(partial(loading.find_file, source))
        if morphemes is None and is_address(own) and source.folder is None:
            raise ModelError(f"{model}: its settings send every text to {own}; say --morphemes with that address if "
                             "you want it, or --morphemes mecab")  # fmt: skip
        names = inputs.input_names(fast, encoder)

        def tokenizers(kind: Kind) -> PairTokenizer:
            return tokenizer_of(fast, names, split, morphemes or own, texts=kind)

        device = choose_device(device)
        score = HiddenScore(encoder, layers, device, choose_precision(precision, device), config.pooling)
        return cls(tokenizers, score, config, encoder.config.hidden_size, fast.convert_ids_to_tokens)

    def states(self, lines: Iterable[Example]) -> Iterator[States]:
        """The states of all lines in their order, a portion of at most 64 MiB after another. NotFinite where they are
        no numbers.
        """
        per_token = 4 * len(self.config.layers) * self.hidden
        first = 0
        for chunk in ahead(self._tokenized, chunks(lines)):
            most = BYTES // per_token if self.config.pooling == "none" else int(chunk.lengths.sum())
            for begin, end in runs(chunk.lengths, most):
                yield self._portion(chunk, begin, end, first + begin)
            first += len(chunk.lengths)

    def _tokenized(self, lines: list[Example]) -> _Chunk:
        lengths, parts = np.zeros(len(lines), dtype=np.int64), []
        is_pair = np.array([line.question != "" for line in lines])
        for kind, tokenizer in self.tokenizers.items():
            numbers = np.flatnonzero(is_pair == (kind == "pair"))
            if not len(numbers):
                continue
            features = build_pairs([lines[number] for number in numbers], tokenizer, PairConfig(self.config.max_length))
            lengths[numbers] = sequence_lengths(features, tokenizer.layout)
            parts.append(_Part(numbers, features, tokenizer.layout))
            self.cut += len(features.truncated_questions)
        return _Chunk(lengths, parts)

    def _portion(self, chunk: _Chunk, begin: int, end: int, first: int) -> States:
        """The states of the lines [begin, end) of a chunk."""
        bounds = np.concatenate([[0], np.cumsum(chunk.lengths[begin:end])])
        rows = bounds[-1] if self.config.pooling == "none" else end - begin
        ids = np.empty(bounds[-1], dtype=np.int32)
        values = np.empty((rows, len(self.config.layers), self.hidden), dtype=np.float32)
        for part in chunk.parts:
            windows = np.flatnonzero((part.lines >= begin) & (part.lines < end))
            batches = of_tokens(windows, chunk.lengths[part.lines], self.config.batch_tokens)
            walk = ahead if len(batches) > 1 else map
            for batch in walk(partial(assemble, part.features, layout=part.layout), batches):
                lines = part.lines[batch.windows] - begin
                places = np.repeat(bounds[lines] - batch.starts, batch.lengths) + np.arange(len(batch.ids))
                ids[places] = batch.ids
                into = places if self.config.pooling == "none" else lines
                for number, states in enumerate(self.score(batch)):
                    values[into, number] = states
        if not np.isfinite(values).all():
            raise NotFinite(f"in the lines {first + 1} to {first + end - begin} there are states that are not finite "
                            "(NaN or infinity): the model's weights are broken, or the precision is too small for it; "
                            "try --precision fp32")  # fmt: skip
        return States(first, ids, bounds, values)


def _writing(find_file: Callable[[str], Path | None]) -> tuple[Split, str | None]:
    """Where words are cut, and the analyser of a morpheme BERT, as a reader or classifier was trained."""
    reader, classifier = ReaderSettings.found(find_file), find_file(CLASSIFIER)
    if reader is not None:
        return reader.korean_split, reader.morphemes
    return "none", None if classifier is None else read_saved(ClassifierSettings, classifier).morphemes


def places_of(layers: Sequence[int], count: int, model: str) -> list[int]:
    """Layers as transformers counts hidden states, whose 0 is the embeddings. SettingsError where there is no such."""
    missing = [layer for layer in layers if not -count <= layer < count]
    if missing:
        raise SettingsError(f"layer {missing[0]} is not in {model}, which has {count}: 0 to {count - 1} from the first "
                            f"one on, or -1 to -{count} from the last")  # fmt: skip
    places = [layer + 1 if layer >= 0 else layer for layer in layers]
    if len({place % (count + 1) for place in places}) < len(places):
        raise SettingsError(f"of the layers {', '.join(map(str, layers))} two are the same one: {model} has {count}")
    return places


def runs(sizes: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Neighbours, [first, last), that have up to so much together; or one that has more."""
    ends, first = np.cumsum(sizes), 0
    while first < len(ends):
        before = ends[first] - sizes[first]
        last = max(int(np.searchsorted(ends, before + most, side="right")), first + 1)
        yield first, last
        first = last


def of_tokens(windows: Ints, lengths: Ints, most: int) -> list[Ints]:
    """Batches of windows of similar length, the longest first, of up to so many tokens if all were as long as the
    longest; or one longer window.
    """
    order = windows[np.argsort(-lengths[windows], kind="stable")]
    batches: list[Ints] = []
    first = 0
    while first < len(order):
        size = max(most // int(lengths[order[first]]), 1)
        batches.append(order[first : first + size])
        first += size
    return batches
