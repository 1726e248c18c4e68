from __future__ import annotations

import pytest
import safetensors

from dokhae.errors import DataError
from dokhae.model.loading import load_tokenizer, locate
from dokhae.model.scratch import new_encoder


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nSeoul\nseoul\n서울\n##은\n", encoding="utf-8")
    return path


def test_the_vocabulary_is_taken_as_it_is(vocabulary, tmp_path):
    folder = new_encoder(tmp_path / "new", vocabulary, layers=1, hidden_size=8, heads=2, max_length=16)
    tokenizer = load_tokenizer(locate(folder))
    assert tokenizer.tokenize("Seoul 서울은 seoul") == ["Seoul", "서울", "##은", "seoul"]
    assert (tokenizer.pad_token_id, tokenizer.cls_token_id) == (0, 2)


def test_lower_case_is_a_choice(vocabulary, tmp_path):
    folder = new_encoder(tmp_path / "new", vocabulary, 1, 8, 2, lower_case=True, max_length=16)
    assert load_tokenizer(locate(folder)).tokenize("Seoul") == ["seoul"]


def test_a_disk_without_room_is_told(vocabulary, tmp_path, monkeypatch):
    def no_room(*_, **__):
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", no_room)
    with pytest.raises(DataError, match="new: cannot be written: .*No space left on device"):
        new_encoder(tmp_path / "new", vocabulary, 1, 8, 2, max_length=16)
