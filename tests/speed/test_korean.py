from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer
from transformers import BertTokenizer

from dokhae.encoding.korean import tokenizer_of
from dokhae.types import Answer, Example
from speed import korean, korean_trained
from tokenizers_on_the_spot import train_tokenizer


def example(number, answer="서울"):
    return Example(f"q{number}", "어디?", "서울에서는 봄이다.", (Answer(answer, 0),), f"article {number // 2}")


def test_fixes_are_compared_with_whole_words_over_all_seeds(tmp_path):
    arguments = korean_trained.Arguments(vocabularies=("one",), cache=tmp_path)
    test = [example(number) for number in range(6)]
    rows = []
    for seed in (0, 1):
        whole = {"none": {"em": [0.0] * 6, "f1": [50.0] * 6}, "trim": {"em": [100.0] * 3 + [0.0] * 3, "f1": [60.0] * 6}}
        for split, found in (("none", whole), ("particles", {"particles": {"em": [100.0] * 6, "f1": [100.0] * 6}})):
            rows.append({"vocabulary": "one", "seed": seed, "split": split})
            (tmp_path / f"sample-one-{split}-{seed}.json").write_text(json.dumps(found))
    lines = list(korean_trained.compared(arguments, rows, test))
    assert [(one["fix"], one["em"], one["f1"], one["seeds"]) for one in lines] == [
        ("none", 0.0, 50.0, 2), ("trim", 50.0, 60.0, 2), ("particles", 100.0, 100.0, 2),
    ]  # fmt: skip
    assert lines[1]["em_gain"]["mean"] == 50.0 and lines[1]["em_gain"]["low"] < 50.0 < lines[1]["em_gain"]["high"]
    text = korean_trained.table(lines)
    assert "| one | particles | 2 | 100.00 | 100.0, 100.0 | 100.00 | +100.00 (+100.00 to +100.00) |" in text
    assert "Exact match below 20" in text


@pytest.mark.slow
def test_the_part_of_a_vocabulary_that_is_kept_gives_the_same_tokens(tmp_path):
    fast = train_tokenizer("bert")
    entries = sorted(fast.get_vocab(), key=fast.get_vocab().get)
    (tmp_path / "all.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    contexts = ["서울에서는 1802년에 라별호가 진수되었다.", "이 배의 선장은 빙찬랑이었다."]
    path = korean_trained.needed(tmp_path / "all.txt", contexts, tmp_path)
    whole, kept = (BertTokenizer(vocab=str(one), do_lower_case=False) for one in (tmp_path / "all.txt", path))
    assert len(kept) < len(whole)
    for split in korean_trained.SPLITS:
        names = []
        for one in (whole, kept):
            texts = tokenizer_of(one, korean_split=split).tokenize(contexts)
            names.append([one.convert_ids_to_tokens(text.ids.tolist()) for text in texts])
        assert names[0] == names[1]
    assert Tokenizer.from_str(kept.backend_tokenizer.to_str()).get_vocab_size() == len(kept)


@pytest.mark.slow
def test_the_sides_are_taken_in_turns_and_the_first_turn_does_not_count():
    order: list[str] = []
    seconds, others = korean.timed({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 1)
    assert order == ["a", "b"] * 2
    assert [len(seconds[name]) for name in ("a", "b")] == [1, 1]
    assert 0 <= others <= 1


def test_a_ceiling_is_a_row(shared):
    rows = korean.one_ceiling(
        "mBERT", [example(0)], tokenizer_of(korean.fast_tokenizer(korean.VOCABULARIES["mBERT"], None)), None
    )
    assert rows.value["median"] == 100.0 and rows.details["tokens a character"] > 0
