"""Models that are not there, or not whole: one clear line from every verb that loads one."""

from __future__ import annotations

import json
import shutil

import pytest
import transformers

from cli.conftest import squad


@pytest.fixture
def broken(tiny_bert, tmp_path):
    """`broken("name", "file", ...)`: a copy of the tiny model without these files."""

    def copy(name, *missing):
        folder = tmp_path / name
        shutil.copytree(tiny_bert, folder)
        for file in missing:
            (folder / file).unlink()
        return folder

    return copy


@pytest.fixture
def refused(refusal, write, tmp_path):
    """What predict says to a model; the tokenizer's faults are also told by train and ceiling."""
    questions = write("questions.json", squad())

    def run(model, *verbs):
        options = ("--model", model, "--benchmark", "squad-1.1")
        commands = {
            "predict": ("predict", questions, *options, "--out", tmp_path / "new" / "p.json"),
            "train": ("train", "--train", questions, *options, "--out", tmp_path / "new"),
            "ceiling": ("ceiling", questions, *options),
        }
        lines = {refusal(*commands[verb]) for verb in ("predict", *verbs)}
        assert not (tmp_path / "new").exists()
        (line,) = lines  # every verb says the same
        return line

    return run


def test_a_model_folder_that_is_not_there(refused, tmp_path):
    assert refused(tmp_path / "none", "train", "ceiling") == f"{tmp_path / 'none'}: there is no such model folder"


def test_a_file_as_model(refused, questions):
    assert refused(questions, "train", "ceiling") == (
        f"{questions}: is a file; a model is a folder with config.json, weights and tokenizer files"
    )


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty", "train", "ceiling") == (
        f"{tmp_path / 'empty'}: is a folder without a model: "
        "it has none of config.json, tokenizer_config.json, tokenizer.json, vocab.korean_morp.list"
    )


def test_a_folder_without_a_tokenizer(refused, broken):
    folder = broken("silent", "tokenizer.json", "tokenizer_config.json")
    assert refused(folder, "train", "ceiling") == (
        f"{folder}: has no tokenizer (tokenizer.json or vocab.txt); copy its files beside config.json"
    )


@pytest.mark.slow
def test_a_folder_with_a_slow_tokenizer(refused, broken):
    folder = broken("slow", "tokenizer.json", "tokenizer_config.json")
    transformers.CanineTokenizer().save_pretrained(folder)
    assert refused(folder, "train", "ceiling").startswith(
        f"{folder}: has only a slow tokenizer (CanineTokenizer), which gives no character offsets; choose a model"
    )


def test_a_folder_without_weights(refused, broken):
    folder = broken("weightless", "model.safetensors")
    line = refused(folder, "train")
    assert line.startswith(f"{folder}: no model could be loaded from the folder: Error no file named model.safetensors")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("model.safetensors", ": no model could be loaded from the folder: "),
        ("tokenizer.json", ": no tokenizer could be loaded from the folder: "),
        ("config.json", "/config.json: stops in the middle: it is cut off, fetch it again (line "),
    ],
)
def test_a_file_that_is_cut_off(refused, broken, file, said):
    folder = broken("cut")
    (folder / file).write_bytes((folder / file).read_bytes()[:200])
    assert refused(folder, "train").startswith(f"{folder}{said}")


def test_a_folder_from_before_transformers(refused, broken):
    folder = broken("old")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    old = {name: value for name, value in settings.items() if name not in ("model_type", "architectures")}
    (folder / "config.json").write_text(json.dumps(old), encoding="utf-8")
    assert refused(folder, "train", "ceiling") == (
        f"{folder}: its config.json does not say what model it is (no model_type), as none did before transformers; "
        f"convert the folder: dokhae convert pytorch {folder} --out NEW"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 1, "windowz": {}}, "'windowz' is not a setting; did you mean windows?"),
        ({"format": 2}, "is not a settings file of format 1; use the dokhae version that wrote it"),
        ([], "is not a settings file of format 1; use the dokhae version that wrote it"),
        ({"format": 1, "decoding": {"n_best": "many"}}, "decoding: n_best: is 'many', where int is wanted"),
        ('{"format"', "stops in the middle"),
    ],
)
def test_settings_that_cannot_be_read(refused, broken, content, message):
    folder = broken("unset")
    (folder / "dokhae.json").write_text(content if isinstance(content, str) else json.dumps(content))
    assert refused(folder).startswith(f"{folder / 'dokhae.json'}: {message}")


def test_windows_beyond_the_positions(refused, broken):
    folder = broken("short")
    (folder / "dokhae.json").write_text('{"format": 1, "windows": {"max_length": 129}}')
    assert refused(folder) == (
        "windows of 129 tokens are asked for, but the model's positions end at 128; lower max_length"
    )


def test_a_tokenizer_of_another_model(refused, broken):
    folder = broken("mixed")
    config = transformers.BertConfig.from_pretrained(folder, vocab_size=30)
    transformers.BertForQuestionAnswering(config).save_pretrained(folder)
    assert "has no embedding, the model has 30: its tokenizer is another model's" in refused(folder)


def test_an_encoder_without_a_span_head_is_told(dokhae, broken, questions, tmp_path):
    folder = broken("encoder")
    transformers.BertModel(transformers.BertConfig.from_pretrained(folder)).save_pretrained(folder)
    outcome = dokhae(
        "predict", questions, "--model", folder, "--benchmark", "squad-1.1", "--out", tmp_path / "new" / "p.json"
    )
    assert outcome.code == 0
    assert f"{folder}: lacks qa_outputs.bias, qa_outputs.weight; they are random now" in outcome.err
