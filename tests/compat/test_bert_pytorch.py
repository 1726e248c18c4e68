"""run_squad.py and run_squad2.py of pytorch-pretrained-BERT, their command lines as its READMEs have them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from compat.old_bert import few_questions, old_folder, typed
from dokhae.cli import main
from dokhae.compat.bert_pytorch.options import steps
from dokhae.compat.bert_pytorch.outputs import save_vocabulary
from dokhae.compat.bert_pytorch.squad import RUN_SQUAD
from dokhae.compat.reading import read
from dokhae.errors import SettingsError
from dokhae.reader import Reader
from dokhae.records import read_settings
from training.world import environment

README = r"""
python run_squad.py \
  --bert_model bert-base-uncased \
  --do_train \
  --do_predict \
  --do_lower_case \
  --train_file $SQUAD_DIR/train-v1.1.json \
  --predict_file $SQUAD_DIR/dev-v1.1.json \
  --train_batch_size 12 \
  --learning_rate 3e-5 \
  --num_train_epochs 2.0 \
  --max_seq_length 384 \
  --doc_stride 128 \
  --output_dir /tmp/debug_squad/
"""
README_LARGE = r"""
python ./run_squad.py \
  --bert_model bert-large-uncased \
  --do_train \
  --do_predict \
  --do_lower_case \
  --train_file $SQUAD_DIR/train-v1.1.json \
  --predict_file $SQUAD_DIR/dev-v1.1.json \
  --learning_rate 3e-5 \
  --num_train_epochs 2 \
  --max_seq_length 384 \
  --doc_stride 128 \
  --output_dir /tmp/debug_squad_large/ \
  --train_batch_size 24 \
  --fp16 \
  --loss_scale 128
"""
README_0_1 = r"""
python run_squad.py \
  --vocab_file=$BERT_BASE_DIR/vocab.txt \
  --bert_config_file=$BERT_BASE_DIR/bert_config.json \
  --init_checkpoint=$BERT_PYTORCH_DIR/pytorch_model.bin \
  --do_train \
  --train_file=$SQUAD_DIR/train-v1.1.json \
  --do_predict \
  --predict_file=$SQUAD_DIR/dev-v1.1.json \
  --train_batch_size=12 \
  --learning_rate=5e-5 \
  --num_train_epochs=2.0 \
  --max_seq_length=384 \
  --doc_stride=128 \
  --output_dir=../debug_squad/
"""
KORQUAD = """python run_squad.py --bert_model bert-base-multilingual-cased --do_train --do_predict
    --train_file KorQuAD_v1.0_train.json --predict_file KorQuAD_v1.0_dev.json --max_seq_length 512 --output_dir res"""
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory, long_bert, shared):
    """A working directory with encoders, old ones and of today, and some of the data; all tests are in it."""
    folder = tmp_path_factory.mktemp("bert-pytorch") / "here"
    folder.mkdir()
    for name in ("bert-base-uncased", "bert-large-uncased", "bert-base-multilingual-cased"):
        (folder / name).symlink_to(long_bert)
    for version in ("1.1", "2.0"):
        for split, questions in (("train", 12), ("dev", 8)):
            few_questions(shared(f"squad-{version}/{split}.json"), folder / f"squad/{split}-v{version}.json", questions)
    for split in ("train", "dev"):
        few_questions(shared(f"korquad-1.0/{split}.json"), folder / f"KorQuAD_v1.0_{split}.json", 6)
    old = old_folder(long_bert, folder / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, path in (("SQUAD_DIR", folder / "squad"), ("BERT_BASE_DIR", old), ("BERT_PYTORCH_DIR", old)):
            patch.setenv(name, str(path))
        yield folder


@pytest.fixture(scope="module")
def debug_squad(place):
    """What the README's command left, and what it said."""
    said = typed(README)
    assert said.code == 0, said.err
    return Path("tmp/debug_squad"), said.err


def test_the_command_of_the_readme_leaves_the_files_of_old(debug_squad):
    out, _ = debug_squad
    names = {"vocab.txt", "config.json", "bert_config.json", "pytorch_model.bin", "predictions.json"}
    assert names | {"nbest_predictions.json", "config.yaml", "model", "tensorboard"} <= {
        path.name for path in out.iterdir()
    }
    assert not (out / "null_odds.json").exists()
    weights, ours = torch.load(out / "pytorch_model.bin", weights_only=True), load_file(out / "model/model.safetensors")
    assert weights.keys() == ours.keys() and "bert.embeddings.word_embeddings.weight" in weights
    assert all(torch.equal(weights[name], ours[name]) for name in ours)
    assert (out / "config.json").read_bytes() == (out / "model/config.json").read_bytes()
    entries = (out / "vocab.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = Reader.load(out).tokenizer
    assert len(entries) == len(set(entries)) == weights["bert.embeddings.word_embeddings.weight"].shape[0]
    assert entries[:4] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] and tokenizer is not None
    asked = json.loads(Path("squad/dev-v1.1.json").read_text(encoding="utf-8"))["data"]
    ids = [qa["id"] for article in asked for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    assert list(json.loads((out / "predictions.json").read_text(encoding="utf-8"))) == ids


def test_the_settings_are_those_of_the_command_line_and_of_the_published_table(debug_squad):
    out, said = debug_squad
    run = read_settings(out / "config.yaml")
    assert (run["benchmark"], run["dev"], run["epochs"], run["batch_size"]) == ("squad-1.1", None, 2.0, 12)
    assert (run["learning_rate"], run["max_length"], run["step"], run["seed"]) == (3e-5, 384, 128, 42)
    assert run["optimizer"]["adam_epsilon"] == 1e-6 and run["optimizer"]["no_bias_correction"]
    assert run["optimizer"]["warmup"] == 0.1 and run["optimizer"]["clip"] == 1.0
    assert run["decoding"] == {"n_best": 20, "max_answer_length": 30, "search": "pruned"}
    assert (run["keep"]["best_by"], run["misplaced_answers"], run["precision"]) == ("last", "skip", "fp32")
    assert "dokhae train --benchmark=squad-1.1" in said and "dokhae predict" in said


def test_predictions_are_what_our_own_command_writes(debug_squad, tmp_path):
    out, _ = debug_squad
    assert main(["predict", "squad/dev-v1.1.json", "--model", str(out), "--out", str(tmp_path / "own.json")]) == 0
    assert (tmp_path / "own.json").read_bytes() == (out / "predictions.json").read_bytes()
    assert (tmp_path / "nbest_predictions.json").read_bytes() == (out / "nbest_predictions.json").read_bytes()


def test_predicting_alone_takes_what_was_trained_there(debug_squad, place):
    out, _ = debug_squad
    before = {name: (out / name).read_bytes() for name in ("predictions.json", "vocab.txt", "pytorch_model.bin")}
    for name in before:
        (out / name).unlink()
    said = typed("run_squad.py --bert_model elsewhere --do_predict --predict_file squad/dev-v1.1.json "
                 "--output_dir /tmp/debug_squad --no_cuda --verbose_logging")  # fmt: skip
    assert said.code == 0, said.err
    assert "--verbose_logging: what is skipped or cut is always counted and said" in said.err
    assert f"--model={out}" in said.err and "--device=cpu" in said.err
    assert (out / "predictions.json").read_bytes() == before["predictions.json"]
    assert (out / "vocab.txt").read_bytes() == before["vocab.txt"] and (out / "pytorch_model.bin").exists()


def test_the_folder_answers_elsewhere_as_bert_model(debug_squad):
    out, _ = debug_squad
    said = typed(f"run_squad.py --bert_model {out} --do_predict --predict_file squad/dev-v1.1.json "
                 "--output_dir elsewhere --predict_batch_size 4")  # fmt: skip
    assert said.code == 0 and "elsewhere/model: is not there" in said.err
    assert "--step=128" in said.err and "--decoding.search=pruned" in said.err and "--batch_size=4" in said.err
    assert Path("elsewhere/predictions.json").read_bytes() == (out / "predictions.json").read_bytes()


def test_an_old_folder_with_a_trained_head_answers(debug_squad):
    """pytorch_model.bin, vocab.txt and a bert_config.json without a model_type: what versions 0.4 to 0.6 left."""
    out, _ = debug_squad
    old = Path("old-reader")
    old.mkdir()
    for name in ("pytorch_model.bin", "vocab.txt"):
        shutil.copy(out / name, old)
    shutil.copy("old/bert_config.json", old)
    said = typed("run_squad.py --bert_model old-reader --do_predict --predict_file squad/dev-v1.1.json "
                 "--output_dir by-old-reader")  # fmt: skip
    assert said.code == 0 and "dokhae convert pytorch" in said.err, said.err
    assert Path("by-old-reader/predictions.json").read_bytes() == (out / "predictions.json").read_bytes()


def test_the_files_of_the_first_version(place):
    said = typed(README_0_1)
    assert said.code == 0, said.err
    encoder, out = place.parent / "debug_squad-encoder", place.parent / "debug_squad"
    assert "dokhae convert pytorch" in said.err and "--casing=auto" in said.err
    assert read_settings(out / "config.yaml")["model"] == str(encoder)
    assert (out / "predictions.json").exists()
    old = torch.load("old/pytorch_model.bin", weights_only=True)
    gamma = load_file(encoder / "model.safetensors")["embeddings.LayerNorm.weight"]
    assert torch.equal(gamma, old["embeddings.LayerNorm.gamma"])


def test_an_encoder_of_other_files_is_not_taken_for_the_same(place):
    (place / "other-encoder").mkdir()
    said = typed("run_squad.py --vocab_file old/vocab.txt --bert_config_file old/bert_config.json --init_checkpoint "
                 "old/pytorch_model.bin --do_train --train_file squad/train-v1.1.json --output_dir other")  # fmt: skip
    assert (said.code, said.err) == (
        2, "dokhae: other-encoder: is in the way of the encoder that is to be converted; move it away\n"
    )  # fmt: skip


@no_gpu
@pytest.mark.parametrize(
    ("command", "out", "said"),
    [
        (README_LARGE, "tmp/debug_squad_large", "--fp16: there is no GPU here for 16 bits"),
        (README.replace("debug_squad/", "cpu/ --gradient_accumulation_steps 2 --optimize_on_cpu"), "tmp/cpu",
         "--optimize_on_cpu: there is no GPU here"),
        (KORQUAD, "res", "--benchmark=squad-1.1"),
    ],
    ids=["large", "optimize_on_cpu", "korquad"],
)  # fmt: skip
def test_other_commands_of_the_readmes(command, out, said):
    done = typed(command)
    assert done.code == 0 and said in done.err, done.err
    assert Path(out, "predictions.json").exists() and Path(out, "pytorch_model.bin").exists()


@pytest.mark.parametrize("way", ["run_squad2.py", "run_squad.py --version_2_with_negative"])
def test_questions_without_an_answer(way):
    out = Path("tmp", way.split()[0])
    words = f"--do_predict --predict_file squad/dev-v2.0.json --output_dir {out} --null_score_diff_threshold"
    said = typed(f"{way} --bert_model bert-base-uncased {words} -1000")
    assert said.code == 0 and "--benchmark=squad-2.0 " in said.err and "--null_threshold=-1000.0 " in said.err
    assert set(json.loads((out / "predictions.json").read_text()).values()) == {""}
    odds = json.loads((out / "null_odds.json").read_text())
    typed(f"{way} --bert_model bert-base-uncased {words} 1000")
    answers = json.loads((out / "predictions.json").read_text())
    assert answers.keys() == odds.keys() and "" not in answers.values()


def settings(words):
    return steps(read(RUN_SQUAD, ["--output_dir", "x", *words.split()]))


@no_gpu
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", {"batch_size": 32, "optimizer.accumulate": 1, "learning_rate": 5e-5, "epochs": 3.0, "seed": 42}),
        ("--train_batch_size 24 --gradient_accumulation_steps 2", {"batch_size": 12, "optimizer.accumulate": 2}),
        ("--train_batch_size 25 --accumulate_gradients 2", {"batch_size": 12, "optimizer.accumulate": 2}),
        ("--warmup_proportion -1", {"optimizer.warmup": 0.0}),
        ("--max_seq_length 512 --doc_stride 64 --max_query_length 32",
         {"max_length": 512, "step": 64, "max_question_length": 32}),
        ("--n_best_size 5 --max_answer_length 9", {"decoding.n_best": 5, "decoding.max_answer_length": 9}),
        ("--save_checkpoints_steps 50", {"checkpoint_every": 50}),
        ("--no_cuda --fp16 --optimize_on_cpu", {"device": "cpu", "precision": "auto", "optimizer.offload": False}),
        ("--num_train_epochs 1 --seed 7 --learning_rate 1e-4", {"epochs": 1.0, "seed": 7, "learning_rate": 1e-4}),
    ],
)  # fmt: skip
def test_what_an_option_is_here(words, found):
    assert settings(words).items() >= found.items()


@pytest.mark.parametrize(
    ("words", "gpus", "found"),
    [
        ("--train_batch_size 32", 4, {"batch_size": 8, "devices": 4}),
        ("--train_batch_size 12 --gradient_accumulation_steps 2", 4, {"batch_size": 3, "devices": 2}),
        ("--train_batch_size 5", 4, {"batch_size": 5, "devices": None}),
        ("--train_batch_size 32 --no_cuda", 4, {"batch_size": 32, "devices": None, "device": "cpu"}),
    ],
)
def test_a_batch_is_dealt_to_all_gpus_in_equal_parts(words, gpus, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert settings(words).items() >= found.items()


def test_under_a_launcher_each_process_has_a_whole_batch(monkeypatch):
    for name, value in environment(1, 4, 29500, "job").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    found = settings("--train_batch_size 32 --local_rank 1")
    assert found["batch_size"] == 32 and "devices" not in found and "device" not in found


def test_a_rank_without_a_launcher_is_told():
    said = typed("run_squad.py --do_predict --predict_file no.json --output_dir new --local_rank=0")
    assert said.code == 2 and "no.json" in said.err
    said = typed("run_squad.py --do_predict --predict_file squad/dev-v1.1.json --output_dir new --local-rank 0")
    assert said.code == 2 and "--local_rank 0: was not started by torchrun" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--train_batch_size 2 --gradient_accumulation_steps 4",
         "run_squad.py: --train_batch_size 2 cannot be divided by --gradient_accumulation_steps 4"),
        ("--gradient_accumulation_steps 0",
         "run_squad.py: --gradient_accumulation_steps is 0; it has to be at least 1"),
        ("--gradient_accumulation_steps 2 --accumulate_gradients 4",
         "run_squad.py: --gradient_accumulation_steps and --accumulate_gradients are two names for one thing; give one "
         "of them"),
        ("--warmup_proportion 100", "run_squad.py: --warmup_proportion is 100.0; it has to be below 1"),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be(words, said):
    with pytest.raises(SettingsError) as refused:
        settings(words)
    assert str(refused.value) == said


TRAIN = "run_squad.py --do_train --train_file squad/train-v1.1.json --output_dir new"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run_squad.py --bert_model x --output_dir new",
         "run_squad.py: nothing is to be done; give --do_train, --do_predict, or both"),
        ("run_squad.py --bert_model x --output_dir new --do_predict",
         "run_squad.py: --do_predict needs --predict_file"),
        ("run_squad.py --bert_model x --output_dir new --do_train --train_file no.json",
         "no.json: no such file; `dokhae data download squad-1.1 squad-2.0 korquad-1.0` fetches them"),
        (f"bert-pytorch/{TRAIN}", "run_squad.py: which encoder? give --bert_model NAME_OR_FOLDER, or --vocab_file, "
         "--bert_config_file and --init_checkpoint"),
        (f"{TRAIN} --vocab_file old/vocab.txt --bert_config_file old/bert_config.json",
         "run_squad.py: without --init_checkpoint the encoder has learnt nothing; if that is meant, make one with "
         "`dokhae scratch` and give its folder as --bert_model"),
        (f"{TRAIN} --init_checkpoint old/pytorch_model.bin --vocab_file old/vocab.txt",
         "run_squad.py: --init_checkpoint needs --bert_config_file beside it"),
        (f"{TRAIN} --init_checkpoint old/pytorch_model.bin --bert_model bert-base-uncased",
         "run_squad.py: --bert_model and --init_checkpoint name two models; give one of them"),
        (f"{TRAIN} --init_checkpoint old/pytorch_model.bin --vocab_file old/vocab.txt --bert_config_file "
         "old/bert_config.json --train_batch_size 0",
         "run_squad.py: --train_batch_size 0 cannot be divided by --gradient_accumulation_steps 1"),
        (f"{TRAIN} --bert_model old/vocab.txt",
         "old/vocab.txt: is a file; unpack an archive (tar xzf) and give its folder as --bert_model"),
        (f"bert-pytorch/{TRAIN} --bert_model bert-base-uncased --do_prediction",
         "bert-pytorch/run_squad.py: --do_prediction is not one of its options; did you mean --do_predict?"),
        ("run_squad.py --bert_model bert-base-uncased --do_train --train_file squad/train-v1.1.json --output_dir squad",
         "--output_dir squad: is not an empty folder; name another one"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(command, said):
    assert typed(command)[:2] == (2, f"dokhae: {said}\n")
    assert not Path("new").exists() and not Path("new-encoder").exists()


def test_a_run_is_not_overwritten(debug_squad):
    out, _ = debug_squad
    before = (out / "pytorch_model.bin").read_bytes()
    said = typed(README.replace("--do_predict", "--overwrite_output_dir"))
    assert said[:2] == (2, "--overwrite_output_dir: no run is overwritten; move the folder away, or name another\n"
                    f"dokhae: --output_dir {out}: has a run already; name another one\n")  # fmt: skip
    assert (out / "pytorch_model.bin").read_bytes() == before


@pytest.mark.parametrize("doing", ["--do_train --train_file squad/train-v1.1.json", "--do_predict"])
def test_a_training_that_has_not_ended_is_gone_on_with(place, doing):
    (place / "begun").mkdir(exist_ok=True)
    (place / "begun" / "config.yaml").write_text("benchmark: squad-1.1", encoding="utf-8")
    words = f"run_squad.py --bert_model bert-base-uncased {doing} --predict_file squad/dev-v1.1.json --output_dir begun"
    said = "--output_dir begun: its training has not ended; go on with: dokhae train --resume begun"
    assert typed(words)[:2] == (2, f"dokhae: {said}\n")
    assert [path.name for path in (place / "begun").iterdir()] == ["config.yaml"]


def test_answers_of_a_training_and_files_of_ones_own_stay(debug_squad, place):
    out, _ = debug_squad
    mine = place / "mine"
    shutil.copytree(out / "model", mine / "model")
    (mine / "config.json").write_text("{}", encoding="utf-8")
    answering = "run_squad.py --bert_model bert-base-uncased --do_predict --predict_file squad/dev-v1.1.json"
    assert typed(f"{answering} --output_dir mine").code == 0
    assert (mine / "config.json").read_text(encoding="utf-8") == "{}" and not (mine / "pytorch_model.bin").exists()
    scores = {"benchmark": "squad-1.1", "data": "other.json", "sha256": "0", "scores": {}}
    (mine / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    before = (mine / "predictions.json").read_bytes()
    assert "--output_dir mine: has its training's answers to other.json" in typed(f"{answering} --output_dir mine").err
    assert (mine / "predictions.json").read_bytes() == before


def test_a_line_that_was_empty_keeps_its_place(tmp_path):
    vocab = {"[PAD]": 0, " 1": 1, "서": 2}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece", "vocab": vocab}}))
    save_vocabulary(tmp_path, tmp_path / "vocab.txt")
    assert (tmp_path / "vocab.txt").read_text(encoding="utf-8") == "[PAD]\n\n서\n"


FIRST_VERSION = (
    "--vocab_file old/vocab.txt --bert_config_file old/bert_config.json --init_checkpoint old/pytorch_model.bin "
    "--train_file squad/train-v1.1.json --predict_file squad/dev-v1.1.json"
)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torch.distributed.run", "torch.distributed.launch"])
def test_processes_of_a_launcher(place, launcher):
    """Two on the CPU do what one does with twice the accumulation, old files and all; the encoder is converted once."""
    assert main(["compat", "scripts", "bert-pytorch", str(place / "scripts")]) == 0
    words = f"{FIRST_VERSION} --do_train --do_predict --num_train_epochs 1 --no_cuda --fp16"
    out = f"by-{launcher}"
    command = [sys.executable, "-m", launcher, "--nproc-per-node=2", "--master-port=29631", "scripts/run_squad.py"]
    done = subprocess.run(
        [*command, *words.split(), "--train_batch_size", "4", "--output_dir", out],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=200, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("dokhae convert pytorch") == done.stderr.count("dokhae train ") == 1
    said = typed(f"run_squad.py {words} --train_batch_size 8 --gradient_accumulation_steps 2 --output_dir one")
    assert said.code == 0, said.err
    one, two = (torch.load(Path(folder, "pytorch_model.bin"), weights_only=True) for folder in ("one", out))
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)
    assert Path("one/predictions.json").read_bytes() == Path(out, "predictions.json").read_bytes()
    shutil.rmtree("one")
    shutil.rmtree("one-encoder")
