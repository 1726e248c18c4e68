"""dokhae convert tf, pytorch and verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from checkpoints_on_the_spot import tiny, variables_of, write_checkpoint, write_files
from dokhae.data import sample_path


def test_the_group_says_what_its_config_is(dokhae):
    outcome = dokhae("convert")
    assert outcome.code == 0
    assert "usage: dokhae convert VERB [OPTIONS]" in outcome.out
    assert "--config is the model's bert_config.json here." in outcome.out
    assert "'tensorflow' is not a verb of dokhae convert" in dokhae("convert", "tensorflow").err


def test_an_old_bin_is_converted_and_told_about(dokhae, refusal, tmp_path):
    model = tiny("Bert")
    config, vocab = write_files(tmp_path, model)
    torch.save(model.state_dict() | {"bert.embeddings.position_ids": torch.arange(128)}, tmp_path / "pytorch_model.bin")
    outcome = dokhae("convert", "pytorch", tmp_path, "--out", tmp_path / "out")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines() == [
        f"{tmp_path / 'pytorch_model.bin'}: all accounted for: 48 loaded, 1 left out",
        "left out: parts that BertForPreTraining has not (1): bert.embeddings.position_ids",
        "settings that transformers has not, left out: directionality, pooler_type",
        outcome.err.splitlines()[3],
        f"wrote {tmp_path / 'out'}: BertForPreTraining",
    ]
    assert outcome.err.splitlines()[3].startswith("cased, for ")
    assert "is not an empty folder" in refusal("convert", "pytorch", tmp_path, "--out", tmp_path / "out")
    out = tmp_path / "again"
    options = ("--config", config, "--vocab", vocab, "--casing", "uncased", "--out", out)
    assert "uncased, as --casing says" in dokhae("convert", "pytorch", tmp_path / "pytorch_model.bin", *options).err
    assert json.loads((out / "tokenizer.json").read_text("utf-8"))["normalizer"]["lowercase"] is True


def test_tensorflow_is_named_where_it_is_missing(refusal, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    config, vocab = write_files(tmp_path, tiny("Bert"))
    (tmp_path / "bert_model.ckpt.index").touch()
    files = (tmp_path / "bert_model.ckpt", "--config", config, "--vocab", vocab, "--out", tmp_path / "out")
    needed = "a TensorFlow checkpoint needs an optional part of dokhae that is not installed (import of tensorflow "
    for command in (("convert", "tf", *files), ("convert", "verify", tmp_path / "bert_model.ckpt", tmp_path)):
        said = refusal(*command)
        assert said.startswith(needed) and said.endswith("): pip install 'dokhae[tf]'")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_whole_road_from_a_checkpoint_to_a_training(dokhae, tmp_path):
    model = tiny("Bert", "ForQuestionAnswering")
    pooler = {name: value for name, value in variables_of(tiny("Bert")).items() if "pooler" in name}
    prefix = write_checkpoint(tmp_path / "model.ckpt-100", variables_of(model, slots=True) | pooler, shards=2)
    config, vocab = write_files(tmp_path, model)
    out = tmp_path / "out"
    outcome = dokhae("convert", "tf", prefix, "--config", config, "--vocab", vocab, "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert "model.ckpt-100.index: all accounted for: 39 loaded, 81 left out\n" in outcome.err
    outcome = dokhae("convert", "verify", prefix, out, "--config", config)
    assert outcome.code == 0
    assert [line.strip().split("  ")[0] for line in outcome.out.splitlines() if "e-" in line] == [
        "embeddings", "layer 1", "layer 2", "span logits", "loss", "mean of the texts"
    ]  # fmt: skip
    *_, not_compared, verdict = outcome.out.splitlines()
    assert not_compared == "not compared: pooled output"
    assert verdict == "the same: no standard deviation, and no mean loss, is over its bound"
    command = [sys.executable, "-m", "dokhae", "convert", "verify", prefix, out]
    without = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    quiet = subprocess.run(command, env=without, capture_output=True, text=True, timeout=120)
    assert (quiet.returncode, quiet.stderr) == (0, f"settings of the checkpoint: {config}\n")
    settings = json.loads((out / "config.json").read_text()) | {"hidden_act": "relu"}
    (out / "config.json").write_text(json.dumps(settings))
    outcome = dokhae("convert", "verify", prefix, out, "--config", config)
    assert outcome.code == 1
    assert f"dokhae: {out}: does not compute what {prefix} does: layer 1 has a standard deviation of" in outcome.err
    data = ("--benchmark", "squad-2.0", "--train", sample_path("dev"), "--dev", sample_path("dev"))
    sizes = ("--max_length", "96", "--step", "64", "--max_question_length", "24", "--max_steps", "2", "--device", "cpu")
    outcome = dokhae("train", *data, "--model", out, *sizes, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
