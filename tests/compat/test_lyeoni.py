"""lyeoni/KorQuAD's command lines as its README has them."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys

import pytest
import torch
import transformers

from dokhae import Reader, evaluate
from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.files import sha256
from dokhae.settings import ReaderSettings

SUBMISSION = "run_squad_for_submission.py KorQuAD_v1.0_dev.json predictions.json"
# what the settings of a model had before transformers
SETTINGS = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
    "initializer_range",
)  # fmt: skip
MODEL = ["config.json", "pytorch_model.bin", "vocab.txt"]


@pytest.fixture
def three_files(here, long_bert, some_of):
    """A working directory with the model's three files as of old, saved from several GPUs, and dev data."""
    model = transformers.BertForQuestionAnswering.from_pretrained(long_bert)
    tokenizer = transformers.AutoTokenizer.from_pretrained(long_bert)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    weights = model.state_dict()
    for now, then in old.items():
        weights = {name.replace(now, then): weight for name, weight in weights.items()}
    torch.save({f"module.{name}": weight for name, weight in weights.items()}, here / "pytorch_model.bin")
    (here / "config.json").write_text(json.dumps({name: getattr(model.config, name) for name in SETTINGS}))
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    (here / "vocab.txt").write_text("".join(f"{text}\n" for text, _ in entries), encoding="utf-8")
    some_of("korquad-1.0/dev.json", "KorQuAD_v1.0_dev.json", 8)
    return here


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_submission_is_predicted_with_the_old_settings(dokhae, three_files, long_bert):
    before = {name: sha256(three_files / name) for name in MODEL}
    outcome = dokhae("compat", *shlex.split(SUBMISSION))
    assert (outcome.code, outcome.out) == (0, ""), outcome.err
    assert "cased, for " in outcome.err
    assert {name: sha256(three_files / name) for name in MODEL} == before
    assert sorted(path.name for path in three_files.iterdir() if path.is_file()) == sorted(
        [*MODEL, "KorQuAD_v1.0_dev.json", "nbest_predictions.json", "predictions.json"]
    )
    settings = ReaderSettings(
        "korquad-1.0",
        WindowConfig(512, step=128, max_question_length=64),
        DecodingConfig(n_best=20, max_answer_length=30, search="pruned"),
    )
    reader = Reader.load(long_bert, "cpu", settings=settings)
    answers = read(three_files / "predictions.json")
    for article in read(three_files / "KorQuAD_v1.0_dev.json")["data"]:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                assert answers[qa["id"]] == reader(qa["question"], paragraph["context"]).text
    assert len(answers) == 8


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", "--max_length=512"),
        ("", "--step=128"),
        ("", "--max_question_length=64"),
        ("", "--batch_size=8"),
        ("", "--decoding.n_best=20"),
        ("", "--decoding.max_answer_length=30"),
        ("", "--decoding.search=pruned"),
        ("", "--benchmark=korquad-1.0"),
        ("--max_seq_length 384", "--max_length=384"),
        ("--doc_stride 64", "--step=64"),
        ("--max_query_length 32", "--max_question_length=32"),
        ("--predict_batch_size 16", "--batch_size=16"),
        ("--n_best_size 3", "--decoding.n_best=3"),
        ("--max_answer_length 10", "--decoding.max_answer_length=10"),
        ("--version_2_with_negative", "--null_threshold=0.0"),
        ("--version_2_with_negative", "--benchmark=squad-2.0"),
        ("--version_2_with_negative --null_score_diff_threshold -2", "--null_threshold=-2.0"),
        ("--no_cuda", "--device=cpu"),
        ("--fp16", "--precision=auto"),  # without a GPU
    ],
)
def test_each_option_has_its_setting(dokhae, here, monkeypatch, given, shown):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (here / "tokenizer.json").touch()  # a Hugging Face folder goes without a conversion, and this one no further
    outcome = dokhae("compat", *shlex.split(f"{SUBMISSION} {given}"))
    assert outcome.code == 2
    (line,) = [each for each in outcome.err.splitlines() if each.startswith("dokhae predict ")]
    words = shlex.split(line)
    assert shown in words
    assert words[2:5] == ["KorQuAD_v1.0_dev.json", "--model=.", "--out=predictions.json"]
    assert ("--null_threshold" in line) == ("negative" in given)


def test_a_folder_of_today_is_taken_as_it_is(dokhae, here, encoder, some_of, monkeypatch):
    monkeypatch.chdir(encoder("model-of-today"))
    some_of("korquad-1.0/dev.json", "model-of-today/KorQuAD_v1.0_dev.json", 2)
    outcome = dokhae("compat", *shlex.split(SUBMISSION))
    assert outcome.code == 0, outcome.err
    assert "dokhae convert" not in outcome.err
    assert len(read(here / "model-of-today/predictions.json")) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (SUBMISSION, "vocab.txt, config.json, pytorch_model.bin: not in the working directory, where the model's"),
        ("run_squad_for_submission.py dev.json", "lyeoni/run_squad_for_submission.py: the following arguments are"),
        (f"{SUBMISSION} --max_seq_lenght 384", "--max_seq_lenght is not one of its options; did you mean --max_seq"),
    ],
)
def test_mistakes_are_told_in_one_line(refusal, here, words, message):
    assert message in refusal("compat", *shlex.split(words))


def test_a_threshold_needs_questions_without_an_answer(dokhae, here):
    (here / "tokenizer.json").touch()
    said = dokhae("compat", *shlex.split(f"{SUBMISSION} --null_score_diff_threshold 1")).err
    assert said.startswith("--null_score_diff_threshold: means nothing without --version_2_with_negative\n")
    assert "--null_threshold" not in said


def test_options_of_the_training_are_said_to_mean_nothing(dokhae, here):
    outcome = dokhae("compat", *shlex.split(f"{SUBMISSION} --do_lower_case --seed 1 --learning_rate 3e-5"))
    assert outcome.err.splitlines()[:3] == [
        "--learning_rate: it predicts and never trains: dokhae train does that",
        "--seed: nothing is drawn",
        "--do_lower_case: the vocabulary shows whether texts are lower-cased; the old script never did",
    ]


def test_check_cuda_tells_versions_and_does_not_fail(dokhae):
    outcome = dokhae("compat", "check_cuda.py")
    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert lines[:3] == [
        f"Python Version:  {platform.python_version()}",
        f"PyTorch Version:  {torch.__version__}",
        f"CUDA Available:  {torch.cuda.is_available()}",
    ]
    count = torch.cuda.device_count()
    assert lines[3] == f"Device Count:  {count}"
    assert len(lines) == (6 if count else 4)


@pytest.mark.slow
def test_the_whole_dev_set_and_its_official_scores(dokhae, three_files, shared):
    dev = shared("korquad-1.0/dev.json")
    assert dokhae("compat", "run_squad_for_submission.py", dev, "predictions.json").code == 0
    answers = read(three_files / "predictions.json")
    ids = [qa["id"] for article in read(dev)["data"] for each in article["paragraphs"] for qa in each["qas"]]
    assert list(answers) == ids
    scored = dokhae("compat", "evaluate-v1.0.py", dev, "predictions.json")
    assert json.loads(scored.out) == evaluate(dev, answers, "korquad-1.0")


@pytest.mark.slow
def test_the_script_itself_predicts_the_same(dokhae, three_files):
    assert dokhae("compat", *shlex.split(SUBMISSION)).code == 0
    own = (three_files / "predictions.json").read_bytes()
    assert dokhae("compat", "scripts", "lyeoni", ".").code == 0
    done = subprocess.run([sys.executable, *shlex.split(SUBMISSION.replace("predictions", "again"))],
                          capture_output=True, text=True, timeout=60, encoding="utf-8")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (three_files / "again.json").read_bytes() == own
