from __future__ import annotations

import functools
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings

from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.offsets import continues, tidy, tokens_of
from dokhae.korean.texts import BLANKS
from dokhae.types import Answer, Example
from encoding.texts import texts
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer, train_tokenizer

kinds = pytest.mark.parametrize("kind", TOKENIZERS)
composing = pytest.mark.parametrize("kind", ["bert-nfc", "roberta-nfc", "modernbert", "deberta", "xlm-roberta"])
# The same texts each time: SentencePiece's normaliser in the tokenizers library has more faults than a test can name.
few = settings(deadline=None, max_examples=40, derandomize=True)
many = settings(deadline=None, max_examples=100, derandomize=True)


def spans(kind, text):
    """(first character, character after the last) of every token."""
    tokens = pair_tokenizer(kind).tokenize([text])[0]
    return list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True))


def raw(kind, text):
    """Tokens and offsets as the tokenizers library gives them, from the first character on that is not removed."""
    removed = next((at for at, one in enumerate(text) if pair_tokenizer(kind).normalized(one)), len(text))
    encoding = backend(kind).encode(text[removed:], add_special_tokens=False)
    ranges = ((start + removed, end + removed) for start, end in encoding.offsets)
    return [(token, *span) for token, span in zip(encoding.tokens, ranges, strict=True)]


@functools.cache
def backend(kind):
    return train_tokenizer(kind).backend_tokenizer


@kinds
@many
@given(text=texts())
def test_token_ranges_go_forward_inside_the_text_and_hold_no_white_space_at_their_ends(kind, text):
    found = spans(kind, text)
    assert len(found) == len(raw(kind, text))
    assert [start for start, _ in found] == sorted(start for start, _ in found)
    assert [end for _, end in found] == sorted(end for _, end in found)
    for start, end in found:
        assert 0 <= start <= end <= len(text)
        assert text[start:end] == text[start:end].strip()


@kinds
@many
@given(text=texts())
def test_no_token_starts_inside_a_character_unless_the_tokenizer_cut_there(kind, text):
    cuts = {
        position
        for _, start, end in raw(kind, text)
        for position in range(start, end)
        if not text[start:position].strip()
    }
    for start, end in spans(kind, text):
        assert start == end or not continues(text[start]) or start in cuts


@kinds
@few
@given(text=texts())
def test_every_span_of_tokens_comes_back_as_the_answer_it_is(kind, text):
    visible = [(start, end) for start, end in spans(kind, text) if start < end]
    wanted = sorted({(first[0], last[1]) for number, first in enumerate(visible) for last in visible[number:]})
    examples = [Example(str(span), "?", text, (Answer(text[slice(*span)], span[0]),)) for span in wanted]
    features = build_features(examples, pair_tokenizer(kind), WindowConfig())
    found = zip(features.context_starts[features.answer_start], features.context_ends[features.answer_end], strict=True)
    assert list(found) == wanted


@pytest.mark.parametrize("kind", ["roberta", "roberta-untrimmed", "roberta-left"])
@many
@given(text=texts())
def test_byte_level_pieces_stand_for_the_characters_of_their_bytes(kind, text):
    owner = [number for number, character in enumerate(text) for _ in character.encode()]
    tokens = raw(kind, text)
    assert len(owner) == sum(len(token) for token, *_ in tokens)  # byte-level tokens have a letter for each byte
    first = 0
    for (token, *_), (start, end) in zip(tokens, spans(kind, text), strict=True):
        covered = [owner[byte] for byte in range(first, first + len(token)) if not text[owner[byte]].isspace()]
        first += len(token)
        assert text[start:end] == "" if not covered else (start, end) == (covered[0], covered[-1] + 1)


@pytest.mark.parametrize("kind", ["bert", "electra", "distilbert"])
@many
@given(text=texts())
def test_cased_pieces_are_the_text_they_stand_for(kind, text):
    for (token, *_), (start, end) in zip(raw(kind, text), spans(kind, text), strict=True):
        if token != "[UNK]":
            assert visible(text[start:end]) == token.removeprefix("##")


def visible(text):
    """Without what BERT drops: control, format, private and unassigned characters, and U+FFFD."""
    return "".join(one for one in text if unicodedata.category(one)[0] != "C" and one != "\ufffd")


@kinds
@many
@given(text=texts())
def test_a_range_holds_what_its_token_was_made_from(kind, text):
    tokenizer = pair_tokenizer(kind)
    if kind.startswith(("roberta", "modernbert", "bert")) or stacked(tokenizer, text) or set(text) & set("`'"):
        return  # byte-level pieces are compared above; two quotes in one become one character
    for (token, *_), (start, end) in zip(raw(kind, text), spans(kind, text), strict=True):
        if token not in ("<unk>", "[UNK]") and not token.startswith("<0x"):
            letters = token.removeprefix("##").replace("▁", " ").strip()
            assert letters in tokenizer.normalized(text[start:end])


@kinds
@many
@given(text=texts())
def test_every_character_that_the_tokenizer_keeps_is_in_some_token(kind, text):
    tokenizer = pair_tokenizer(kind)
    if stacked(tokenizer, text) or set(text) & set("`'"):
        return
    covered = {position for span in spans(kind, text) for position in range(*span)}
    for position, character in enumerate(text):
        kept = not character.isspace() and tokenizer.normalized(character).strip(" ▁")
        assert position in covered or not kept


def stacked(tokenizer, text):
    """Whether a character that the normaliser replaces has a mark on it: SentencePiece's compiled normaliser, as the
    tokenizers library runs it, then drops the mark or counts it wrongly (inside that character only)."""
    return any(
        tokenizer.normalized(one) != one and (continues(mark) or unicodedata.category(mark)[0] == "C")
        for one, mark in zip(text, text[1:], strict=False)
    )


@composing
@pytest.mark.parametrize(
    ("text", "wanted"),
    [("caf" + "e\u0301 x", "e\u0301"), ("x " + "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u1112\u1161\u11ab")],
)
def test_decomposed_letters_keep_their_marks_where_the_normaliser_composes(kind, text, wanted):
    start = text.index(wanted)
    ends = [end for _, end in spans(kind, text)]
    assert not any(start < end < start + len(wanted) for end in ends)
    assert any(one <= start < start + len(wanted) <= end for one, end in spans(kind, text))


@composing
@many
@given(text=texts())
def test_no_composed_character_is_ever_cut(kind, text):
    """The same of any text: where two characters compose to one, no token ends between them."""
    tokenizer = pair_tokenizer(kind)
    if stacked(tokenizer, text):
        return
    ends = {end for start, end in spans(kind, text) if start < end}
    for position in range(1, len(text)):
        pair, next_one = text[position - 1 : position + 1], text[position + 1 : position + 2] or " "
        if continues(next_one) or not (next_one.isspace() or next_one.isalnum()):
            continue  # SentencePiece's compiled normaliser leaves a letter with two marks as it is
        if continues(pair[1]) and len(tokenizer.normalized(pair)) == 1 and pair[0].isalpha():
            assert position not in ends, (pair, spans(kind, text))


def test_a_space_before_a_word_is_not_its_own():
    assert [token for token, *_ in raw("roberta", "In the town")] == ["I", "n", "Ġthe", "Ġtown"]
    expected = [(0, 1), (1, 2), (3, 6), (7, 11)]
    assert spans("roberta", "In the town") == spans("roberta-untrimmed", "In the town") == expected


def test_a_lone_word_mark_stands_for_nothing():
    assert [token for token, *_ in raw("xlm-roberta", "a 서울")] == ["▁a", "▁", "서", "울"]
    assert spans("xlm-roberta", "a 서울") == [(0, 1), (2, 2), (2, 3), (3, 4)]


def test_byte_level_pieces_share_their_character():
    assert spans("roberta", "뷁") == [(0, 1), (0, 1), (0, 1)]


@kinds
def test_control_characters_before_the_text_shift_nothing(kind):
    plain = [span for span in spans(kind, "the town") if span[0] < span[1]]
    found = [(start - 2, end - 2) for start, end in spans(kind, "\x07\x07the town") if 1 < start < end]
    assert found[-1] == plain[-1] and found[-1][1] == 8


@kinds
def test_an_empty_text_has_no_tokens(kind):
    assert spans(kind, "") == []
    assert all(start == end for start, end in spans(kind, " \n\u3000"))


def test_tidy_moves_ends_over_the_marks_that_no_token_covers():
    text = "e\u0301 a\u0323\u0301b"
    starts, ends = tidy(text, np.array([0, 2, 6]), np.array([1, 4, 7]))
    assert (starts.tolist(), ends.tolist()) == ([0, 3, 6], [2, 6, 7])


def test_tidy_never_steps_back():
    starts, ends = tidy("abcdef", np.array([0, 3, 2]), np.array([3, 5, 4]))
    assert (starts.tolist(), ends.tolist()) == ([0, 3, 3], [3, 5, 5])


def test_the_space_table_is_the_one_of_python():
    assert [code for code in range(0x110000) if chr(code).isspace()] == np.flatnonzero(BLANKS).tolist()


#      012345
TEXT = "ab cd"
STARTS, ENDS = np.array([0, 1, 3]), np.array([1, 2, 5])  # a, b, cd


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ((0, 1), (0, 0)),
        ((0, 5), (0, 2)),
        ((1, 5), (1, 2)),
        ((4, 5), (2, 2)),  # begins inside "cd": the token that holds it
        ((0, 4), (0, 2)),  # ends inside "cd"
        ((1, 3), (1, 1)),  # with the space after it
        ((2, 5), (2, 2)),  # with the space before it
        ((2, 3), None),  # the space alone
        ((5, 9), None),
    ],
)
def test_tokens_that_cover_an_answer(answer, tokens):
    assert tokens_of(STARTS, ENDS, *answer) == tokens


def test_tokens_that_stand_for_nothing_cover_nothing():
    assert tokens_of(np.array([0, 2, 2]), np.array([1, 2, 3]), 2, 3) == (2, 2)
    assert tokens_of(np.array([0]), np.array([0]), 0, 1) is None


def test_among_tokens_that_share_a_character_the_first_begins_and_the_last_ends_the_answer():
    assert tokens_of(np.array([0, 1, 1, 1, 2]), np.array([1, 2, 2, 2, 3]), 1, 2) == (1, 3)


def test_among_tokens_that_overlap_those_with_exactly_the_asked_ends_win():
    starts, ends = np.array([0, 1]), np.array([2, 3])
    assert tokens_of(starts, ends, 1, 3) == (1, 1)
    assert tokens_of(starts, ends, 0, 2) == (0, 0)
