"""Kiwi (kiwipiepy) as an analyser."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from dokhae.errors import optional
from dokhae.korean.morphemes import Morpheme

# Kiwi's own tags -> Sejong's. Regular and irregular stems (VV-I, VV-R) are one tag there.
SEJONG = {
    "SSO": "SS", "SSC": "SS", "SB": "SW", "UN": "UNK", "W_EMOJI": "SW", "W_SERIAL": "SN", "W_URL": "SL",
    "W_EMAIL": "SL", "W_HASHTAG": "SL", "W_MENTION": "SL", "Z_CODA": "EF", "Z_SIOT": "SW",
}  # fmt: skip


class Kiwi:
    """One of it is enough for a process: its model takes a second to load. Texts are shared out to the cores."""

    def __init__(self) -> None:
        self._kiwi = _loaded()

    @property
    def identity(self) -> str:
        """Name and versions of program and model."""
        return f"kiwi {version('kiwipiepy')} {version('kiwipiepy_model')}"

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """See Analyser."""
        return [_in_order(found) for found in self._kiwi.tokenize(list(texts), compatible_jamo=True)]


@functools.cache
def _loaded() -> Any:  # noqa: ANN401 - a kiwipiepy.Kiwi
    with optional("the analyser kiwi", "korean"):
        import kiwipiepy
    return kiwipiepy.Kiwi(num_workers=-1)


def _in_order(tokens: Sequence[Any]) -> list[Morpheme]:
    found = []
    first = last = 0
    for token in tokens:
        tag = token.tag.partition("-")[0]
        # the vowel of a contracted syllable may end before the syllable that it shares does, and what is left out in
        # writing (보재: 보자고 해) may begin behind what comes after it
        first, last = max(first, token.start), max(last, token.end)
        found.append(Morpheme(token.form, SEJONG.get(tag, tag), first, last))
    return found
