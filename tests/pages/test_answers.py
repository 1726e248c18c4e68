"""From files of pages to predictions and official scores, with a model that knows where the answers are."""

from __future__ import annotations

import numpy as np
import pytest
from speed.pages import write_pages
from transformers import BertTokenizerFast

from dokhae import metrics
from dokhae.benchmarks import find
from dokhae.ceiling import ceiling
from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pages import add_markers
from dokhae.pages.clean import clean
from dokhae.pages.text import PageConfig
from dokhae.predict import predict
from dokhae.types import Answer, Example

KORQUAD = find("korquad-2.1")


def knows(heads):
    """High logits at the labels, of the head that is to answer; at the CLS, where a window or head has no answer."""

    def score(batch):
        logits = [np.zeros(len(batch.ids), dtype=np.float32) for _ in range(2 * heads)]
        own = batch.blocks.answered if heads == 2 else np.zeros(len(batch.lengths), dtype=bool)
        for head, mine in enumerate((~own, own)[:heads]):
            for place, labels in enumerate((batch.start_labels, batch.end_labels)):
                logits[2 * head + place][np.where(mine, labels, batch.cls)] = 10.0
        return tuple(logits)

    return score


@pytest.fixture(scope="module")
def tokenizers(shared):
    """For pages, by how Korean words are cut."""
    vocabulary = str(shared("vocab/bert-base-multilingual-cased.txt"))
    fast = BertTokenizerFast(vocab=vocabulary, do_lower_case=False, strip_accents=False)
    text = {"tags as text": tokenizer_of(fast)}
    add_markers(fast)
    return text | {split: tokenizer_of(fast, korean_split=split, pages=PageConfig()) for split in ("none", "particles")}


@pytest.fixture(params=["real", "generated"])
def examples(request, shared, tmp_path):
    if request.param == "real":
        return KORQUAD.read(shared("korquad-2.1-sample"), True)
    write_pages(tmp_path, 12, 5, "small")
    write_pages(tmp_path / "real", 3, 5, "real")
    return KORQUAD.read(tmp_path, True) + KORQUAD.read(tmp_path / "real", True)


@pytest.mark.parametrize(
    ("split", "heads"),
    [
        ("none", 1), pytest.param("none", 2, marks=pytest.mark.slow),
        pytest.param("particles", 1, marks=pytest.mark.slow), ("particles", 2),
    ],
)  # fmt: skip
def test_gold_answers_come_back_exactly(tokenizers, examples, heads, split):
    tokenizer = tokenizers[split]
    features = build_features(examples, tokenizer, WindowConfig(512, overlap=256, lead=32))
    held = features.answer_end - features.answer_start < 256  # longer ones may lie whole in no window
    predictions = predict(examples, features, tokenizer.layout, knows(heads), DecodingConfig(max_answer_length=512))
    asked = [pair for pair, whole in zip(zip(examples, predictions, strict=True), held, strict=True) if whole]
    assert len(asked) > 0.9 * len(examples)
    texts = {prediction.id: prediction.text for _, prediction in asked}
    for example, prediction in asked:
        assert example.context[prediction.start : prediction.end] == prediction.text
        gold = example.answers[0]
        if split == "particles":  # without it, some answers end inside of a token
            assert (prediction.text, prediction.start) == (gold.text, gold.start)
        else:
            assert clean(gold.text).split()[0] in clean(prediction.text)
    if split == "particles":
        golds = [example for example, _ in asked]
        assert metrics.evaluate(golds, texts, KORQUAD.rule) == {"exact_match": 100.0, "f1": 100.0}
        shown = {name: clean(text) for name, text in texts.items()}
        assert metrics.evaluate(golds, shown, KORQUAD.rule) == {"exact_match": 100.0, "f1": 100.0}


def test_real_gold_answers_are_as_long_as_was_measured(shared, tokenizers):
    """Shares of shared/docs/KOREAN.md, within 2 points; `dokhae ceiling` prints them so."""
    golds = [one.answers[0].text for one in KORQUAD.read(shared("korquad-2.0-answers"), True)]
    examples = [Example(str(number), "?", gold, (Answer(gold, 0),)) for number, gold in enumerate(golds)]
    tokenizer = tokenizers["none"]
    features = build_features(examples, tokenizer, WindowConfig(4096, overlap=64))
    found = ceiling(examples, features, 4096, KORQUAD.rule)
    wanted = {30: 80.0, 512: 97.6, 1024: 99.5}
    assert {most: found.answers_within[most] for most in wanted} == pytest.approx(wanted, abs=2.0)
    as_text = tokenizers["tags as text"]
    plain = ceiling(examples, build_features(examples, as_text, WindowConfig(4096, overlap=64)), 4096, KORQUAD.rule)
    wanted = {512: 93.0, 1024: 97.4}
    assert {most: plain.answers_within[most] for most in wanted} == pytest.approx(wanted, abs=2.0)
