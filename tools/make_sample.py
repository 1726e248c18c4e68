"""Writes the packaged sample: short Korean and English passages about invented people, towns, ships and inventions.

Run `python tools/make_sample.py`; it writes src/dokhae/data/sample/{train,dev}.json, byte for byte the same every time.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SAMPLE = Path(__file__).resolve().parent.parent / "src" / "dokhae" / "data" / "sample"
SEED = 20240517
PASSAGES = {"train": 300, "dev": 68}  # Korean and English in turn
QUESTIONS_A_PASSAGE = 3
UNANSWERABLE_EVERY = 5  # questions
SHORT_PASSAGE, LONG_PASSAGE, RIVAL_FIRST = 0.15, 0.4, 0.35  # shares of the passages


@dataclass(frozen=True)
class Kind:
    """Templates about one kind of thing. Two things of a kind share a passage, so each value has a distractor."""

    name: str  # the maker of its name
    values: dict[str, str]  # attribute -> the maker of its value
    first: tuple[str, ...]  # sentences that introduce the subject
    second: tuple[str, ...]  # sentences that say more about it
    rival: tuple[str, ...]  # sentences about the other one
    questions: dict[str, tuple[str, str]]  # attribute -> ways to ask for it


# In Korean templates {cargo:을} is the value and that particle in the form that the value's last sound asks for.
KINDS = {
    "ko": (
        Kind(
            name="ship",
            values={"year": "year", "port": "town", "captain": "person", "cargo": "cargo", "goal": "town"},
            first=(
                "{name:은} {year}에 {port}에서 진수되었다.",
                "{year}에 {port}에서 {name:이} 진수되었다.",
                "{port}의 조선소는 {year}에 {name:을} 진수했다.",
            ),
            second=(
                "이 배의 선장 {captain:은} {cargo:을} 싣고 {goal:으로} 향했다.",
                "이 배는 {captain} 선장의 지휘 아래 {cargo:을} 싣고 다녔다.",
                "이 배의 선장 {captain:은} 주로 {cargo:을} 싣고 다녔다.",
            ),
            rival=(
                "{year}에 진수된 {name:은} {captain:이} 선장을 맡았다.",
                "{port}에서 진수된 {name:은} {cargo:을} 싣고 다녔다.",
                "{name:은} {captain} 선장의 지휘 아래 {goal:으로} 향했다.",
                "{name:은} {other:과} 달리 {cargo:을} 싣고 다녔다.",
            ),
            questions={
                "year": ("{name:은} 언제 진수되었는가?", "{name:이} 진수된 해는 언제인가?"),
                "port": ("{name:은} 어디에서 진수되었는가?", "{name:이} 진수된 곳은 어디인가?"),
                "captain": ("{name}의 선장은 누구인가?", "{name:을} 지휘한 선장은 누구인가?"),
                "cargo": ("{name:은} 무엇을 싣고 다녔는가?", "{name}에 실은 짐은 무엇인가?"),
                "goal": ("{name:은} 어디로 향했는가?", "{name:이} 향한 곳은 어디인가?"),
            },
        ),
        Kind(
            name="town",
            values={"year": "year", "founder": "person", "river": "river", "product": "product"},
            first=(
                "{name:은} {year}에 {founder:이} 세운 마을이다.",
                "{founder:은} {year}에 {name:을} 세웠다.",
                "{year}에 {founder:이} {name:을} 세웠다.",
            ),
            second=(
                "이 마을에는 {river:이} 흐르며, 마을은 {product:으로} 유명하다.",
                "이 마을은 {product:으로} 유명하고, {river:이} 마을 앞을 흐른다.",
                "{river:이} 흐르는 이 마을은 {product:으로} 유명하다.",
            ),
            rival=(
                "{name:은} {other:과} 이웃한 마을로, {founder:이} 세웠다.",
                "{name:은} {year}에 세워졌으며 {product:으로} 유명하다.",
                "{founder:이} 세운 {name}에는 {river:이} 흐른다.",
                "{founder:이} 세운 {name:은} {product:으로} 유명하다.",
            ),
            questions={
                "year": ("{name:은} 언제 세워졌는가?", "{name:이} 세워진 해는 언제인가?"),
                "founder": ("{name:을} 세운 사람은 누구인가?", "누가 {name:을} 세웠는가?"),
                "river": ("{name}에 흐르는 강은 무엇인가?", "{name}에는 어떤 강이 흐르는가?"),
                "product": ("{name:은} 무엇으로 유명한가?", "{name}에서 유명한 것은 무엇인가?"),
            },
        ),
        Kind(
            name="person",
            values={"year": "year", "home": "town", "teacher": "person", "subject": "subject"},
            first=(
                "{name:은} {year} {home}에서 태어났다.",
                "{name:은} {year}에 {home}에서 태어났다.",
                "{year}에 {home}에서 {name:이} 태어났다.",
            ),
            second=(
                "{name:은} {teacher}에게서 {subject:을} 배웠다.",
                "스승 {teacher:은} {name}에게 {subject:을} 가르쳤다.",
                "그 뒤 {name:은} {teacher:을} 스승으로 모시고 {subject:을} 배웠다.",
            ),
            rival=(
                "{home}에서 태어난 {name:은} {subject:을} 배웠다.",
                "{year}에 태어난 {name:은} {teacher:을} 스승으로 모셨다.",
                "{name:은} {teacher}에게서 {subject:을} 배웠다.",
                "{name:은} {other:과} 친구였으며 {home}에서 태어났다.",
            ),
            questions={
                "year": ("{name:은} 언제 태어났는가?", "{name:이} 태어난 해는 언제인가?"),
                "home": ("{name:은} 어디에서 태어났는가?", "{name:이} 태어난 곳은 어디인가?"),
                "teacher": ("{name}의 스승은 누구인가?", "{name:을} 가르친 사람은 누구인가?"),
                "subject": ("{name:은} 무엇을 배웠는가?", "{name:이} 배운 것은 무엇인가?"),
            },
        ),
        Kind(
            name="invention",
            values={"year": "year", "inventor": "person", "place": "town", "power": "power"},
            first=(
                "{inventor:은} {year}에 {name:을} 발명했다.",
                "{name:은} {year}에 {inventor:이} 발명한 기계이다.",
                "{year}에 {inventor:이} {name:을} 발명했다.",
            ),
            second=(
                "이 기계는 {power:으로} 움직이며 {place}에서 처음 공개되었다.",
                "{place}에서 처음 공개된 이 기계는 {power:으로} 움직인다.",
                "이 기계는 {place}에서 처음 공개되었고, {power:으로} 움직인다.",
            ),
            rival=(
                "{name:은} {year}에 발명되었으며 {power:으로} 움직인다.",
                "{inventor:이} 발명한 {name:은} {place}에서 처음 공개되었다.",
                "{inventor:이} 발명한 {name:은} {power:으로} 움직인다.",
                "{name:은} {other:과} 달리 {power:으로} 움직인다.",
            ),
            questions={
                "year": ("{name:은} 언제 발명되었는가?", "{name:이} 발명된 해는 언제인가?"),
                "inventor": ("{name:을} 발명한 사람은 누구인가?", "누가 {name:을} 발명했는가?"),
                "place": ("{name:은} 어디에서 처음 공개되었는가?", "{name:이} 처음 공개된 곳은 어디인가?"),
                "power": ("{name:은} 무엇으로 움직이는가?", "{name:을} 움직이는 것은 무엇인가?"),
            },
        ),
    ),
    "en": (
        Kind(
            name="ship",
            values={"year": "year", "port": "town", "captain": "person", "cargo": "cargo"},
            first=(
                "The {name} was launched in {year} at {port}.",
                "Shipwrights in {port} launched the {name} in {year}.",
                "In {year} the {name} was launched at {port}.",
            ),
            second=(
                "Under Captain {captain} the ship carried {cargo} along the coast.",
                "Its captain, {captain}, mostly carried {cargo} to the islands.",
                "The ship carried {cargo} and was commanded by {captain}.",
            ),
            rival=(
                "The {name}, launched in {year}, was commanded by {captain}.",
                "The {name}, launched at {port}, carried {cargo}.",
                "Unlike the {other}, the {name} carried {cargo}.",
                "The {name} sailed under Captain {captain}.",
            ),
            questions={
                "year": ("When was the {name} launched?", "In which year was the {name} launched?"),
                "port": ("Where was the {name} launched?", "In which town was the {name} launched?"),
                "captain": ("Who was the captain of the {name}?", "Who commanded the {name}?"),
                "cargo": ("What did the {name} carry?", "Which goods did the {name} carry?"),
            },
        ),
        Kind(
            name="town",
            values={"year": "year", "founder": "person", "river": "river", "product": "product"},
            first=(
                "The town of {name} was founded in {year} by {founder}.",
                "{founder} founded the town of {name} in {year}.",
                "In {year}, {founder} founded the town of {name}.",
            ),
            second=(
                "It lies on the River {river}, and its workshops make {product}.",
                "The River {river} flows through it, and its workshops make {product}.",
                "Its workshops make {product} and stand along the River {river}.",
            ),
            rival=(
                "The town of {name}, founded in {year}, lies on the River {river}.",
                "The town of {name}, founded by {founder}, lies on the River {river}.",
                "In {name}, a town founded by {founder}, the workshops make {product}.",
                "The workshops of {name} make {product}.",
            ),
            questions={
                "year": ("When was {name} founded?", "In which year was {name} founded?"),
                "founder": ("Who founded {name}?", "By whom was {name} founded?"),
                "river": ("On which river is {name}?", "Which river is {name} on?"),
                "product": ("What do the workshops of {name} make?", "What is made in {name}?"),
            },
        ),
        Kind(
            name="person",
            values={"year": "year", "home": "town", "teacher": "person", "subject": "subject"},
            first=(
                "{name} was born in {home} in {year}.",
                "In {year}, {name} was born in the town of {home}.",
                "{name} was born in {year} in the town of {home}.",
            ),
            second=(
                "{name} studied {subject} under {teacher}.",
                "{name} studied {subject} and was taught by {teacher}.",
                "With {teacher} as a teacher, {name} studied {subject}.",
            ),
            rival=(
                "{name}, who was born in {home}, studied {subject}.",
                "{name}, who was born in {year}, was taught by {teacher}.",
                "{name} studied {subject} under {teacher}.",
                "{name}, a friend of {other}, was born in {home}.",
            ),
            questions={
                "year": ("When was {name} born?", "In which year was {name} born?"),
                "home": ("Where was {name} born?", "In which town was {name} born?"),
                "teacher": ("Who taught {name}?", "Who was the teacher of {name}?"),
                "subject": ("What did {name} study?", "Which subject did {name} study?"),
            },
        ),
        Kind(
            name="invention",
            values={"year": "year", "inventor": "person", "place": "town", "power": "power"},
            first=(
                "{inventor} built the {name} in {year}.",
                "In {year}, {inventor} built the {name}.",
                "The {name} was built in {year} by {inventor}.",
            ),
            second=(
                "It was driven by {power} and was first shown in {place}.",
                "The machine, first shown in {place}, was driven by {power}.",
                "It was first shown in {place} and was driven by {power}.",
            ),
            rival=(
                "The {name} was built in {year} and was driven by {power}.",
                "The {name}, built by {inventor}, was first shown in {place}.",
                "{inventor} built the {name}, which was driven by {power}.",
                "Unlike the {other}, the {name} was driven by {power}.",
            ),
            questions={
                "year": ("When was the {name} built?", "In which year was the {name} built?"),
                "inventor": ("Who built the {name}?", "By whom was the {name} built?"),
                "place": ("Where was the {name} first shown?", "In which town was the {name} first shown?"),
                "power": ("What was the {name} driven by?", "What drove the {name}?"),
            },
        ),
    ),
}

# Common words, the same in both splits.
WORDS = {
    "ko": {
        "cargo": "소금,말린 생선,삼나무,양털,등잔 기름,구리줄,녹차,유리구슬,기와,보리,밀랍,쪽빛 물감,쌀,벽돌,종이",
        "product": "도자기,종이 연,염소 치즈,놋그릇,털모자,꿀떡,나무 숟가락,비단 끈,돌등,배 식초,벼루,붓,연필",
        "subject": "천문학,식물학,금속 공예,지도 제작,유리 공예,제본술,건축,양봉,직조,시계 수리,수학,판소리,서예",
        "power": "증기,바람,떨어지는 물,태엽,손잡이,무거운 추,소의 힘,햇빛,강물,발판,자석,모래",
    },
    "en": {
        "cargo": "salt,dried fish,cedar wood,wool,lamp oil,copper wire,green tea,glass beads,roof tiles,barley",
        "product": "clay pipes,paper kites,goat cheese,brass bells,wool hats,honey cakes,silk ribbons,pear vinegar",
        "subject": "astronomy,botany,bell casting,map making,glass painting,bookbinding,beekeeping,weaving",
        "power": "steam,wind,falling water,a coiled spring,hand cranks,a heavy pendulum,two oxen,sunlight,magnets",
    },
}

# Names are put together from one part of each column; none is used twice, nor in both splits.
STEM = (
    "가,나,다,라,마,바,사,아,하,고,노,도,로,모,보,소,오,호,구,누,두,루,무,수,우,미,비,시,이,여,서",
    "온,란,솔,별,담,울,내,슬,결,진,봄,찬,율,빈",
)
PLAIN = "Al,Bar,Cal,Dor,El,Fal,Gan,Har,Il,Jas,Kor,Lan,Mal,Nor,Ol,Pas,Quar,Ril,Sam,Tal,Ur,Val,Wes,Yel,Zor"
BROAD = "Ald,Bran,Crow,Dun,Esk,Farn,Grim,Holl,Ibb,Jarr,Kest,Lund,Mott,Nash,Ostr,Prax,Quen,Rusk,Stav,Thorn"
GIVEN = "Tov,Bel,Cor,Fen,Gar,Hel,Jor,Kel,Lor,Mir,Ner,Pel,Quil,Ros,Sel,Tar,Ver,Wil,Yor,Zan"
COLOURS = "Silver,Amber,Scarlet,Golden,Grey,Ivory,Copper,Crimson,Azure,Hollow,Quiet,Distant,Early,Frozen,Bold"
ANIMALS = " Heron, Otter, Falcon, Badger, Swallow, Dolphin, Lynx, Raven, Stag, Marten, Plover, Pike, Osprey, Beaver"
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "ko": {
        "person": (
            "탁,옹,반,빙,묵,편,풍,초,승,두",
            "라,온,벼,솔,담,해,별,찬,결,린,세,겸,오,슬",
            "온,라,루,담,해,랑,별,빈,결,린,유,겸,슬",
        ),
        "town": (*STEM, "항,골,읍,벌,촌,재,나루,마을"),
        "river": (*STEM, "강,천"),
        "ship": (*STEM, "호"),
        "invention": (*STEM, " 시계, 방직기, 인쇄기, 풍금, 펌프, 수레, 방아, 부채, 톱, 기중기"),
    },
    "en": {
        "person": (GIVEN, "in ,en ,ora ,ek ,ette ,ian ,os ,ya ", BROAD, "er,mond,ley,sen,rel,ow,ett,dane"),
        "town": (PLAIN, "a,e,i,o,u", "haven,ford,mere,stead,bury,port"),
        "river": (PLAIN, "eth,une,ile,ask,ova"),
        "ship": (COLOURS, ANIMALS),
        "invention": (BROAD, "o,a,e,u", "x,l,n", " clock, loom, press, pump, organ, mill, cart, fan, saw, crane"),
    },
}

# The form after a consonant, and after a vowel.
PARTICLES = {"은": "은는", "이": "이가", "을": "을를", "과": "과와", "으로": ("으로", "로")}
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")


def with_particle(noun: str, particle: str) -> str:
    """A Korean noun with the particle in the form that its last syllable asks for."""
    final = (ord(noun[-1]) - ord("가")) % 28  # 0 = no final consonant, 8 = ㄹ, after which 로 stands
    after_vowel = final == 0 or (particle == "으로" and final == 8)
    return noun + PARTICLES[particle][after_vowel]


def render(template: str, values: dict[str, str]) -> tuple[str, dict[str, int]]:
    """The template with its values, and where each value starts."""
    text, starts, end = "", {}, 0
    for slot in SLOT.finditer(template):
        name, particle = slot.groups()
        text += template[end : slot.start()]
        starts[name] = len(text)
        text += with_particle(values[name], particle) if particle else values[name]
        end = slot.end()
    return text + template[end:], starts


def slots(template: str) -> set[str]:
    """The attributes that a sentence states."""
    return {name for name, _ in SLOT.findall(template)} - {"name", "other"}


@dataclass
class Maker:
    """Draws names and values. Only random() is used: Python promises its sequence in every version, choice()'s not."""

    random: random.Random
    taken: list[str] = field(default_factory=list)  # the names of both splits

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self.random.random() < share

    def choose(self, items: tuple[T, ...] | list[T]) -> T:
        """One of the items."""
        return items[int(self.random.random() * len(items))]

    def shuffled(self, items: list[T]) -> list[T]:
        """The items in another order."""
        order = sorted((self.random.random(), index) for index in range(len(items)))
        return [items[index] for _, index in order]

    def name(self, language: str, kind: str) -> str:
        """A name that is no part of another, nor has another as a part."""
        while True:
            name = "".join(self.choose(column.split(",")) for column in NAMES[language][kind])
            if not any(name in other or other in name for other in self.taken):
                self.taken.append(name)
                return name

    def value(self, language: str, source: str, year: int, other: str) -> str:
        """A value that differs from the other thing's."""
        if source in NAMES[language]:
            return self.name(language, source)
        while True:
            near = str(year + int(self.random.random() * 40)) + ("년" if language == "ko" else "")
            value = near if source == "year" else self.choose(WORDS[language][source].split(","))
            if value != other:
                return value

    def thing(self, language: str, kind: Kind, year: int, other: dict[str, str]) -> dict[str, str]:
        """A thing of a kind with all its values, each different from the other thing's."""
        values = {
            attribute: self.value(language, source, year, other.get(attribute, ""))
            for attribute, source in kind.values.items()
        }
        return values | {"name": self.name(language, kind.name)}

    def sentences(self, kind: Kind) -> list[tuple[int, str]]:
        """Two to four templates in order, each with the thing it is about: 0 the subject, 1 its rival."""
        subject = [(0, self.choose(kind.first))]
        if not self.chance(SHORT_PASSAGE):
            subject.append((0, self.choose(kind.second)))
        said = {name for _, template in subject for name in slots(template)}
        told = self.choose([template for template in kind.rival if slots(template) & said])  # a distractor
        more = [template for template in kind.rival if not slots(template) & slots(told)]
        more = [
            template for template in more if slots(template) | slots(told) < kind.values.keys()
        ]  # leave some unsaid
        rival = [(1, told)]
        if more and self.chance(LONG_PASSAGE):
            rival.append((1, self.choose(more)))
        return rival + subject if self.chance(RIVAL_FIRST) else subject + rival


@dataclass(frozen=True)
class Passage:
    """A context about two things, and what it says of them."""

    kind: Kind
    things: tuple[dict[str, str], dict[str, str]]  # the values of the subject, and of its rival
    context: str
    stated: dict[tuple[int, str], int]  # (thing, attribute) -> character offset of the value

    def unstated(self) -> list[tuple[int, str]]:
        """What the context does not say; where it says it of the other thing, only that, for it misleads."""
        missing = [(thing, name) for thing in (0, 1) for name in self.kind.values if (thing, name) not in self.stated]
        misleading = [(thing, name) for thing, name in missing if (1 - thing, name) in self.stated]
        return misleading or missing


def make_passage(maker: Maker, language: str, kind: Kind) -> Passage:
    """A passage about two new things of a kind."""
    year = 1612 + int(maker.random.random() * 240)
    subject = maker.thing(language, kind, year, {})
    things = (subject, maker.thing(language, kind, year, subject))
    context = ""
    stated: dict[tuple[int, str], int] = {}
    for thing, template in maker.sentences(kind):
        text, starts = render(template, things[thing] | {"other": things[1 - thing]["name"]})
        context += " " if context else ""
        stated |= {(thing, name): len(context) + starts[name] for name in slots(template)}
        context += text
    return Passage(kind, things, context, stated)


def make_question(maker: Maker, passage: Passage, fact: tuple[int, str]) -> dict[str, Any]:
    """The question for one fact, with its answer where the passage states it."""
    thing, attribute = fact
    values = passage.things[thing]
    answers = []
    if fact in passage.stated:
        answers = [{"text": values[attribute], "answer_start": passage.stated[fact]}]
    question = render(maker.choose(passage.kind.questions[attribute]), values)[0]
    return {"question": question, "answers": answers, "is_impossible": not answers}


def make_article(maker: Maker, split: str, number: int) -> dict[str, Any]:
    """One passage with its questions, in SQuAD form."""
    language = ("ko", "en")[number % 2]
    kinds = KINDS[language]
    passage = make_passage(maker, language, kinds[number // 2 % len(kinds)])
    stated = maker.shuffled(sorted(passage.stated))
    unstated = maker.shuffled(passage.unstated())
    questions = []
    for index in range(QUESTIONS_A_PASSAGE):
        hard = (number * QUESTIONS_A_PASSAGE + index) % UNANSWERABLE_EVERY == 0
        name = {"id": f"sample-{split}-{language}-{number + 1:03}-{index + 1}"}
        questions.append(name | make_question(maker, passage, (unstated if hard else stated).pop()))
    return {"title": passage.things[0]["name"], "paragraphs": [{"context": passage.context, "qas": questions}]}


def write_sample(folder: Path) -> None:
    """Write both splits into a folder."""
    maker = Maker(random.Random(SEED))
    for split, passages in PASSAGES.items():
        articles = [make_article(maker, split, number) for number in range(passages)]
        content = json.dumps({"version": "dokhae-sample-1", "data": articles}, ensure_ascii=False, indent=1)
        (folder / f"{split}.json").write_text(content + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Read the command line, write the sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=SAMPLE, help="folder to write to (default: the packaged sample)")
    write_sample(parser.parse_args().out)


if __name__ == "__main__":
    main()
