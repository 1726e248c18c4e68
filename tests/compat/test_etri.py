"""KorQuAD with a morpheme BERT by the commands of old; the BERT is tiny, in ETRI's form."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from checkpoints_on_the_spot import variables_of, write_checkpoint
from cli.conftest import Outcome
from dokhae.cli import main
from dokhae.compat.etri.files import link, weights
from dokhae.compat.kept import encoder_folder
from dokhae.errors import SettingsError
from etri_on_the_spot import pretrained, write_etri

SCRIPT = "run_squad_ETRI_multigpu.py"
SHELL = "./run_squad_ETRI.sh"
# what run_squad_ETRI.sh calls; a backslash joins its lines
COMMAND = """python run_squad_ETRI_multigpu.py \\
  --vocab_file=$BERT_BASE_DIR/vocab.korean_morp.list \\
  --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
  --init_checkpoint=$BERT_BASE_DIR/ETRI_pretrained/model.ckpt\\
  --do_train=True \\
  --train_file=$BERT_BASE_DIR/eval/koquad/KorQuAD_v1.0_train.json \\
  --do_predict=True \\
  --predict_file=$BERT_BASE_DIR/eval/koquad/KorQuAD_v1.0_dev.json\\
  --do_lower_case=False \\
  --train_batch_size=8 \\
  --learning_rate=8.5e-5 \\
  --num_train_epochs=1.0 \\
  --save_checkpoints_steps=1000 \\
  --max_seq_length=384 \\
  --max_query_length=128 \\
  --doc_stride=128 \\
  --output_dir=$BERT_BASE_DIR/squad_result \\
  --use_tpu=False \\
  --num_gpus=4
"""


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def one_question(article):
    paragraph = article["paragraphs"][0]
    return {**article, "paragraphs": [{**paragraph, "qas": paragraph["qas"][:1]}]}


def write_clone(shared, base, questions=8):
    """What BERT_BASE_DIR holds: two of ETRI's files, the weights in a folder of theirs, and a little of KorQuAD."""
    given = write_etri(base.with_name("given"))
    weights_folder, data = base / "ETRI_pretrained", base / "eval" / "koquad"
    for folder in (weights_folder, data):
        folder.mkdir(parents=True)
    for name in ("vocab.korean_morp.list", "bert_config.json"):
        shutil.move(given / name, base / name)
    shutil.move(given / "pytorch_model.bin", weights_folder)
    for part in ("train", "dev"):
        content = read(shared(f"korquad-1.0/{part}.json"))
        few = [one_question(article) for article in content["data"][:questions]]
        text = json.dumps({**content, "data": few}, ensure_ascii=False)
        (data / f"KorQuAD_v1.0_{part}.json").write_text(text, encoding="utf-8")
    return base


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shared):
    """A clone in which the shell file was run, and what came of it; read only."""
    base = write_clone(shared, tmp_path_factory.mktemp("etri") / "workspace")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setenv("BERT_BASE_DIR", str(base))
        code = main(["compat", SHELL])
    return base, Outcome(code, out.getvalue(), err.getvalue())


def settings_in(said):
    """The settings of our own command that is shown."""
    (shown,) = [line for line in said.splitlines() if line.startswith("dokhae train ")]
    return dict(word.removeprefix("--").partition("=")[::2] for word in shlex.split(shown)[2:])


def test_the_shell_file_trains_and_answers(trained):
    base, outcome = trained
    assert outcome.code == 0, outcome.err
    config = yaml.safe_load((base / "squad_result" / "config.yaml").read_text(encoding="utf-8"))
    asked = {
        "benchmark": "korquad-1.0", "epochs": 1.0, "batch_size": 8, "learning_rate": 8.5e-5, "max_length": 384,
        "step": 128, "max_question_length": 128, "checkpoint_every": 1000, "morphemes": "mecab", "precision": "fp32",
        "misplaced_answers": "skip", "decoding": {"n_best": 20, "max_answer_length": 30, "search": "pruned"},
    }  # fmt: skip
    assert {name: config[name] for name in asked} == asked
    steps = {"clip": 1.0, "warmup": 0.1, "weight_decay": 0.0, "adam_epsilon": 1e-6, "schedule": "linear"}
    assert {name: config["optimizer"][name] for name in steps} == steps
    assert config["optimizer"]["accumulate"] * (config["devices"] or 1) == 4  # --num_gpus=4
    assert config["keep"]["best_by"] == "last"
    answers = read(base / "squad_result" / "predictions.json")
    assert len(answers) == len(read(base / "squad_result" / "nbest_predictions.json")) == 8


def test_the_scores_are_those_that_dokhae_evaluate_prints(trained, dokhae):
    base, outcome = trained
    words = (base / "eval/koquad/KorQuAD_v1.0_dev.json", base / "squad_result" / "predictions.json")
    scores = json.loads(dokhae("evaluate", *words, "--benchmark", "korquad-1.0").out)
    assert scores == json.loads(outcome.out) == read(base / "squad_result" / "scores.json")["scores"]


def test_what_many_gpus_meant_is_said(trained):
    assert (
        "--num_train_epochs 1: passes over the data, shared by all; the old script took the steps of one, so with 4 "
        "GPUs it read the data 4 times as often\n"
    ) in trained[1].err


def test_the_three_files_become_one_folder_of_links(trained):
    base, _ = trained
    folder = base / "squad_result-encoder"
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        "vocab.korean_morp.list": (base / "vocab.korean_morp.list").resolve(),
        "bert_config.json": (base / "bert_config.json").resolve(),
        "pytorch_model.bin": (base / "ETRI_pretrained" / "pytorch_model.bin").resolve(),
    }


def test_the_command_in_the_shell_file_is_the_same(trained, dokhae):
    """But for the weights, which TensorFlow would have to read."""
    base, outcome = trained
    line = COMMAND.replace("\\\n", " ").replace("$BERT_BASE_DIR", str(base)).replace("squad_result", "another")
    line = line.replace("model.ckpt", "pytorch_model.bin").replace("KorQuAD_v1.0_dev", "nothing")
    (base / "eval/koquad/nothing.json").write_text("{}", encoding="utf-8")
    again = dokhae("compat", *shlex.split(line)[1:])
    assert again.code == 2
    known, found = settings_in(outcome.err), settings_in(again.err)
    assert {name for name in known if known[name] != found[name]} == {"out", "model", "dev"}
    assert found["model"] == str(base / "another-encoder")


def test_a_run_answers_alone(trained, dokhae, here):
    base, _ = trained
    run = here / "squad_result"
    shutil.copytree(base / "squad_result", run)
    dev = base / "eval/koquad/KorQuAD_v1.0_dev.json"
    before = (run / "nbest_predictions.json").read_bytes()
    (run / "nbest_predictions.json").unlink()
    words = ["compat", SCRIPT, "--output_dir=squad_result", "--do_predict=True", "--num_gpus=1", "--do_train=False"]
    outcome = dokhae(*words, f"--predict_file={dev}")
    assert outcome.code == 0, outcome.err
    assert f"dokhae predict {dev} --model=squad_result --out=squad_result/predictions.json" in outcome.err
    assert (run / "nbest_predictions.json").read_bytes() == before


def test_its_answers_are_not_lost(trained, refusal):
    base, _ = trained
    run, data = base / "squad_result", base / "eval/koquad"
    words = ("compat", SCRIPT, f"--output_dir={run}", f"--predict_file={data / 'KorQuAD_v1.0_train.json'}")
    said = refusal(*words, "--do_predict")
    assert said.endswith(f"KorQuAD_v1.0_dev.json; name another one, and --init_checkpoint {run}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", f"{SCRIPT}: nothing to do; give --do_train=True, --do_predict=True, or both"),
        ("--do_train=True --nodo_train", f"{SCRIPT}: nothing to do; give --do_train=True, --do_predict=True, or both"),
        ("--do_train", "--train_file is not given; fetch KorQuAD with: dokhae data download korquad-1.0 --out data"),
        (
            "--do_predict --predict_file=no.json",
            "--predict_file no.json: is not here; fetch KorQuAD with: dokhae data download korquad-1.0 --out data",
        ),
        ("--do_predict --use_tpu=True", "--use_tpu: there are no TPUs here; leave it out"),
        ("--do_predict --num_gpus=0", "--num_gpus is 0; it has to be at least 1"),
        (
            "--do_predict --predict_file=data.json --multi_worker=True",
            "--multi_worker: machines find each other by torchrun here; type on each of them: torchrun --nnodes 2 "
            "--nproc-per-node 1 --rdzv-backend c10d --rdzv-id korquad --rdzv-endpoint FIRST_MACHINE:29500 "
            f"-m dokhae compat etri/{SCRIPT} and the options",
        ),
        (
            "--do_predict --predict_file=data.json",
            "out: no training has finished there; give --do_train=True, or --init_checkpoint with a run folder",
        ),
        (
            "--do_train --train_file=data.json",
            "--vocab_file is not given; a training begins with ETRI's three files: --vocab_file, --bert_config_file "
            "and --init_checkpoint",
        ),
        (
            "--do_train --train_file=data.json --vocab_file=data.json --bert_config_file=data.json",
            "--init_checkpoint is not given; a training begins with ETRI's three files: --vocab_file, "
            "--bert_config_file and --init_checkpoint",
        ),
        (
            "--do_train --train_file=data.json --vocab_file=no.list",
            "--vocab_file no.list: is not here; ETRI hands it out with the weights",
        ),
        (
            "--do_train --train_file=data.json --vocab_file=data.json --bert_config_file=data.json "
            "--init_checkpoint=no/model.ckpt",
            "--init_checkpoint no/model.ckpt: is not here, neither as a file (pytorch_model.bin) nor as a checkpoint "
            "of TensorFlow (model.ckpt.index); ETRI gives it to those who sign its agreement, https://aiopen.etri.re.kr",
        ),
        ("--do_trian=True", f"etri/{SCRIPT}: --do_trian is not one of its options; did you mean --do_train?"),
        ("--do_train=maybe", f"etri/{SCRIPT}: argument --do_train: invalid truth value: 'maybe'"),
    ],
)
def test_mistakes_are_told_in_one_line(dokhae, here, words, message):
    (here / "data.json").write_text("{}")
    outcome = dokhae("compat", SCRIPT, "--output_dir=out", *words.split())
    assert (outcome.code, outcome.out, outcome.err.splitlines()[-1]) == (2, "", f"dokhae: {message}")


def test_what_means_nothing_any_more_is_said(dokhae, here):
    words = ("--tpu_name=x", "--iterations_per_loop=10", "--null_score_diff_threshold=1.0", "--verbose_logging=True")
    said = dokhae("compat", SCRIPT, "--output_dir=out", *words).err
    assert said.splitlines()[:-1] == [
        "--iterations_per_loop: there are no TPUs here",
        "--tpu_name: there are no TPUs here",
        "--verbose_logging: what cannot be used of the data is counted and said",
        "--null_score_diff_threshold: KorQuAD 1.0 has an answer to every question",
    ]


def test_an_output_folder_that_is_full_is_not_written_to(trained, refusal):
    base, _ = trained
    said = refusal("compat", SCRIPT, f"--output_dir={base / 'squad_result'}", "--do_train", *named(base))
    assert said == f"--output_dir {base / 'squad_result'}: has a run already; name another one"


def named(base):
    return [
        f"--train_file={base / 'eval/koquad/KorQuAD_v1.0_train.json'}",
        f"--vocab_file={base}/vocab.korean_morp.list",
        f"--bert_config_file={base}/bert_config.json",
    ]


def test_files_that_lie_together_are_taken_as_they_are(dokhae, here):
    given = write_etri(here / "KorBERT")
    (here / "data.json").write_text("{}")
    words = ["--vocab_file=KorBERT/vocab.korean_morp.list", "--bert_config_file=KorBERT/bert_config.json",
             "--init_checkpoint=KorBERT/pytorch_model.bin", "--train_file=data.json", "--do_train", "--num_gpus=1",
             "--morphemes=kiwi"]  # fmt: skip
    found = settings_in(dokhae("compat", SCRIPT, "--output_dir=out", *words).err)
    assert (found["model"], found["morphemes"], "dev" in found) == ("KorBERT", "kiwi", False)
    assert not (here / "out-encoder").exists()
    (given / "model.safetensors").write_bytes(b"others, which would be read first")
    found = settings_in(dokhae("compat", SCRIPT, "--output_dir=out", *words).err)
    assert found["model"] == "out-encoder" and not (here / "out-encoder" / "model.safetensors").exists()


def test_a_checkpoint_of_tensorflow_keeps_its_parts(here):
    for name in ("index", "meta", "data-00000-of-00002", "data-00001-of-00002"):
        (here / f"step.{name}").write_bytes(b"")
    parts = {f"model.ckpt.{name}": here / f"step.{name}"
             for name in ("index", "meta", "data-00000-of-00002", "data-00001-of-00002")}  # fmt: skip
    assert weights(here / "step") == weights(here / "step.index") == parts
    (here / "step.index").unlink()
    with pytest.raises(SettingsError, match="nor as a checkpoint"):
        weights(here / "step")


def test_a_file_that_is_no_link_is_not_replaced(here):
    (here / "a").mkdir()
    (here / "a" / "w.bin").write_bytes(b"new")
    (here / "out-encoder").mkdir()
    kept = here / "out-encoder" / "pytorch_model.bin"
    kept.write_bytes(b"old")
    with pytest.raises(SettingsError, match="is another file than a/w.bin, maybe of an earlier training; move it away"):
        link({"pytorch_model.bin": Path("a/w.bin")}, Path("out-encoder"))
    assert kept.read_bytes() == b"old"
    assert encoder_folder(Path()).name == f"{here.name}-encoder"


def test_a_link_is_made_anew_where_another_file_is_named(trained, dokhae, here):
    base, _ = trained
    shutil.copyfile(base / "ETRI_pretrained" / "pytorch_model.bin", here / "mine.bin")
    words = [*named(base), "--do_train", "--num_gpus=1", "--output_dir=out", f"--train_file={here / 'data.json'}"]
    (here / "data.json").write_text("{}")
    for checkpoint in (base / "ETRI_pretrained" / "pytorch_model.bin", here / "mine.bin"):
        dokhae("compat", SCRIPT, *words, f"--init_checkpoint={checkpoint}")
        assert (here / "out-encoder" / "pytorch_model.bin").resolve() == checkpoint.resolve()
    (here / "x.ckpt.index").write_bytes(b"")
    outcome = dokhae("compat", SCRIPT, *words, f"--init_checkpoint={here / 'x.ckpt'}")
    assert (outcome.code, "out-encoder: has other weights, of an earlier --init_checkpoint" in outcome.err) == (2, True)


def test_a_file_of_the_old_name_has_the_variable(dokhae, here, tmp_path_factory):
    scripts = tmp_path_factory.mktemp("scripts")
    dokhae("compat", "scripts", "etri", scripts)
    text = (scripts / "run_squad_ETRI.sh").read_text(encoding="utf-8")
    assert 'export BERT_BASE_DIR="${BERT_BASE_DIR:-/root/workspace}"\n' in text
    (scripts / "run_squad_ETRI.sh").write_text(text.replace("/root/workspace", str(here / "clone")), encoding="utf-8")
    known = {name: value for name, value in os.environ.items() if name not in ("BERT_BASE_DIR", "OUTPUT_DIR")}
    done = subprocess.run(
        [scripts / "run_squad_ETRI.sh", "--num_gpus=2", "--master=x"],
        cwd=here,
        env=known,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    meaningless, shown, refused = done.stderr.splitlines()
    assert meaningless == "--master: there are no TPUs here"
    assert shown.endswith(" --num_gpus=4 --num_gpus=2")
    assert f"--init_checkpoint={here}/clone/ETRI_pretrained/model.ckpt " in shown
    assert f"--output_dir={here}/clone/squad_result " in shown
    assert (done.returncode, refused) == (
        2,
        f"dokhae: --train_file {here}/clone/eval/koquad/KorQuAD_v1.0_train.json: is not here; fetch KorQuAD with: "
        "dokhae data download korquad-1.0 --out data",
    )


@pytest.mark.slow
def test_several_workers_are_torchruns(trained, here):
    base, _ = trained
    line = f"-m torch.distributed.run --standalone --nproc-per-node 2 -m dokhae compat etri/{SCRIPT} --multi_worker"

    def start(*words):
        variables = {**os.environ, "OMP_NUM_THREADS": "1"}
        arguments = [sys.executable, *line.split(), "--output_dir=two", "--do_predict", *words]
        done = subprocess.run(
            arguments, cwd=here, env=variables, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr

    weights_file = f"--init_checkpoint={base}/ETRI_pretrained/pytorch_model.bin"
    data = f"--predict_file={base}/eval/koquad/KorQuAD_v1.0_dev.json"
    start(*named(base), data, weights_file, "--do_train", "--train_batch_size=8", "--num_train_epochs=1.0")
    assert read(here / "two" / "run.json")["processes"] == 2
    answers = (here / "two" / "predictions.json").read_bytes()
    assert len(json.loads(answers)) == 8
    start(data)
    assert (here / "two" / "predictions.json").read_bytes() == answers


@pytest.mark.slow
def test_the_command_runs_as_it_stands_where_tensorflow_is(shared, dokhae, here):
    base = write_clone(shared, here / "workspace")
    (base / "ETRI_pretrained" / "pytorch_model.bin").unlink()
    write_checkpoint(base / "ETRI_pretrained" / "model.ckpt", variables_of(pretrained()))
    line = COMMAND.replace("\\\n", " ").replace("$BERT_BASE_DIR", str(base))
    outcome = dokhae("compat", *shlex.split(line)[1:])
    assert outcome.code == 0, outcome.err
    assert {path.name.partition(".data")[0] for path in (base / "squad_result-encoder").iterdir()} == {
        "vocab.korean_morp.list", "bert_config.json", "model.ckpt.index", "model.ckpt",
    }  # fmt: skip
    assert len(read(base / "squad_result" / "predictions.json")) == 8


@pytest.mark.slow
def test_the_whole_of_the_shared_data(shared, dokhae, here):
    write_etri(here / "KorBERT")
    words = [f"--train_file={shared('korquad-1.0/train.json')}", f"--predict_file={shared('korquad-1.0/dev.json')}",
             "--vocab_file=KorBERT/vocab.korean_morp.list", "--bert_config_file=KorBERT/bert_config.json",
             "--init_checkpoint=KorBERT/pytorch_model.bin", "--do_train=True", "--do_predict=True", "--num_gpus=1",
             "--num_train_epochs=0.1", "--train_batch_size=8", "--max_query_length=128",
             "--output_dir=whole"]  # fmt: skip
    outcome = dokhae("compat", SCRIPT, *words)
    assert outcome.code == 0, outcome.err
    questions = [qa["id"] for article in read(shared("korquad-1.0/dev.json"))["data"]
                 for paragraph in article["paragraphs"] for qa in paragraph["qas"]]  # fmt: skip
    assert list(read(here / "whole" / "predictions.json")) == questions
    assert json.loads(outcome.out) == read(here / "whole" / "scores.json")["scores"]
