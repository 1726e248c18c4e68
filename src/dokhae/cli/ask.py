"""dokhae ask."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from dokhae.korean.trimming import Trim

if TYPE_CHECKING:
    from dokhae.types import Prediction

log = logging.getLogger("dokhae")
# for what a terminal would obey, the signs that Unicode has for it; \r stays, as rich drops it
SIGNS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"}
SIGNS |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return ask


def ask(
    question: Positional[str],
    model: str,
    context: str,
    top: int = 1,
    format: Literal["text", "json"] = "text",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    korean_trim: Trim | None = None,
    morphemes: str | None = None,
    max_windows: int | None = None,
    latency_ms: float | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Ask one question about a text; the answer is shown in its context, with its character offsets.

    Example: dokhae ask --model runs/koelectra --context article.txt --top 3 "수도는 어디인가?"

    Args:
        question: what to ask
        model: run folder, model folder or hub name
        context: text file, or - for standard input
        top: how many candidates to show
        format: for people, or one JSON object
        device: where to run
        korean_trim: analyser that finds particles to cut off the answers, or none; by default the model's own
        morphemes: analyser of a morpheme BERT: kiwi, mecab, or the address of a service; by default the model's own
        max_windows: windows of the text that are read, those that share most with the question (BM25); by default all
        latency_ms: milliseconds that it may take, once the model is there: the best windows are read until there is no
            time for more
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae.budget import WHOLE, Budget
    from dokhae.errors import SettingsError
    from dokhae.files import decoded, read_text
    from dokhae.pages.clean import clean
    from dokhae.reader import Reader

    if not question.strip():
        raise SettingsError("the question is empty")
    if top < 1:
        raise SettingsError(f"top is {top}; it has to be at least 1")
    budget = Budget(max_windows, latency_ms)
    # bytes, as from a file: text streams turn \r\n into \n, and the offsets would not be those of the input
    text = decoded(sys.stdin.buffer.read(), "standard input") if context == "-" else read_text(Path(context))
    reader = Reader.load(model, device, trust_remote_code=trust_remote_code, morphemes=morphemes)
    if korean_trim is not None:
        reader = reader.with_korean_trim(korean_trim)
    reader = reader.with_budget(max_windows, latency_ms)
    threshold = reader.settings.null_threshold
    prediction = reader(question=question, context=text)
    if budget != WHOLE:
        log.info(reader.meter.line())
    if format == "json":
        about = {"null_threshold": threshold.described() if threshold else None}
        if reader.settings.pages is not None:
            about["clean_answer"] = clean(prediction.text)
        sys.stdout.write(json.dumps(as_json(prediction, top) | about, ensure_ascii=False) + "\n")
        return
    show(prediction, text, top)
    if reader.settings.pages is not None and prediction.text:
        log.info("as one sees it:\n%s", clean(prediction.text).translate(SIGNS))
    if threshold is not None:
        log.info(threshold.described())


def as_json(prediction: Prediction, top: int) -> dict[str, Any]:
    """The answer with offsets (null where there is no answer), and the best candidates."""
    from dokhae.outputs import finite, n_best

    return {
        "answer": prediction.text,
        "start": prediction.start,
        "end": prediction.end,
        "probability": prediction.probability,
        "null_score_difference": finite(prediction.null_score_difference),
        "candidates": n_best(prediction)[:top],
    }


def show(prediction: Prediction, context: str, top: int, around: int = 300) -> None:
    """The answer highlighted in its context, cut to `around` characters on each side, and further candidates."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    signs = SIGNS if console.is_terminal else {}
    if prediction.start is None or prediction.end is None:
        console.print(f"[bold]no answer[/bold]  (probability {prediction.probability:.3f})")
    else:
        first, last = max(prediction.start - around, 0), min(prediction.end + around, len(context))
        shown = Text.assemble(  # of pieces: a Text drops \r and its like, so it has other offsets
            ("…" if first else "") + context[first : prediction.start].translate(signs),
            (prediction.text.translate(signs), "bold black on yellow"),
            context[prediction.end : last].translate(signs) + ("…" if last < len(context) else ""),
        )
        line = Text(prediction.text.translate(signs), style="bold")
        line.append(
            f"  (characters {prediction.start} to {prediction.end}, probability {prediction.probability:.3f})", "dim"
        )
        console.print(line)
        console.print(shown)
    for place, candidate in enumerate(prediction.n_best[:top] if top > 1 else (), 1):
        row = Text(f"{place:3}  {candidate.probability:.3f}  {candidate.text.translate(signs)}")
        row.append(f"  ({candidate.start} to {candidate.end})", "dim")
        console.print(row)
