"""Korean: how fast words are analysed, what cutting them costs before training, what each fix makes possible.

`python -m speed.korean`. Texts are the contexts of the shared KorQuAD parts; ceilings are those of its dev part.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dokhae import benchmarks, ceiling
from dokhae.encoding import PairTokenizer, WindowConfig, build_features, cached_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.korean.mecab import Mecab
from dokhae.korean.splitting import ByParticles, Split
from dokhae.korean.trimming import Trimmer, trimmer
from dokhae.types import Example
from speed.command import run_command
from speed.measure import Others
from speed.report import Row, publish
from speed.shared import results_file, shared_file
from speed.turns import ratio, summary

KORQUAD = benchmarks.find("korquad-1.0")
VOCABULARIES = {
    "mBERT": "bert-base-multilingual-cased",
    "KoELECTRA v1": "koelectra-v1",
    "KoELECTRA v2": "koelectra-v2-enliple",
    "KR-BERT": "kr-bert-char",
}
ANALYSERS = ("kiwipiepy", "kiwipiepy_model", "python-mecab-ko", "python-mecab-ko-dic")
SPLITS: tuple[Split, ...] = ("none", "particles", "kiwi", "mecab")
WINDOWS = WindowConfig(384, step=128)
MOST = 1.3  # times what preprocessing without it takes


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is measured, and where it is written."""

    repeats: int = 7
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    out: Path = results_file("korean")


def run(arguments: Arguments) -> int:
    """Measure, print, write."""
    begun = time.perf_counter()
    train, dev = (shared_file(f"korquad-1.0/{part}.json", arguments.data) for part in ("train", "dev"))
    contexts = list(dict.fromkeys(one.context for path in (train, dev) for one in KORQUAD.read(path, True)))
    rows = [*analysing(contexts, arguments.repeats), *preprocessing(train, arguments), *ceilings(dev, arguments)]
    versions = {
        name: version(name) for name in ("kiwipiepy", "kiwipiepy_model", "python-mecab-ko", "python-mecab-ko-dic")
    }
    settings = versions | {"repeats": arguments.repeats, "contexts": len(contexts), "windows": str(WINDOWS)}
    return publish(rows, settings, begun, arguments.out)


def analysing(contexts: Sequence[str], repeats: int) -> list[Row]:
    """Characters a second, each analyser by itself and without what is remembered."""
    import kiwipiepy

    from dokhae.korean.kiwi import Kiwi

    alone = kiwipiepy.Kiwi(num_workers=1)
    ways: dict[str, Callable[[], object]] = {
        "the particle list and scripts": lambda: ByParticles().cut(contexts),
        "mecab, which takes one core": lambda: Mecab().analyse(contexts),
        "kiwi, one thread": lambda: [alone.tokenize(text) for text in contexts],
        "kiwi, all cores": lambda: Kiwi().analyse(contexts),
    }
    characters = sum(map(len, contexts))
    rows = []
    for name, way in ways.items():
        seconds, others = timed({name: way}, repeats)
        rates = [characters / one / 1000 for one in seconds[name]]
        rows.append(Row(f"analysing: {name}", summary(rates), "thousand characters/s", others_share=others))
    return rows


def preprocessing(file: Path, arguments: Arguments) -> list[Row]:
    """From a data file to features in the cache, as a training begins: with each split against whole words."""
    rows = []
    for label, vocabulary in VOCABULARIES.items():
        fast = fast_tokenizer(vocabulary, arguments.data)
        tokenizers = {split: tokenizer_of(fast, korean_split=split) for split in ("none", "particles")}
        ways = {split: lambda tokenizer=one: prepare(file, tokenizer) for split, one in tokenizers.items()}
        seconds, others = timed(ways, arguments.repeats)
        rows.append(
            Row(f"preprocessing, {label}, particles", summary(seconds["particles"]), "s", "whole words",
                ratio(seconds["particles"], seconds["none"]), required=MOST, at_most=True, others_share=others)
        )  # fmt: skip
    return rows


def prepare(file: Path, tokenizer: PairTokenizer) -> None:
    """What comes before the first step of a training, as far as it is Korean's."""
    from dokhae.training.splits import read_split

    with tempfile.TemporaryDirectory() as folder:
        cached_features(read_split(file, KORQUAD, None, "error"), tokenizer, WINDOWS, Path(folder))


def timed(ways: dict[str, Callable[[], object]], repeats: int) -> tuple[dict[str, list[float]], float]:
    """Seconds of each way, in turns, after one that does not count; and what others used of the processor."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    others = Others()
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            gc.collect()
            gc.disable()
            begun = time.perf_counter()
            way()
            if repeat:
                seconds[name].append(time.perf_counter() - begun)
            gc.enable()
    return seconds, others.share()


def ceilings(file: Path, arguments: Arguments) -> list[Row]:
    """The best exact match that each vocabulary allows, with each split and trim."""
    examples = KORQUAD.read(file, True)
    trims = {name: trimmer(name) for name in ("kiwi", "mecab")}
    rows = []
    for label, vocabulary in VOCABULARIES.items():
        fast = fast_tokenizer(vocabulary, arguments.data)
        for split in SPLITS:
            rows.append(one_ceiling(f"{label}, split {split}", examples, tokenizer_of(fast, korean_split=split), None))
        for name, cutter in trims.items():
            rows.append(one_ceiling(f"{label}, trim {name}", examples, tokenizer_of(fast), cutter))
    return rows


def one_ceiling(name: str, examples: Sequence[Example], tokenizer: PairTokenizer, cutter: Trimmer | None) -> Row:
    """A line of the table; nothing in it is timed."""
    found = ceiling.ceiling(examples, build_features(examples, tokenizer, WINDOWS), 30, KORQUAD.rule, cutter)
    details = {"F1": round(found.f1, 2), "tokens a character": round(found.tokens_per_character, 3)}
    if found.exact_match_of_golds is not None:
        details["EM left on gold spans"] = round(found.exact_match_of_golds, 2)
    value = dict.fromkeys(("median", "least", "most"), round(found.exact_match, 2))
    return Row(f"ceiling, {name}", value, "EM", details=details)


def fast_tokenizer(vocabulary: str, data: Path | None) -> Any:  # noqa: ANN401 - a transformers tokenizer
    """WordPiece with a shared vocabulary, cased."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=str(shared_file(f"vocab/{vocabulary}.txt", data)), do_lower_case=False)


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
