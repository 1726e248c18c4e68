"""Pages in HTML as the tokenizer sees them: their text, with one token for each tag that begins or ends a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer

from dokhae.encoding.rewriting import Rewritten
from dokhae.errors import ModelError
from dokhae.pages.tags import MARKERS, marker
from dokhae.pages.text import PageConfig, page_text

VERSION = 1  # raise it when a page becomes another text


def add_markers(fast: Any) -> None:  # noqa: ANN401 - a fast tokenizer of transformers
    """Give a tokenizer the tokens that stand for tags; those that it has keep their ids.

    Raises ModelError where new tokens get the ids of others, as they do where the vocabulary's numbers have gaps.
    """
    tags = [marker(name) for name in MARKERS]
    fast.add_tokens([AddedToken(tag, normalized=False) for tag in tags])
    vocabulary = fast.get_vocab()
    taken = {vocabulary[tag] for tag in tags}
    others = [entry for entry, number in vocabulary.items() if number in taken and entry not in tags]
    if others or len(taken) < len(tags):
        raise ModelError(f"{fast.name_or_path}: tokens for the tags of web pages would have the ids of other entries "
                         f"({', '.join(map(repr, others[:3]))}), because its vocabulary's numbers have gaps; mend "
                         "its vocabulary (a line that is there twice?)")  # fmt: skip


class PageWriter:
    """Writes pages as their text."""

    def __init__(self, config: PageConfig, tokenizer: Tokenizer, name: str) -> None:
        """Raise ModelError where the tokenizer (of the model `name`) lacks the tokens that stand for tags."""
        found = {one: tokenizer.token_to_id(marker(one)) for one in MARKERS}
        ids = {one: number for one, number in found.items() if number is not None}
        if ids.keys() != found.keys():
            raise ModelError(f"{name}: its tokenizer has no tokens for the tags of web pages, so it was not trained on "
                             "them; train it with --benchmark korquad-2.1")  # fmt: skip
        self._config = config
        self._ids = ids

    @property
    def identity(self) -> str:
        """Everything that shapes what it writes, as text."""
        return f"pages {VERSION} {self._config}"

    def ids(self, names: Sequence[str]) -> tuple[int, ...]:
        """The tokens that stand for some of MARKERS."""
        return tuple(self._ids[name] for name in names)

    def rewrite(self, pages: Sequence[str]) -> Rewritten:
        """The texts of pages."""
        found = [page_text(page, self._config) for page in pages]
        none = np.empty(0, dtype=np.int32)
        return Rewritten(
            [one.text for one in found],
            np.concatenate([none, *(one.starts for one in found)]),
            np.concatenate([none, *(one.ends for one in found)]),
        )
