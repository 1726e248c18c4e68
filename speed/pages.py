"""Made-up pages in the shape of KorQuAD 2.1: of real size, for memory and speed; small, for an encoder to learn from.

`python -m speed.pages FOLDER --documents 10000 --size real`. No word of them is anybody's: names are put together from
syllables, sentences from templates. Lengths and shares are those published or measured of the real files.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, TypeVar

import tyro

from speed.command import run_command

Chosen = TypeVar("Chosen")
Size = Literal["real", "small"]
Kind = Literal["prose", "table", "list", "long prose", "long table", "long list"]

CHARACTERS_A_TOKEN = 2.2  # of a context, tags included
MEDIAN, SPREAD = 4_900, 0.70  # tokens a context, lognormal: mean 6,489 and 90th percentile 12,314, with short ones cut
LONGEST, LONGEST_EVERY = 253_818, 10_000  # tokens; and the number of pages of which one is as long


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything a page of a size has; pairs are the least and the most."""

    questions: tuple[int, ...]  # weights of 1, 2, ... questions
    kinds: dict[Kind, float]  # weights
    topics: int  # sections of each shape that long answers are in
    sentences: tuple[int, int]
    items: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    linked: float = 0.25  # share of the words that are links


SCALES: dict[Size, Scale] = {
    "real": Scale(
        (31, 38, 19, 7, 5),
        {"prose": 57.4, "table": 18.0, "list": 6.8, "long prose": 10.0, "long table": 4.0, "long list": 3.8},
        1, (4, 12), (5, 18), (4, 28), (3, 6),
    ),
    "small": Scale(
        (0, 0, 1, 1, 1),
        {"prose": 40, "table": 20, "list": 10, "long prose": 10, "long table": 10, "long list": 10},
        2, (2, 4), (3, 5), (2, 4), (2, 4),
    ),
}  # fmt: skip


# Words: each kind has its maker, and `Draws` gives templates another word each time.


def words(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The words of a line."""
    return tuple(text.split(separator))


SYLLABLES = (
    "가강건결경고광교구국근기나낙난남노다단달담대덕도동두라란람려로루린마만매명모무문미바백범별보봉빈사산새서선설세소솔송수슬승"
    "아안양여연영예오온용우운원유윤은율이인일자장재정제조주준중지진찬창채천청초추치타태판평포풍하학한해향현혜호화환효훈흥희"
)
SURNAMES = (
    "김이박최정강조윤장임한오서신권황안송류홍전고문손양배백허남심노하곽성차주우구민나진지엄채원천방공"
    "현함변염여추도소석선설마길연위표명기반"
)
JOBS = words(
    "화가 시인 의사 교수 가수 배우 기자 건축가 작곡가 소설가 변호사 조각가 사진가 요리사 농부 선장 번역가 "
    "물리학자 화학자 수학자 식물학자 지휘자 무용가 목수 약사 외교관 천문학자 체조선수 바둑기사 도예가"
)
NOUNS = words(
    "나무 바다 하늘 구름 바람 노래 그림 다리 시장 성곽 정원 축제 도서관 박물관 극장 항구 등대 철도 광산 호수 "
    "계곡 들판 마을 학교 병원 공장 우물 탑 종 배 수레 악기 도자기 비단 종이 활자 지도 편지 일기 사전 잡지 "
    "신문 방송 연극 영화 사진 조각 벽화 향로 거울 의자 책상 창문 지붕 담장 골목 광장 운하 수문 제방 논밭 "
    "과수원 목장 양조장 방앗간 대장간 서원 향교 누각 정자 산성 봉수대 나루터 역참 관아 창고 연못"
)
ADJECTIVES = words("푸른 붉은 하얀 검은 오래된 새로운 조용한 머나먼 마지막 잃어버린 작은 높은 깊은 이른 늦은 빛나는")
TRADES = words("전자 상사 제약 건설 출판 식품 섬유 해운 철강 통신 화학 기계")
FLOWERS = words("매화 목련 튤립 동백 철쭉 장미 백일홍 해바라기 수선화 벚꽃 연꽃 배꽃 도라지 제비꽃 코스모스")
CLIMATES = words("온대 기후,열대 기후,냉대 기후,사막 기후,고산 기후,해양성 기후,대륙성 기후,지중해성 기후", ",")
INDUSTRIES = words("반도체 자동차 조선업 제지업 식품업 의류업 운수업 금융업 출판업 광고업 목재업 유리업 제과업 관광업")
GENRES = words("희극 비극 추리 모험 공상과학 전쟁 음악극 공포 서부극 기록 무협 연애")


def pick(rng: Random, pool: Sequence[Chosen]) -> Chosen:
    """One of them; several times faster than Random.choice."""
    return pool[int(rng.random() * len(pool))]


def between(rng: Random, least: int, most: int) -> int:
    """A whole number, both ends included; as fast."""
    return least + int(rng.random() * (most - least + 1))


def stem(rng: Random) -> str:
    """Two syllables, which begin most names."""
    return pick(rng, SYLLABLES) + pick(rng, SYLLABLES)


def date(rng: Random) -> str:
    """A day of the last three centuries."""
    return f"{between(rng, 1720, 2019)}년 {between(rng, 1, 12)}월 {between(rng, 1, 28)}일"


def company(rng: Random) -> str:
    """A company; some are two, so that there are entities to escape."""
    return f"{stem(rng)} & {stem(rng)}" if rng.random() < 0.1 else stem(rng) + pick(rng, TRADES)


def work(rng: Random) -> str:
    """A title of two words; some have quotes or angle brackets."""
    title = f"{pick(rng, ADJECTIVES)} {stem(rng)}" if rng.random() < 0.6 else f"{stem(rng)}의 {pick(rng, NOUNS)}"
    chance = rng.random()
    if chance < 0.08:
        return f"<{title}>"
    return f'"{title}"' if chance < 0.12 else title


MAKERS: dict[str, Callable[[Random], str]] = {
    "date": date,
    "year": lambda rng: f"{between(rng, 1720, 2019)}년",
    "person": lambda rng: pick(rng, SURNAMES) + stem(rng),
    "place": lambda rng: stem(rng) + pick(rng, "시군읍면구도"),
    "country": lambda rng: stem(rng) + pick(rng, ("국", "왕국", "공화국", "연방")),
    "job": lambda rng: pick(rng, JOBS),
    "school": lambda rng: stem(rng) + pick(rng, ("대학교", "고등학교", "사범학교", "전문학교")),
    "company": company,
    "work": work,
    "height": lambda rng: f"{between(rng, 148, 203)} cm",
    "area": lambda rng: f"{between(rng, 12, 9800)}.{between(rng, 1, 9)} km²",
    "people": lambda rng: f"{between(rng, 1000, 9_999_999):,}명",
    "money": lambda rng: f"{between(rng, 2, 9800):,}억 원",
    "minutes": lambda rng: f"{between(rng, 61, 240)}분",
    "language": lambda rng: stem(rng) + "어",
    "currency": lambda rng: stem(rng) + pick(rng, ("냥", "전", "리라", "크론")),
    "flower": lambda rng: pick(rng, FLOWERS),
    "mountain": lambda rng: stem(rng) + pick(rng, ("산", "봉")),
    "river": lambda rng: stem(rng) + pick(rng, ("강", "천")),
    "climate": lambda rng: pick(rng, CLIMATES),
    "industry": lambda rng: pick(rng, INDUSTRIES),
    "genre": lambda rng: pick(rng, GENRES),
    "product": lambda rng: stem(rng) + pick(rng, ("라면", "비누", "시계", "연필", "간장", "과자", "우산", "냉장고")),
    "nickname": lambda rng: f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}",
    "noun": lambda rng: pick(rng, NOUNS),
    "thing": lambda rng: f"{stem(rng)} {pick(rng, NOUNS)}",
    "percent": lambda rng: f"{between(rng, 1, 98)}.{between(rng, 10, 99)}%",
    "votes": lambda rng: f"{between(rng, 1, 99)},{between(rng, 100, 999)}",
    "rank": lambda rng: f"{between(rng, 1, 30)}위",
}
NEVER_LINKED = {"height", "area", "people", "money", "minutes", "percent", "votes", "rank"}

PARTICLES = {"은": "는", "이": "가", "을": "를", "과": "와", "으로": "로"}  # after a consonant: after a vowel
CONSONANT_DIGITS = "013678"  # these are read with a consonant at the end


@dataclass(frozen=True, slots=True)
class Word:
    """What is read, and its HTML; `{word:은}` in a template adds the particle that fits what is read."""

    text: str
    html: str

    def __format__(self, particle: str) -> str:
        if not particle:
            return self.html
        last = self.text.rstrip('>"')[-1]
        code = ord(last) - ord("가")
        final = code % 28 if 0 <= code < 11_172 else int(last in CONSONANT_DIGITS)
        if particle == "으로" and final == 8:  # ㄹ
            return self.html + "로"
        return self.html + (particle if final else PARTICLES[particle])


@dataclass(frozen=True, slots=True)
class Draws:
    """For `str.format_map`: each name in a template is a kind, and becomes another word of that kind."""

    rng: Random
    linked: float

    def __getitem__(self, kind: str) -> Word:
        text = MAKERS[kind](self.rng)
        return Word(text, self.dressed(kind, text))

    def dressed(self, kind: str, text: str) -> str:
        """A word in HTML, sometimes as a link; a date as two."""
        if kind == "area" and self.rng.random() < 0.5:
            return text.replace("²", "<sup>2</sup>")
        if kind in NEVER_LINKED or self.rng.random() >= self.linked:
            return escape(text)
        if kind == "date":
            year, _, day = text.partition(" ")
            return f"{link(year)} {link(day)}"
        return link(text)


def link(text: str) -> str:
    """To the page of that name; half of them are not written yet."""
    shown = escape(text)
    if ord(text[0]) % 2:
        target = f"/w/index.php?title={percent_encoded(text)}&amp;action=edit&amp;redlink=1"
        return f'<a class="new" href="{target}" title="{shown} (아직 없는 글)">{shown}</a>'
    return f'<a href="/wiki/{percent_encoded(text)}" title="{shown}">{shown}</a>'


def percent_encoded(text: str) -> str:
    """Every byte of it, as in an address."""
    return "%" + text.encode().hex("%").upper()


SENTENCES = (
    "{noun:은} {year} {place}에서 처음 나타났다.",
    "{person:은} {noun:을} 고쳐 지었고 {person:이} 이를 도왔다.",
    "{date} {place}의 {noun:이} 문을 열었다.",
    "당시 {place:과} {place} 사이에는 {noun:이} 놓여 있었다.",
    "{company:이} 비용을 냈으며 모두 {money:이} 들었다.",
    "{year}에는 {people:이} {thing:을} 찾았다.",
    "{person:은} 이를 &lt;{noun}&gt;이라고 적었다.",
    "이 {noun:은} {mountain} 아래 {river} 가까이에 있다.",
    "{work:은} {person:이} {year}에 쓴 글이다.",
    "그 뒤 {thing:은} {place:으로} 옮겨졌다.",
    "{school}의 {person:은} {noun:과} {noun:을} 견주어 살폈다.",
    "사람들은 {thing:을} &quot;{nickname}&quot;이라고 불렀다.",
    "{date}부터 {date}까지 {noun:이} 닫혀 있었다.",
    "{country}의 {job}들이 {thing:을} 보러 왔다.",
    "남은 {noun:은} 전체의 {percent}에 지나지 않는다.",
    "{person:과} {person:은} 서로 다른 뜻을 내놓았다.",
    "{thing}에서는 해마다 {noun:을} 나눈다.",
    "{place} 사람 {person:이} {noun} 열 개를 내놓았다.",
)
ITEMS = ("{year} {thing}", "{thing} ({year})", "{work} - {person}", "{date}\xa0: {noun} 개관", "{person}", "{thing}",
         "{year} 제{rank} {noun}", "{work}")  # fmt: skip
ENTRIES = (("{thing}", "{place}의 {noun}."), ("{person}", "{company} 소속 {job}."), ("{noun}", "{year}에 생긴 {noun}."))
COLUMNS = (("연도", "{year}"), ("이름", "{person}"), ("고을", "{place}"), ("득표", "{votes}"), ("비율", "{percent}"),
           ("차례", "{rank}"), ("날짜", "{date}"), ("작품", "{work}"), ("비고", "{noun}"))  # fmt: skip


# What pages tell and what is asked.


@dataclass(frozen=True, slots=True)
class Relation:
    """What a page says about its entity: the word beside the value, the value's kind, a question of its own."""

    name: str
    kind: str
    question: str


RELATIONS: dict[str, tuple[Relation, ...]] = {
    "person": (
        Relation("출생일", "date", "{s:은} 언제 태어났는가?"),
        Relation("출생지", "place", "{s:은} 어디에서 태어났는가?"),
        Relation("직업", "job", "{s:은} 무슨 일을 하는 사람인가?"),
        Relation("국적", "country", "{s:은} 어느 나라 사람인가?"),
        Relation("학력", "school", "{s:은} 어느 학교를 나왔는가?"),
        Relation("배우자", "person", "{s:은} 누구와 결혼했는가?"),
        Relation("스승", "person", "{s:은} 누구에게 배웠는가?"),
        Relation("대표작", "work", "{s:이} 남긴 가장 이름난 작품은?"),
        Relation("별명", "nickname", "{s:은} 무엇이라고 불렸는가?"),
        Relation("신장", "height", "{s}의 키는 얼마인가?"),
    ),
    "place": (
        Relation("수도", "place", "{s}의 서울은 어디인가?"),
        Relation("면적", "area", "{s}의 넓이는 얼마인가?"),
        Relation("인구", "people", "{s}에는 몇 명이 사는가?"),
        Relation("공용어", "language", "{s}에서는 어떤 말을 쓰는가?"),
        Relation("화폐", "currency", "{s}에서는 어떤 돈을 쓰는가?"),
        Relation("국화", "flower", "{s:을} 나타내는 꽃은?"),
        Relation("최고봉", "mountain", "{s}에서 가장 높은 산은?"),
        Relation("기후", "climate", "{s}의 날씨는 어떤 갈래에 드는가?"),
        Relation("독립일", "date", "{s:은} 언제 독립했는가?"),
        Relation("통치자", "person", "{s:을} 다스리는 사람은?"),
    ),
    "film": (
        Relation("감독", "person", "{s:을} 누가 만들었는가?"),
        Relation("각본", "person", "{s}의 대본은 누가 썼는가?"),
        Relation("음악", "person", "{s}의 곡은 누가 지었는가?"),
        Relation("주연", "person", "{s}에 나온 으뜸 배우는?"),
        Relation("개봉일", "date", "{s:은} 언제 극장에 걸렸는가?"),
        Relation("상영시간", "minutes", "{s:은} 몇 분 동안 이어지는가?"),
        Relation("제작비", "money", "{s:을} 만드는 데 얼마가 들었는가?"),
        Relation("배급사", "company", "{s:을} 나누어 준 회사는?"),
        Relation("원작", "work", "{s:은} 무엇을 바탕으로 하는가?"),
        Relation("장르", "genre", "{s:은} 어떤 갈래의 영화인가?"),
    ),
    "company": (
        Relation("설립자", "person", "{s:을} 세운 사람은?"),
        Relation("설립일", "date", "{s:은} 언제 세워졌는가?"),
        Relation("대표이사", "person", "{s:을} 이끄는 사람은?"),
        Relation("본사", "place", "{s:은} 어디에 자리하는가?"),
        Relation("매출액", "money", "{s:은} 한 해에 얼마를 파는가?"),
        Relation("직원수", "people", "{s}에서는 몇 명이 일하는가?"),
        Relation("업종", "industry", "{s:은} 어떤 장사를 하는가?"),
        Relation("주력상품", "product", "{s:이} 가장 많이 파는 것은?"),
        Relation("모기업", "company", "{s:을} 거느린 회사는?"),
        Relation("상장일", "date", "{s}의 주식은 언제부터 거래되었는가?"),
    ),
}
PASSAGE = Relation("일화", "passage", "{s}에 얽힌 이야기는?")  # some sentences in the middle of a paragraph
PAGES_WITH_PASSAGE = 0.3
TITLES = {"person": "person", "place": "country", "film": "work", "company": "company"}  # kinds of their names

ASKED: dict[str, str] = {"person": "누구", "date": "언제", "place": "어디"} | dict.fromkeys(
    ("height", "area", "people", "money", "minutes"), "얼마"
)
TELLING = (
    "{s}의 {r:은} {v}이다.",
    "{r:은} {v:으로} 알려져 있다.",
    "기록에는 {r:이} {v:으로} 적혀 있다.",
    "{v:이} {s}의 {r}이다.",
)
TELLING_PASSAGE = "{s}의 {r:은} 다음과 같다. {v} 여기까지가 전하는 말이다."
TOPICS: dict[Kind, tuple[str, ...]] = {
    "long prose": ("역사", "배경", "특징", "평가", "영향", "유래", "논란", "보존"),
    "long table": ("선거 결과", "기록 변화", "방송 일정", "대회 순위", "노선 현황", "공연 일정", "연도별 통계"),
    "long list": ("수상", "저서", "경력", "행사", "시설", "제자", "관련 단체"),
}
TOPIC_QUESTIONS: dict[Kind, tuple[str, ...]] = {
    "long prose": ("{s}의 {t:을} 설명하라.", "{s}의 {t:은} 어떠한가?", "{s}의 {t}에 대하여 알려 줘."),
    "long table": ("{s}의 {t} 표는?", "{s}의 {t:을} 표로 보여라.", "{s}의 {t:은} 표에서 어떠한가?"),
    "long list": ("{s}의 {t} 목록은?", "{s}의 {t:을} 모두 늘어놓아라.", "{s}의 {t}에는 무엇이 있는가?"),
}


# Golds are marked in the raw page by pairs of characters that no text has, and found after the attributes are gone.

MARK = re.compile("([\ue000-\uf8ff])")
OPENING = re.compile(r"<(\w+)[^<>]*>")
REMOVED = re.compile(r"<script.*?</script>|<!--.*?-->", re.DOTALL)
ATTRIBUTES = re.compile(r'(<\w+(?: (?:col|row)span="\d+")?+) [^<>]*>')
TAG = re.compile(r"<[^<>]*>")


def without_attributes(raw: str) -> str:
    """The context of a raw page: no scripts, comments and attributes, except colspan and rowspan."""
    return ATTRIBUTES.sub(r"\1>", REMOVED.sub("", raw))


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A text without its marks, and where each was."""

    text: str
    places: list[int]  # by the mark's number


def unmarked(marked: str) -> Unmarked:
    """Take the marks out."""
    pieces = MARK.split(marked)
    places = [0] * (len(pieces) // 2)
    position = 0
    for literal, mark in zip(pieces[::2], pieces[1::2], strict=False):
        position += len(literal)
        places[ord(mark) - 0xE000] = position
    return Unmarked("".join(pieces[::2]), places)


def outwards(html: str, start: int, end: int) -> tuple[int, int]:
    """The span with all tags that hold nothing else, as the annotators' tool selected nodes."""
    while True:
        begin = html.rfind("<", 0, start)
        opening = OPENING.fullmatch(html, begin, start) if begin >= 0 else None
        if opening is None or not html.startswith(f"</{opening[1]}>", end):
            return start, end
        start, end = begin, end + len(opening[1]) + 3


# Parts of a page.


@dataclass(slots=True)
class Page:
    """A page that is being written: its words, and what can be asked of it."""

    rng: Random
    scale: Scale
    subject: Word
    draws: Draws
    asked: list[tuple[Kind, str]] = field(default_factory=list)  # the questions, in the order of their marks
    notes: int = 0

    def gold(self, kind: Kind, question: str, html: str) -> str:
        """The same HTML, marked as what answers the question."""
        mark = 0xE000 + 2 * len(self.asked)
        self.asked.append((kind, question))
        return f"{chr(mark)}{html}{chr(mark + 1)}"

    def value(self, kind: Kind, relation: Relation) -> Word:
        """A relation's value as gold, sometimes emphasised."""
        if relation is PASSAGE:
            text = " ".join(self.filled(SENTENCES) for _ in range(2))
            return Word(text, self.gold(kind, self.question(relation), text))
        word = self.draws[relation.kind]
        html = f"<b>{word.html}</b>" if self.rng.random() < 0.03 else word.html
        return Word(word.text, self.gold(kind, self.question(relation), html))

    def question(self, relation: Relation) -> str:
        """One of some phrasings."""
        asked = ASKED.get(relation.kind, "무엇")
        ways = ("{s}의 {r:은} " + asked + "인가?", "{s}의 {r:은}?", "{s}의 {r:을} 말하라.")
        return pick(self.rng, (*ways, relation.question)).format(s=self.subject, r=plain(relation.name))

    def told(self, relations: Sequence[Relation]) -> str:
        """A paragraph with a sentence for each, and others between them."""
        sentences = []
        for relation in relations:
            way = TELLING_PASSAGE if relation is PASSAGE else pick(self.rng, TELLING)
            shown = Word(self.subject.text, escape(self.subject.text))
            sentences.append(way.format(s=shown, r=plain(relation.name), v=self.value("prose", relation)))
            if self.rng.random() < 0.3:
                sentences.append(self.filled(SENTENCES))
        return f"<p>{' '.join(sentences)}\n</p>"

    def infobox(self, relations: Sequence[Relation]) -> str:
        """The table beside the beginning; its cells are tight or end in a new line, all in one way."""
        name = escape(self.subject.text)
        rows = [f'<td colspan="2" style="text-align:center;"><div><span><big><b>{name}</b></big></span></div>\n</td>']
        end = "" if self.rng.random() < 0.3 else "\n"
        note = '<span style="display:none">(<span class="bday">옮김</span>)</span>'
        for relation in relations:
            more = note if self.rng.random() < 0.1 else ""
            rows.append(
                f'<th scope="row" style="text-align:left;"><span class="nowrap">{relation.name}{" " * bool(end)}</span>'
                f"{end}</th>\n<td>{self.value('table', relation)}{more}{end}</td>"
            )
        body = "</tr>\n<tr>\n".join(rows)
        return f'<table class="infobox" style="width:25em;">\n<tbody><tr>\n{body}</tr></tbody></table>\n'

    def facts(self, relations: Sequence[Relation]) -> str:
        """A list of the relations: `<li>감독 - 김하늘</li>`, or terms and what they are."""
        if self.rng.random() < 0.25:
            pairs = (f"<dt>{one.name}</dt>\n<dd>{self.value('list', one)}</dd>" for one in relations)
            return f"<dl>{lines(pairs)}</dl>"
        sign = pick(self.rng, (" - ", ": ", "\xa0: "))
        items = (f"<li>{one.name}{sign}{self.value('list', one)}</li>" for one in relations)
        return f"<ul>{lines(items)}</ul>"

    def filled(self, templates: Sequence[str]) -> str:
        """One of the templates with words."""
        return pick(self.rng, templates).format_map(self.draws)

    def paragraphs(self, most: int = 2) -> str:
        """Some prose, with notes."""
        made = []
        for _ in range(between(self.rng, 1, most)):
            prose = " ".join(self.filled(SENTENCES) for _ in range(between(self.rng, *self.scale.sentences)))
            made.append(f"<p>{prose}{self.note() if self.rng.random() < 0.4 else ''}\n</p>")
        return "".join(made)

    def note(self) -> str:
        """The number of a reference."""
        self.notes += 1
        number = self.notes
        return f'<sup class="reference" id="cite_ref-{number}"><a href="#cite_note-{number}">[{number}]</a></sup>'

    def listing(self) -> str:
        """A list: mostly bullets, some with numbers, some of terms, some with a list in them."""
        count, chance = between(self.rng, *self.scale.items), self.rng.random()
        if chance < 0.15:
            pairs = (pick(self.rng, ENTRIES) for _ in range(count))
            parts = (f"<dt>{term}</dt>\n<dd>{said}</dd>".format_map(self.draws) for term, said in pairs)
            return f"<dl>{lines(parts)}</dl>"
        template = pick(self.rng, ITEMS)
        items = [f"<li>{template.format_map(self.draws)}</li>" for _ in range(count)]
        if chance > 0.85:
            items[-1] = items[-1].replace("</li>", f"\n<ul>{items[0]}\n{items[1]}</ul></li>")
        name = "ol" if chance < 0.25 else "ul"
        return f"<{name}>{lines(items)}</{name}>"

    def table(self) -> str:
        """A table with a head; only the last cell of a row ends in a new line, or all do."""
        rng = self.rng
        columns = rng.sample(COLUMNS, between(rng, *self.scale.columns))
        end = "" if rng.random() < 0.4 else "\n"
        style = pick(
            rng, ("", ' style="text-align:center; vertical-align:middle;"', ' style="background:#F2F2FF; width:12%;"')
        )
        head, row = (f"{end}</{name}>\n<{name}{style}>" for name in ("th", "td"))
        rows = [f"<th{style}>{head.join(name for name, _ in columns)}\n</th>"]
        template = f"<td{style}>{row.join(cell for _, cell in columns)}\n</td>"
        rows += (template.format_map(self.draws) for _ in range(between(rng, *self.scale.rows)))
        if rng.random() < 0.2:  # across the table, as a comment
            rows.append(f'<td colspan="{len(columns)}"{style}><small>{self.draws["thing"]}</small>\n</td>')
        body = "</tr>\n<tr>\n".join(rows)
        return f'<table class="wikitable sortable" style="font-size:95%;">\n<tbody><tr>\n{body}</tr></tbody></table>'

    def topic(self, kind: Kind, name: str) -> str:
        """A section's body that a long answer is."""
        body = {"long prose": self.paragraphs, "long table": self.table, "long list": self.listing}[kind]()
        question = pick(self.rng, TOPIC_QUESTIONS[kind]).format(s=self.subject, t=plain(name))
        return self.gold(kind, question, body)

    def other(self) -> str:
        """A section's body of which nothing is asked."""
        chance = self.rng.random()
        if chance < 0.1:
            return self.paragraphs(4)
        return self.table() if chance < 0.5 else self.listing()

    def box(self) -> str:
        """Links to other pages, as at the end of a page."""
        group = (
            '<tr><th class="navbox-group" scope="row" style="width:1%">{noun}</th><td class="navbox-list navbox-odd" '
            'style="text-align:left;border-left-width:2px;width:100%"><div style="padding:0em 0.25em">\n<ul>'
        )
        rows = []
        for _ in range(between(self.rng, 1, 4)):
            links = (f"<li>{link(MAKERS['thing'](self.rng))}</li>" for _ in range(between(self.rng, 5, 20)))
            rows.append(f"{group.format_map(self.draws)}{lines(links)}</ul>\n</div></td></tr>")
        title = f'<tr><th class="navbox-title" colspan="2" scope="col"><div>{self.draws["thing"]}</div></th></tr>'
        head = (
            '<div class="navbox" role="navigation" style="padding:3px"><table class="nowraplinks collapsible"><tbody>'
        )
        return f"{head}{title}{''.join(rows)}</tbody></table></div>"

    def references(self) -> str:
        """What the notes say."""
        items = (
            f'<li id="cite_note-{number}"><span class="mw-cite-backlink"><a href="#cite_ref-{number}">↑</a></span> '
            f'<span class="reference-text">{self.draws["person"]}, 《{self.draws["work"]}》</span>\n</li>'
            for number in range(1, self.notes + 1)
        )
        return f'<div class="reflist"><ol class="references">\n{lines(items)}\n</ol></div>'


def lines(parts: Iterable[str]) -> str:
    """One under the other."""
    return "\n".join(parts)


def plain(text: str) -> Word:
    """A word that is read as it is written."""
    return Word(text, text)


# The whole page.


def heading(number: int, name: str, title: str) -> str:
    """Of a section, with the link to edit it."""
    bracket = '<span class="mw-editsection-bracket">{}</span>'.format
    return (
        f'\n<h2><span id=".{percent_encoded(name)[1:].replace("%", ".")}"></span><span class="mw-headline" '
        f'id="{name.replace(" ", "_")}">{name}</span><span class="mw-editsection">{bracket("[")}<a '
        f'href="/w/index.php?title={title}&amp;action=edit&amp;section={number}" title="부분 편집: {name}">편집</a>'
        f"{bracket(']')}</span></h2>\n"
    )


def contents(names: Sequence[str]) -> str:
    """The table of contents."""
    items = "\n".join(
        f'<li class="toclevel-1 tocsection-{number}"><a href="#{name.replace(" ", "_")}">'
        f'<span class="tocnumber">{number}</span> <span class="toctext">{name}</span></a></li>'
        for number, name in enumerate(names, 1)
    )
    return (
        '<div class="toc" id="toc"><input class="toctogglecheckbox" role="button" type="checkbox"/>'
        '<div class="toctitle"><h2>차례</h2><span class="toctogglespan"><label class="toctogglelabel"></label></span>'
        f"</div>\n<ul>\n{items}\n</ul>\n</div>"
    )


def menu(name: str, items: str) -> str:
    """A block of links beside every page."""
    links = "".join(
        f'<li id="n-{name}-{number}"><a accesskey="{number}" href="/wiki/%ED%8A%B9%EC%88%98:{percent_encoded(item)}" '
        f'title="{item} 화면을 여는 고리 [{number}]">{item}</a></li>'
        for number, item in enumerate(items.split(","))
    )
    return (
        f'<div aria-labelledby="p-{name}-label" class="portal" id="p-{name}" role="navigation">\n<h3>{name}</h3>\n'
        f'<div class="body">\n<ul>\n{links} </ul>\n</div>\n</div>\n'
    )


MENUS = {
    "내 자리": "들어가지 않음,내 이야기,내가 쓴 것,이름 만들기,들어가기",
    "이름의 자리": "글,이야기",
    "이 글": "읽기,고치기,지난 모습,지켜보기,옮기기",
    "길잡이": "첫 화면,모두의 마당,요즘 일,새로 바뀐 글,모든 글,아무 글이나,도움,보태기",
    "연장": "이 글로 오는 고리,함께 바뀐 글,그림 올리기,따로 만든 화면,변하지 않는 고리,글의 내력,자료 묶음,끌어 쓰기",
    "내보내기": "책으로 엮기,한 장으로 받기,찍기 좋은 화면",
    "다른 말": "Aabe,Bondo,Cirel,Dunami,Evlek,Farsul,Gimbo,Hanner,Ilmari,Jorun",
}
CONFIG = ",".join(
    f'"pgModule{number}.state":"ready","pgModule{number}.version":"{number:05x}"' for number in range(200)
)
REAL_HEAD = f'<script>var CONFIG={{"pgName":"TITLE",{CONFIG}}};</script>\n' + "".join(
    f'<link href="/w/load.php?lang=ko&amp;modules=ext.part{number}&amp;only=styles" rel="stylesheet"/>\n'
    f'<meta content="part{number}" name="generator-part-{number}"/>\n'
    for number in range(12)
)
REAL_FOOT = (
    "".join(menu(name, items) for name, items in MENUS.items())
    + '<div id="footer" role="contentinfo">\n<ul id="footer-info">\n<li id="footer-info-lastmod"> 이 글은 마지막으로 '
    "지난해에 고쳤습니다.</li>\n<li>모든 글은 누구나 다시 쓸 수 있으며, 더 알고 싶으면 "
    '<a href="/wiki/terms">쓰는 법</a>을 보십시오.<br/>이름과 무늬는 모두 지어낸 것입니다.</li>\n</ul>\n</div>\n'
    + "<!-- rendered by nobody, saved in no cache -->"
    + f"<script>(CONFIG.ready||[]).push(function(){{start({CONFIG[:2500]});}});</script>"
)
HEADS: dict[Size, str] = {"real": REAL_HEAD, "small": ""}
FEET: dict[Size, str] = {"real": REAL_FOOT, "small": menu("길잡이", "첫 화면,도움")}


def whole(page: Page, sections: Sequence[tuple[str, str]], lead: str, size: Size) -> str:
    """The raw page around its sections."""
    title, name = percent_encoded(page.subject.text), escape(page.subject.text)
    bodies = "".join(heading(number, one, title) + body for number, (one, body) in enumerate(sections, 1))
    kinds = "".join(f"<li>{link(MAKERS['thing'](page.rng))}</li>" for _ in range(between(page.rng, 1, 4)))
    return (
        '<!DOCTYPE html>\n<html class="client-nojs" dir="ltr" lang="ko">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{name} - 지어낸 백과</title>\n{HEADS[size].replace('TITLE', title)}\n</head>\n"
        '<body class="mediawiki ltr ns-0 ns-subject skin-vector action-view">\n<div class="mw-body" id="content" '
        f'role="main">\n<a id="top"></a>\n<h1 class="firstHeading" id="firstHeading" lang="ko">{name}</h1>\n'
        '<div class="mw-body-content" id="bodyContent">\n<div class="noprint" id="siteSub">지어낸 백과, 없는 것들.'
        f'</div>\n<div class="mw-content-ltr" id="mw-content-text" lang="ko"><div class="mw-parser-output">{lead}'
        f"\n{contents([name for name, _ in sections])}{bodies}\n</div></div>\n"
        f'<div class="catlinks" id="catlinks"><div><a href="/wiki/kinds">갈래</a>: <ul>{kinds}</ul></div></div>\n'
        f'</div>\n</div>\n<div id="mw-navigation">\n{FEET[size]}</div>\n</body>\n</html>\n'
    )


def sections_of(page: Page, relations: Sequence[str], length: float) -> list[tuple[str, str]]:
    """Names and bodies: those with the relations, topics, and others until they have so many characters."""
    made = list(zip(("개요", "주요 정보"), relations, strict=True))
    for kind, names in TOPICS.items():
        made += ((name, page.topic(kind, name)) for name in page.rng.sample(names, page.scale.topics))
    missing = length - sum(len(without_attributes(body)) + 130 for _, body in made)
    boxes = []
    while missing > 400:
        body = page.box() if page.rng.random() < 0.15 else page.other()
        missing -= len(without_attributes(body)) + 130  # characters of the heading, and of its line in the contents
        if body.startswith("<div"):
            boxes.append(body)
        else:
            made.append((f"{stem(page.rng)} {pick(page.rng, NOUNS)}", body))
    page.rng.shuffle(made)
    return [*made, ("각주", "\n".join((page.references(), *boxes)))]


def target(rng: Random, number: int) -> float:
    """Characters of a context of real size."""
    tokens = LONGEST if number % LONGEST_EVERY == LONGEST_EVERY // 2 else rng.lognormvariate(math.log(MEDIAN), SPREAD)
    return min(tokens, LONGEST) * CHARACTERS_A_TOKEN


def document(number: int, seed: int, size: Size) -> dict[str, Any]:
    """A record of KorQuAD 2.1; the same for the same arguments, whatever was made before."""
    rng, scale = Random(f"{size}-{seed}-{number}"), SCALES[size]
    entity = pick(rng, tuple(RELATIONS))
    subject = plain(MAKERS[TITLES[entity]](rng))
    page = Page(rng, scale, subject, Draws(rng, scale.linked))
    relations = rng.sample(RELATIONS[entity], len(RELATIONS[entity]))
    lead = page.infobox(relations[:4]) + page.told(relations[4:5])
    told = [*relations[5:-3], *[PASSAGE] * (rng.random() < PAGES_WITH_PASSAGE)]
    length = target(rng, number) - FRAME if size == "real" else 0
    sections = sections_of(page, (page.told(told), page.facts(relations[-3:])), length)
    marked = whole(page, sections, lead, size)
    raw, context = unmarked(marked), unmarked(without_attributes(marked))
    questions = [
        {"id": f"{size}-{seed}-{number}-{position}", "question": page.asked[index][1],
         "answer": answer_at(context, raw, index)}
        for position, index in enumerate(chosen(page))
    ]  # fmt: skip
    url = f"https://pages.example/wiki/{subject.text}"
    return {"title": subject.text, "url": url, "context": context.text, "raw_html": raw.text, "qas": questions}


def answer_at(context: Unmarked, raw: Unmarked, index: int) -> dict[str, Any]:
    """What is between a pair of marks, with its tags, in the context and in the raw page."""
    start, end = outwards(context.text, *context.places[2 * index : 2 * index + 2])
    raw_start, raw_end = outwards(raw.text, *raw.places[2 * index : 2 * index + 2])
    of_raw = {"html_answer_text": raw.text[raw_start:raw_end], "html_answer_start": raw_start}
    return {"text": context.text[start:end], "answer_start": start, **of_raw}


FRAME = len(without_attributes(REAL_HEAD + REAL_FOOT)) + 1_300  # characters around the sections, with infobox and lead


def chosen(page: Page) -> list[int]:
    """Which of the marked are asked."""
    count = page.rng.choices(range(1, len(page.scale.questions) + 1), page.scale.questions)[0]
    left: dict[Kind, list[int]] = {}
    for index, (kind, _) in enumerate(page.asked):
        left.setdefault(kind, []).append(index)
    taken: list[int] = []
    while len(taken) < count:
        kind = page.rng.choices(list(page.scale.kinds), list(page.scale.kinds.values()))[0]
        if left[kind]:
            taken.append(left[kind].pop(int(page.rng.random() * len(left[kind]))))
    return taken


# Files, and what is in them.

LONG = re.compile(r"<(p|table|ul|ol|dl)[ >]")
BLOCK = re.compile(r"<(p|table|td|th|ul|ol|dl|li|dt|dd)[ >]")
PLACES = {"p": "prose", "table": "table", "td": "table", "th": "table"}  # all others are of lists


def kind_of(context: str, answer: dict[str, Any]) -> str:
    """Where an answer stands, and whether it is long, as the text alone shows it."""
    start, long = answer["answer_start"], LONG.match(answer["text"])
    name = long[1] if long else BLOCK.findall(context, max(0, start - 5000), start + 4)[-1]
    return "long " * bool(long) + PLACES.get(name, "list")


@dataclass(slots=True)
class Tally:
    """What documents have, counted as they come."""

    kinds: Counter[str] = field(default_factory=Counter)
    tagged: int = 0
    within_30: int = 0
    within_512: int = 0
    lengths: list[int] = field(default_factory=list)  # characters of the contexts
    visible: list[int] = field(default_factory=list)
    raw: int = 0

    def add(self, one: dict[str, Any]) -> None:
        """Count a document."""
        context = one["context"]
        self.lengths.append(len(context))
        self.visible.append(len(TAG.sub("", context)))
        self.raw += len(one["raw_html"])
        for question in one["qas"]:
            answer = question["answer"]
            self.kinds[kind_of(context, answer)] += 1
            self.tagged += "<" in answer["text"]
            # Block tags as a token each, and 0.6 tokens a character of Korean, as mBERT has it.
            tokens = 0.6 * len(unescape(TAG.sub("", answer["text"]))) + 2 * len(BLOCK.findall(answer["text"]))
            self.within_30 += tokens <= 30
            self.within_512 += tokens <= 512

    def shares(self) -> dict[str, float]:
        """Shares in percent, lengths in characters and in tokens with tags as text."""
        asked, total, ordered = sum(self.kinds.values()), sum(self.lengths), sorted(self.lengths)
        tokens = {"mean": total / len(ordered), "90th": ordered[len(ordered) * 9 // 10], "longest": ordered[-1]}
        shares = {name: 100 * count / asked for name, count in sorted(self.kinds.items())}
        shares["long"] = sum(share for name, share in shares.items() if name.startswith("long"))
        shares |= {"with tags": 100 * self.tagged / asked, "within 30 tokens": 100 * self.within_30 / asked}
        shares |= {"within 512 tokens": 100 * self.within_512 / asked, "questions a page": asked / len(ordered)}
        shares |= {"characters that are tags": 100 * (1 - sum(self.visible) / total), "raw/context": self.raw / total}
        shares |= {"visible characters": sum(self.visible) / len(ordered), "characters": total / len(ordered)}
        return shares | {f"tokens, {name}": value / CHARACTERS_A_TOKEN for name, value in tokens.items()}


def write_pages(folder: Path, documents: int, seed: int, size: Size, first: int = 0, per_file: int = 1000) -> Tally:
    """Write korquad2.1_NN.json with the documents from `first` on; one document at a time is in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    tally, end = Tally(), first + documents
    for start in range(first, end, per_file):
        path = folder / f"korquad2.1_{start // per_file:02d}.json"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write('{"version": "KorQuAD_v2.1", "data": [')
            for number in range(start, min(start + per_file, end)):
                one = document(number, seed, size)
                tally.add(one)
                file.write(",\n" * (number > start) + json.dumps(one, ensure_ascii=False))
            file.write("]}\n")
    return tally


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is written, and where."""

    folder: Annotated[Path, tyro.conf.Positional]
    documents: int = 1000
    size: Size = "real"
    seed: int = 0
    first: int = 0  # number of the first document: others of the same seed for another split


def run(arguments: Arguments) -> int:
    """Write, and print what was measured of it."""
    begun = time.perf_counter()
    tally = write_pages(arguments.folder, arguments.documents, arguments.seed, arguments.size, arguments.first)
    seconds = time.perf_counter() - begun
    for name, value in tally.shares().items():
        print(f"{name:26} {value:12,.2f}")
    print(f"{arguments.documents:,} documents in {seconds:.1f} s, {arguments.documents / seconds:.0f} a second")
    return 0


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
