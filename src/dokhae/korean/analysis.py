"""The analysers by name. Whatever they are, a text is composed before they see it, and what they say is checked."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dokhae.errors import AnalyserError, SettingsError
from dokhae.korean.composed import composed
from dokhae.korean.kiwi import Kiwi
from dokhae.korean.mecab import Mecab
from dokhae.korean.morphemes import Analyser, Morpheme

NAMES = ("kiwi", "mecab")
REMEMBERED = 1024  # texts: those of a portion of questions, which several ask for; some 40 kB each


@functools.cache
def find(name: str) -> Analyser:
    """The analyser of a name: kiwi, mecab, or the address of a service that speaks ETRI's form.

    Raises MissingExtra where it is not installed, SettingsError where there is none of that name.
    """
    if is_address(name):
        from dokhae.korean.service import Service

        return Analysis(Service(name))
    if name not in NAMES:
        raise SettingsError(f"analyser {name!r} is not known; known are {', '.join(NAMES)}, "
                            "and the address of a service, http://...")  # fmt: skip
    return Analysis(Kiwi() if name == "kiwi" else Mecab())


def is_address(name: str | None) -> bool:
    """Whether an analyser is a service, to which texts are sent."""
    return name is not None and name.startswith(("http://", "https://"))


class Analysis:
    """An analyser whose texts are composed first, whose spans are of the text as it was given, with a short memory."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser
        self._remembered: OrderedDict[str, list[Morpheme]] = OrderedDict()
        self._lock = threading.Lock()  # a reader may be asked by several threads

    @property
    def identity(self) -> str:
        """That of the analyser."""
        return self._analyser.identity

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """See Analyser; a text that was asked for lately is not analysed again."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._remembered]
            found = dict(zip(new, self._analysed(new), strict=True))
            answers = [found[text] if text in found else self._remembered[text] for text in texts]
            self._remembered.update(list(found.items())[-REMEMBERED:])
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
            return answers

    def _analysed(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        forms = [composed(text) for text in texts]
        answers = self._analyser.analyse([form for form, _ in forms])
        for (form, _), morphemes in zip(forms, answers, strict=True):
            check(form, morphemes, self.identity)
        return [
            morphemes if places is None else [
                Morpheme(one.lemma, one.tag, int(places[one.start]), int(places[one.end])) for one in morphemes
            ]
            for (_, places), morphemes in zip(forms, answers, strict=True)
        ]  # fmt: skip


def check(text: str, morphemes: Sequence[Morpheme], identity: str) -> None:
    """AnalyserError where morphemes lie outside of a text, or step back."""
    places = np.array([(one.start, one.end) for one in morphemes], dtype=np.int64).reshape(-1, 2)
    starts, ends = places[:, 0], places[:, 1]
    in_order = (np.diff(places, axis=0) >= 0).all() and (starts <= ends).all()
    if not in_order or (len(places) and (starts[0] < 0 or ends[-1] > len(text))):
        raise AnalyserError(f"{identity}: its morphemes of {text[:60]!r} are not in the order of the text, or lie "
                            "outside of it; take another analyser")  # fmt: skip
