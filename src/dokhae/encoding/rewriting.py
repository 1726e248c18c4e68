"""What texts become before the tokenizer sees them, and where each character of that stands in the texts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from tokenizers import Tokenizer

from dokhae.encoding.offsets import Ints


class Rewritten(NamedTuple):
    """Texts as the tokenizer sees them. In each of them neither `starts` nor `ends` steps back.

    A text of n characters has n + 1 entries in both arrays, its last one for its end.
    """

    texts: list[str]
    starts: Ints  # where each character begins in the text as it was given
    ends: Ints  # where it ends there; what was put in may be empty

    def in_the_texts(self, starts: Ints, ends: Ints, tokens: Ints) -> tuple[Ints, Ints]:
        """Ranges of characters of these texts as ranges of the texts that were given.

        starts, ends: (token,), of all texts one after another; tokens: how many of them each text has.
        """
        sizes = np.array([len(text) + 1 for text in self.texts], dtype=np.int64)
        begins = np.repeat(np.cumsum(sizes) - sizes, tokens)
        first = self.starts[begins + starts]
        # an empty range stays one, where it begins
        return first, np.where(ends > starts, self.ends[begins + np.maximum(ends, 1) - 1], first)

    def behind(self, before: Rewritten) -> Rewritten:
        """These texts, which were made from the texts of `before`, with places in what `before` was made from."""
        characters = np.array([len(text) + 1 for text in self.texts], dtype=np.int32)
        return Rewritten(self.texts, *before.in_the_texts(self.starts, self.ends, characters))


class Rewriter(Protocol):
    """A way to write texts, and the tokenizer that reads them."""

    @property
    def identity(self) -> str:
        """Everything that shapes what it writes, as text."""

    def prepared(self, tokenizer: Tokenizer) -> Tokenizer:
        """The tokenizer made to read what `rewrite` writes; called once, before that."""

    def rewrite(self, texts: Sequence[str]) -> Rewritten:
        """The texts as the tokenizer is to see them."""
