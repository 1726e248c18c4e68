"""How a tokenizer lays out a pair, or one text: which special tokens stand where, asked of it by a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import Any, Literal

import numpy as np
from tokenizers import Tokenizer

from dokhae.encoding.offsets import Ints, tidy
from dokhae.encoding.pages import PageWriter
from dokhae.encoding.rewriting import Rewriter, Rewritten
from dokhae.errors import ModelError
from dokhae.pages.tags import CLOSINGS, HEADINGS, MARKERS, marker
from dokhae.pages.text import PageConfig

TAG_MARKS = "".join(map(marker, MARKERS))
Texts = Literal["question", "pair", "single"]  # a question and its context; two texts, the first one first; one text


@dataclass(frozen=True, slots=True)
class Layout:
    """The frame around a question and a slice of its context: before, first text, between, second text, after."""

    specials: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # token ids before, between and after
    special_types: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # their token type ids
    text_types: tuple[int, int]  # token type ids of the first and the second text
    question_first: bool
    cls: tuple[int, int]  # (which group of specials, index in it)
    pad_id: int
    pad_type: int
    pad_left: bool
    input_names: tuple[str, ...]  # what the model is given: input_ids, attention_mask, token_type_ids
    markers: tuple[int, ...] = ()  # token ids that stand for the tags of pages
    closings: tuple[int, ...] = ()  # those of them that end a table or a list
    headings: tuple[int, ...] = ()  # those of them that begin a heading, the highest first
    # what stands in the places of question and context; of a single text, the question is "". Not shown, for what is
    # shown is in the checkpoints of readers that began before there was another kind
    texts: Texts = field(default="question", repr=False)

    @property
    def special_count(self) -> int:
        """Number of special tokens in every window."""
        return sum(len(group) for group in self.specials)


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One text: token ids and the characters they stand for, all (token,)."""

    ids: Ints
    starts: Ints
    ends: Ints


class PairTokenizer:
    """A fast tokenizer seen as two things: texts -> tokens with exact offsets, and the layout of a pair."""

    def __init__(
        self, tokenizer: Tokenizer, layout: Layout, rewriter: Rewriter | None = None, pages: PageWriter | None = None
    ) -> None:
        own = Tokenizer.from_str(tokenizer.to_str())  # a copy: ours neither pads nor truncates
        own.no_padding()
        own.no_truncation()
        self.layout = layout if pages is None else _with_tags(layout, pages)
        self._rewriter, self._pages = rewriter, pages
        self._marks = "" if pages is None else TAG_MARKS  # which a normaliser removes, but never sees
        self._own = own
        self._tokenizer = own if rewriter is None else rewriter.prepared(own)
        self._word_mark = self._tokenizer.token_to_id("▁")
        self._unknown = _unknown_id(self._tokenizer)

    @classmethod
    def of(
        cls,
        fast: Any,  # noqa: ANN401
        input_names: Sequence[str] | None = None,
        rewriter: Rewriter | None = None,
        pages: PageConfig | None = None,
        texts: Texts = "question",
    ) -> PairTokenizer:
        """Ask a fast tokenizer of transformers for its layout; input_names: where the model takes fewer inputs.

        rewriter: changes the texts before the tokenizer sees them. pages: contexts are HTML, and become text so. texts:
        what is laid out. Raises ModelError where the tokenizer has no CLS or no padding token, or cannot read what
        these write.
        """
        for name in ("cls_token_id", "pad_token_id"):
            if getattr(fast, name) is None:
                raise ModelError(
                    f"{fast.name_or_path}: its tokenizer has no {name[:3].upper()} token, "
                    f"so it cannot feed {'a span head' if texts == 'question' else 'an encoder'}; "
                    "choose an encoder such as BERT, RoBERTa or ELECTRA"
                )
        layout = _probe(fast, tuple(input_names or fast.model_input_names), texts)
        own = fast.backend_tokenizer
        return cls(own, layout, rewriter, None if pages is None else PageWriter(pages, own, fast.name_or_path))

    @property
    def identity(self) -> str:
        """Everything that shapes its output, as text (for the cache key)."""
        # the tokenizer as it was: one that a rewriter has prepared may have two entries for an id
        pages = "" if self._pages is None else self._pages.identity
        texts = "" if self.layout.texts == "question" else self.layout.texts
        return f"{self._own.to_str()}{self.layout}{texts}{self.rewritten_by or ''}{pages}"

    @property
    def rewritten_by(self) -> str | None:
        """What changes texts before the tokenizer sees them, with its version; None: nothing does."""
        return None if self._rewriter is None else self._rewriter.identity

    @property
    def unknown_id(self) -> int | None:
        """Token id of the unknown token, None where the tokenizer has none (byte-level BPE)."""
        return self._unknown

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Tokens of each context, without special tokens, offsets into the text as it was given."""
        written = self._written(texts)
        seen = texts if written is None else written.texts
        skipped = [self._removed_at_start(text) for text in seen]
        visible = [text[skip:] for text, skip in zip(seen, skipped, strict=True)]
        encodings = self._tokenizer.encode_batch(visible, add_special_tokens=False)
        lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int32)
        ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32)
        pairs = chain.from_iterable(encoding.offsets for encoding in encodings)
        offsets = np.fromiter(chain.from_iterable(pairs), np.int32).reshape(-1, 2)
        offsets += np.repeat(np.array(skipped, dtype=np.int32), lengths)[:, None]
        starts, ends = offsets[:, 0], offsets[:, 1]
        if written is None:
            starts, ends = self._tidy(texts, ids, starts, ends, lengths)
        elif self._pages is None:
            starts, ends = self._tidy(texts, ids, *written.in_the_texts(starts, ends, lengths), lengths)
        else:  # what is a space to the tokenizer may be a tag of the page, which nothing would trim
            starts, ends = written.in_the_texts(*self._tidy(seen, ids, starts, ends, lengths), lengths)
        bounds = pairwise([0, *np.cumsum(lengths).tolist()])
        return [TokenizedText(ids[first:last], starts[first:last], ends[first:last]) for first, last in bounds]

    def _written(self, texts: Sequence[str]) -> Rewritten | None:
        """What contexts become before the tokenizer sees them; None: they stay as they are."""
        if self._pages is None:
            return None if self._rewriter is None else self._rewriter.rewrite(texts)
        shown = self._pages.rewrite(texts)
        return shown if self._rewriter is None else self._rewriter.rewrite(shown.texts).behind(shown)

    def tokenize_ids(self, texts: Sequence[str]) -> list[Ints]:
        """Token ids alone, for questions."""
        seen = list(texts) if self._rewriter is None else self._rewriter.rewrite(texts).texts
        encodings = self._tokenizer.encode_batch_fast(seen, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def normalized(self, text: str) -> str:
        """The text as the tokenizer's normaliser leaves it."""
        normalizer = self._tokenizer.normalizer
        return text if normalizer is None else str(normalizer.normalize_str(text))

    def _removed_at_start(self, text: str) -> int:
        """How many characters the normaliser removes at the start of a text.

        SentencePiece's compiled normaliser forgets to count them: every offset of the text would be too small.
        """
        shown = (
            index for index, character in enumerate(text) if character in self._marks or self.normalized(character)
        )
        return next(shown, len(text))

    def _tidy(self, texts: Sequence[str], ids: Ints, starts: Ints, ends: Ints, lengths: Ints) -> tuple[Ints, Ints]:
        """The exact ranges of the tokens of some texts, each in its own; lengths: tokens of each text."""
        if self._word_mark is not None:
            # a lone word mark stands for a space that may not even be there, yet it claims the first letter
            ends = np.where(ids == self._word_mark, starts, ends)
        sizes = np.array([len(text) for text in texts], dtype=np.int32)
        # all texts as one, with a character between them that nothing is trimmed or stretched over
        begins = np.repeat(np.cumsum(sizes + 1, dtype=np.int32) - sizes - 1, lengths)
        inside = (np.minimum(values, np.repeat(sizes, lengths)) + begins for values in (starts, ends))
        starts, ends = tidy("\0".join(texts), *inside)
        return starts - begins, ends - begins


def _with_tags(layout: Layout, pages: PageWriter) -> Layout:
    markers, closings, headings = map(pages.ids, (MARKERS, CLOSINGS, HEADINGS))
    return replace(layout, markers=markers, closings=closings, headings=headings)


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    model = tokenizer.model
    if getattr(model, "unk_token", None) is not None:
        return tokenizer.token_to_id(model.unk_token)
    # Unigram does not name its unknown token: show it a character that no vocabulary has
    tokens = model.tokenize("\U0010ffff")
    return next((token.id for token in tokens if tokenizer.id_to_token(token.id) != token.value), None)


def _probe(fast: Any, input_names: tuple[str, ...], texts: Texts) -> Layout:  # noqa: ANN401
    """Encode a letter or two and read off what the tokenizer put around them."""
    probe = Tokenizer.from_str(fast.backend_tokenizer.to_str())
    probe.no_padding()
    probe.no_truncation()
    single = texts == "single"
    encoding = probe.encode("a") if single else probe.encode("a", "b")
    groups: list[list[int]] = [[], [], []]
    types: list[list[int]] = [[], [], []]
    text_types = [0, 0]
    group = 0
    for token, kind, sequence in zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True):
        if sequence is None:
            groups[group].append(token)
            types[group].append(kind)
        else:
            place = 1 if single else sequence  # one text is the context, and nothing stands before it
            text_types[place] = kind
            group = place + 1
    cls = [(number, tokens.index(fast.cls_token_id)) for number, tokens in enumerate(groups)
           if fast.cls_token_id in tokens]  # fmt: skip
    if not cls:
        what = "a text" if single else "a pair of texts"
        raise ModelError(f"{fast.name_or_path}: its tokenizer does not put the CLS token into {what}")
    left = fast.padding_side == "left"
    before, between, after = (tuple(tokens) for tokens in groups)
    types_before, types_between, types_after = (tuple(kinds) for kinds in types)
    return Layout(
        specials=(before, between, after),
        special_types=(types_before, types_between, types_after),
        text_types=(text_types[0], text_types[1]),
        # XLNet and its like were trained with the context first, the question beside the CLS
        question_first=texts != "question" or not left,
        cls=cls[0],
        pad_id=fast.pad_token_id,
        pad_type=fast.pad_token_type_id,
        pad_left=left and "attention_mask" in input_names,  # without one nothing is padded
        input_names=input_names,
        texts=texts,
    )
