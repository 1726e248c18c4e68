"""What a service answers in ETRI's form, as morphemes of the text that it was asked about, or as Trouble."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from dokhae.korean.mecab import SEJONG, SYMBOLS
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.texts import HALF

SPACES = re.compile(r"\s*")
OTHER_SHAPE = "its answer has another shape than ETRI's"
OTHER_TEXT = "it answers about other text"
OTHER_OFFSETS = "its answer has other offsets than bytes of the document (UTF-8)"


class Trouble(Exception):
    """What is wrong with a service or its answer, and what the user can do."""

    def __init__(self, what: str, advice: str = "is it an analyser that answers in ETRI's form?") -> None:
        super().__init__(what)
        self.advice = advice


class Said(NamedTuple):
    """A morpheme as it is answered, with characters for bytes."""

    lemma: str
    tag: str
    start: int
    sentence_end: int


def read(body: bytes, text: str) -> list[Morpheme]:
    """The morphemes of an answer, where they stand in `text`; Trouble where the answer is not one, or not about it."""
    sentences = _sentences(_parsed(body))
    ends = _sentence_ends([_string(one, "text") for one in sentences], text)
    return list(_morphemes(list(_said(sentences, ends, text)), text))


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # ValueError: bytes that are no UTF-8 too
        raise Trouble(f"its answer is no JSON: {body.decode(errors='replace')!r}") from None


def _sentences(answer: object) -> list[object]:
    """Those of the official API, of a newer Mecab service, or the bare list of an older one."""
    if isinstance(answer, dict):
        if answer.get("result", 0) not in (0, "0"):
            raise Trouble(f"it answers result {answer['result']}: {answer.get('reason', 'no reason')!r}",
                          "try again later, or with another text")  # fmt: skip
        inside = answer.get("return_object")  # the Mecab service has the name of a Java class in it
        answer = inside.get("sentence") if isinstance(inside, dict) else answer.get("sentences")
    return _list(answer)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise Trouble(f"{OTHER_SHAPE}: {value!r} in place of a list")
    return value


def _field(record: object, name: str) -> object:
    if not isinstance(record, dict) or name not in record:
        raise Trouble(f"{OTHER_SHAPE}: there is no {name!r} in {record!r}")
    return record[name]


def _string(record: object, name: str) -> str:
    value = _field(record, name)
    if not isinstance(value, str) or HALF.search(value):
        raise Trouble(f"{OTHER_SHAPE}: {name!r} is {value!r}")
    return value


def _sentence_ends(sentences: Sequence[str], text: str) -> list[int]:
    """Where each sentence ends in the text. Services trim and collapse white space, so only the rest is compared."""
    solid = "".join(text.split())
    places = [place for place, character in enumerate(text) if not character.isspace()]
    ends: list[int] = []
    done = 0
    for sentence in sentences:
        piece = "".join(sentence.split())
        if not solid.startswith(piece, done):
            left_out = solid.find(piece, done)
            raise Trouble(f"{OTHER_TEXT}: {sentence!r}" if left_out < 0
                          else f"no sentence of its answer has {solid[done:left_out]!r}")  # fmt: skip
        done += len(piece)
        ends.append(places[done - 1] + 1 if done else 0)
    if done < len(solid):
        raise Trouble(f"no sentence of its answer has {solid[done:]!r}")
    return ends


def _said(sentences: Sequence[object], ends: Sequence[int], text: str) -> Iterator[Said]:
    bytes_before = accumulate((len(character.encode()) for character in text), initial=0)
    characters = {byte: character for character, byte in enumerate(bytes_before)}
    last = 0
    for sentence, begin, end in zip(sentences, (0, *ends), ends, strict=False):
        last = max(last, begin)  # the white space before a sentence may be taken as its own
        for one in _list(_field(sentence, "morp")):
            place = characters.get(_whole(_field(one, "position")))
            if place is None:
                raise Trouble(f"{OTHER_OFFSETS}: no character begins at {_field(one, 'position')!r}")
            if not last <= place <= end:
                where = "outside of its sentence" if place > end or place < begin else "before the one in front of it"
                raise Trouble(f"{OTHER_OFFSETS}: {_field(one, 'position')!r} is {where}")
            last = place
            yield Said(_string(one, "lemma"), _string(one, "type"), min(_after_spaces(text, place), end), end)


def _whole(value: object) -> int:
    """A number that may come as a string or with a fraction of zero; -1 for all else."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return -1
    return int(number) if number.is_integer() else -1


def _after_spaces(text: str, place: int) -> int:
    found = SPACES.match(text, place)
    return found.end() if found else place


def _morphemes(said: Sequence[Said], text: str) -> Iterator[Morpheme]:
    last = 0
    for one, later in zip(said, _later_starts(said, len(text)), strict=True):
        if text.startswith(one.lemma, one.start):
            end = one.start + len(one.lemma)
        else:  # an irregular form, or a contraction that shares its characters
            end = one.start + len(text[one.start : min(later, one.sentence_end)].rstrip())
        for morpheme in _sejong(one, end, text):
            last = max(last, morpheme.end)
            yield morpheme._replace(end=last)


def _later_starts(said: Sequence[Said], length: int) -> list[int]:
    """For each morpheme where the next one starts that does not start with it."""
    later = [length] * len(said)
    for number in reversed(range(len(said) - 1)):
        start, following = said[number].start, said[number + 1].start
        later[number] = following if following > start else later[number + 1]
    return later


def _sejong(one: Said, end: int, text: str) -> Iterator[Morpheme]:
    """With Sejong's tag. One that is fused of several (VV+EP) stays as it is: no service says what its parts are."""
    if one.tag != "SY":
        yield Morpheme(one.lemma, SEJONG.get(one.tag, one.tag), one.start, end)
    elif text.startswith(one.lemma, one.start):
        for place, character in enumerate(one.lemma, one.start):
            yield Morpheme(character, SYMBOLS.get(character, "SW"), place, place + 1)
    else:
        yield Morpheme(one.lemma, SYMBOLS.get(one.lemma, "SW"), one.start, end)
