"""What is compared, before anything is computed: the lines of a file, whose settings, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from checkpoints_on_the_spot import tiny, variables_of, write_files
from dokhae.convert.sides import as_text, graph_of
from dokhae.convert.verify import read_texts, settings_for
from dokhae.errors import DataError, ModelError
from dokhae.model.tensorflow import Checkpoint
from tokenizers_on_the_spot import train_tokenizer


def test_texts_are_lines_by_where_they_stand(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("질문 ||| 문맥\u2028이다.\n\nOne alone.\r\n\u200b\n||| context\na ||| b ||| c", encoding="utf-8")
    assert read_texts(path) == {
        f"{path}: line 1": ("질문", "문맥\u2028이다."),
        f"{path}: line 3": ("One alone.", ""),
        f"{path}: line 4": ("\u200b", ""),
        f"{path}: line 5": ("||| context", ""),
        f"{path}: line 6": ("a ||| b", "c"),
    }


def test_a_text_without_tokens_is_named():
    with pytest.raises(DataError) as refused:
        as_text(train_tokenizer("bert"), "\u200b", "", 64, "texts.txt: line 4")
    assert str(refused.value) == "texts.txt: line 4: has nothing that the tokenizer makes tokens of; take it out"


def test_the_answer_of_a_text_is_its_last_part():
    text = as_text(train_tokenizer("bert"), "Who?", "Ann and Bo.", 64)
    assert text.ids[text.answer[0] - 1] == text.ids[-1] == 3  # [SEP]
    assert text.answer[1] == len(text.ids) - 2
    assert as_text(train_tokenizer("bert"), "Ann and Bo.", "", 4).answer == (1, 2)


def test_the_settings_beside_the_checkpoint_are_taken_and_told(tmp_path, caplog):
    caplog.set_level(logging.INFO, "dokhae")
    checkpoint, folder = Checkpoint(tmp_path / "model.ckpt.index", {}, {}.__getitem__), tmp_path / "out"
    assert settings_for(checkpoint, folder) == folder / "config.json"
    (tmp_path / "albert_config.json").touch()
    assert settings_for(checkpoint, folder) == tmp_path / "albert_config.json"
    (tmp_path / "bert_config.json").touch()  # of two, neither
    assert settings_for(checkpoint, folder) == folder / "config.json"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert caplog.messages[1] == f"settings of the checkpoint: {tmp_path / 'albert_config.json'}"
    assert caplog.messages[0].startswith(f"{folder / 'config.json'}: stands in for the checkpoint's own settings")
    assert "number of attention heads, the activation, ALBERT's number of layers; name" in caplog.messages[0]


def test_a_graph_of_another_kind_is_refused(tmp_path):
    variables = variables_of(tiny("Bert"))
    checkpoint = Checkpoint(Path("model.ckpt.index"), variables, variables.__getitem__)
    config, _ = write_files(tmp_path, tiny("Bert"), model_type="albert")
    with pytest.raises(ModelError, match=r"bert_config.json: is of a model of the type 'albert', and the weights are"):
        graph_of(checkpoint, config)
    with pytest.raises(ModelError, match=r"model.ckpt.index: is of BERT, which has no generator; leave out --electra"):
        graph_of(checkpoint, config, generator=True)
