from __future__ import annotations

import pytest
from tokenizers import processors

from dokhae.encoding import PairTokenizer
from dokhae.errors import ModelError
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer, train_tokenizer


def test_bert_frames_a_pair_with_cls_and_two_separators():
    layout = pair_tokenizer("bert").layout
    cls, sep = (train_tokenizer("bert").convert_tokens_to_ids(token) for token in ("[CLS]", "[SEP]"))
    assert layout.specials == ((cls,), (sep,), (sep,))
    assert (layout.special_types, layout.text_types) == (((0,), (0,), (1,)), (0, 1))
    assert (layout.cls, layout.question_first, layout.special_count) == ((0, 0), True, 3)


def test_roberta_has_two_separators_between_the_texts():
    layout = pair_tokenizer("roberta").layout
    assert [len(group) for group in layout.specials] == [1, 2, 1]
    assert layout.text_types == (0, 0)


def test_xlnet_pads_on_the_left_has_the_context_first_and_the_cls_last():
    layout = pair_tokenizer("xlnet").layout
    assert [len(group) for group in layout.specials] == [0, 1, 2]
    assert (layout.special_types, layout.text_types) == (((), (0,), (1, 2)), (0, 1))
    assert (layout.cls, layout.question_first, layout.pad_left, layout.pad_type) == ((2, 1), False, True, 3)


@pytest.mark.parametrize("kind", ["deberta", "big-bird", "modernbert"])
def test_sentencepiece_and_byte_level_tokenizers_may_frame_a_pair_as_bert_does(kind):
    """Token types too, whether the model then takes them or not."""
    fast, layout = train_tokenizer(kind), pair_tokenizer(kind).layout
    assert layout.specials == ((fast.cls_token_id,), (fast.sep_token_id,), (fast.sep_token_id,))
    assert (layout.special_types, layout.text_types) == (((0,), (0,), (1,)), (0, 1))
    assert (layout.cls, layout.question_first, layout.pad_left) == ((0, 0), True, False)


def test_the_model_is_asked_for_what_it_takes():
    assert pair_tokenizer("bert").layout.input_names == ("input_ids", "token_type_ids", "attention_mask")
    assert pair_tokenizer("distilbert").layout.input_names == ("input_ids", "attention_mask")


@pytest.mark.parametrize(("token", "name"), [("cls_token", "CLS"), ("pad_token", "PAD")])
def test_a_tokenizer_without_cls_or_padding_is_refused(token, name):
    fast = train_tokenizer("roberta")
    setattr(fast, token, None)
    with pytest.raises(ModelError, match=f"has no {name} token, so it cannot feed a span head"):
        PairTokenizer.of(fast)


def test_a_tokenizer_that_puts_no_cls_into_a_pair_is_refused():
    fast = train_tokenizer("bert")
    fast.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    with pytest.raises(ModelError, match="does not put the CLS token into a pair of texts"):
        PairTokenizer.of(fast)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_alone_are_those_with_offsets(kind):
    texts = ["", "the town", "서울은\u3000각 e\u0301!", "\x07the"]
    tokenizer = pair_tokenizer(kind)
    assert [ids.tolist() for ids in tokenizer.tokenize_ids(texts)] == [
        text.ids.tolist() for text in tokenizer.tokenize(texts)
    ]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_unknown_token_is_the_tokenizers_own(kind):
    fast = train_tokenizer(kind)
    byte_level = kind.startswith(("roberta", "modernbert"))  # nothing is unknown to them
    unknown = None if byte_level else fast.unk_token_id
    assert pair_tokenizer(kind).unknown_id == unknown


def test_what_a_reader_s_checkpoints_know_of_its_layout_stays_as_it_was():
    """A new field would make every run that has begun another tokenizer's."""
    assert str(pair_tokenizer("roberta").layout) == (
        "Layout(specials=((0,), (2, 2), (2,)), special_types=((0,), (0, 0), (0,)), text_types=(0, 0), "
        "question_first=True, cls=(0, 0), pad_id=1, pad_type=0, pad_left=False, "
        "input_names=('input_ids', 'attention_mask'), markers=(), closings=(), headings=())"
    )
    fast = train_tokenizer("bert")
    identities = {PairTokenizer.of(fast, texts=texts).identity for texts in ("question", "pair", "single")}
    assert len(identities) == 3
