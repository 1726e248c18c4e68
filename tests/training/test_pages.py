"""A training on pages in HTML: the folder it leaves, answers that are whole elements, scores, going on after a stop."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from safetensors.torch import load_file
from speed.pages import write_pages

import dokhae
from dokhae.benchmarks import find
from dokhae.cli import main
from dokhae.decoding import DecodingConfig
from dokhae.errors import DokhaeError
from dokhae.files import read_json
from dokhae.model.blocks import FILE_NAME
from dokhae.pages.tags import MARKERS, TAG, marker
from dokhae.pages.text import PageConfig
from dokhae.reader import Reader
from dokhae.records import read_settings
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
from training.test_resume import ask_to_stop_at

SETTINGS = {
    "benchmark": "korquad-2.1", "max_length": 96, "step": None, "overlap": 16, "lead": 12, "null_windows": 1.0,
    "batch_size": 8, "max_steps": 4, "learning_rate": 1e-3, "pages": PageConfig(keep_edit_marks=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with an encoder, training and dev pages, and a run of four steps."""
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder / "train", 14, 0, "small", per_file=7)
    write_pages(folder / "dev", 6, 1, "small")
    make_model("bert", folder / "encoder")
    report = dokhae.train(settings(folder, "run"), show=False)
    return folder, report


def settings(folder, run, **changes):
    given = SETTINGS | {"dev": folder / "dev"} | changes
    return config(folder / "encoder", folder / "train", folder / run, **given)


def test_the_folder_holds_the_block_head_and_how_pages_are_read(world):
    folder, _ = world
    model = folder / "run" / "model"
    assert {FILE_NAME, "dokhae.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in model.iterdir()}
    told = read_json(model / "dokhae.json")
    assert told["pages"] == {"keep_edit_marks": True, "drop_footnote_marks": False}
    assert (told["windows"]["lead"], told["decoding"]["max_answer_length"]) == (12, 96)
    tokens = {one["content"] for one in read_json(model / "tokenizer.json")["added_tokens"]}
    assert {marker(name) for name in MARKERS} <= tokens
    assert load_file(model / FILE_NAME)["weight"].abs().sum() > 0
    assert not [name for name in load_file(model / "model.safetensors") if "blocks" in name or "spans" in name]


def test_answers_are_pieces_of_the_page_that_cut_no_tag(world):
    folder, _ = world
    reader = Reader.load(folder / "run", "cpu")
    examples = find("korquad-2.1").read(folder / "dev", True)
    predictions = reader.predict(examples)
    for example, prediction in zip(examples, predictions, strict=True):
        tags = [tag.span() for tag in TAG.finditer(example.context)]
        assert prediction.text == example.context[prediction.start : prediction.end] != ""
        for one in prediction.n_best:
            assert one.text == example.context[one.start : one.end]
            assert not [tag for tag in tags if tag[0] < one.start < tag[1] or tag[0] < one.end < tag[1]]
    alone = reader(examples[0].question, examples[0].context)
    assert replace(alone, id=examples[0].id).text == predictions[0].text


def test_scores_are_those_of_evaluate(world):
    folder, report = world
    scores = dokhae.evaluate(folder / "dev", folder / "run" / "predictions.json", "korquad-2.1")
    assert scores == report["scores"] == read_json(folder / "run" / "scores.json")["scores"]
    assert scores["f1"] > 0


def test_a_run_that_was_stopped_ends_with_the_same_weights(world, monkeypatch):
    folder, _ = world
    with monkeypatch.context() as patch:
        ask_to_stop_at(2, patch)
        with pytest.raises(DokhaeError, match="stopped after step 2 of 4"):
            dokhae.train(settings(folder, "stopped"), show=False)
    dokhae.resume(folder / "stopped", show=False)
    assert equal(weights(folder / "stopped"), weights(folder / "run"))
    heads = [load_file(folder / run / "model" / FILE_NAME) for run in ("stopped", "run")]
    assert equal(*heads)


def test_without_a_block_head_or_null_windows_it_is_one_head_and_all_windows(world):
    folder, _ = world
    changes = {"no_block_head": True, "null_windows": None, "lead": 0, "dev": None, "max_steps": 1}
    decoding = DecodingConfig(n_best=5, max_answer_length=40)
    dokhae.train(settings(folder, "plain", decoding=decoding, **changes), show=False)
    model = folder / "plain" / "model"
    assert not (model / FILE_NAME).exists()
    told = json.loads((model / "dokhae.json").read_text("utf-8"))
    assert (told["windows"]["lead"], told["decoding"]["max_answer_length"]) == (0, 40)
    example = find("korquad-2.1").read(folder / "dev", True)[0]
    found = Reader.load(folder / "plain", "cpu")(example.question, example.context)
    assert found.text == example.context[found.start : found.end]


def test_a_model_of_pages_goes_on_with_plain_text_and_without_its_block_head(world):
    folder, _ = world
    data = write_squad(folder / "few.json", FEW)
    told = replace(config(folder / "run", data, folder / "text", max_steps=1), max_length=64)
    dokhae.train(told, show=False)
    assert not (folder / "text" / "model" / FILE_NAME).exists()
    assert Reader.load(folder / "text", "cpu")(FEW[0][0], FEW[0][1]).text in FEW[0][1]


def test_threads_that_share_a_reader_get_what_each_asked_for(world):
    folder, _ = world
    reader = Reader.load(folder / "run", "cpu")
    examples = find("korquad-2.1").read(folder / "dev", True)[:12]
    alone = [reader(example.question, example.context) for example in examples]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda example: reader(example.question, example.context), examples))
    assert together == alone


def test_settings_of_pages_reach_a_run_from_the_command_line_and_from_a_file(world, tmp_path, capsys):
    folder, _ = world
    common = [
        "train", "--benchmark", "korquad-2.1", "--model", folder / "encoder", "--train", folder / "dev",
        "--max_length", 96, "--overlap", 16, "--max_steps", 1, "--precision", "fp32",
    ]  # fmt: skip
    flags = ["--no_block_head", "--pages.drop_footnote_marks", "--lead", 4, "--null_windows", 0.5]
    file = tmp_path / "settings.yaml"
    file.write_text("no_block_head: true\npages: {drop_footnote_marks: true}\nlead: 4\nnull_windows: 0.5\n")
    for name, more in (("flags", flags), ("file", ["--config", file])):
        assert main([str(part) for part in (*common, *more, "--out", tmp_path / name)]) == 0, capsys.readouterr().err
    first, second = (read_settings(tmp_path / name / "config.yaml") for name in ("flags", "file"))
    assert first | {"out": None} == second | {"out": None}
    assert (first["no_block_head"], first["pages"], first["lead"], first["null_windows"]) == (
        True, {"keep_edit_marks": False, "drop_footnote_marks": True}, 4, 0.5,
    )  # fmt: skip
    assert not (tmp_path / "flags" / "model" / FILE_NAME).exists()


def test_pages_and_text_are_not_read_with_each_others_models(world, tiny_bert, capsys):
    folder, _ = world
    data = write_squad(folder / "few.json", FEW)
    for benchmark, model, given, message in (
        ("korquad-2.1", tiny_bert, folder / "dev", "was not trained on web pages"),
        ("korquad-1.0", folder / "run", data, "was trained on web pages, and korquad-1.0 has plain text"),
    ):
        out = folder / "refused.json"
        asked = ["predict", given, "--benchmark", benchmark, "--model", model, "--out", out]
        assert main(list(map(str, asked))) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()


def test_a_folder_that_has_lost_its_block_head_is_refused(world, tmp_path):
    folder, _ = world
    shutil.copytree(folder / "run" / "model", tmp_path / "model")
    (tmp_path / "model" / FILE_NAME).unlink()
    with pytest.raises(DokhaeError, match=f"lacks {FILE_NAME}, the head that answers with paragraphs"):
        Reader.load(tmp_path / "model", "cpu")
