"""Words cut before the tokenizer sees them: no token crosses a cut, and what is behind one continues the word.

A mark is put into the text at each cut. No entry of the vocabulary has it, so no token goes over it. WordPiece, whose
continuing pieces have entries of their own (##은), gets others of the same id, with the mark in front.
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
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import ByteLevel

from dokhae.encoding.rewriting import Rewritten
from dokhae.errors import ModelError
from dokhae.korean.splitting import Joined, Splitter
from dokhae.korean.texts import BASIC, text_of

FIRST, LAST = ord("가"), ord("힣")  # syllables
COMMON = (range(0x21, 0x7F), range(0x2010, 0x2040), range(0x3001, 0x3020), range(0xFF01, 0xFF66))  # punctuation
# Signs of Roman coins and weights, and letters of Lydian, for tokenizers that part letters from signs: no punctuation,
# in no normaliser's table, and in hardly any text.
MARKS = "\U00010196\U00010197\U00010198\U00010920\U00010921\U00010922"


class Cutting:
    """A Rewriter that cuts words where a splitter says."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._mark, self._instead = MARKS[0], MARKS[1]
        self._apart: Callable[[str], bool] = lambda character: False
        self._entries = Entries(np.zeros(1, dtype=bool), None, None)

    @property
    def identity(self) -> str:
        """See Rewriter."""
        return f"cut at {self._splitter.identity}"

    def prepared(self, tokenizer: Tokenizer) -> Tokenizer:
        """See Rewriter. Raises ModelError for a tokenizer whose pieces have no form that continues a word."""
        self._mark, self._instead = _free_marks(tokenizer)
        self._apart = _apart(tokenizer)
        state = json.loads(tokenizer.to_str())
        self._entries = _entries(tokenizer, state, self._apart)
        _continue_words(state, self._mark)
        return Tokenizer.from_str(json.dumps(state))

    def rewrite(self, texts: Sequence[str]) -> Rewritten:
        """See Rewriter."""
        found = self._splitter.cut(texts)
        unknown = self._may_be_unknown(found)[found.words[found.cuts]]
        kept = self._says_something(found, unknown)
        cuts, parted = found.cuts[kept], unknown[kept] & (self._entries.longest is not None)
        put_in = np.full(len(cuts) + np.count_nonzero(parted), ord(self._mark), dtype=np.uint32)
        put_in[np.cumsum(1 + parted)[parted] - 2] = ord(" ")  # before the mark: what is behind becomes a word
        at = np.repeat(cuts, 1 + parted)
        own = np.ones(len(found.codes) + len(at), dtype=bool)  # what was there
        own[at + np.arange(len(at))] = False
        codes = np.empty(len(own), dtype=np.uint32)
        codes[~own] = put_in
        # who writes about Roman coins gets another one in the tokenizer's eyes
        codes[own] = np.where(found.codes == ord(self._mark), ord(self._instead), found.codes)
        written = text_of(codes)
        begins = found.begins + np.searchsorted(at, found.begins)
        pieces = [written[first : after - 1] for first, after in pairwise(begins.tolist())]
        ends = np.cumsum(own, dtype=np.int32) - np.repeat(found.begins[:-1], np.diff(begins)).astype(np.int32)
        return Rewritten(pieces, ends - own, ends)

    def _may_be_unknown(self, found: Joined) -> NDArray[np.bool_]:
        """For each word whether some of its characters may be unknown, or the word too long."""
        unknown = ~self._entries.alone.take(found.codes, mode="clip")
        counts = np.bincount(found.words[unknown], minlength=found.words[-1] + 1 if len(found.words) else 0)
        if self._entries.longest is None:
            return counts > 0
        # with a mark before each character it would be twice as long
        return (counts > 0) | (2 * np.bincount(found.words, minlength=len(counts)) > self._entries.longest)

    def _says_something(self, found: Joined, unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which cuts make a difference: not those beside a character that is a word of its own to the tokenizer, nor
        those between two syllables that no entry has in a row, unless both may be part of something unknown.
        """
        sides = found.codes[np.stack([found.before, found.cuts])]
        syllables = (sides >= FIRST) & (sides <= LAST)
        kinds, which = np.unique(sides[~syllables], return_inverse=True)
        apart = np.zeros(sides.shape, dtype=bool)
        apart[~syllables] = np.array([self._apart(chr(code)) for code in kinds.tolist()], dtype=bool)[which]
        kept = ~(apart[0] | apart[1]) | (found.before < found.cuts - 1)  # what is attached to it may not be apart
        if self._entries.pairs is not None:
            kept &= unknown | ~(syllables[0] & syllables[1]) | _is_in(_pair(*sides), self._entries.pairs)
        return np.asarray(kept)


class Entries(NamedTuple):
    """What the entries of a tokenizer say of characters."""

    alone: NDArray[np.bool_]  # (code point,) whether it is known, wherever in a word; the last one: no
    pairs: NDArray[np.int64] | None  # ascending: syllables that stand in a row in an entry; None: entries are no text
    longest: int | None  # characters of a word, to WordPiece, to which one unknown character makes all of it unknown


def _entries(tokenizer: Tokenizer, state: dict[str, Any], apart: Callable[[str], bool]) -> Entries:
    vocabulary, normalizer, model = tokenizer.get_vocab(), tokenizer.normalizer, state["model"]
    prefix, longest = model.get("continuing_subword_prefix") or "", model.get("max_input_chars_per_word")
    alone = np.zeros(BASIC + 1, dtype=bool)
    syllables = f"{chr(FIRST)}{chr(LAST)}"
    if _has_byte_level(state["pre_tokenizer"]) or (normalizer and syllables not in normalizer.normalize_str(syllables)):
        return Entries(alone, None, longest)  # entries are bytes, or jamo
    alone[[code for code in range(BASIC) if chr(code).isspace()]] = True
    # what is a word of its own makes no other one unknown
    alone[[code for codes in COMMON for code in codes if apart(chr(code))]] = True
    single = [ord(entry) for entry in vocabulary if len(entry) == 1 and f"{prefix}{entry}" in vocabulary]
    alone[[code for code in single if code < BASIC]] = True
    pairs = {pair for entry in vocabulary for pair in pairwise(map(ord, entry))}
    found = sorted(pair for pair in pairs if all(FIRST <= code <= LAST for code in pair))
    return Entries(alone, _pair(*np.array(found, dtype=np.uint32).reshape(-1, 2).T), longest)


def _is_in(numbers: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """As np.isin, which would sort both sides anew for every few texts."""
    if not len(ascending):
        return np.zeros(len(numbers), dtype=bool)
    place = np.minimum(np.searchsorted(ascending, numbers), len(ascending) - 1)
    return np.asarray(ascending[place] == numbers)


def _pair(before: NDArray[np.uint32], behind: NDArray[np.uint32]) -> NDArray[np.int64]:
    """One number for two characters."""
    return np.asarray(before.astype(np.int64) * 0x110000 + behind)


def _free_marks(tokenizer: Tokenizer) -> tuple[str, str]:
    """Two marks that are in no entry, that the normaliser lets pass and the pre-tokenizer leaves inside of a word."""
    entries = "".join(tokenizer.get_vocab())
    words = tokenizer.pre_tokenizer if type(tokenizer.model) is WordPiece else None  # others are split at the mark

    def is_free(mark: str) -> bool:
        text = f"가{mark}나" if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(f"가{mark}나")
        return mark not in entries and mark in text and (words is None or len(words.pre_tokenize_str(text)) == 1)

    free = list(filter(is_free, MARKS))
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


def _continue_words(state: dict[str, Any], mark: str) -> None:
    """Teach a tokenizer that what is behind a mark continues a word."""
    model, own = state["model"], state["pre_tokenizer"]
    kind, prefix = model["type"], model.get("continuing_subword_prefix")
    if kind == "WordPiece":
        # tokens that were added keep their ids only where they are entries: new ones are counted from all entries on
        model["vocab"] |= {token["content"]: token["id"] for token in state["added_tokens"]}
        continuing = [(entry, number) for entry, number in model["vocab"].items() if entry.startswith(prefix)]
        for before in (prefix, ""):  # inside of a word, and where it was made a word
            model["vocab"] |= {f"{before}{mark}{entry.removeprefix(prefix)}": number for entry, number in continuing}
    elif kind == "Unigram" or (kind == "BPE" and not prefix and not model.get("end_of_word_suffix")):
        step = {"type": "Split", "pattern": {"String": _seen(mark, own)}, "behavior": "Removed", "invert": False}
        state["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [step] if own is None else [own, step]}
    else:
        raise ModelError(f"the tokenizer ({kind}) has no pieces that continue a word behind a cut; "
                         "use --korean_split none")  # fmt: skip


def _seen(mark: str, step: dict[str, Any] | None) -> str:
    """The mark as a pre-tokenizer leaves it: one that works on bytes writes them as letters."""
    if not _has_byte_level(step):
        return mark
    return "".join(token for token, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(mark))


def _has_byte_level(step: dict[str, Any] | None) -> bool:
    if step is None:
        return False
    return step["type"] == "ByteLevel" or any(map(_has_byte_level, step.get("pretokenizers", ())))
