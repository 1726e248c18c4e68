"""dokhae pack: what is in a bundle, that it answers wherever it is, and what is refused."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import dokhae
from dokhae import benchmarks
from dokhae.cli import main
from dokhae.errors import DataError
from dokhae.export import manifest, texts
from dokhae.export.bundle import SOURCES, pack
from dokhae.export.texts import usable_name
from dokhae.files import read_json, sha256, write_json
from dokhae.pages.text import PageConfig
from dokhae.settings import ReaderSettings
from export.bundles import change_settings, unpack
from tiny_models import make_model

DEV = "KorQuAD_v1.0_dev.json"
REQUESTS = "--request-docker-image ACCOUNT/tiny-run --request-gpus 1 --request-memory 11g"


def test_a_bundle_has_the_files_under_their_known_names(packed):
    here = {path.relative_to(packed.folder).as_posix() for path in packed.folder.rglob("*") if path.is_file()}
    others = {name for name in here if not name.startswith(("dokhae/", "model/"))}
    assert others == {
        "predict.py", "check_cuda.py", "requirements.txt", "Dockerfile", "README.md", "bundle.json",
    }  # fmt: skip
    assert {name for name in here if name.startswith("model/")} == {
        "model/config.json", "model/model.safetensors", "model/tokenizer.json", "model/tokenizer_config.json",
        "model/dokhae.json", "model/vocab.txt",
    }  # fmt: skip


def test_dokhae_travels_unmodified_without_the_sample(packed):
    here = {path.relative_to(packed.folder / "dokhae") for path in (packed.folder / "dokhae").rglob("*.*")}
    there = {path.relative_to(SOURCES) for path in SOURCES.rglob("*.*") if "__pycache__" not in path.parts}
    sample = {path for path in there if path.parts[:2] == ("data", "sample")}
    assert len(sample) > 5
    assert here == there - sample
    for path in here:
        assert (packed.folder / "dokhae" / path).read_bytes() == (SOURCES / path).read_bytes()
    assert "Apache License" in (packed.folder / "dokhae" / "LICENSE").read_text("utf-8")


def test_the_manifest_tells_the_run_and_the_hash_of_each_file(packed):
    told = manifest.verify(packed.folder)
    scores = read_json(packed.run / "scores.json")
    assert (told.name, told.benchmark, told.folder_input) == ("tiny-run", "korquad-1.0", False)
    assert (told.encoder, told.dokhae) == ("encoder", dokhae.__version__)
    assert told.python == ".".join(map(str, sys.version_info[:2]))
    assert told.dev == manifest.Dev("dev.json", sha256(packed.data), 6, scores["scores"])
    assert told.files["model/model.safetensors"] == sha256(packed.run / "model" / "model.safetensors")


def test_the_same_run_gives_the_same_bytes(packed, tmp_path):
    bundles = [tmp_path / folder / "tiny.zip" for folder in ("a", "b")]
    for bundle in bundles:
        for path in packed.run.rglob("*"):
            os.utime(path)
        pack(packed.run, "korquad-1.0", bundle)
    assert bundles[0].read_bytes() == bundles[1].read_bytes()
    with zipfile.ZipFile(bundles[0]) as archive:
        names = archive.namelist()
        assert names[:-1] == sorted(names[:-1])
        assert {name.partition("/")[0] for name in names} == {"tiny"}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
        stored = {entry.filename for entry in archive.infolist() if entry.compress_type == zipfile.ZIP_STORED}
    assert stored == {"tiny/model/model.safetensors"}


def test_the_readme_has_the_commands_with_the_names_and_numbers_of_the_run(packed):
    text = (packed.folder / "README.md").read_text("utf-8")
    scores = read_json(packed.run / "scores.json")["scores"]
    for line in (
        "# tiny-run",
        "    unzip tiny.zip",
        "    cl upload tiny -n tiny-run",
        "    cl add bundle korquad-data//KorQuAD_v1.0_dev.json",
        f'    cl run :tiny-run "python tiny-run/check_cuda.py" -n check-tiny-run {REQUESTS}',
        f'    cl run :tiny-run :{DEV} "python tiny-run/predict.py {DEV} predictions.json" -n run-tiny-run {REQUESTS}',
        "    cl make run-tiny-run/predictions.json -n predictions-tiny-run",
        "    cl macro korquad-utils/dev-evaluate-v1.0 predictions-tiny-run",
        f"| f1 | {scores['f1']:.2f} |",
        f"`dev.json`, 6 questions, SHA-256 `{sha256(packed.data)}`",
        "| encoder | encoder |",
    ):
        assert f"\n{line}\n" in f"\n{text}", line
    assert "$" not in text.replace('"$(id -u):$(id -g)"', "").replace('"$PWD"', "")


def test_a_folder_with_spaces_is_quoted_in_the_commands(run, tmp_path):
    pack(run, "korquad-1.0", tmp_path / "my bundle.zip", "mine")
    text = (unpack(tmp_path / "my bundle.zip", tmp_path) / "README.md").read_text("utf-8")
    assert "    unzip 'my bundle.zip'\n    cl upload 'my bundle' -n mine\n" in text


def test_what_is_not_known_of_a_leaderboard_is_said_not_invented(run, tmp_path):
    change_settings(run, pages=PageConfig(), benchmark="korquad-2.1")
    told = pack(run, "korquad-2.1", tmp_path / "b.zip")
    assert told.folder_input
    assert told.dev is None  # its scores are those of another rule
    text = (unpack(tmp_path / "b.zip", tmp_path) / "README.md").read_text("utf-8")
    assert "cl add bundle DEV_DATA_OF_THE_GUIDE\n" in text
    assert "DEV_DATA_OF_THE_GUIDE, DEV_DATA, MACRO_OF_THE_GUIDE are not known to dokhae; the guide has them." in text
    assert "INPUT is a folder of .json files" in text
    assert "https://worksheets.codalab.org/worksheets/0xf9b9efaff9c641a7a48290fe4c94d593/" in text


@pytest.mark.parametrize("row", [row for row in benchmarks.BENCHMARKS if row.leaderboard], ids=lambda row: row.name)
def test_leaderboards_of_pages_take_folders(row):
    assert row.leaderboard.folder_input is row.html
    assert (row.leaderboard.dev_data is None) == (row.leaderboard.dev_name is None)


def test_a_model_folder_is_enough_and_links_are_followed(packed, tmp_path):
    folder = tmp_path / "9 läufe" / "model"
    folder.mkdir(parents=True)
    for path in (packed.run / "model").iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "notes.md").write_text("not a model's")
    told = pack(folder, "korquad-1.0", tmp_path / "b.zip")
    assert (told.name, told.encoder, told.dev) == ("model-9-l-ufe", None, None)
    assert told.files["model/model.safetensors"] == sha256(packed.run / "model" / "model.safetensors")
    assert "model/notes.md" not in told.files


@pytest.mark.parametrize(
    ("folder", "name"),
    [("koelectra", "koelectra"), ("a b/c", "a-b-c"), ("한국어", "model"), ("3.epochs", "model-3.epochs"), ("_x", "_x")],
)
def test_names_are_such_as_codalab_takes(folder, name):
    assert usable_name(folder) == name


def test_old_weights_travel_where_there_are_no_others(run, tmp_path):
    weights = load_file(run / "model" / "model.safetensors")
    torch.save(weights, run / "model" / "pytorch_model.bin")
    assert "model/pytorch_model.bin" not in pack(run, "korquad-1.0", tmp_path / "a.zip").files
    (run / "model" / "model.safetensors").unlink()
    assert "model/pytorch_model.bin" in pack(run, "korquad-1.0", tmp_path / "b.zip").files


def test_weights_of_a_gpu_answer_where_there_is_none(packed, run, tmp_path, monkeypatch):
    weights = load_file(run / "model" / "model.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")  # what a GPU's storage would say
        torch.save(weights, run / "model" / "pytorch_model.bin")
    (run / "model" / "model.safetensors").unlink()
    with zipfile.ZipFile(run / "model" / "pytorch_model.bin") as archive:
        assert b"cuda:0" in archive.read("pytorch_model/data.pkl")
    change_settings(run, precision="fp16")
    pack(run, "korquad-1.0", tmp_path / "b.zip")
    answers = tmp_path / "p.json"
    model = unpack(tmp_path / "b.zip", tmp_path) / "model"
    assert main(["predict", str(packed.data), "--model", str(model), "--out", str(answers), "--device", "cpu"]) == 0
    assert answers.read_bytes() == (packed.run / "predictions.json").read_bytes()


def test_a_morpheme_bert_keeps_the_name_of_its_vocabulary(run, tmp_path):
    change_settings(run, morphemes="mecab")
    told = pack(run, "korquad-1.0", tmp_path / "b.zip")
    assert "model/vocab.korean_morp.list" in told.files
    assert "model/vocab.txt" not in told.files


@pytest.mark.parametrize("kind", ["bert-uncased", "electra"])
def test_vocab_txt_is_the_vocabulary_and_changes_nothing(kind, tmp_path):
    from transformers import AutoTokenizer

    model = make_model(kind, tmp_path / "model")
    ReaderSettings("korquad-1.0").save(model)
    before = AutoTokenizer.from_pretrained(model)
    pack(model, "korquad-1.0", tmp_path / "b.zip")
    folder = unpack(tmp_path / "b.zip", tmp_path) / "model"
    entries = (folder / "vocab.txt").read_text("utf-8").splitlines()
    assert {entry: number for number, entry in enumerate(entries)} == before.get_vocab()
    after = AutoTokenizer.from_pretrained(folder)
    assert type(after) is type(before)
    assert after.backend_tokenizer.to_str() == before.backend_tokenizer.to_str()


def test_tokenizers_without_word_pieces_get_no_vocab_txt(tmp_path):
    model = make_model("roberta", tmp_path / "model")
    ReaderSettings("korquad-1.0").save(model)
    assert "model/vocab.txt" not in pack(model, "korquad-1.0", tmp_path / "b.zip").files


def test_a_model_of_another_benchmark_of_plain_text_is_packed_with_a_warning(run, tmp_path, caplog):
    change_settings(run, benchmark="squad-1.1")
    pack(run, "korquad-1.0", tmp_path / "b.zip")
    assert caplog.messages == [f"{run / 'model'}: was trained for squad-1.1, and is packed for korquad-1.0"]


def test_a_pack_that_cannot_end_leaves_nothing_and_what_was_there_stays(run, tmp_path):
    out = tmp_path / "out" / "b.zip"
    out.parent.mkdir()
    out.write_bytes(b"before")
    report = read_json(run / "scores.json")
    write_json(run / "scores.json", {"benchmark": report["benchmark"]})
    with pytest.raises(DataError, match="is not what a training writes"):
        pack(run, "korquad-1.0", out)
    write_json(run / "scores.json", report)
    (run / "model" / "merges.txt").symlink_to("/proc/self/mem")  # opens, and cannot be read
    with pytest.raises(DataError):
        pack(run, "korquad-1.0", out)
    assert [path.name for path in out.parent.iterdir()] == ["b.zip"]
    assert out.read_bytes() == b"before"


def test_what_else_lies_in_a_model_folder_stays_there(run, tmp_path, caplog):
    for name in ("hf_token.txt", "trainer_state.json", "optimizer.safetensors"):
        (run / "model" / name).write_text("{}", encoding="utf-8")
    settings = read_json(run / "model" / "config.json")
    write_json(run / "model" / "config.json", settings | {"_name_or_path": str(tmp_path)})
    kept = {Path(name).name for name in pack(run, "korquad-1.0", tmp_path / "b.zip").files if name.startswith("model/")}
    assert not kept & {"hf_token.txt", "trainer_state.json", "optimizer.safetensors"}
    assert [said.partition(": ")[2] for said in caplog.messages] == [
        "has a path of this machine, _name_or_path; take it out if the bundle goes to others"
    ]


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("koelectra", "koelectra"), ("run_", "run"), ("base..1", "base-1"), ("KoELECTRA___v3", "koelectra-v3"),
        ("_", "reader"),
    ],
)  # fmt: skip
def test_docker_takes_the_name_of_the_image(name, called):
    assert texts.image(name) == f"ACCOUNT/{called}"
