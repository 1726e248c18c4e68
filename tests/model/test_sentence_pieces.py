"""KoBERT's folders as they lie on the hub, with SentencePiece models trained on the spot.

skt/kobert-base-v1 has spiece.model, whose pieces have the model's ids. monologg/kobert and monologg/distilkobert have
tokenizer_78b3253a26.model, which numbers its pieces otherwise, and vocab.txt, which has the model's ids.
"""

from __future__ import annotations

import functools
import io
import json
import unicodedata

import pytest
import sentencepiece
import torch
import transformers
from hypothesis import assume, given, settings
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

import dokhae
from dokhae.data import read_examples
from dokhae.encoding import PairTokenizer, WindowConfig, build_features
from dokhae.encoding.offsets import continues
from dokhae.errors import ModelError
from dokhae.model import loading
from dokhae.types import Answer, Example
from encoding.texts import texts
from model.local_hub import NAME, served
from tokenizers_on_the_spot import corpus, decomposed, train_tokenizer
from training.small import FEW, config, write_squad

SPECIALS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
OWN = {"unk_piece": "[UNK]", "pad_id": 1, "pad_piece": "[PAD]", "bos_id": 2, "bos_piece": "[CLS]", "eos_id": 3,
       "eos_piece": "[SEP]", "control_symbols": "[MASK]"}  # fmt: skip
SKT = {"do_lower_case": False, "remove_space": True, "keep_accents": False, "bos_token": "[CLS]", "eos_token": "[SEP]",
       "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
       "mask_token": {"content": "[MASK]", "lstrip": True, "__type": "AddedToken"}, "additional_special_tokens": None,
       "sp_model_kwargs": {}, "tokenizer_class": "XLNetTokenizer"}  # fmt: skip
MONOLOGG = {"model_max_length": 512, "max_len": 512, "do_lower_case": False, "tokenizer_class": "KoBertTokenizer",
            "auto_map": {"AutoTokenizer": ["tokenization_kobert.KoBertTokenizer", None]}}  # fmt: skip
OLD_MONOLOGG = {"do_lower_case": False, "max_len": 512}  # as it was until 2024
kinds = pytest.mark.parametrize("kind", ["unigram", "bpe"])
owners = pytest.mark.parametrize("owner", ["skt", "monologg"])
many = settings(deadline=None, max_examples=150, derandomize=True)
plain = texts().filter(lambda text: not any(name in text for name in SPECIALS))


@functools.cache
def trained(kind, own=False, normalizer="nmt_nfkc", texts=corpus, **options):
    """A SentencePiece model as bytes; own: with KoBERT's special tokens, at the ids they have there."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts(), model_writer=written, vocab_size=700, character_coverage=0.995, num_threads=1,
        model_type=kind, normalization_rule_name=normalizer, minloglevel=2, **(OWN if own else {}), **options,
    )  # fmt: skip
    return written.getvalue()


def pieces_of(model, *types):
    return [one.piece for one in sentencepiece_model_pb2.ModelProto.FromString(model).pieces if one.type in types]


def write(folder, files, model="bert"):
    """A folder of a tiny model, and these files of its tokenizer: name -> bytes, settings or lines."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        content = "\n".join([*content, ""]) if isinstance(content, list) else content
        content = json.dumps(content) if isinstance(content, dict) else content
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    MODELS[model]().save_pretrained(folder)
    return folder


def tiny_bert():
    return transformers.BertForQuestionAnswering(transformers.BertConfig(
        vocab_size=710, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=128, pad_token_id=1,
    ))  # fmt: skip


def tiny_distilbert():
    return transformers.DistilBertForQuestionAnswering(transformers.DistilBertConfig(
        vocab_size=710, dim=64, n_layers=2, n_heads=2, hidden_dim=128, max_position_embeddings=128, pad_token_id=1,
    ))  # fmt: skip


def tiny_albert():
    return transformers.AlbertForQuestionAnswering(transformers.AlbertConfig(
        vocab_size=710, embedding_size=16, hidden_size=32, num_attention_heads=2, intermediate_size=64,
    ))  # fmt: skip


MODELS = {"bert": tiny_bert, "distilbert": tiny_distilbert, "albert": tiny_albert}


def vocabulary(model):
    """As in vocab.txt: the special tokens, then the pieces in the order of the alphabet."""
    return [*SPECIALS, *sorted(pieces_of(model, 1))]


def write_skt(folder, kind="unigram", model="bert", **changes):
    return write(folder, {"spiece.model": trained(kind, own=True), "tokenizer_config.json": SKT | changes}, model)


def write_monologg(folder, kind="unigram", settings=MONOLOGG, model="bert"):
    pieces = trained(kind)
    files = {"tokenizer_78b3253a26.model": pieces, "vocab.txt": vocabulary(pieces), "tokenizer_config.json": settings}
    return write(folder, files, model)


WRITERS = {"skt": write_skt, "monologg": write_monologg}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """(owner, kind) -> the tokenizer of such a folder, loaded once."""

    @functools.cache
    def loaded(owner, kind):
        return load_from(WRITERS[owner](tmp_path_factory.mktemp(owner) / "model", kind))

    return loaded


def load_from(folder):
    return loading.load_tokenizer(loading.locate(folder))


@functools.cache
def processor(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def as_the_old_class_prepares(text):
    """What SKT's class (XLNet's) does to a text before it asks sentencepiece."""
    text = " ".join(text.split()).replace("``", '"').replace("''", '"')
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def stacked(text):
    """Whether a mark is on another mark, which composing orders, or on what SentencePiece replaces, which drops it."""
    pairs = list(zip(text, text[1:], strict=False))
    two = any(continues(mark) and (continues(one) or len(unicodedata.normalize("NFD", one)) > 1) for one, mark in pairs)
    return two or any(changed(one) and (continues(mark) or unicodedata.category(mark)[0] == "C") for one, mark in pairs)


def changed(character):
    return processor(trained("unigram")).normalize(f"a{character}").removeprefix("▁a") != character


@kinds
@many
@given(text=plain)
def test_ids_are_those_of_sentencepiece_after_what_the_settings_state(load, kind, text):
    expected = processor(trained(kind, own=True)).encode_as_ids(as_the_old_class_prepares(text))
    assert ids(load("skt", kind), text) == expected


@kinds
@many
@given(text=plain)
def test_pieces_are_those_of_sentencepiece_and_their_ids_those_of_vocab_txt(load, kind, text):
    assume(not stacked(text))
    numbers = {entry: number for number, entry in enumerate(vocabulary(trained(kind)))}
    expected = [numbers.get(piece, 0) for piece in processor(trained(kind)).encode_as_pieces(text)]
    assert ids(load("monologg", kind), text) == expected


@kinds
@owners
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_sample_has_the_ids_of_sentencepiece_in_either_form(load, owner, kind, form):
    model = trained(kind, own=owner == "skt")
    entries = pieces_of(model, 1, 2, 3) if owner == "skt" else vocabulary(model)
    for text in list(corpus())[:60]:
        text = unicodedata.normalize(form, text)
        prepared = as_the_old_class_prepares(text) if owner == "skt" else text
        expected = [piece if piece in entries else "[UNK]" for piece in processor(model).encode_as_pieces(prepared)]
        assert [entries[number] for number in ids(load(owner, kind), text)] == expected


@kinds
@pytest.mark.parametrize("normalizer", ["nmt_nfkc", "identity"])
def test_odd_texts_have_the_ids_of_sentencepiece(kind, normalizer, tmp_path):
    model = trained(kind, own=True, normalizer=normalizer)
    tokenizer = load_from(write(tmp_path / "model", {"spiece.model": model}))
    for text in ("ㄱㅏ", "ｶﾞ", "한\u200b글", "  a  b\n\nc ", "a \n b", "▁a", "a ▁", "▁", "3～5개", "뷁뷁 ☃", "ᄒ", ""):
        assert ids(tokenizer, text) == processor(model).encode(text), text


@kinds
@owners
def test_pairs_and_special_tokens_are_those_of_bert(load, owner, kind):
    tokenizer = load(owner, kind)
    assert tokenizer.is_fast and tokenizer.padding_side == "right"
    assert [getattr(tokenizer, f"{name}_token_id") for name in ("unk", "pad", "cls", "sep", "mask")] == [0, 1, 2, 3, 4]
    pair = tokenizer("town", "서울")
    one, other = len(ids(tokenizer, "town")), len(ids(tokenizer, "서울"))
    assert pair["input_ids"] == [2, *ids(tokenizer, "town"), 3, *ids(tokenizer, "서울"), 3]
    assert pair["token_type_ids"] == [0] * (one + 2) + [1] * (other + 1)


@kinds
@owners
@many
@given(text=plain)
def test_ranges_go_forward_and_hold_what_their_tokens_were_made_from(load, owner, kind, text):
    tokenizer = PairTokenizer.of(load(owner, kind))
    tokens = tokenizer.tokenize([text])[0]
    spans = list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True))
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)
    assert [end for _, end in spans] == sorted(end for _, end in spans)
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    if stacked(text) or set(text) & set("`'▁"):
        return  # two quotes in one become one character, and so do two letters of a syllable
    for number, (start, end) in zip(tokens.ids.tolist(), spans, strict=True):
        letters = load(owner, kind).convert_ids_to_tokens(number).replace("▁", " ").strip()
        assert number == 0 or letters in tokenizer.normalized(text[start:end])


@kinds
@owners
@settings(deadline=None, max_examples=40, derandomize=True)
@given(text=plain)
def test_every_span_of_tokens_comes_back_as_the_answer_it_is(load, owner, kind, text):
    tokenizer = PairTokenizer.of(load(owner, kind))
    tokens = tokenizer.tokenize([text])[0]
    visible = [
        (start, end) for start, end in zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True) if start < end
    ]
    wanted = sorted({(first[0], last[1]) for number, first in enumerate(visible) for last in visible[number:]})
    examples = [Example(str(span), "?", text, (Answer(text[slice(*span)], span[0]),)) for span in wanted]
    features = build_features(examples, tokenizer, WindowConfig())
    found = zip(features.context_starts[features.answer_start], features.context_ends[features.answer_end], strict=True)
    assert list(found) == wanted


@owners
def test_the_name_of_a_special_token_is_that_token_as_in_the_old_classes(load, owner):
    assert ids(load(owner, "unigram"), "[SEP]") == [3]


@owners
@pytest.mark.parametrize("name", ["XLNetTokenizer", "AlbertTokenizer", "BertTokenizer", "KoBERTTokenizer", None])
def test_the_class_that_the_settings_name_changes_nothing(load, owner, name, tmp_path):
    files = write_skt(tmp_path / "skt", tokenizer_class=name) if owner == "skt" else write_monologg(
        tmp_path / "monologg", settings={**MONOLOGG, "tokenizer_class": name}
    )  # fmt: skip
    assert load_from(files).backend_tokenizer.to_str() == load(owner, "unigram").backend_tokenizer.to_str()


@pytest.mark.parametrize("settings", [OLD_MONOLOGG, {}, {key: MONOLOGG[key] for key in ("auto_map", "max_len")}])
def test_settings_that_name_no_class_change_nothing_and_no_code_of_the_folder_is_run(load, settings, tmp_path):
    folder = write_monologg(tmp_path / "model", settings=settings)
    (folder / "tokenization_kobert.py").write_text("raise SystemExit")
    tokenizer = loading.load_tokenizer(loading.locate(folder), trust_remote_code=True)
    assert tokenizer.backend_tokenizer.to_str() == load("monologg", "unigram").backend_tokenizer.to_str()
    assert tokenizer.model_max_length == 512 or not settings


def test_lower_case_is_made_where_the_settings_state_it(tmp_path):
    tokenizer = load_from(write_monologg(tmp_path / "model", settings={"do_lower_case": True}))
    assert ids(tokenizer, "THE Town") == ids(tokenizer, "the town")


@kinds
@owners
def test_a_saved_tokenizer_loads_everywhere_with_the_same_ids(load, owner, kind, tmp_path):
    load(owner, kind).save_pretrained(tmp_path)
    tiny_bert().config.save_pretrained(tmp_path)
    for again in (AutoTokenizer.from_pretrained(tmp_path), load_from(tmp_path)):
        assert again.is_fast
        assert again.backend_tokenizer.to_str() == load(owner, kind).backend_tokenizer.to_str()
        assert again("town", "서울") == load(owner, kind)("town", "서울")


def test_no_text_becomes_an_entry_that_is_no_piece(tmp_path):
    pieces = trained("unigram")
    entries = vocabulary(pieces) + ["가나다라마바사"]
    folder = write(tmp_path / "model", {"x.spiece": pieces, "vocab.txt": entries})
    tokenizer = load_from(folder)
    assert len(tokenizer) == len(entries)
    assert len(entries) - 1 not in ids(tokenizer, "가나다라마바사")


def test_pieces_that_vocab_txt_lacks_are_cut_further(tmp_path):
    pieces = trained("unigram")
    entries = [entry for entry in vocabulary(pieces) if entry != "▁town"]
    tokenizer = load_from(write(tmp_path / "model", {"spiece.model": pieces, "vocab.txt": entries}))
    assert "▁town" in pieces_of(pieces, 1)
    assert 0 not in ids(tokenizer, "town") and len(ids(tokenizer, "town")) > 1


def test_a_vocab_txt_of_another_tokenizer_is_not_used(load, tmp_path):
    files = {"spiece.model": trained("unigram", own=True), "tokenizer_config.json": SKT}
    tokenizer = load_from(write(tmp_path / "model", files | {"vocab.txt": [*SPECIALS, "a", "b"]}))
    assert tokenizer.backend_tokenizer.to_str() == load("skt", "unigram").backend_tokenizer.to_str()


def test_padding_and_unknown_tokens_of_other_names_are_found_by_their_ids(tmp_path):
    options = OWN | {"pad_piece": "<pad>", "unk_piece": "<unk>"}
    tokenizer = load_from(write(tmp_path / "model", {"spiece.model": trained("unigram", **options)}))
    assert (tokenizer.unk_token_id, tokenizer.pad_token_id) == (0, 1)
    assert ids(tokenizer, "town\U0010ffff")[-1] == 0


@pytest.mark.parametrize("owner", ["skt", "monologg"])
@pytest.mark.parametrize("kept", [0, 7, 0.5, 0.9999])
def test_a_damaged_file_is_one_clear_error(owner, kept, tmp_path):
    folder = WRITERS[owner](tmp_path / "model")
    path = next(folder.glob("*.model"))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    with pytest.raises(ModelError, match=f"^{path}: .*; copy it again"):
        load_from(folder)


def test_settings_that_are_damaged_are_one_clear_error(tmp_path):
    folder = write_skt(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match=f"^{folder / 'tokenizer_config.json'}: cannot be read as JSON settings"):
        load_from(folder)


def test_a_table_that_is_damaged_inside_is_one_clear_error(tmp_path):
    folder = write_skt(tmp_path / "model")
    model = sentencepiece_model_pb2.ModelProto.FromString(trained("unigram", own=True))
    model.normalizer_spec.precompiled_charsmap = b"\0\0\0\0damaged"
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=f"^{folder / 'spiece.model'}: .*; copy it again"):
        load_from(folder)


@pytest.mark.parametrize("options", [{"kind": "char"}, {"kind": "unigram", "treat_whitespace_as_suffix": True}])
def test_a_kind_that_cannot_be_built_is_one_clear_error(options, tmp_path):
    folder = write(tmp_path / "model", {"spiece.model": trained(own=True, **options)})
    with pytest.raises(ModelError, match="is no SentencePiece file of Unigram or BPE that marks where words begin"):
        load_from(folder)


def test_a_tokenizer_json_comes_first(tmp_path):
    folder = write_skt(tmp_path / "model")
    wordpiece = train_tokenizer("bert")
    wordpiece.save_pretrained(folder)
    assert load_from(folder).backend_tokenizer.to_str() == wordpiece.backend_tokenizer.to_str()


def test_wordpiece_beside_a_sentencepiece_file_without_bert_tokens_stays_wordpiece(tmp_path):
    entries = sorted((vocab := train_tokenizer("bert").get_vocab()), key=vocab.__getitem__)
    folder = write(tmp_path / "model", {"vocab.txt": entries, "spiece.model": trained("unigram")})
    assert type(load_from(folder)).__name__ == "BertTokenizer"


@pytest.mark.parametrize(("normalizer", "texts"), [("identity", decomposed), ("nmt_nfkc", corpus)])
def test_albert_keeps_its_own_class_where_that_has_the_same_ids(normalizer, texts, tmp_path):
    options = OWN | {"unk_id": 1, "pad_id": 0, "pad_piece": "<pad>", "unk_piece": "<unk>"}
    pieces = trained("unigram", normalizer=normalizer, texts=texts, **options)
    settings = {"tokenizer_class": "AlbertTokenizer", "keep_accents": normalizer != "identity"}
    folder = write(tmp_path / "model", {"spiece.model": pieces, "tokenizer_config.json": settings}, "albert")
    assert type(load_from(folder)).__name__ == "AlbertTokenizer"


@pytest.mark.parametrize(
    ("owner", "kind", "model"),
    [
        ("skt", "unigram", "bert"),
        pytest.param("monologg", "unigram", "bert", marks=pytest.mark.slow),
        ("monologg", "bpe", "distilbert"),
    ],
)
def test_it_learns_a_handful_and_answers_with_exact_ranges_after_loading(owner, kind, model, tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    torch.manual_seed(0)
    folder = WRITERS[owner](tmp_path / "encoder", kind, model=model)
    settings = config(folder, data, tmp_path / "run", epochs=60, learning_rate=3e-3, batch_size=6)
    report = dokhae.train(settings, show=False)
    assert report["scores"]["f1"] > 80
    reader = dokhae.Reader.load(tmp_path / "run", device="cpu")
    examples = read_examples(data)
    predictions = reader.predict(examples)
    for example, prediction in zip(examples, predictions, strict=True):
        assert example.context[prediction.start : prediction.end] == prediction.text
    saved = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert saved.backend_tokenizer.to_str() == load_from(folder).backend_tokenizer.to_str()
    assert ("token_type_ids" in saved.model_input_names) is (model == "bert")


def test_a_model_of_the_hub_is_read_the_same_way(load, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with served(write_monologg(tmp_path / "published")) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        online = loading.load_tokenizer(loading.locate(NAME))
        assert "model.safetensors" not in hub.fetched
    offline = loading.load_tokenizer(loading.Source(NAME, None, offline=True))
    expected = load("monologg", "unigram").backend_tokenizer.to_str()
    assert online.backend_tokenizer.to_str() == offline.backend_tokenizer.to_str() == expected
