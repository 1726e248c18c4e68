"""What a morphological analyser says of a text, and the interface that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Morpheme(NamedTuple):
    """A morpheme where it stands in a text. Contractions share characters: 갔다 is 가 (0, 1), 았 (0, 1), 다 (1, 2)."""

    lemma: str  # the form that the analyser gives it; the text's own characters where nothing is contracted
    tag: str  # Sejong tag: NNG, JKS, ...
    start: int  # characters of the text, half-open
    end: int


class Analyser(Protocol):
    """Texts -> their morphemes. Spaces belong to none of them."""

    @property
    def identity(self) -> str:
        """Name and version: what it says of a text may be kept as long as this stays the same."""

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """The morphemes of each text, in order: neither their starts nor their ends step back.

        Raises AnalyserError where the analyser fails or says what cannot be true of a text.
        """
