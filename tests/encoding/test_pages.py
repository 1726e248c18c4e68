"""Pages through tokenizers: a token for each marker, offsets into the page, answers that come back."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speed.pages import document
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dokhae.encoding import WindowConfig, assemble, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.offsets import tokens_of
from dokhae.encoding.pages import add_markers
from dokhae.errors import ModelError, SettingsError
from dokhae.metrics import KOREAN_CHARACTERS_HTML
from dokhae.pages.elements import whole
from dokhae.pages.tags import MARKERS, TAG, marker
from dokhae.pages.text import PageConfig, page_text
from dokhae.types import Answer, Example
from tokenizers_on_the_spot import TOKENIZERS, train_tokenizer

KINDS = ("bert", "bert-uncased", "xlm-roberta", "albert", "roberta", "modernbert", "gemma")
SPLITS = ("none", "particles")
PAGE = "<h1>서울은</h1>가<div>town</div><p>바다가&nbsp;<b>뷁</b><br>the Caf\u0065\u0301</p><table><td>2016</table>나"
kinds = pytest.mark.parametrize("kind", KINDS)
splits = pytest.mark.parametrize("split", SPLITS)


@functools.cache
def marked(kind):
    fast = train_tokenizer(kind)
    add_markers(fast)
    return fast


@functools.cache
def tokenizer(kind, split="none"):
    return tokenizer_of(marked(kind), korean_split=split, pages=PageConfig())


def pieces(found, page):
    return [page[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]


@splits
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_marker_is_one_token_of_the_id_that_was_added_for_it(kind, split):
    fast = marked(kind)
    added = fast.convert_tokens_to_ids([marker(name) for name in MARKERS])
    assert added == list(range(len(train_tokenizer(kind)), len(fast)))
    assert tokenizer(kind, split).layout.markers == tuple(added)
    assert tokenizer(kind, split).layout.headings == tuple(added[1:4])
    tags = [*(f"<{name}>" for name in MARKERS[:-1]), "</ul>"]
    page = "서울은".join(tags)
    found = tokenizer(kind, split).tokenize([page])[0]
    assert found.ids[np.isin(found.ids, added)].tolist() == added
    assert [one for one in pieces(found, page) if "<" in one] == tags


@splits
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokens_stand_for_what_one_sees_without_tags_and_spaces(kind, split):
    found = tokenizer(kind, split).tokenize([PAGE, ""])[0]
    markers = np.isin(found.ids, tokenizer(kind, split).layout.markers)
    seen = pieces(found, PAGE)
    assert [one for one, is_marker in zip(seen, markers, strict=True) if is_marker] == [
        *("<h1>", "<p>", "<table>", "<td>", "</table>"),
    ]  # fmt: skip
    texts = [one for one, is_marker in zip(seen, markers, strict=True) if not is_marker and one]
    assert not [one for one in texts if "<" in one or "&" in one or one != one.strip()]
    # pieces of one character (bytes, jamo) all stand for the whole of it
    once = dict.fromkeys(zip(found.starts[~markers].tolist(), found.ends[~markers].tolist(), strict=True))
    covered = {place for start, end in once for place in range(start, end)}
    shown = "".join(PAGE[place] for place in sorted(covered))
    assert shown == "서울은가town바다가뷁theCaf\u0065\u03012016나"


@splits
@kinds
def test_ids_are_those_of_the_text_of_the_page(kind, split):
    """The same words in a page and as plain text, where no marker stands among them."""
    plain = tokenizer_of(marked(kind), korean_split=split)
    page, text = "<div>서울은 <b>town</b>에서<br>바다&amp;가</div>", "서울은 town에서 바다&가"
    found, wanted = tokenizer(kind, split).tokenize([page])[0], plain.tokenize([text])[0]
    assert found.ids.tolist() == wanted.ids.tolist()
    assert [one.replace("&amp;", "&") for one in pieces(found, page)] == pieces(wanted, text)


def test_tokens_for_tags_are_saved_with_the_tokenizer_and_are_not_added_twice(tmp_path):
    for kind in ("bert", "xlm-roberta", "roberta"):
        marked(kind).save_pretrained(tmp_path / kind)
        loaded = AutoTokenizer.from_pretrained(tmp_path / kind)
        size = len(loaded)
        add_markers(loaded)
        assert len(loaded) == size
        for split in SPLITS:
            again = tokenizer_of(loaded, korean_split=split, pages=PageConfig())
            assert again.layout == tokenizer(kind, split).layout
            assert pieces(again.tokenize([PAGE])[0], PAGE) == pieces(tokenizer(kind, split).tokenize([PAGE])[0], PAGE)


def test_a_tokenizer_without_tokens_for_tags_is_refused():
    with pytest.raises(ModelError, match="its tokenizer has no tokens for the tags of web pages.*--benchmark korquad"):
        tokenizer_of(train_tokenizer("bert"), pages=PageConfig())


def test_morphemes_and_pages_are_refused():
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "서울/NNG_"]
    model = models.WordPiece({entry: number for number, entry in enumerate(entries)}, unk_token="[UNK]")
    names = {"cls_token": "[CLS]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), **names)
    with pytest.raises(SettingsError, match="reads morphemes, not web pages"):
        tokenizer_of(fast, morphemes="mecab", pages=PageConfig())


def test_the_settings_of_pages_are_in_the_identity():
    names = {tokenizer_of(marked("bert"), pages=one).identity for one in (None, PageConfig(), PageConfig(True))}
    assert len(names) == 3


@functools.cache
def answers():
    """Examples of made-up documents of both sizes."""
    documents = [document(number, 9, size) for size, count in (("small", 40), ("real", 20)) for number in range(count)]
    return [
        Example(question["id"], question["question"], one["context"],
                (Answer(question["answer"]["text"], question["answer"]["answer_start"]),))
        for one in documents for question in one["qas"]
    ]  # fmt: skip


@splits
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "modernbert"])  # WordPiece, Unigram, BPE of bytes
def test_answers_come_back_from_their_tokens(kind, split):
    examples = answers()
    contexts = list(dict.fromkeys(one.context for one in examples))
    found = dict(zip(contexts, tokenizer(kind, split).tokenize(contexts), strict=True))
    exact = 0
    for example in examples:
        gold, page, tokens = example.answers[0], example.context, found[example.context]
        first, last = tokens_of(tokens.starts, tokens.ends, gold.start, gold.end)
        start, end = int(tokens.starts[first]), int(tokens.ends[last])
        text, starts, ends = page_text(page, PageConfig())
        seen = np.array([one != " " for one in text], dtype=bool)
        inside = np.flatnonzero(seen & (ends[:-1] > gold.start) & (starts[:-1] < gold.end))
        if (start, end) == (starts[inside[0]], ends[inside[-1]]):  # the tokenizer has these boundaries
            exact += 1
            assert whole(page, start, end) == (gold.start, gold.end)
        else:
            assert start <= starts[inside[0]] and ends[inside[-1]] <= end
    share = exact / len(examples)
    assert share > (0.95 if split == "particles" else 0.7), share


@splits
@pytest.mark.parametrize("kind", ["bert", "bert-uncased", "xlm-roberta", "gemma"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_tokens_of_odd_pages_cut_no_tag(kind, split, data):
    words = ["<b>", "</b>", "<p>", "<td>", "</td>", "<br>", "<div>", "<!-- < -->", "&amp;", "&nbsp;", "&#4352;",
             "서울은", "\u1112\u1161\u11ab", "e\u0301", "😀", "<", " ", "\n", "x", "\u200b"]  # fmt: skip
    page = "".join(data.draw(st.lists(st.sampled_from(words), max_size=12)))
    if data.draw(st.booleans()):
        page = unicodedata.normalize("NFD", page)
    found = tokenizer(kind, split).tokenize([page])[0]
    starts, ends = found.starts.tolist(), found.ends.tolist()
    assert starts == sorted(starts) and ends == sorted(ends)
    tags = [one.span() for one in TAG.finditer(page)]
    for start, end in zip(starts, ends, strict=True):
        piece = page[start:end]
        # what an accent continues may be in another element: then the tags between the two are inside
        assert piece == piece.strip()
        assert not [tag for tag in tags if tag[0] < start < tag[1] or tag[0] < end < tag[1]]


def test_a_page_of_250_000_tokens_is_read_whole():
    contexts = list(dict.fromkeys(one.context for one in answers()))
    page = ""
    while len(page) < 250_000 * 4:
        page += "".join(contexts)
    gold = "<p>단 하나의 대답</p>"
    example = Example("q", "무엇인가?", page + gold, (Answer(gold, len(page)),))
    features = build_features([example], tokenizer("bert"), WindowConfig(512, overlap=128, lead=32))
    first, last = int(features.answer_start[0]), int(features.answer_end[0])
    assert len(features.context_ids) > 250_000
    assert features.window_end[-1] == len(features.context_ids) == last + 1
    assert (features.window_start[1:] <= features.window_end[:-1]).all() and (np.diff(features.window_start) > 0).all()
    start, end = whole(example.context, int(features.context_starts[first]), int(features.context_ends[last]))
    assert KOREAN_CHARACTERS_HTML.normalize(example.context[start:end]) == "단하나의대답"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_every_label_is_a_token_that_may_be_chosen(kind):
    golds = ["<td>2016</td>", "<p>town</p>", "<table><tr><td>2016</td><td>나</td></tr></table>", "가"]
    page = f"<h1>가</h1>{golds[1]}{golds[2]}".replace("<td>나", "<td> 나")
    golds[2] = golds[2].replace("<td>나", "<td> 나")
    examples = [Example(gold, "다", page, (Answer(gold, page.index(gold)),)) for gold in golds]
    features = build_features(examples, tokenizer(kind), WindowConfig(128))
    batch = assemble(features, np.arange(features.window_count), tokenizer(kind).layout)
    assert (batch.start_labels != batch.cls).all()
    assert batch.legal[batch.start_labels].all() and batch.legal[batch.end_labels].all()
    assert batch.blocks.answered.tolist() == [False, False, True, False]


def test_what_ends_inside_of_a_block_is_left_to_the_span_head():
    page = "<p>가 나</p><div>다</div>"  # nothing marks the end of the paragraph
    long = Example("1", "라", f"<p>{'가 ' * 40}</p><div>다</div>", (Answer(f"<p>{'가 ' * 40}</p>", 0),))
    features = build_features([long, replace(long, id="2", context=page)], tokenizer("bert"), WindowConfig(128))
    batch = assemble(features, np.arange(2), tokenizer("bert").layout)
    assert not batch.blocks.answered.any()
    assert batch.start_labels[0] != batch.cls[0]


def test_a_vocabulary_whose_numbers_have_gaps_is_refused():
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "가": 5}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")),
        unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
    )  # fmt: skip
    with pytest.raises(
        ModelError, match="would have the ids of other entries .'가'., because its vocabulary's numbers"
    ):
        add_markers(fast)
