from __future__ import annotations

import functools
import json
import unicodedata

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from dokhae.encoding import PairTokenizer, WindowConfig, build_features
from dokhae.encoding.cutting import MARKS, Cutting
from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import ModelError, SettingsError
from dokhae.korean.splitting import ByParticles
from dokhae.types import Answer, Example
from encoding.texts import texts
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer, train_tokenizer

kinds = pytest.mark.parametrize("kind", TOKENIZERS)
many = settings(deadline=None, max_examples=60, derandomize=True)
few = settings(deadline=None, max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])
KOREAN = ("서울", "봄", "3", "은", "에서", "이다", "(", ")", ".", "A", " ")
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "서울은",
    "서울",
    "은",
    "##은",
    "##에서는",
    "##에서",
    "##는",
    "에서",
]
WORDS += ["(", ")", "大", "韓", "3", "##월", "월", "##에", "𐆖", "town", "##s"]


@functools.cache
def cutting(kind):
    return tokenizer_of(train_tokenizer(kind), korean_split="particles")


@pytest.fixture(scope="module")
def words():
    """WordPiece with a word for 서울은 as a whole."""
    return BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}, do_lower_case=False)


def pieces(tokenizer, text):
    """The entries of a text's tokens, and what they stand for."""
    found = tokenizer.tokenize([text])[0]
    places = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    return [(WORDS[number], text[start:end]) for number, (start, end) in zip(found.ids.tolist(), places, strict=True)]


def test_what_is_behind_a_cut_continues_the_word(words):
    whole, cut = PairTokenizer.of(words), tokenizer_of(words, korean_split="particles")
    assert pieces(whole, "서울은") == [("서울은", "서울은")]
    assert pieces(cut, "서울은") == [("서울", "서울"), ("##은", "은")]
    assert pieces(whole, "서울에서는 3월에") == [
        ("서울", "서울"),
        ("##에서는", "에서는"),
        ("3", "3"),
        ("##월", "월"),
        ("##에", "에"),
    ]
    assert pieces(cut, "서울에서는 3월에") == [
        ("서울", "서울"), ("##에서", "에서"), ("##는", "는"), ("3", "3"), ("##월", "월"), ("##에", "에"),
    ]  # fmt: skip


def test_beside_what_is_a_word_of_its_own_a_cut_says_nothing(words):
    cut = tokenizer_of(words, korean_split="particles")
    assert pieces(cut, "(서울)은") == [("(", "("), ("서울", "서울"), (")", ")"), ("은", "은")]
    assert pieces(cut, "大韓은") == [("大", "大"), ("韓", "韓"), ("은", "은")]


def test_questions_are_cut_too(words):
    cut = tokenizer_of(words, korean_split="particles")
    assert [WORDS[number] for number in cut.tokenize_ids(["서울은"])[0].tolist()] == ["서울", "##은"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_text_may_hold_the_mark_itself(words, mark):
    text = f"{mark}서울{mark}은 {mark}"
    cut = tokenizer_of(words, korean_split="particles")
    assert "".join(piece for _, piece in pieces(cut, text)) == text.replace(" ", "")
    assert ("##은", "은") in pieces(cut, text)


@kinds
@many
@given(text=texts())
def test_token_ranges_go_forward_inside_the_text_and_none_crosses_a_cut(kind, text):
    tokenizer = cutting(kind)
    found = tokenizer.tokenize([text])[0]
    starts, ends = found.starts.tolist(), found.ends.tolist()
    assert starts == sorted(starts) and ends == sorted(ends)
    assert all(0 <= start <= end <= len(text) for start, end in zip(starts, ends, strict=True))
    cuts = ByParticles().cut([text]).cuts.tolist()
    crossed = [(start, end) for start, end in zip(starts, ends, strict=True) if any(start < cut < end for cut in cuts)]
    # one letter's bytes, and what a normaliser makes of several characters, cannot be cut
    assert [span for span in crossed if unicodedata.is_normalized("NFKC", text[slice(*span)])] == []


@kinds
@few
@given(text=st.lists(st.sampled_from(KOREAN), max_size=8).map("".join))
def test_tokens_that_cross_no_cut_are_those_of_whole_words(kind, text):
    whole = pair_tokenizer(kind).tokenize([text])[0]
    cuts = ByParticles().cut([text]).cuts.tolist()
    spans = list(zip(whole.starts.tolist(), whole.ends.tolist(), strict=True))
    assume(cuts and not any(start < cut < end for start, end in spans for cut in cuts))
    cut = cutting(kind).tokenize([text])[0]
    assert (cut.ids.tolist(), cut.starts.tolist(), cut.ends.tolist()) == (
        whole.ids.tolist(), whole.starts.tolist(), whole.ends.tolist(),
    )  # fmt: skip


@kinds
def test_english_text_passes_unchanged(kind):
    text = "In 1704, the 2nd Otter (A380) wasn't launched at 大阪; café №5."
    whole, cut = pair_tokenizer(kind).tokenize([text])[0], cutting(kind).tokenize([text])[0]
    assert whole.ids.tolist() == cut.ids.tolist()
    assert whole.ends.tolist() == cut.ends.tolist()


@kinds
@few
@given(text=texts())
def test_every_span_of_tokens_comes_back_as_the_answer_it_is(kind, text):
    found = cutting(kind).tokenize([text])[0]
    visible = [
        (start, end) for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True) if start < end
    ]
    wanted = sorted({(first[0], last[1]) for number, first in enumerate(visible) for last in visible[number:]})
    examples = [Example(str(span), "?", text, (Answer(text[slice(*span)], span[0]),)) for span in wanted]
    features = build_features(examples, cutting(kind), WindowConfig())
    places = zip(
        features.context_starts[features.answer_start], features.context_ends[features.answer_end], strict=True
    )
    assert list(places) == wanted


@kinds
def test_the_end_of_a_noun_is_an_end_of_a_token(kind):
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, "서울에서는 봄날이었다. BTS는 3월에")
        ends = {text[:end] for end in cutting(kind).tokenize([text])[0].ends.tolist()}
        nouns = (
            "서울",
            "서울에서",
            "서울에서는 봄날",
            "서울에서는 봄날이었다. BTS",
            "서울에서는 봄날이었다. BTS는 3월",
        )
        assert {unicodedata.normalize(form, noun) for noun in nouns} <= ends


@pytest.mark.parametrize("split", ["kiwi", "mecab"])
def test_morphemes_cut_as_particles_do(words, split):
    cut = tokenizer_of(words, korean_split=split)
    assert pieces(cut, "서울은 3월에") == [("서울", "서울"), ("##은", "은"), ("3", "3"), ("##월", "월"), ("##에", "에")]


def test_many_texts_are_cut_as_one_is():
    given_texts = ["서울에서는", "", "English", "봄날이었다 3월에", "\ufeff서울은"]
    together = cutting("bert").tokenize(given_texts)
    for text, found in zip(given_texts, together, strict=True):
        alone = cutting("bert").tokenize([text])[0]
        assert (found.ids.tolist(), found.starts.tolist()) == (alone.ids.tolist(), alone.starts.tolist())
    assert [len(found.ids) for found in cutting("bert").tokenize([])] == []


def test_the_identity_is_another_one_and_the_same_every_time(words):
    identities = {tokenizer_of(words, korean_split=split).identity for split in ("none", "particles", "kiwi", "mecab")}
    assert len(identities) == 4
    assert tokenizer_of(words, korean_split="particles").identity in identities


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (models.WordLevel({"[UNK]": 0, "[CLS]": 1}, unk_token="[UNK]"), "WordLevel"),
        (models.BPE({"a": 0, "b": 1}, [], end_of_word_suffix="</w>"), "BPE"),
        (models.BPE({"a": 0, "b": 1}, [], continuing_subword_prefix="##"), "BPE"),
    ],
)
def test_pieces_that_cannot_continue_a_word_are_refused(model, kind):
    with pytest.raises(ModelError, match=rf"the tokenizer \({kind}\) has no pieces .* use --korean_split none"):
        Cutting(ByParticles()).prepared(Tokenizer(model))


def test_a_vocabulary_that_has_all_the_marks_is_refused(words):
    vocabulary = {word: number for number, word in enumerate([*WORDS, *MARKS])}
    with pytest.raises(ModelError, match="no character to spare"):
        tokenizer_of(BertTokenizerFast(vocab=vocabulary), korean_split="particles")


def test_an_unsplit_tokenizer_is_what_it_was(words):
    assert json.loads(tokenizer_of(words)._tokenizer.to_str()) == json.loads(
        PairTokenizer.of(words)._tokenizer.to_str()
    )


def test_morphemes_and_cuts_do_not_go_together(words):
    with pytest.raises(SettingsError, match="no entries such as /NNG_"):
        tokenizer_of(words, morphemes="kiwi")
    vocabulary = {word: number for number, word in enumerate([*WORDS[:5], "서울/NNG_", "/NNG_"])}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix="")),
        cls_token="[CLS]", pad_token="[PAD]", sep_token="[SEP]", unk_token="[UNK]",
    )  # fmt: skip
    with pytest.raises(SettingsError, match="is a morpheme BERT.*--morphemes mecab"):
        tokenizer_of(fast)
    with pytest.raises(SettingsError, match="korean_split kiwi cuts words"):
        tokenizer_of(fast, korean_split="kiwi", morphemes="kiwi")


def test_a_word_with_something_unknown_is_cut_as_others_are(words):
    cut = tokenizer_of(words, korean_split="particles")
    assert pieces(PairTokenizer.of(words), "서울😀은") == [("[UNK]", "서울😀은")]
    assert pieces(cut, "서울😀은") == [("서울", "서울"), ("[UNK]", "😀"), ("##은", "은")]
    assert pieces(cut, "뷁은 서울은") == [("[UNK]", "뷁"), ("##은", "은"), ("서울", "서울"), ("##은", "은")]


def test_a_word_that_marks_would_make_too_long_is_cut_all_the_same(words):
    cut = tokenizer_of(words, korean_split="particles")
    long = "서울" * 49 + "에서는"  # one character more than BERT takes for a word
    assert pieces(PairTokenizer.of(words), long) == [("[UNK]", long)]
    assert pieces(cut, long)[-2:] == [("##에서", "에서"), ("##는", "는")]


@pytest.mark.parametrize("limit", [4, 10, 100])
def test_no_word_becomes_unknown_for_its_marks(words, limit):
    backend = Tokenizer.from_str(words.backend_tokenizer.to_str())
    backend.model = models.WordPiece(words.get_vocab(), unk_token="[UNK]", max_input_chars_per_word=limit)
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="[CLS]", pad_token="[PAD]", unk_token="[UNK]")
    text = "은" * min(limit, 8)
    whole, cut = tokenizer_of(fast), tokenizer_of(fast, korean_split="particles")
    assert "[UNK]" not in [entry for entry, _ in pieces(whole, text)]
    assert pieces(cut, text) == pieces(whole, text)


def test_a_pretokenizer_that_parts_letters_and_signs_gets_a_letter_for_a_mark(words):
    backend = Tokenizer.from_str(words.backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="[CLS]", pad_token="[PAD]", unk_token="[UNK]")
    assert pieces(tokenizer_of(fast, korean_split="particles"), "서울에서는") == [
        ("서울", "서울"), ("##에서", "에서"), ("##는", "는"),
    ]  # fmt: skip


def test_a_pretokenizer_that_parts_scripts_is_refused(words):
    backend = Tokenizer.from_str(words.backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.UnicodeScripts()
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="[CLS]", pad_token="[PAD]", unk_token="[UNK]")
    with pytest.raises(ModelError, match="no character to spare"):
        tokenizer_of(fast, korean_split="particles")


def test_what_is_attached_to_punctuation_is_no_part_of_it(words):
    text = "서울‼\ufe0f은"
    assert pieces(tokenizer_of(words, korean_split="particles"), text)[-1] == ("##은", "은")
