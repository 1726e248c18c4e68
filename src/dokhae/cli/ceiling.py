"""dokhae ceiling."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from dokhae.korean.splitting import Split
from dokhae.korean.trimming import Trim

if TYPE_CHECKING:
    from dokhae.ceiling import Ceiling

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return ceiling


def ceiling(
    data: Positional[tuple[Path, ...]],
    benchmark: str,
    model: str,
    max_length: int = 384,
    step: int | None = None,
    overlap: int | None = None,
    max_question_length: int = 64,
    max_answer_length: int | None = None,
    lead: int | None = None,
    korean_split: Split | None = None,
    korean_trim: Trim | None = None,
    morphemes: str | None = None,
    format: Literal["text", "json"] = "text",
    trust_remote_code: bool = False,
) -> None:
    """The best EM and F1 that a tokenizer, its windows and the answer length allow, and why the rest is lost.

    Needs the tokenizer only, no weights.

    Example: dokhae ceiling KorQuAD_v1.0_dev.json --benchmark korquad-1.0 --model klue/roberta-base

    Args:
        data: files (of korquad-2.1 also folders) with gold answers; several are taken together
        benchmark: squad-1.1, squad-2.0, korquad-1.0, korquad-2.1 or klue-mrc
        model: hub name, run folder, or folder with a tokenizer
        max_length: tokens of a window, question and special tokens included
        step: tokens by which windows advance; 128 unless --overlap is given
        overlap: tokens that neighbouring windows share
        max_question_length: tokens; longer questions are cut
        max_answer_length: tokens of the longest answer; 30, and in web pages as many as a window holds
        lead: tokens of a page's title and headings in front of its windows; by default as a training has them
        korean_split: where Korean words are cut before the tokenizer sees them; by default as the model was trained
        korean_trim: analyser that finds particles to cut off answers, or none; by default the model's own
        morphemes: analyser of a morpheme BERT: kiwi, mecab, or the address of a service; by default the model's own
        format: a table, or an object with exact_match and f1
        trust_remote_code: run Python code that comes with the tokenizer
    """
    from dokhae import benchmarks
    from dokhae import ceiling as ceilings
    from dokhae.data import check_answers
    from dokhae.decoding import DecodingConfig
    from dokhae.encoding import WindowConfig, cached_features
    from dokhae.encoding.korean import tokenizer_of
    from dokhae.encoding.pages import add_markers
    from dokhae.encoding.report import warnings
    from dokhae.encoding.windows import LEAD
    from dokhae.errors import SettingsError
    from dokhae.korean.trimming import trimmer
    from dokhae.model import loading
    from dokhae.pages.text import PageConfig
    from dokhae.progress import track
    from dokhae.settings import ReaderSettings

    if max_answer_length is not None and max_answer_length < 1:
        raise SettingsError(f"max_answer_length is {max_answer_length}; it has to be at least 1")
    if not data:
        raise SettingsError("name at least one data file: dokhae ceiling DATA --benchmark ... --model ...")
    row = benchmarks.find(benchmark)
    lead = (LEAD if lead is None else lead) if row.html else 0
    windows = WindowConfig(max_length, step, overlap, max_question_length, lead)
    examples = []
    for path in data:
        part = row.read(path, True)
        check_answers(part, str(path))
        examples += part
    source = loading.locate(model)
    saved = ReaderSettings.found(partial(loading.find_file, source)) or ReaderSettings()
    fast = loading.load_tokenizer(source, trust_remote_code)
    pages = (saved.pages or PageConfig()) if row.html else None
    if row.html:
        add_markers(fast)
    tokenizer = tokenizer_of(fast, None, korean_split or saved.korean_split, morphemes or saved.morphemes, pages)
    cutter = trimmer(korean_trim or saved.korean_trim)
    with track("tokenize", len({hash(example.context) for example in examples}), unit=" contexts") as update:
        features = cached_features(examples, tokenizer, windows, progress=update)
    for warning in warnings(examples, features, tokenizer, windows):
        log.warning(warning)
    longest = DecodingConfig(max_answer_length=max_answer_length).for_contexts(row.html, max_length).longest
    result = ceilings.ceiling(examples, features, longest, row.rule, cutter, row.html)
    if format == "json":
        sys.stdout.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
    else:
        _show(result, row.rule.f1_label)


def _show(result: Ceiling, f1_label: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from dokhae.ceiling import REASONS

    console = Console()
    table = Table("", "ceiling", title=f"{result.questions} questions", title_justify="left")
    table.add_row("exact match", f"{result.exact_match:.2f}")
    table.add_row(f1_label, f"{result.f1:.2f}")
    table.add_row("answers that begin on a token", f"{result.start_representable:.2f} %")
    table.add_row("answers that end on a token", f"{result.end_representable:.2f} %")
    for most, share in result.answers_within.items():
        if share < 100.0:
            table.add_row(f"answers of at most {most} tokens", f"{share:.2f} %")
    table.add_row("tokens per character", f"{result.tokens_per_character:.3f}")
    if result.exact_match_of_golds is not None:
        table.add_row("exact match of the gold answers, trimmed", f"{result.exact_match_of_golds:.2f}")
    console.print(table)
    for reason, count in result.lost.items():
        console.print(f"{count:6} lost: {REASONS[reason]} (for one, question {result.lost_examples[reason]})",
                      soft_wrap=True, markup=False)  # fmt: skip
