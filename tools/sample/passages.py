"""Passages about two or three invented things of a kind, and questions about them: from the templates of a language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sample.names import FORMS, PARTS, Draw, with_particle

LANGUAGES = ("ko", "en")
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")

# shares of the passages, of the sentences, and of the questions without an answer
THREE, MIXED = 0.15, 0.15
TOGETHER, AGAIN, ASIDE = 0.35, 0.6, 0.25
STRANGER = 0.2
TOLD = (1, 3)  # attributes that a passage states of a thing

YEARS = range(1612, 2030)
AGE = 40  # the years of a passage lie less than that apart

Fact = tuple[int, str]  # (thing, attribute)
Values = dict[str, str]  # attribute -> value, with the thing's own "name"


@dataclass(frozen=True)
class Kind:
    """The templates of one kind of thing."""

    language: str
    name: str
    article: str
    again: tuple[str, ...]
    values: dict[str, str]  # attribute -> the maker of its values
    statements: dict[str, tuple[str, ...]]
    questions: dict[str, tuple[str, ...]]
    together: tuple[str, ...]
    asides: tuple[str, ...]
    words: dict[str, list[str]]

    def contested(self) -> set[str]:
        """The makers of more than one attribute's values."""
        return {maker for maker, count in Counter(self.values.values()).items() if count > 1}


@dataclass(frozen=True)
class Passage:
    """A context, the things it is about, and where it states what of them."""

    kind: Kind
    things: tuple[Values, ...]
    context: str
    stated: dict[Fact, int]  # -> character offset of the value

    def unstated(self) -> list[Fact]:
        """What the context does not say of the things that it names."""
        told = sorted({thing for thing, _ in self.stated})
        return [(thing, name) for thing in told for name in self.kind.values if (thing, name) not in self.stated]


@dataclass(frozen=True)
class Difficulty:
    """How often the name in a question decides; otherwise what is asked of it does, among values of one type."""

    shared: float  # share of the passages that say the same of two things, such as the captains of both ships
    misleading: float  # share of the questions without an answer that ask what is said of another thing
    spared: bool  # whether the others ask what is said of nothing; if not, they ask anything that is not said


EASY = Difficulty(shared=0.1, misleading=0.1, spared=True)  # the sample
HARD = Difficulty(shared=1.0, misleading=0.75, spared=False)


@dataclass(frozen=True)
class Question:
    """A question, and the fact that answers it; None = the passage does not say."""

    text: str
    fact: Fact | None


@cache
def kinds(language: str) -> tuple[Kind, ...]:
    """The kinds of things of a language."""
    content = yaml.safe_load(Path(__file__).with_name(f"{language}.yaml").read_text(encoding="utf-8"))
    return tuple(
        Kind(
            language=language,
            name=name,
            article=kind.get("article", ""),
            again=tuple(kind["again"]),
            values={attribute: part["value"] for attribute, part in kind["attributes"].items()},
            statements={attribute: tuple(part["statements"]) for attribute, part in kind["attributes"].items()},
            questions={attribute: tuple(part["questions"]) for attribute, part in kind["attributes"].items()},
            together=tuple(kind["together"]),
            asides=tuple(kind["asides"]),
            words=content["words"],
        )
        for name, kind in content["kinds"].items()
    )


def slots(template: str) -> set[str]:
    """The attributes that a sentence states."""
    return {name for name, _ in SLOT.findall(template)} - {"name", "Name"}


def render(template: str, values: Values) -> tuple[str, dict[str, int]]:
    """The template with its values, and where each value starts."""
    text, starts, end = "", {}, 0
    for slot in SLOT.finditer(template):
        name, particle = slot.groups()
        text += template[end : slot.start()]
        starts[name] = len(text)
        text += with_particle(values[name], particle) if particle else values[name]
        end = slot.end()
    return text + template[end:], starts


def make_value(draw: Draw, kind: Kind, maker: str, split: str, about: int) -> str:
    """A value; years lie less than forty after `about`, so that those of a passage resemble one another."""
    korean = kind.language == "ko"
    what, _, rest = maker.partition(" ")
    if what in FORMS[kind.language]:
        return draw.name(kind.language, what, split)
    if what == "year":
        return f"{about + draw.whole(0, AGE - 1)}{'년' if korean else ''}"
    if what == "date":
        month, day = draw.whole(1, 12), draw.whole(1, 28)
        return f"{month}월 {day}일" if korean else f"{day} {PARTS['month'][month - 1]}"
    if what == "number":
        bounds, form = rest.split(" ", 1)
        low, high = (int(bound) for bound in bounds.split("-"))
        return form.format(draw.whole(low, high))
    return draw.choose(kind.words[rest])


def make_things(draw: Draw, kind: Kind, count: int, split: str) -> tuple[Values, ...]:
    """Things of a kind with all their values, none a part of another."""
    about = draw.whole(YEARS.start, YEARS.stop - AGE)
    taken: list[str] = []

    def fresh(maker: str) -> str:
        while True:
            value = make_value(draw, kind, maker, split, about)
            if not any(value in other or other in value for other in taken):
                taken.append(value)
                return value

    return tuple(
        {"name": fresh(kind.name)} | {attribute: fresh(maker) for attribute, maker in kind.values.items()}
        for _ in range(count)
    )


def named(kind: Kind, name: str) -> Values:
    """How templates call a thing: its name with the article, and the same at the start of a sentence."""
    full = f"{kind.article} {name}".strip()
    return {"name": full, "Name": full[:1].upper() + full[1:]}


def sentences(draw: Draw, kind: Kind, count: int, rivals: set[str], shared: bool) -> list[str]:
    """Templates that state about `count` attributes of one thing, each once.

    They begin with one that the rivals state too; or, not `shared`, with one whose values are of the same type. So each
    passage has two values of one type.
    """
    left = draw.some(list(kind.values), len(kind.values))
    if shared:
        left.sort(key=lambda attribute: attribute not in rivals)
    else:
        types = {kind.values[attribute] for attribute in rivals} or kind.contested()
        left = [attribute for attribute in left if attribute not in rivals]
        left.sort(key=lambda attribute: kind.values[attribute] not in types)
    found: list[str] = []
    while count > 0 and left:
        fitting = [template for template in kind.together if left[0] in slots(template) <= set(left)]
        together = count > 1 and fitting and draw.chance(TOGETHER)
        found.append(draw.choose(fitting if together else kind.statements[left[0]]))
        told = slots(found[-1])
        count -= len(told)
        left = draw.some([attribute for attribute in left if attribute not in told], len(left) - len(told))
    if draw.chance(ASIDE):
        found.insert(draw.whole(0, len(found)), draw.choose(kind.asides))
    return draw.some(found, len(found))


def make_passage(draw: Draw, kind: Kind, split: str, difficulty: Difficulty) -> Passage:
    """A passage about two or three new things of a kind."""
    shared = difficulty.shared == 1 or draw.chance(difficulty.shared)
    count = 3 if draw.chance(THREE) else 2
    things = make_things(draw, kind, count, split)
    told: list[tuple[int, str]] = []
    for thing in draw.some(list(range(count)), count):
        rivals = {attribute for _, template in told for attribute in slots(template)}
        told += [(thing, template) for template in sentences(draw, kind, draw.whole(*TOLD), rivals, shared)]
    if draw.chance(MIXED):
        told = draw.some(told, len(told))
    context, before = "", -1
    stated: dict[Fact, int] = {}
    for thing, template in told:
        same = thing == before and kind.again and draw.chance(AGAIN)
        call = draw.choose(kind.again) if same else ""
        called = {"name": call, "Name": call[:1].upper() + call[1:]} if same else named(kind, things[thing]["name"])
        text, starts = render(template, things[thing] | called)
        context += " " if context else ""
        stated |= {(thing, name): len(context) + starts[name] for name in slots(template)}
        context += text
        before = thing
    return Passage(kind, things, context, stated)


def question(draw: Draw, kind: Kind, attribute: str, thing: Values) -> str:
    """Asks for an attribute of a thing."""
    return render(draw.choose(kind.questions[attribute]), named(kind, thing["name"]))[0]


def gap(draw: Draw, kind: Kind, attribute: str, thing: Values) -> str:
    """States an attribute of a thing, with [MASK] in place of its value."""
    values = thing | named(kind, thing["name"])
    text, starts = render(draw.choose(kind.statements[attribute]), values)
    start, end = starts[attribute], starts[attribute] + len(thing[attribute])
    return f"{text[:start]}[MASK]{text[end:]}"


Wording = Callable[[Draw, Kind, str, Values], str]


def answerable(draw: Draw, passage: Passage, wordings: Sequence[Wording]) -> list[Question]:
    """Questions for different facts that the passage states, one of each wording."""
    facts = draw.some(sorted(passage.stated), len(wordings))
    return [
        Question(wording(draw, passage.kind, name, passage.things[thing]), (thing, name))
        for wording, (thing, name) in zip(wordings, facts, strict=False)
    ]


def unanswerable(
    draw: Draw, passage: Passage, split: str, difficulty: Difficulty, wording: Wording = question
) -> Question:
    """A question that the passage does not answer, of one of its things or of a stranger."""
    kind, things = passage.kind, passage.things
    told = {attribute for _, attribute in passage.stated}
    missing = passage.unstated()
    misleading = [fact for fact in missing if fact[1] in told]
    untold = [fact for fact in missing if fact[1] not in told]
    if not missing or draw.chance(STRANGER):
        return Question(wording(draw, kind, draw.choose(sorted(told)), stranger(draw, passage, split)), None)
    others = untold if difficulty.spared and untold else missing
    thing, attribute = draw.choose(misleading if misleading and draw.chance(difficulty.misleading) else others)
    return Question(wording(draw, kind, attribute, things[thing]), None)


def stranger(draw: Draw, passage: Passage, split: str) -> Values:
    """A thing of the same kind that the passage does not name."""
    while True:
        thing = make_things(draw, passage.kind, 1, split)[0]
        if thing["name"] not in passage.context:
            return thing


def passages(draw: Draw, split: str, difficulty: Difficulty) -> Iterator[Passage]:
    """Passages without end, the languages in turn, each kind as often as the others."""
    while True:
        for number in range(max(len(kinds(language)) for language in LANGUAGES)):
            for language in LANGUAGES:
                yield make_passage(draw, kinds(language)[number % len(kinds(language))], split, difficulty)


def in_squad_form(passage: Passage, questions: list[Question], name: str) -> dict[str, Any]:
    """An article with one paragraph; `name` begins the ids of its questions."""
    qas = []
    for number, question in enumerate(questions, 1):
        answers = []
        if question.fact is not None:
            thing, attribute = question.fact
            answers = [{"text": passage.things[thing][attribute], "answer_start": passage.stated[question.fact]}]
        qas.append(
            {
                "id": f"{name}-{number}",
                "question": question.text,
                "answers": answers,
                "is_impossible": not answers,
            }
        )
    return {"title": passage.things[0]["name"], "paragraphs": [{"context": passage.context, "qas": qas}]}
