"""ETRI's morpheme BERT as it is handed out: read, saved as any other model, and refused where it is not whole."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import MissingExtra, ModelError, SettingsError
from dokhae.model import inputs, loading
from dokhae.model.etri import SIZES, VOCABULARY
from dokhae.model.saving import save_model
from dokhae.model.tensorflow import read_checkpoint, weights_of
from etri_on_the_spot import (
    ENTRIES,
    POSITIONS,
    ROWS,
    SPECIALS,
    entries,
    lines,
    old_names,
    pretrained,
    sizes,
    units,
    write_etri,
)

WEIGHTS = "pytorch_model.bin"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder as ETRI gives it away; read only."""
    return write_etri(tmp_path_factory.mktemp("etri") / "published")


@pytest.fixture
def folder(published, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(published, tmp_path / "etri")


def tokenizer(folder):
    return loading.load_tokenizer(loading.locate(folder))


def model(folder):
    return loading.load_model(loading.locate(folder))


def refusal(load, folder):
    with pytest.raises(ModelError) as refused:
        load(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_ids_are_the_order_of_the_entries(published):
    fast = tokenizer(published)
    assert fast.is_fast
    assert fast.name_or_path == str(published)
    assert fast.convert_ids_to_tokens(range(len(fast))) == list(entries())
    names = [fast.pad_token, fast.unk_token, fast.cls_token, fast.sep_token, fast.mask_token]
    assert names == SPECIALS
    assert fast.pad_token_id == entries().index("[PAD]") > 0


def test_scores_and_lines_about_the_making_are_no_entries(tmp_path):
    text = lines(["가", " 나/NNG_ ", *SPECIALS]).replace("나/NNG_", "나/NNG_\t3\t4") + "max_length=9\nn_iters\t1\n\n"
    fast = tokenizer(write_etri(tmp_path / "etri", text.replace("\n", "\r\n")))
    assert fast.convert_ids_to_tokens(range(len(fast))) == ["가", "나/NNG_", *SPECIALS, "n_iters"]


def test_an_entry_of_white_space_keeps_its_id(tmp_path):
    fast = tokenizer(write_etri(tmp_path / "etri", lines(["\u3000", *SPECIALS, "가/NNG_", " "])))
    assert len(fast) == 8
    assert fast.convert_tokens_to_ids("가/NNG_") == 6
    assert fast.encode("\u3000 0 7", add_special_tokens=False) == [fast.unk_token_id] * 2


def test_units_are_cut_greedily_and_only_at_spaces(published):
    fast = tokenizer(published)
    assert fast.tokenize("사람/NNG_ 사람사람/NNG_  사람/NNG_사람") == [
        "사람/NNG_", "사람", "사람/NNG_", "사람/NNG_", "사람"
    ]  # fmt: skip
    assert fast.tokenize("사람/NNG_ 大/SH_ ## 은/JX_") == ["사람/NNG_", "[UNK]", "[UNK]", "은/JX_"]


def test_a_unit_of_more_than_200_characters_is_unknown(published):
    fast = tokenizer(published)
    assert fast.tokenize("나" * 200) == ["나"] * 200
    assert fast.tokenize("나" * 201) == ["[UNK]"]


def test_a_pair_is_laid_out_as_berts(published):
    fast = tokenizer(published)
    cls, sep = fast.cls_token_id, fast.sep_token_id
    first, second = (fast.convert_tokens_to_ids(unit) for unit in ("사람/NNG_", "마을/NNG_"))
    encoded = fast("사람/NNG_", "마을/NNG_")
    assert encoded["input_ids"] == [cls, first, sep, second, sep]
    assert encoded["token_type_ids"] == [0, 0, 0, 1, 1]


def test_the_weights_are_those_of_the_file_and_the_head_is_drawn_from_the_seed(published):
    heads = []
    with torch.random.fork_rng():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            made = model(published)
            heads.append(made.qa_outputs.weight.tolist())
    own = pretrained().state_dict()
    for name, weight in made.state_dict().items():
        assert name.startswith("qa_outputs.") or torch.equal(weight, own[name]), name
    assert heads[0] == heads[1] != heads[2]
    assert made.name_or_path == str(published)
    assert (made.training, made.dtype) == (False, torch.float32)
    assert (inputs.longest_input(made), made.config.pad_token_id) == (POSITIONS, entries().index("[PAD]"))
    assert inputs.input_names(tokenizer(published), made) == ("input_ids", "token_type_ids", "attention_mask")


def test_a_missing_head_is_told_where_it_matters(published, folder, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("dokhae"), "propagate", True)
    with torch.random.fork_rng():
        loading.load_trained(loading.locate(published))
    assert f"{published}: lacks qa_outputs.bias, qa_outputs.weight; they are random now" in caplog.text
    caplog.clear()
    head = {"qa_outputs.weight": torch.ones(2, 64), "qa_outputs.bias": torch.zeros(2)}
    torch.save(old_names() | head, folder / WEIGHTS)
    assert torch.equal(loading.load_trained(loading.locate(folder)).qa_outputs.weight, head["qa_outputs.weight"])
    assert caplog.text == ""


@pytest.mark.parametrize("form", ["bare", "new names", "safetensors", "half precision", "not zipped", "other heads"])
def test_all_forms_of_the_weights_are_read(folder, published, form):
    weights = old_names(bare=form == "bare")
    (folder / WEIGHTS).unlink()
    if form == "new names":
        weights = pretrained().state_dict()
    elif form == "half precision":
        weights = {name: weight.half() for name, weight in weights.items()}
    elif form == "other heads":
        weights |= {"classifier.weight": torch.ones(3, 64), "bert.embeddings.position_ids": torch.arange(POSITIONS)}
    if form == "safetensors":
        save_file({name: weight for name, weight in weights.items() if "decoder" not in name},
                  folder / "model.safetensors")  # fmt: skip
    else:
        torch.save(weights, folder / WEIGHTS, _use_new_zipfile_serialization=form != "not zipped")
    made, wanted = model(folder).bert.state_dict(), model(published).bert.state_dict()
    near = {"atol": 1e-3, "rtol": 1e-3} if form == "half precision" else {"atol": 0, "rtol": 0}
    for name, weight in wanted.items():
        torch.testing.assert_close(made[name], weight, **near)


@pytest.mark.parametrize("reached", [True, False])
def test_a_saved_folder_is_a_model_like_any_other(published, tmp_path, reached, monkeypatch):
    with torch.random.fork_rng():
        made = model(published)
    fresh = tokenizer(published)
    save_model(tmp_path / "saved", made, fresh)
    if not reached:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("dokhae.model.etri.build_tokenizer", lambda folder: None)  # it is not needed any more
    again = tokenizer(tmp_path / "saved")
    for loaded in (again, AutoTokenizer.from_pretrained(tmp_path / "saved")):
        assert loaded.is_fast
        assert loaded.backend_tokenizer.to_str() == fresh.backend_tokenizer.to_str()
        assert loaded("사람/NNG_ 은/JX_", "라별호/NNP_") == fresh("사람/NNG_ 은/JX_", "라별호/NNP_")
        assert loaded.all_special_tokens == fresh.all_special_tokens
    for weights in (model(tmp_path / "saved"), AutoModelForQuestionAnswering.from_pretrained(tmp_path / "saved")):
        assert {name: weight.tolist() for name, weight in weights.state_dict().items()} == {
            name: weight.tolist() for name, weight in made.state_dict().items()
        }
    assert inputs.input_names(again, made) == ("input_ids", "token_type_ids", "attention_mask")


def test_a_tokenizer_json_or_a_config_json_comes_first(published, folder, tmp_path):
    with torch.random.fork_rng():
        model(published).save_pretrained(tmp_path / "converted")
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tmp_path / "converted" / name, folder)
    (folder / SIZES).unlink()
    (folder / WEIGHTS).unlink()
    assert torch.equal(model(folder).bert.embeddings.word_embeddings.weight,
                       pretrained().bert.embeddings.word_embeddings.weight)  # fmt: skip
    assert len(tokenizer(folder)) == len(entries())
    tokenizer(folder).save_pretrained(folder)
    (folder / VOCABULARY).write_text("nothing")
    assert len(tokenizer(folder)) == len(entries())


def test_it_needs_an_analyser_and_others_need_none(published, tiny_bert):
    with pytest.raises(
        SettingsError, match="is a morpheme BERT, so texts have to be analysed for it; give --morphemes"
    ):
        tokenizer_of(tokenizer(published))
    with pytest.raises(SettingsError, match="it does not read morphemes; leave out --morphemes"):
        tokenizer_of(tokenizer(tiny_bert), morphemes="kiwi")
    with pytest.raises(SettingsError, match="use --korean_split none"):
        tokenizer_of(tokenizer(published), korean_split="particles", morphemes="kiwi")


@pytest.mark.parametrize("analyser", ["kiwi", "mecab"])
def test_what_the_vocabulary_has_is_one_token(published, analyser):
    fast = tokenizer(published)
    found = [entry for entry in units("그 사람은 마을에서 살았다.", analyser) if entry in entries()]
    assert len(found) > 4
    assert [fast.tokenize(entry) for entry in found] == [[entry] for entry in found]


# Files that are not what they should be


def good():
    return lines(entries())


DAMAGED = {
    "WordPiece": (
        lambda: "\n".join(["##나", *SPECIALS, "가"]),
        "is not a vocabulary of morphemes: no entry ends with /N",
    ),
    "no specials": (lambda: good().replace("[CLS]", "x").replace("[SEP]", "y"), "lacks [CLS], [SEP]; copy it again"),
    "twice": (lambda: good() + "가\t1\n", "has '가' 2 times, so it is not clear which of its ids"),
    "EUC-KR": (lambda: good().encode("euc-kr", "ignore"), "is not UTF-8 (byte "),
    "empty": (lambda: "", "is empty"),
    "more than rows": (
        lambda: good() + lines(f"가{number}/NNG_" for number in range(ROWS - ENTRIES + 1)),
        f"has {ROWS + 1} entries, and the model has embeddings for {ROWS} by bert_config.json",
    ),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_a_vocabulary_of_another_form_is_refused(folder, fault):
    make, message = DAMAGED[fault]
    content, path = make(), folder / VOCABULARY
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(tokenizer, folder).startswith(f"{path}: {message}")


def test_as_many_entries_as_rows_are_enough(folder):
    content = lines([*entries(), *(f"가{number}/NNG_" for number in range(ROWS - ENTRIES))])
    (folder / VOCABULARY).write_text(content, encoding="utf-8")
    assert len(tokenizer(folder)) == model(folder).config.vocab_size == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "stops in the middle"),
        ("vocab_size: 3", "is not JSON"),
        ("[]", "is not the settings of a BERT: vocab_size is None"),
        (json.dumps({key: value for key, value in sizes().items() if key != "hidden_size"}),
            "is not the settings of a BERT: hidden_size is None, and has to be a number from 1 on"),
        (json.dumps(sizes(hidden_size="64")), "is not the settings of a BERT: hidden_size is '64'"),
        (json.dumps(sizes(num_hidden_layers=0)), "is not the settings of a BERT: num_hidden_layers is 0"),
        (json.dumps(sizes(type_vocab_size=True)), "is not the settings of a BERT: type_vocab_size is True"),
        (json.dumps(sizes(num_attention_heads=5)), "no BERT can be made of these settings: "),
        (json.dumps(sizes(hidden_act="relux")), "no BERT can be made of these settings: "),
    ],
)  # fmt: skip
def test_settings_that_are_damaged_are_refused(folder, content, message):
    (folder / SIZES).write_text(content)
    assert refusal(model, folder).startswith(f"{folder / SIZES}: {message}")


def test_missing_files_are_named(folder):
    (folder / WEIGHTS).unlink()
    assert refusal(model, folder).startswith(f"{folder}: has no weights: neither model.safetensors, pytorch_model.bin")
    (folder / SIZES).unlink()
    for load in (tokenizer, model):
        assert refusal(load, folder) == (
            f"{folder}: has no bert_config.json; copy it beside {VOCABULARY} from where that came from"
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hidden_size": 32},
            f"word_embeddings.weight is of the shape ({ROWS}, 64), and by bert_config.json of ({ROWS}, 32)",
        ),
        (
            {"vocab_size": 2000},
            f"word_embeddings.weight is of the shape ({ROWS}, 64), and by bert_config.json of (2000, 64)",
        ),
        ({"num_hidden_layers": 3}, "lacks bert.encoder.layer.2.attention.self.query.weight (16 weights in all)"),
        ({"num_hidden_layers": 1}, "has bert.encoder.layer.1.attention.self.query.weight (16 such weights), which by "),
    ],
)
def test_weights_of_other_shapes_are_refused(folder, changes, message):
    (folder / SIZES).write_text(json.dumps(sizes(**changes)))
    said = refusal(model, folder)
    assert said.startswith(f"{folder / WEIGHTS}: ")
    assert message in said
    assert said.endswith("take the weights and the bert_config.json of one and the same model")


class Malicious:
    def __reduce__(self):
        return os.system, ("false",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x": Malicious()}, "cannot be read as weights alone (Trying to load unsupported GLOBAL posix.system"),
        (b"", "cannot be read as weights alone ("),
        (b"hello world", "cannot be read as weights alone ("),
        ([torch.zeros(2)], "has no weights by name; take the file with the model's state_dict"),
        ({}, "has no weights by name"),
        ({"model": {"x": torch.zeros(2)}}, "has no weights by name"),
        ({"x": torch.zeros(2)}, "lacks bert.embeddings.word_embeddings.weight (37 weights in all)"),
    ],
)
def test_files_that_hold_no_weights_are_refused_and_never_run(folder, content, message):
    path = folder / WEIGHTS
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    assert refusal(model, folder).startswith(f"{path}: {message}")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_weights_that_are_cut_off_are_refused(folder, zipped, kept):
    path = folder / WEIGHTS
    torch.save(old_names(), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert refusal(model, folder).startswith(f"{path}: cannot be read as weights alone (")
    path.rename(folder / "model.safetensors")
    assert refusal(model, folder).startswith(f"{folder / 'model.safetensors'}: cannot be read as weights alone (")


# TensorFlow


def in_tensorflow(name: str) -> str | None:
    """The variable of a weight; None where it is there only once (the decoder is the embeddings)."""
    if name == "cls.predictions.decoder.weight":
        return None
    name = name.replace("LayerNorm.weight", "LayerNorm/gamma").replace("LayerNorm.bias", "LayerNorm/beta")
    name = name.replace("_embeddings.weight", "_embeddings").replace(".weight", "/kernel").replace("layer.", "layer_")
    return name.replace(".", "/")


def variables() -> dict[str, np.ndarray]:
    """All that a training of BERT's own code leaves in a checkpoint."""
    made = {"global_step": np.array(7)}
    for name, weight in pretrained().state_dict().items():
        variable = in_tensorflow(name)
        if variable is not None:
            values = weight.numpy()
            made[variable] = values.T if variable.endswith("/kernel") else values
            made |= {f"{variable}/{slot}": np.zeros_like(values) for slot in ("adam_m", "adam_v", "Adam", "Adam_1")}
    return made


def test_variables_become_the_weights_they_are():
    made = variables()
    weights = weights_of(made, made.__getitem__, Path("made"))
    own = {name: weight for name, weight in pretrained().state_dict().items() if name.startswith("bert.")}
    assert weights.keys() == own.keys()
    for name, weight in own.items():
        assert torch.equal(weights[name], weight), name


def test_a_checkpoint_needs_tensorflow_and_names_the_extra(folder, monkeypatch):
    (folder / WEIGHTS).unlink()
    (folder / "model.ckpt.index").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtra, match=r"a TensorFlow checkpoint needs .*: pip install 'dokhae\[tf\]'"):
        model(folder)
    (folder / "other.ckpt-12.index").write_bytes(b"")
    assert refusal(model, folder).startswith(f"{folder}: has the checkpoints model.ckpt.index, other.ckpt-12.index; ")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow's own
@pytest.mark.parametrize("name", ["model.ckpt", "bert_model.ckpt", "model.ckpt-1000"])
def test_a_checkpoint_is_read(folder, name):
    saved(folder / name, variables())
    (folder / WEIGHTS).unlink()
    made, own = model(folder), pretrained().state_dict()
    for key, weight in made.bert.state_dict().items():
        assert torch.equal(weight, own[f"bert.{key}"]), key


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_checkpoints_that_are_damaged_or_of_another_model_are_refused(folder):
    (folder / WEIGHTS).unlink()
    index = folder / "model.ckpt.index"
    saved(folder / "model.ckpt", {"generator/kernel": np.zeros((2, 2))})
    assert refusal(model, folder).startswith(f"{index}: has no variables bert/…; take the checkpoint that BERT's own")
    saved(folder / "model.ckpt", variables())
    data = folder / "model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    assert refusal(model, folder).startswith(f"{index}: cannot be read as a TensorFlow checkpoint (")
    data.unlink()
    assert refusal(model, folder).startswith(f"{index}: cannot be read as a TensorFlow checkpoint (")
    index.write_bytes(b"hello world")
    assert refusal(model, folder).startswith(f"{index}: cannot be read as a TensorFlow checkpoint (")
    with pytest.raises(ModelError):
        read_checkpoint(folder / "none.ckpt")


def saved(prefix, values):
    """A checkpoint as TensorFlow 1 wrote it, which is what BERT's own code is made for."""
    tensorflow = pytest.importorskip("tensorflow").compat.v1
    with tensorflow.Graph().as_default(), tensorflow.Session() as session:
        for name, value in values.items():
            tensorflow.get_variable(name, initializer=value)
        session.run(tensorflow.global_variables_initializer())
        tensorflow.train.Saver().save(session, str(prefix), write_meta_graph=False)
