"""Examples -> tokens and windows, as flat arrays. Each context is tokenized once, however many questions it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.blocks import Leads, text_of_one_block
from dokhae.encoding.layout import PairTokenizer
from dokhae.encoding.offsets import Ints, tokens_of_each
from dokhae.encoding.windows import WindowConfig, context_spans
from dokhae.types import Example

Made = TypeVar("Made")
CHUNK = 128  # texts handed to the tokenizer at once: enough for its threads, few enough that Python's part is beside it
CHARACTERS = 1 << 20  # of them; a longer text is alone


@dataclass(frozen=True, slots=True)
class Features:
    """Tokens and windows of a list of examples. Ragged arrays are flat values plus bounds."""

    context_ids: Ints  # (context tokens,)
    context_starts: Ints  # (context tokens,) characters of the context
    context_ends: Ints  # (context tokens,)
    context_bounds: NDArray[np.int64]  # (contexts + 1,)
    question_ids: Ints  # (question tokens,)
    question_bounds: NDArray[np.int64]  # (examples + 1,)
    example_context: Ints  # (examples,) which context
    answer_start: Ints  # (examples,) first token of the first gold answer in its context; -1 = none
    answer_end: Ints  # (examples,) last token of it, inclusive
    window_example: Ints  # (windows,) in the order of the examples
    window_start: Ints  # (windows,) half-open range of the context's tokens
    window_end: Ints  # (windows,)
    window_lead: Ints  # (windows,) which lead stands in front of it
    lead_ids: Ints  # (lead tokens,) title and headings of parts of pages; the first lead is empty
    lead_bounds: NDArray[np.int64]  # (leads + 1,)
    truncated_questions: Ints  # examples whose question was cut
    max_length: int  # tokens: no window is longer, and none is padded further (the model may have no more positions)

    @property
    def window_count(self) -> int:
        """Number of windows."""
        return len(self.window_example)

    def context_slice(self, example: int) -> slice:
        """Where the tokens of an example's context lie in the flat arrays."""
        context = self.example_context[example]
        return slice(int(self.context_bounds[context]), int(self.context_bounds[context + 1]))

    def held(self, windows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.bool_]:
        """(R,) whether each of some windows (of all, by default) holds the whole first answer of its example."""
        example = self.window_example[windows]
        start, end = self.answer_start[example], self.answer_end[example]
        return np.asarray((start >= self.window_start[windows]) & (start >= 0) & (end < self.window_end[windows]))

    def part(self, first: int, last: int) -> Features:
        """The features of examples [first, last) alone, as views where that is possible."""
        ends = np.array([first, last], dtype=self.window_example.dtype)  # of another type, they would make it a copy
        windows = slice(*np.searchsorted(self.window_example, ends).tolist())
        cut = self.truncated_questions
        return replace(
            self,
            question_bounds=self.question_bounds[first : last + 1],
            example_context=self.example_context[first:last],
            answer_start=self.answer_start[first:last],
            answer_end=self.answer_end[first:last],
            window_example=self.window_example[windows] - np.int32(first),
            window_start=self.window_start[windows],
            window_end=self.window_end[windows],
            window_lead=self.window_lead[windows],
            truncated_questions=cut[(first <= cut) & (cut < last)] - np.int32(first),
        )


def build_features(
    examples: Sequence[Example],
    tokenizer: PairTokenizer,
    config: WindowConfig,
    progress: Callable[[int], None] = lambda done: None,
) -> Features:
    """Tokenize the contexts and questions of `examples` and cut the windows.

    progress is called with the number of contexts done. Raises SettingsError, naming the question, where the windows
    cannot hold a question, the step or the overlap.
    """
    contexts = list(dict.fromkeys(example.context for example in examples))
    number = {context: index for index, context in enumerate(contexts)}
    example_context = np.array([number[example.context] for example in examples], dtype=np.int32)
    ids, starts, ends, bounds = _tokenize_contexts(contexts, tokenizer, progress)
    asked = [example.question for example in examples]
    questions = [one for part in in_chunks(tokenizer.tokenize_ids, asked, 8 * CHUNK) for one in part]
    truncated = [index for index, question in enumerate(questions) if len(question) > config.max_question_length]
    questions = [question[: config.max_question_length] for question in questions]
    leads = Leads(config.lead, tokenizer.layout)
    texts = [ids[first:last] for first, last in pairwise(bounds.tolist())]
    windows = _cut_windows(examples, questions, example_context, texts, tokenizer, config, leads)
    answers = _answer_tokens(examples, contexts, example_context, starts, ends, bounds)
    if tokenizer.layout.markers:
        _leave_markers_out(answers, ids, ends > starts, bounds[example_context], tokenizer.layout.markers)
    return Features(
        context_ids=ids,
        context_starts=starts,
        context_ends=ends,
        context_bounds=bounds,
        question_ids=flat(questions),
        question_bounds=bounds_of([len(question) for question in questions]),
        example_context=example_context,
        answer_start=answers[:, 0],
        answer_end=answers[:, 1],
        window_example=windows[:, 0],
        window_start=windows[:, 1],
        window_end=windows[:, 2],
        window_lead=windows[:, 3],
        lead_ids=flat(leads.ids),
        lead_bounds=bounds_of([len(lead) for lead in leads.ids]),
        truncated_questions=np.array(truncated, dtype=np.int32),
        max_length=config.max_length,
    )


def _tokenize_contexts(
    contexts: list[str], tokenizer: PairTokenizer, progress: Callable[[int], None]
) -> tuple[Ints, Ints, Ints, NDArray[np.int64]]:
    texts = []
    for part in in_chunks(tokenizer.tokenize, contexts, CHUNK):
        texts += part
        progress(len(texts))
    bounds = bounds_of([len(text.ids) for text in texts])
    return (
        flat([text.ids for text in texts]),
        flat([text.starts for text in texts]),
        flat([text.ends for text in texts]),
        bounds,
    )


def in_chunks(work: Callable[[list[str]], list[Made]], texts: list[str], size: int) -> Iterator[list[Made]]:
    """The work on so many texts at a time (fewer of long ones), in order. While the tokenizers library is at one chunk,
    which does not hold Python's lock, another thread is at what comes before and after it.
    """
    chunks: list[list[str]] = []
    characters = 0
    for text in texts:
        if not chunks or len(chunks[-1]) == size or characters > CHARACTERS:
            chunks.append([])
            characters = 0
        chunks[-1].append(text)
        characters += len(text)
    if len(chunks) < 2:  # a reader's one text: no thread is started for it
        yield from map(work, chunks)
        return
    with ThreadPoolExecutor(2, "tokenize") as threads:
        yield from threads.map(work, chunks)


def _cut_windows(
    examples: Sequence[Example],
    questions: Sequence[Ints],
    example_context: Ints,
    contexts: Sequence[Ints],
    tokenizer: PairTokenizer,
    config: WindowConfig,
    leads: Leads,
) -> Ints:
    """Rows of (example, first token, token after the last, lead) for every window; contexts: the tokens of each."""
    rows = []
    markers = tokenizer.layout.markers
    openings = [marker for marker in markers if marker not in tokenizer.layout.closings]
    room = config.max_length - tokenizer.layout.special_count
    for index, (question, number) in enumerate(zip(questions, example_context.tolist(), strict=True)):
        context = contexts[number]
        capacity, length = room - len(question), len(context)
        if 1 <= capacity >= length:
            rows.append((index, 0, length, 0))
            continue
        capacity -= config.lead if markers else 0
        advance = config.advance(capacity, f"question {examples[index].id}")
        borders = np.flatnonzero(np.isin(context, openings)).tolist() if markers else ()
        spans = context_spans(length, capacity, advance, borders)
        numbers = leads.of(number, context, [start for start, _ in spans])
        rows += [(index, start, end, lead) for (start, end), lead in zip(spans, numbers, strict=True)]
    return np.array(rows, dtype=np.int32).reshape(-1, 4)


def _leave_markers_out(
    answers: Ints, ids: Ints, visible: NDArray[np.bool_], begins: NDArray[np.int64], markers: Sequence[int]
) -> None:
    """Let short answers of one block begin with their text.

    answers: rows of first and last token in a context; begins: where its tokens begin among all.
    """
    for row, begin in zip(answers, begins.tolist(), strict=True):
        if row[0] >= 0:
            first, last = begin + int(row[0]), begin + int(row[1])
            row[0] = text_of_one_block(ids, visible, first, last, markers) - begin


def _answer_tokens(
    examples: Sequence[Example],
    contexts: Sequence[str],
    example_context: Ints,
    starts: Ints,
    ends: Ints,
    bounds: NDArray[np.int64],
) -> Ints:
    """First and last token of each example's first gold answer, (-1, -1) where it has none or no token covers it."""
    answered = np.array([index for index, example in enumerate(examples) if example.answers], dtype=np.int64)
    golds = [example.answers[0] for example in examples if example.answers]
    context = example_context[answered]
    # all contexts as one text, with a character between them that is no answer's
    begins = bounds_of([len(text) + 1 for text in contexts])
    shift = np.repeat(begins[:-1], np.diff(bounds))
    lowest, highest = begins[context], begins[context + 1] - 1
    first, after = (
        np.clip(lowest + np.array(places, dtype=np.int64), lowest, highest)
        for places in ([gold.start for gold in golds], [gold.end for gold in golds])
    )
    tokens = tokens_of_each(starts + shift, ends + shift, first, after)
    rows = np.full((len(examples), 2), -1, dtype=np.int32)
    rows[answered] = np.where(tokens < 0, -1, tokens - bounds[context, None])
    return rows


def flat(parts: Sequence[Ints]) -> Ints:
    """Arrays as one."""
    return np.concatenate(parts).astype(np.int32) if parts else np.empty(0, dtype=np.int32)


def bounds_of(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of some arrays begins in one that holds them all, and the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
