"""The tokenizer of an old model, and how its case is known."""

from __future__ import annotations

import io
import json

import pytest
import sentencepiece

from dokhae.convert.vocabulary import read_vocabulary
from dokhae.errors import DataError, ModelError
from dokhae.model.loading import load_tokenizer, locate
from tokenizers_on_the_spot import BERT_SPECIALS, corpus, wordpiece

TEXT = "Café 서울은 수도이다 大韓 In 1704"


def vocab_file(tmp_path, entries, name="vocab.txt", end="\n"):
    path = tmp_path / name
    path.write_bytes((end.join(entries) + end).encode())
    return path


def test_a_cased_vocabulary_is_known_by_its_capitals(tmp_path):
    found = read_vocabulary(vocab_file(tmp_path, wordpiece(False)), "auto", {}, 128)
    assert found.entries == len(found.tokenizer) == len(wordpiece(False))
    assert found.casing.startswith("cased, for ")
    assert found.tokenizer.model_max_length == 128
    assert "".join(found.tokenizer.tokenize("Café In")).replace("##", "") == "CaféIn"
    assert found.tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4]) == BERT_SPECIALS


def test_an_uncased_vocabulary_is_known_by_its_lower_case(tmp_path):
    found = read_vocabulary(vocab_file(tmp_path, [*wordpiece(True), "[unused1]"]), "auto", {}, 128)
    assert found.casing == "uncased, for every entry of the vocabulary is in lower case and without accents"
    assert "".join(found.tokenizer.tokenize("Café In")).replace("##", "") == "cafein"
    assert found.tokenizer.tokenize("大韓") == ["大", "韓"]


@pytest.mark.parametrize(
    ("entry", "casing"),
    [("seoul", "uncased"), ("##s", "uncased"), ("Seoul", "cased"), ("##É", "cased"), ("서울", "cased"), ("é", "cased")],
)
def test_one_entry_that_lower_casing_would_change_is_enough(tmp_path, entry, casing):
    path = vocab_file(tmp_path, [*BERT_SPECIALS, "[unused1]", "a", "##b", entry])
    assert read_vocabulary(path, "auto", {}, 128).casing.startswith(f"{casing}, for ")


@pytest.mark.parametrize(
    ("casing", "settings", "wanted"),
    [
        ("auto", {"do_lower_case": True}, "uncased, as do_lower_case says"),
        ("auto", {"do_lower_case": False}, "cased, as do_lower_case says"),
        ("uncased", {"do_lower_case": False}, "uncased, as --casing says"),
        ("cased", {}, "cased, as --casing says"),
    ],
)
def test_what_is_said_wins_over_the_vocabulary(tmp_path, casing, settings, wanted):
    found = read_vocabulary(vocab_file(tmp_path, wordpiece(True)), casing, settings, 128)
    assert found.casing == wanted
    state = json.loads(found.tokenizer.backend_tokenizer.to_str())["normalizer"]
    assert (state["lowercase"], state["strip_accents"], state["handle_chinese_chars"]) == (
        wanted.startswith("uncased"), None, True
    )  # fmt: skip


def test_lines_are_entries_whatever_is_in_them(tmp_path):
    entries = [*BERT_SPECIALS, "a", "", "b\u2028", "a", "\u00a0", "c"]
    found = read_vocabulary(vocab_file(tmp_path, entries, end="\r\n"), "auto", {}, 128)
    assert found.entries == 11
    assert found.tokenizer.convert_tokens_to_ids(["a", "b", "c"]) == [8, 7, 10]  # of two, BERT takes the last


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<s>\n</s>\na\n", "is not a WordPiece vocabulary: it lacks [PAD], [UNK], [CLS], [SEP]; take the vocab.txt"),
        (b"", "is empty"),
        ("[PAD]\n가".encode("euc-kr"), "is not UTF-8"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, content, message):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises((ModelError, DataError)) as refused:
        read_vocabulary(tmp_path / "vocab.txt", "auto", {}, 128)
    assert message in str(refused.value)
    with pytest.raises(DataError, match="no such file"):
        read_vocabulary(tmp_path / "none.model", "auto", {}, 128)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A SentencePiece model as ALBERT's: lower case, BERT's special tokens as control symbols."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text.lower() for text in corpus() if text.isascii()),
        model_writer=written,
        vocab_size=300,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        num_threads=1,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("albert") / "30k-clean.model"
    path.write_bytes(written.getvalue())
    return path


def test_alberts_pieces_are_sentencepieces_own_and_stay_so(pieces, tmp_path):
    found = read_vocabulary(pieces, "auto", {}, 128)
    assert found.entries == 300
    assert found.casing.startswith("uncased, for every entry")
    own = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    text = "The  quick Café was BUILT in 1704"
    lowered = "the quick cafe was built in 1704"
    assert found.tokenizer.encode(text, add_special_tokens=False) == own.encode(lowered)
    assert found.tokenizer.convert_ids_to_tokens(found.tokenizer.encode("a", "b"))[0] == "[CLS]"
    assert found.tokenizer("a", "b")["token_type_ids"][-1] == 1
    found.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "albert"}')
    again = load_tokenizer(locate(tmp_path))
    assert again(text, "b") == found.tokenizer(text, "b")
    assert again.all_special_tokens == found.tokenizer.all_special_tokens


def test_pieces_that_are_not_alberts_are_refused(pieces, tmp_path):
    (tmp_path / "cut.model").write_bytes(pieces.read_bytes()[:500])
    with pytest.raises(ModelError) as refused:
        read_vocabulary(tmp_path / "cut.model", "auto", {}, 128)
    assert str(refused.value).startswith(f"{tmp_path / 'cut.model'}: ")
