"""A tokenizer as a model's settings say: whether contexts are pages, words are cut, or texts written as morphemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dokhae.encoding.cutting import Cutting
from dokhae.encoding.layout import PairTokenizer, Texts
from dokhae.encoding.morphemic import Morphemic, reads_morphemes
from dokhae.errors import SettingsError
from dokhae.korean import analysis
from dokhae.korean.splitting import Split, splitter
from dokhae.pages.text import PageConfig


def tokenizer_of(
    fast: Any,  # noqa: ANN401 - a fast tokenizer of transformers
    input_names: Sequence[str] | None = None,
    korean_split: Split = "none",
    morphemes: str | None = None,
    pages: PageConfig | None = None,
    texts: Texts = "question",
) -> PairTokenizer:
    """The tokenizer of a model; input_names: where the model takes fewer inputs than the tokenizer makes; texts: what
    it lays out.

    Raises MissingExtra where an analyser is not installed, SettingsError where the settings do not fit the tokenizer,
    ModelError where it cannot be used.
    """
    if reads_morphemes(fast.backend_tokenizer) != (morphemes is not None):
        raise SettingsError(
            f"{fast.name_or_path}: is a morpheme BERT, so texts have to be analysed for it; give --morphemes mecab, "
            "kiwi, or the address of a service"
            if morphemes is None
            else f"{fast.name_or_path}: its tokenizer has no entries such as /NNG_, so it does not read morphemes; "
            "leave out --morphemes"
        )
    cut = splitter(korean_split)
    if morphemes is not None and cut is not None:
        raise SettingsError(f"korean_split {korean_split} cuts words, and a morpheme BERT reads morphemes; "
                            "use --korean_split none")  # fmt: skip
    if morphemes is not None and pages is not None:
        raise SettingsError("a morpheme BERT reads morphemes, not web pages: choose another encoder")
    rewriter = Morphemic(analysis.find(morphemes)) if morphemes else Cutting(cut) if cut else None
    return PairTokenizer.of(fast, input_names, rewriter, pages, texts)
