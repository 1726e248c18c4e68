"""Words cut before the tokenizer sees them: no token crosses a cut, and what is behind one continues the word.

A mark is put into the text at each cut. The tokenizer takes words apart there; WordPiece, whose continuing pieces have
entries of their own (##은), gets an entry of the same id with the mark in front.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from dokhae.encoding.rewriting import Rewritten
from dokhae.errors import ModelError
from dokhae.korean.splitting import Joined, Splitter
from dokhae.korean.texts import BASIC, text_of

# Signs of Roman coins and weights: no letters, no punctuation, in no normaliser's table, and in hardly any text.
FIRST, LAST = ord("가"), ord("힣")  # syllables
MARKS = "\U00010196\U00010197\U00010198\U00010199\U0001019a\U0001019b"


class Cutting:
    """A Rewriter that cuts words where a splitter says."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._mark, self._instead = MARKS[0], MARKS[1]
        self._apart: Callable[[str], bool] = lambda character: False
        self._pairs: Pairs | None = None

    @property
    def identity(self) -> str:
        """See Rewriter."""
        return f"cut at {self._splitter.identity}"

    def prepared(self, tokenizer: Tokenizer) -> Tokenizer:
        """See Rewriter. Raises ModelError for a tokenizer whose pieces have no form that continues a word."""
        self._mark, self._instead = _free_marks(tokenizer)
        self._apart = _apart(tokenizer)
        self._pairs = _pairs(tokenizer)
        state = json.loads(tokenizer.to_str())
        behaviour = _continue_words(state["model"], self._mark)
        own = state["pre_tokenizer"]
        step = {"type": "Split", "pattern": {"String": _seen(self._mark, own)}, "behavior": behaviour, "invert": False}
        state["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [step] if own is None else [own, step]}
        return Tokenizer.from_str(json.dumps(state))

    def rewrite(self, texts: Sequence[str]) -> Rewritten:
        """See Rewriter."""
        found = self._splitter.cut(texts)
        cuts = found.cuts[~(self._beside_words(found) | self._crossed_by_nothing(found))]
        own = np.ones(len(found.codes) + len(cuts), dtype=bool)  # not a mark that is put in
        own[cuts + np.arange(len(cuts))] = False
        codes = np.full(len(own), ord(self._mark), dtype=np.uint32)
        # who writes about Roman coins gets another one in the tokenizer's eyes
        codes[own] = np.where(found.codes == ord(self._mark), ord(self._instead), found.codes)
        written = text_of(codes)
        begins = found.begins + np.searchsorted(cuts, found.begins)
        pieces = [written[first : after - 1] for first, after in pairwise(begins.tolist())]
        ends = np.cumsum(own, dtype=np.int32) - np.repeat(found.begins[:-1], np.diff(begins)).astype(np.int32)
        return Rewritten(pieces, ends - own, ends)

    def _beside_words(self, found: Joined) -> NDArray[np.bool_]:
        """Which cuts stand beside a character that is a word of its own to the tokenizer: they say nothing."""
        sides = found.codes[np.concatenate([found.before, found.cuts])]
        others = np.flatnonzero((sides < FIRST) | (sides > LAST))
        kinds, which = np.unique(sides[others], return_inverse=True)
        beside = np.zeros(sides.size, dtype=bool)
        beside[others] = np.array([self._apart(chr(code)) for code in kinds.tolist()], dtype=bool)[which]
        return beside[: len(found.cuts)] | beside[len(found.cuts) :]

    def _crossed_by_nothing(self, found: Joined) -> NDArray[np.bool_]:
        """Which cuts no token would cross: no entry has the two syllables in a row, and tokens are the same without it.

        Words with a character that has no entry keep their cuts, for they would become one unknown token.
        """
        before, behind = (found.codes[places] for places in (found.before, found.cuts))
        if self._pairs is None or not len(before):
            return np.zeros(len(before), dtype=bool)
        unknown = ~self._pairs.alone.take(found.codes, mode="clip") & (np.diff(found.words, prepend=0) == 0)
        known = np.bincount(found.words[unknown], minlength=len(found.codes) + 1)[found.words[found.cuts]] == 0
        syllables = (before >= FIRST) & (before <= LAST) & (behind >= FIRST) & (behind <= LAST)
        nothing: NDArray[np.bool_] = known & syllables & ~np.isin(_pair(before, behind), self._pairs.together)
        return nothing


class Pairs(NamedTuple):
    """What the entries of a tokenizer know of characters."""

    alone: NDArray[np.bool_]  # (code point,) whether it is an entry by itself, wherever in a word; the last one: no
    together: NDArray[np.int64]  # syllables of Hangul that stand in a row in an entry, as `_pair` numbers them


def _pairs(tokenizer: Tokenizer) -> Pairs | None:
    """None where entries are not the characters of the text: bytes, or jamo."""
    syllables, normalizer = f"{chr(FIRST)}{chr(LAST)}", tokenizer.normalizer
    state = json.loads(tokenizer.to_str())
    if _has_byte_level(state["pre_tokenizer"]) or (normalizer and syllables not in normalizer.normalize_str(syllables)):
        return None
    prefix = state["model"].get("continuing_subword_prefix") or ""
    entries = tokenizer.get_vocab()
    alone = np.zeros(BASIC + 1, dtype=bool)
    single = [ord(entry) for entry in entries if len(entry) == 1 and prefix + entry in entries]
    alone[[code for code in single if code < BASIC]] = True
    texts = [entry.removeprefix(prefix) for entry in entries]
    pairs = {(ord(one), ord(other)) for text in texts for one, other in pairwise(text)
             if FIRST <= ord(one) <= LAST and FIRST <= ord(other) <= LAST}  # fmt: skip
    before, behind = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return Pairs(alone, _pair(before, behind))


def _pair(before: NDArray[Any], behind: NDArray[Any]) -> NDArray[np.int64]:
    """One number for two characters."""
    return np.asarray(before.astype(np.int64) * 0x110000 + behind)


def _free_marks(tokenizer: Tokenizer) -> tuple[str, str]:
    """Two marks that are in no entry and that the normaliser lets pass."""
    entries, normalizer = "".join(tokenizer.get_vocab()), tokenizer.normalizer
    free = [mark for mark in MARKS if mark not in entries
            and (normalizer is None or mark in normalizer.normalize_str(f"가{mark}나"))]  # fmt: skip
    if len(free) < 2:
        raise ModelError("the tokenizer has no character to spare that could mark where words are cut; "
                         "use --korean_split none")  # fmt: skip
    return free[0], free[1]


def _apart(tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Whether the tokenizer takes a character for a word of its own, as BERT does with punctuation and Chinese."""
    normalizer, words = tokenizer.normalizer, tokenizer.pre_tokenizer

    @cache
    def apart(character: str) -> bool:
        if words is None:
            return False
        text = f"가{character}나"
        return len(words.pre_tokenize_str(normalizer.normalize_str(text) if normalizer else text)) > 2

    return apart


def _continue_words(model: dict[str, Any], mark: str) -> str:
    """Teach a model what follows a mark; how the mark is split off."""
    kind, prefix = model["type"], model.get("continuing_subword_prefix")
    if kind == "WordPiece":
        continuing = [(entry, number) for entry, number in model["vocab"].items() if entry.startswith(prefix)]
        model["vocab"] |= {mark + entry.removeprefix(prefix): number for entry, number in continuing}
        return "MergedWithNext"
    if kind == "Unigram" or (kind == "BPE" and not prefix and not model.get("end_of_word_suffix")):
        return "Removed"
    raise ModelError(f"the tokenizer ({kind}) has no pieces that continue a word behind a cut; use --korean_split none")


def _seen(mark: str, step: dict[str, Any] | None) -> str:
    """The mark as a pre-tokenizer leaves it: one that works on bytes writes them as letters."""
    if not _has_byte_level(step):
        return mark
    return "".join(token for token, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(mark))


def _has_byte_level(step: dict[str, Any] | None) -> bool:
    if step is None:
        return False
    return step["type"] == "ByteLevel" or any(map(_has_byte_level, step.get("pretokenizers", ())))
