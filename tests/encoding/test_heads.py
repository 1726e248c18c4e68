"""What each head of a model of pages is trained to say."""

from __future__ import annotations

import numpy as np
from transformers import BertTokenizerFast

from dokhae.encoding import WindowConfig, assemble, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pages import add_markers
from dokhae.pages.text import PageConfig
from dokhae.types import Answer, Example

PAGE = "<p>가 나</p><table><tr><td>다</td><td>라</td></tr></table><p>마</p>"


def example(name, gold):
    return Example(name, "바", PAGE, (Answer(gold, PAGE.index(gold)),))


def test_to_each_head_the_others_answers_are_none(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"가나다라마바"]), "utf-8")
    fast = BertTokenizerFast(vocab=str(vocabulary), do_lower_case=False)
    add_markers(fast)
    tokenizer = tokenizer_of(fast, pages=PageConfig())
    examples = [example("short", "나"), example("long", "<table><tr><td>다</td><td>라</td></tr></table>")]
    features = build_features(examples, tokenizer, WindowConfig(32, step=8))
    batch = assemble(features, np.arange(2), tokenizer.layout)
    words = fast.convert_ids_to_tokens(batch.ids.tolist())
    said = [[words[place] for pair in head for place in pair] for head in batch.labels(2)]
    table, end_of_table = fast.convert_ids_to_tokens(fast.convert_tokens_to_ids(["\U0010fe04", "\U0010fe0e"]))
    assert said == [["나", "[CLS]", "나", "[CLS]"], ["[CLS]", table, "[CLS]", end_of_table]]
    assert [words[place] for pair in batch.labels(1)[0] for place in pair] == ["나", table, "나", end_of_table]
