"""What a file shares with the training file: contexts, questions, ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dokhae.data.audit.findings import Case
from dokhae.data.audit.texts import plain_form
from dokhae.data.entries import Entry
from dokhae.data.fields import shortened
from dokhae.types import Example

EXACT = "exactly"
NEARLY = "but for case, white space or Unicode form"


@dataclass(frozen=True, slots=True)
class Training:
    """What a training file holds; each text with the id of the first question that has it."""

    contexts: dict[str, str]
    plain_contexts: dict[str, str]
    questions: dict[str, str]
    plain_questions: dict[str, str]
    pairs: set[tuple[str, str]]  # context and question in their plain form
    ids: dict[str, Example]


def training_of(examples: Sequence[Example]) -> Training:
    """What the questions of a training file hold."""
    contexts = _firsts((example.context, example) for example in examples)
    questions = _firsts((example.question, example) for example in examples)
    plain = {text: plain_form(text) for text in {**contexts, **questions}}
    return Training(
        contexts,
        _plain_firsts(contexts, plain),
        questions,
        _plain_firsts(questions, plain),
        {(plain[example.context], plain[example.question]) for example in examples},
        {example.id: example for example in reversed(examples)},
    )


def shared_contexts(entries: Sequence[Entry], training: Training) -> Iterator[Case]:
    """Contexts that the training file has too, each named once."""
    uses = Counter(entry.example.context for entry in entries)
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.example.context, entry)
    for context, entry in first.items():
        exact = training.contexts.get(context)
        same = exact if exact is not None else training.plain_contexts.get(plain_form(context))
        if same is not None:
            said = f"{shortened(context)}, {uses[context]} questions; in training at question {same}"
            details = {"questions": uses[context], "training_id": same}
            yield Case(entry.example.id, entry.where, NEARLY if exact is None else EXACT, said, details)


def shared_questions(entries: Iterable[Entry], training: Training) -> Iterator[Case]:
    """Questions that the training file asks too, of the same context or of another."""
    for entry in entries:
        example = entry.example
        exact, plain = training.questions.get(example.question), plain_form(example.question)
        same = exact if exact is not None else training.plain_questions.get(plain)
        if same is not None:
            of = "the same" if (plain_form(example.context), plain) in training.pairs else "another"
            kind = f"of {of} context, {NEARLY if exact is None else EXACT}"
            said = f"{shortened(example.question)}, in training as {same}"
            yield Case(example.id, entry.where, kind, said, {"training_id": same})


def shared_ids(entries: Iterable[Entry], training: Training) -> Iterator[Case]:
    """Ids that the training file has too."""
    for entry in entries:
        other = training.ids.get(entry.example.id)
        if other is not None:
            same = other == entry.example
            yield Case(
                entry.example.id,
                entry.where,
                "for the same question" if same else "for another question",
                "is in training too" if same else f"is in training too, where it asks {shortened(other.question)}",
            )


def _firsts(texts: Iterable[tuple[str, Example]]) -> dict[str, str]:
    first: dict[str, str] = {}
    for text, example in texts:
        first.setdefault(text, example.id)
    return first


def _plain_firsts(first: dict[str, str], plain: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text, example_id in first.items():
        found.setdefault(plain[text], example_id)
    return found
