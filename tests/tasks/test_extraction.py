"""Hidden states of lines: those of the model itself, in the order of the file, in every form, a portion at a time."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open

from dokhae.errors import DataError, ModelError, NotFinite, SettingsError
from dokhae.settings import ReaderSettings
from dokhae.tasks import extraction, extraction_files, extraction_lines
from dokhae.tasks.decimals import six_decimals
from dokhae.tasks.extraction import ExtractionConfig, Extractor, of_tokens, places_of, runs
from dokhae.tasks.extraction_files import Taken, open_file
from dokhae.tasks.extraction_lines import count_lines, read_lines
from etri_on_the_spot import write_etri
from tiny_models import make_model

LINES = [
    "서울은 대한민국의 수도이다.",
    "In 1704 the Early Otter was launched. ||| It was launched at Korustead.",
    "a",
    "In 1704 the Early Otter was launched at Korustead, and so was another ship, and another one. " * 3,
    "수도는 어디인가? ||| 서울은 대한민국의 수도이다.",
    "b ||| c ||| d",
]
LAYERS = (-1, 0, -2)  # of three: the last, the first, the one before the last
PLACES = (3, 1, 2)  # among the hidden states of transformers


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("models")
    return {family: make_model(family, parent / family, layers=3) for family in ("bert", "roberta", "xlnet")}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "lines.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def own(folder, max_length):
    """Of each line, by transformers itself: tokens, and states (token, layer, hidden)."""
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for line in LINES:
        texts = [[part] for part in line.rsplit(" ||| ", 1)]
        inputs = fast(*texts, truncation=True, max_length=max_length, return_tensors="pt", return_token_type_ids=True)
        if getattr(model.config, "type_vocab_size", 2) < 2:
            del inputs["token_type_ids"]
        with torch.no_grad():
            found = model(**inputs, output_hidden_states=True).hidden_states
        states = torch.stack([found[place][0] for place in PLACES], dim=1).numpy()
        yield fast.convert_ids_to_tokens(inputs["input_ids"][0].tolist()), states


def written(folder, text, out, **settings):
    """What is written of the lines, read back where that is JSON."""
    extractor = Extractor.load(folder, ExtractionConfig(LAYERS, **settings), "cpu")
    taken = Taken("tiny", LAYERS, extractor.config.pooling, extractor.hidden, extractor.names)
    with open_file(out, taken) as write:
        for states in extractor.states(read_lines(text)):
            write(states)
    return list(map(json.loads, out.read_text(encoding="utf-8").splitlines())) if out.suffix == ".jsonl" else out


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_json_lines_are_those_of_the_old_script(folders, text, tmp_path, family):
    wanted = list(own(folders[family], 40))
    found = written(folders[family], text, tmp_path / "f.jsonl", max_length=40)
    assert [line["linex_index"] for line in found] == list(range(len(LINES)))
    for line, (tokens, states) in zip(found, wanted, strict=True):
        assert set(line) == {"linex_index", "features"}
        assert [feature["token"] for feature in line["features"]] == tokens
        for feature, layers in zip(line["features"], states, strict=True):
            assert set(feature) == {"token", "layers"}
            assert [layer["index"] for layer in feature["layers"]] == [-1, 0, -2]
            values = [layer["values"] for layer in feature["layers"]]
            np.testing.assert_allclose(values, layers, atol=2e-5)
            assert all(round(value, 6) == value for row in values for value in row)


@pytest.mark.parametrize("pooling", ["none", "cls", "mean"])
def test_the_other_forms_hold_the_same_numbers(folders, text, tmp_path, pooling):
    lines = written(folders["bert"], text, tmp_path / "f.jsonl", max_length=40, pooling=pooling)
    table = parquet.read_table(written(folders["bert"], text, tmp_path / "f.parquet", max_length=40, pooling=pooling))
    path = written(folders["bert"], text, tmp_path / "f.safetensors", max_length=40, pooling=pooling)
    with safe_open(path, "pt") as tensors, safe_open(path, "np") as arrays:  # torch's wants them aligned
        states, bounds, ids = (arrays.get_tensor(name) for name in ("states", "bounds", "ids"))
        assert torch.equal(tensors.get_tensor("bounds"), torch.from_numpy(bounds))
        assert arrays.metadata() == {"model": "tiny", "layers": "-1,0,-2", "pooling": pooling}
    assert (states.dtype, bounds.dtype, ids.dtype) == (np.float32, np.int64, np.int32)
    assert table["linex_index"].to_pylist() == list(range(len(LINES)))
    assert table.schema.metadata[b"pooling"] == pooling.encode()
    names = transformers.AutoTokenizer.from_pretrained(folders["bert"]).convert_ids_to_tokens
    for number, line in enumerate(lines):
        tokens = names(ids[bounds[number] : bounds[number + 1]].tolist())
        assert table["tokens"][number].as_py() == tokens
        if pooling == "none":
            assert [feature["token"] for feature in line["features"]] == tokens
            values = [[layer["values"] for layer in feature["layers"]] for feature in line["features"]]
            mine = states[bounds[number] : bounds[number + 1]]
        else:
            values, mine = [layer["values"] for layer in line["layers"]], states[number]
        np.testing.assert_allclose(mine, values, atol=6e-7)
        for place, layer in enumerate(LAYERS):
            column = np.array(table[f"layer_{layer}"][number].as_py(), dtype=np.float32)
            np.testing.assert_array_equal(column, mine[..., place, :])


@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_a_line_has_its_cls_token_or_the_mean_of_all_its_tokens(folders, text, tmp_path, family):
    cls, mean = (
        written(folders[family], text, tmp_path / f"{pooling}.jsonl", max_length=40, pooling=pooling)
        for pooling in ("cls", "mean")
    )
    at = {"bert": 0, "xlnet": -1}[family]
    for first, second, (_, states) in zip(cls, mean, own(folders[family], 40), strict=True):
        np.testing.assert_allclose([layer["values"] for layer in first["layers"]], states[at], atol=2e-5)
        np.testing.assert_allclose([layer["values"] for layer in second["layers"]], states.mean(axis=0), atol=2e-5)


def test_neither_portions_nor_batches_change_anything(folders, text, tmp_path, monkeypatch):
    settings = {"max_length": 40, "batch_tokens": 4096}
    whole = written(folders["bert"], text, tmp_path / "whole.safetensors", **settings)
    monkeypatch.setattr(extraction, "BYTES", 4 * 3 * 32 * 30)  # of 30 tokens
    monkeypatch.setattr(extraction_lines, "LINES", 4)
    monkeypatch.setattr(extraction_files, "AT_ONCE", 1)
    small = settings | {"batch_tokens": 1}
    parts = written(folders["bert"], text, tmp_path / "parts.safetensors", **small)
    with safe_open(whole, "np") as one, safe_open(parts, "np") as other:
        for name in ("bounds", "ids"):
            assert one.get_tensor(name).tolist() == other.get_tensor(name).tolist()
        np.testing.assert_allclose(one.get_tensor("states"), other.get_tensor("states"), atol=2e-5)
    lines = written(folders["bert"], text, tmp_path / "parts.jsonl", **small)
    with safe_open(whole, "np") as one:
        values = [layer["values"] for line in lines for token in line["features"] for layer in token["layers"]]
        np.testing.assert_allclose(np.array(values).reshape(-1, 3, 32), one.get_tensor("states"), atol=2e-5)
    assert parquet.ParquetFile(written(folders["bert"], text, tmp_path / "parts.parquet", **small)).num_row_groups == 4


def test_words_are_cut_as_the_model_was_trained(folders, text, tmp_path):
    folder = shutil.copytree(folders["bert"], tmp_path / "trained")
    ReaderSettings(korean_split="particles").save(folder)
    plain, cut = (written(one, text, tmp_path / "f.jsonl")[4]["features"] for one in (folders["bert"], folder))
    assert [token["token"] for token in plain][:8] != [token["token"] for token in cut][:8]


@pytest.mark.slow  # an analyser is loaded
def test_a_morpheme_bert_reads_morphemes(tmp_path, text):
    folder = write_etri(tmp_path / "etri")
    with torch.random.fork_rng():
        extractor = Extractor.load(folder, ExtractionConfig((-1,)), "cpu", morphemes="kiwi")
    (states,) = extractor.states(read_lines(text))
    tokens = extractor.names(states.ids[: states.bounds[1]].tolist())
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]") and "/NNP_" in "".join(tokens)


def test_lines_are_read_as_the_old_script_read_them(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("\ufeff  a  \r\nb ||| c ||| d\ne|||f\r\n서울 ||| 수도".encode())
    assert [(one.question, one.context) for one in read_lines(path)] == [
        ("", "a"),
        ("b ||| c", "d"),
        ("", "e|||f"),
        ("서울", "수도"),
    ]
    assert count_lines(path) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", "line 2 is empty, and its tokens would be none; take it out"),
        (b"a\n \t\r\n", "line 2 is empty"),
        (b"a ||| b\n ||| b\n", "line 2 is half a pair: nothing stands on one side of |||"),
        (b"a ||| \n", "line 1 is half a pair"),
        (b"a\n\n", "line 2 is empty"),
        (b"", "is empty"),
        ("한\n국".encode("cp949"), "line 1 is not UTF-8"),
    ],
)
def test_a_file_with_an_empty_line_is_refused(tmp_path, content, message):
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        count_lines(path)


def test_layers_count_from_the_first_or_from_the_last():
    assert places_of((-1, -2, 0, 1), 4, "m") == [-1, -2, 1, 2]
    for missing in (4, -5):
        with pytest.raises(SettingsError, match=f"layer {missing} is not in m, which has 4: 0 to 3 from the first"):
            places_of((-1, missing), 4, "m")
    with pytest.raises(SettingsError, match="of the layers -1, 3 two are the same one: m has 4"):
        places_of((-1, 3), 4, "m")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ()}, "layers are none; name one or more, each once"),
        ({"layers": (-1, -1)}, "layers are -1, -1; name one or more, each once"),
        ({"batch_tokens": 0}, "batch_tokens is 0; at least 1 is needed"),
        ({"max_length": 7}, "max_length is 7 tokens; at least 8 are needed"),
    ],
)
def test_settings_that_take_nothing_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        ExtractionConfig(**settings)


def test_an_encoder_with_a_decoder_is_refused(folders, tmp_path):
    config = transformers.BartConfig(
        vocab_size=2000, d_model=8, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8, decoder_ffn_dim=8,
        encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=256, bos_token_id=0,
        eos_token_id=2, pad_token_id=1, forced_eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        transformers.BartModel(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folders["roberta"]).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is an encoder with a decoder; choose an encoder alone, such as BERT"):
        Extractor.load(tmp_path, ExtractionConfig((-1,)), "cpu")


def test_states_that_are_no_numbers_are_refused(folders, text):
    extractor = Extractor.load(folders["bert"], ExtractionConfig(LAYERS), "cpu")
    score = extractor.score
    extractor.score = lambda batch: [np.full_like(states, np.nan) for states in score(batch)]
    with pytest.raises(NotFinite, match="in the lines 1 to 6 there are states that are not finite"):
        list(extractor.states(read_lines(text)))


sizes = st.lists(st.integers(1, 300), max_size=200).map(lambda values: np.array(values, dtype=np.int64))


@given(sizes, st.integers(1, 1000))
def test_runs_are_neighbours_and_as_full_as_they_may_be(sizes, most):
    found = list(runs(sizes, most))
    assert [number for first, last in found for number in range(first, last)] == list(range(len(sizes)))
    for first, last in found:
        assert sizes[first:last].sum() <= most or last == first + 1
        assert last == len(sizes) or sizes[first : last + 1].sum() > most


@given(sizes, st.integers(1, 1000))
def test_batches_hold_every_window_once_the_longest_first(lengths, most):
    windows = np.arange(len(lengths))[::2]
    batches = of_tokens(windows, lengths, most)
    assert sorted(window for batch in batches for window in batch.tolist()) == windows.tolist()
    assert all(len(batch) * lengths[batch].max() <= most or len(batch) == 1 for batch in batches)
    order = [int(lengths[window]) for batch in batches for window in batch]
    assert order == sorted(order, reverse=True)


floats = st.floats(-900, 900, width=32) | st.sampled_from([0.0, -0.0, 0.5e-6, 1.5e-6, 2.5e-6, -1e-9, 999.9999995, 1e6])


@given(arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(1, 6)), elements=floats))
def test_text_has_the_numbers_that_python_rounds_to(rows):
    wanted = [[round(value, 6) for value in row] for row in rows.tolist()]
    assert [json.loads(f"[{row}]") for row in six_decimals(rows)] == wanted


def test_text_has_six_decimals():
    rows = np.array([[0.25, -1.5, 12], [-123.000001, 0, -1e-9]], dtype=np.float32)
    assert six_decimals(rows) == ["0.250000,-1.500000,12.000000", "-123.000000,0.000000,-0.000000"]
