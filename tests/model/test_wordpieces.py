"""vocab.txt from a tokenizer.json."""

from __future__ import annotations

import json

import pytest

from dokhae.errors import ModelError
from dokhae.model.wordpieces import entries_of


@pytest.mark.parametrize(
    ("model", "added", "text"),
    [
        ({"type": "WordPiece", "vocab": {"[PAD]": 0, "서": 2, " 1": 1}}, [], "[PAD]\n\n서\n"),
        ({"type": "WordPiece", "vocab": {"[PAD]": 0}}, [{"content": "[NEW]", "id": 1}], "[PAD]\n[NEW]\n"),
        ({"type": "WordPiece", "vocab": {"[PAD]": 0, "a": 2}}, [], None),  # a gap
        ({"type": "WordPiece", "vocab": {"[PAD]": 0, "a\nb": 1}}, [], None),
        ({"type": "BPE", "vocab": {"a": 0}}, [], None),
    ],
)
def test_entries_are_in_the_order_of_their_ids_or_there_are_none(tmp_path, model, added, text):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": model, "added_tokens": added}), encoding="utf-8")
    assert entries_of(path) == text


def test_a_file_that_is_no_tokenizer_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="tokenizer.json: is not a tokenizer's file; put the old file back"):
        entries_of(tmp_path / "tokenizer.json")
