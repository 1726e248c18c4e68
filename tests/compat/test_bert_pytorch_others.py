"""run_classifier.py, extract_features.py and the conversions of pytorch-pretrained-BERT."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from checkpoints_on_the_spot import tiny, variables_of, write_checkpoint, write_files
from compat.old_bert import few_pairs, old_folder, typed
from dokhae.cli import main
from dokhae.compat.bert_pytorch.results import write_results
from dokhae.records import read_settings

README = r"""
python run_classifier.py \
  --task_name $TASK_NAME \
  --do_train \
  --do_eval \
  --do_lower_case \
  --data_dir $GLUE_DIR/$TASK_NAME \
  --bert_model bert-base-uncased \
  --max_seq_length 128 \
  --train_batch_size 32 \
  --learning_rate 2e-5 \
  --num_train_epochs 3.0 \
  --output_dir /tmp/$TASK_NAME/
"""
README_0_1 = r"""
python run_classifier.py \
  --task_name MRPC \
  --do_train \
  --do_eval \
  --do_lower_case \
  --data_dir $GLUE_DIR/MRPC/ \
  --vocab_file $BERT_BASE_DIR/vocab.txt \
  --bert_config_file $BERT_BASE_DIR/bert_config.json \
  --init_checkpoint $BERT_PYTORCH_DIR/pytorch_model.bin \
  --max_seq_length 128 \
  --train_batch_size 32 \
  --learning_rate 2e-5 \
  --num_train_epochs 3.0 \
  --output_dir /tmp/mrpc_output/
"""
CONVERT = r"""
python convert_tf_checkpoint_to_pytorch.py \
  --tf_checkpoint_path=$BERT_BASE_DIR/bert_model.ckpt \
  --bert_config_file=$BERT_BASE_DIR/bert_config.json \
  --pytorch_dump_path=$BERT_BASE_DIR/pytorch_model.bin
"""
CONVERT_0_5 = r"""
pytorch_pretrained_bert convert_tf_checkpoint_to_pytorch \
  $BERT_BASE_DIR/bert_model.ckpt \
  $BERT_BASE_DIR/bert_config.json \
  $BERT_BASE_DIR/by_the_package.bin
"""
CLASSES = ("contradiction", "entailment", "neutral")


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory, long_bert, shared):
    """A working directory with encoders, old and of today, and some of the data; all tests are in it."""
    folder = tmp_path_factory.mktemp("bert-pytorch-others")
    (folder / "bert-base-uncased").symlink_to(long_bert)
    for split in ("train", "dev"):
        few_pairs(shared(f"mrpc/{split}.tsv"), folder / f"glue/MRPC/{split}.tsv", 16)
    (folder / "glue/MNLI").mkdir()
    for name, rows in (("train", 6), ("dev_matched", 3), ("dev_mismatched", 6)):
        lines = [f"A man walks {number}.\tNobody walks.\t{CLASSES[number % 3]}" for number in range(rows)]
        text = "\n".join(["sentence1\tsentence2\tgold_label", *lines]) + "\n"
        (folder / f"glue/MNLI/{name}.tsv").write_text(text, encoding="utf-8")
    (folder / "lines.txt").write_text("A short text.\nThe first ||| the second, 둘째\n", encoding="utf-8")
    old = old_folder(long_bert, folder / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, value in (("GLUE_DIR", folder / "glue"), ("BERT_BASE_DIR", old), ("BERT_PYTORCH_DIR", old)):
            patch.setenv(name, str(value))
        patch.setenv("TASK_NAME", "MRPC")
        yield folder


def results(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    found = {name: float(value) for name, value in (line.split(" = ") for line in lines)}
    assert list(found) == sorted(found)
    return found


@pytest.fixture(scope="module")
def mrpc(place):
    """What the README's command left, and what it said."""
    said = typed(README)
    assert said.code == 0, said.err
    return Path("tmp/MRPC"), said.err


def test_the_command_of_the_readme_leaves_the_files_of_old(mrpc):
    out, said = mrpc
    found, scores = results(out / "eval_results.txt"), json.loads((out / "scores.json").read_text())["scores"]
    assert list(found) == ["acc", "acc_and_f1", "eval_accuracy", "eval_loss", "f1", "global_step", "loss"]
    assert found["acc"] == found["eval_accuracy"] == scores["accuracy"] / 100
    assert found["f1"] == scores["f1"] / 100 and found["acc_and_f1"] == scores["score"] / 100
    assert found["global_step"] == 3 and 0 < found["eval_loss"] < 5 and 0 < found["loss"] < 5
    assert {"pytorch_model.bin", "config.json", "vocab.txt"} <= {path.name for path in out.iterdir()}
    assert "classifier.weight" in torch.load(out / "pytorch_model.bin", weights_only=True)
    run = read_settings(out / "config.yaml")
    assert (run["task"], run["batch_size"], run["epochs"], run["learning_rate"]) == ("mrpc", 32, 3.0, 2e-5)
    assert (run["max_length"], run["optimizer"]["adam_epsilon"], run["precision"]) == (128, 1e-6, "fp32")
    assert run["optimizer"]["no_bias_correction"] and run["keep"]["best_by"] == "last"
    assert "dokhae classify train --task=mrpc" in said


def test_scoring_alone_takes_what_was_trained_there(mrpc):
    out, _ = mrpc
    before = results(out / "eval_results.txt")
    said = typed(f"run_classifier.py --task_name mrpc --do_eval --data_dir glue/MRPC --output_dir {out}")
    assert said.code == 0 and "--batch_size=8" in said.err, said.err
    again = results(out / "eval_results.txt")
    assert again == {name: before[name] for name in ("acc", "acc_and_f1", "eval_accuracy", "f1")}
    assert main(["classify", "evaluate", "glue/MRPC/dev.tsv", str(out / "predictions.tsv"), "--task", "mrpc"]) == 0


def test_the_files_of_the_first_version(place):
    said = typed(README_0_1)
    assert said.code == 0 and "--casing=uncased" in said.err, said.err
    assert (place / "tmp/mrpc_output-encoder/converted_from.json").exists()
    assert "acc" in results(place / "tmp/mrpc_output/eval_results.txt")


def test_mnli_has_two_dev_files(place):
    said = typed("run_classifier.py --task_name MNLI --do_train --do_eval --data_dir glue/MNLI --bert_model "
                 "bert-base-uncased --num_train_epochs 1 --output_dir tmp/MNLI --server_ip x")  # fmt: skip
    assert said.code == 0, said.err
    assert "--server_ip: start the command under a debugger instead" in said.err
    matched, other = (results(Path(f"tmp/{name}/eval_results.txt")) for name in ("MNLI", "MNLI-MM"))
    assert list(matched) == ["acc", "eval_accuracy", "eval_loss", "global_step", "loss"]
    assert list(other) == ["acc", "eval_accuracy", "global_step", "loss"]
    assert len(Path("tmp/MNLI-MM/predictions.tsv").read_text().splitlines()) == 7
    said = typed("run_classifier.py --task_name mnli-mm --do_eval --data_dir glue/MNLI --output_dir tmp/MNLI")
    assert said.code == 0 and results(Path("tmp/MNLI/eval_results.txt"))["acc"] == other["acc"]


def test_results_of_every_metric(tmp_path):
    write_results(tmp_path / "x/eval_results.txt", {"matthews": 50.0, "score": 50.0}, {})
    assert results(tmp_path / "x/eval_results.txt") == {"mcc": 0.5}
    write_results(tmp_path / "x/eval_results.txt", {"pearson": 90.0, "spearman": 80.0, "score": 85.0}, {"loss": 2.0})
    assert results(tmp_path / "x/eval_results.txt") == {"corr": 0.85, "loss": 2.0, "pearson": 0.9, "spearmanr": 0.8}


CLASSIFY = "run_classifier.py --data_dir glue/MRPC --output_dir new"
FEATURES = "extract_features.py --output_file new"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{CLASSIFY} --task_name mrpc --bert_model x",
         "run_classifier.py: nothing is to be done; give --do_train, --do_eval, or both"),
        (f"{CLASSIFY} --task_name mrcp --do_train",
         "task 'mrcp' is not known; did you mean mrpc? known are cola, sst-2, mrpc, sts-b, qqp, mnli, qnli, rte, wnli"),
        (f"{CLASSIFY} --task_name mnli --do_eval",
         "glue/MRPC/dev_matched.tsv: no such file; --data_dir is the folder of a task as GLUE's archive has it"),
        (f"{CLASSIFY} --task_name mrpc --do_train",
         "run_classifier.py: which encoder? give --bert_model NAME_OR_FOLDER, or --vocab_file, --bert_config_file and "
         "--init_checkpoint"),
        (f"{FEATURES} --input_file no.txt --bert_model bert-base-uncased",
         "no.txt: no such file; --input_file is a text file with a text, or a pair, in each line"),
        (f"{FEATURES} --input_file lines.txt --bert_model bert-base-uncased --batch_size 0",
         "extract_features.py: --batch_size is 0; it has to be at least 1"),
        (f"{FEATURES} --input_file lines.txt --bert_model bert-base-uncased --layer -1",
         None),  # the beginning of --layers, as it was
        ("pytorch_pretrained_bert convert_gpt2_checkpoint a b c",
         "pytorch_pretrained_bert: convert_gpt2_checkpoint is of a model that writes text, and dokhae reads; it has "
         "convert_tf_checkpoint_to_pytorch alone"),
        ("convert_tf_checkpoint_to_pytorch.py --tf_checkpoint_path a --bert_config_file glue/empty.json "
         "--pytorch_dump_path b", "glue/empty.json: has no vocab_size; take the bert_config.json that came with the "
         "checkpoint"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(command, said):
    Path("glue/empty.json").write_text("{}", encoding="utf-8")
    if said is None:
        assert typed(command).code == 0
        Path("new").unlink()
    else:
        assert typed(command)[:2] == (2, f"dokhae: {said}\n")
    assert not Path("new").exists()


def test_features_are_those_of_our_own_command(place):
    said = typed("extract_features.py --input_file lines.txt --output_file tmp/features.json --bert_model "
                 "bert-base-uncased --do_lower_case --layers=-1 --max_seq_length 16 --batch_size 2")  # fmt: skip
    assert said.code == 0 and "--batch_tokens=32" in said.err and "renamed it to tmp/features.json" in said.err
    assert main(["features", "lines.txt", "--model", "bert-base-uncased", "--layers=-1", "--max_length", "16",
                 "--out", "own.jsonl"]) == 0  # fmt: skip
    assert Path("tmp/features.json").read_bytes() == Path("own.jsonl").read_bytes()
    line = json.loads(Path("tmp/features.json").read_text(encoding="utf-8").splitlines()[1])
    assert line["linex_index"] == 1 and [layer["index"] for layer in line["features"][0]["layers"]] == [-1]
    assert not Path("tmp/features.json.jsonl").exists()


def test_features_do_not_replace_their_text(place):
    before = Path("lines.txt").read_bytes()
    said = typed("extract_features.py --input_file lines.txt --output_file lines.txt --bert_model bert-base-uncased")
    assert said[:2] == (2, "dokhae: lines.txt: is the text file itself; name another --output_file\n")
    assert Path("lines.txt").read_bytes() == before


@pytest.mark.slow
def test_features_by_the_file_of_the_old_name(place):
    """In a process and a folder of their own, with the files of the first version, twice: they are converted once."""
    assert main(["compat", "scripts", "bert-pytorch", "scripts"]) == 0
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    words = ["--input_file=../lines.txt", "--output_file=features.jsonl", "--vocab_file=../old/vocab.txt",
             "--bert_config_file=../old/bert_config.json", "--init_checkpoint=../old/pytorch_model.bin",
             "--layers=-1"]  # fmt: skip
    done = subprocess.run([sys.executable, "../scripts/extract_features.py", *words], cwd=elsewhere, timeout=100,
                          capture_output=True, text=True, encoding="utf-8")  # fmt: skip
    assert done.returncode == 0 and "dokhae convert pytorch" in done.stderr, done.stderr
    assert len((elsewhere / "features.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    before = (elsewhere / "features.jsonl").read_bytes()
    said = typed("extract_features.py --input_file lines.txt --output_file elsewhere/features.jsonl --bert_model old "
                 "--layers=-1")  # fmt: skip
    assert said.code == 0 and "features.jsonl-encoder: is there, converted from the same files" in said.err, said.err
    assert (elsewhere / "features.jsonl").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("with_vocabulary", [True, False])
def test_a_checkpoint_of_tensorflow(with_vocabulary, tmp_path, monkeypatch):
    model = tiny("Bert")
    write_checkpoint(tmp_path / "bert_model.ckpt", variables_of(model, slots=True))
    _, vocab = write_files(tmp_path, model)
    if not with_vocabulary:
        vocab.unlink()
    monkeypatch.setenv("BERT_BASE_DIR", str(tmp_path))
    before = {path.name for path in tmp_path.iterdir()}
    for command, name in ((CONVERT, "pytorch_model.bin"), (CONVERT_0_5, "by_the_package.bin")):
        said = typed(command)
        assert said.code == 0, said.err
        assert ("there is no vocab.txt beside it" in said.err) is not with_vocabulary
        weights = torch.load(tmp_path / name, weights_only=True)
        wanted = model.state_dict()
        assert wanted.keys() - weights.keys() <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
        assert all(torch.equal(weights[each], wanted[each]) for each in weights)
    assert {path.name for path in tmp_path.iterdir()} == before | {"pytorch_model.bin", "by_the_package.bin"}


@pytest.mark.slow
def test_training_from_a_checkpoint_of_tensorflow(tmp_path, monkeypatch):
    model = tiny("Bert")
    write_checkpoint(tmp_path / "bert_model.ckpt", variables_of(model))
    write_files(tmp_path, model)
    monkeypatch.setenv("BERT_BASE_DIR", str(tmp_path))
    command = README_0_1.replace("$BERT_PYTORCH_DIR/pytorch_model.bin", "$BERT_BASE_DIR/bert_model.ckpt")
    said = typed(command.replace("mrpc_output", "mrpc_tf"))
    assert said.code == 0 and "dokhae convert tf" in said.err, said.err
    assert "acc" in results(Path("tmp/mrpc_tf/eval_results.txt"))
