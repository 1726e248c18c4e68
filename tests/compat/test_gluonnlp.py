"""GluonNLP's commands for SQuAD, as its README has them, with a tiny encoder in place of each of its names."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cli.conftest import Outcome
from data.downloading import CONTENT, FILE, release
from data.local_files import served
from dokhae import benchmarks, recipes
from dokhae.cli import main
from dokhae.compat import catalogue
from dokhae.compat.gluonnlp import names
from dokhae.errors import SettingsError

README = """python3 run_squad.py \\
    --model_name google_albert_base_v2 \\
    --data_dir squad \\
    --output_dir fintune_google_albert_base_v2_squad_2.0 \\
    --version 2.0 \\
    --do_eval \\
    --do_train \\
    --batch_size 4 \\
    --num_accumulated 3 \\
    --gpus 0,1,2,3 \\
    --epochs 3 \\
    --lr 2e-5 \\
    --warmup_ratio 0.1 \\
    --wd 0.01 \\
    --max_seq_length 512 \\
    --max_grad_norm 0.1 \\
    --overwrite_cache \\
"""
EVALUATE = """python3 run_squad.py \\
    --model_name google_albert_base_v2 \\
    --data_dir squad \\
    --output_dir fintune_google_albert_base_v2_squad_2.0/evaluate \\
    --param_checkpoint fintune_google_albert_base_v2_squad_2.0/google_albert_base_v2_squad2.0_8164.params \\
    --version 2.0 \\
    --do_eval \\
    --gpus 0 \\
    --eval_batch_size 16 \\
    --overwrite_cache \\
"""
ELECTRA = """python3 run_squad.py \\
    --model_name google_electra_small \\
    --data_dir squad \\
    --output_dir fintune_google_electra_small_squad_2.0 \\
    --version 2.0 \\
    --do_eval \\
    --do_train \\
    --batch_size 32 \\
    --num_accumulated 1 \\
    --gpus 0 \\
    --epochs 2 \\
    --lr 3e-4 \\
    --layerwise_decay 0.8 \\
    --warmup_ratio 0.1 \\
    --wd 0 \\
    --max_seq_length 512 \\
    --max_grad_norm 0.1 \\
"""
ROBERTA = """python3 run_squad.py \\
    --model_name fairseq_roberta_large \\
    --data_dir squad \\
    --output_dir fintune_fairseq_roberta_large_squad_2.0 \\
    --version 2.0 \\
    --do_eval \\
    --do_train \\
    --batch_size 2 \\
    --num_accumulated 6 \\
    --gpus 0,1,2,3 \\
    --epochs 3 \\
    --lr 3e-5 \\
    --warmup_ratio 0.2 \\
    --wd 0.01 \\
    --max_seq_length 512 \\
    --max_grad_norm 0.1 \\
"""
# of the earlier README, whose variables are set as its text says
EARLIER = """python run_squad.py \\
    --model_name google_albert_base_v2 \\
    --data_dir=squad \\
    --output_dir=one_one \\
    --param_checkpoint=fintune_google_albert_base_v2_squad_2.0 \\
    --version 1.1 \\
    --do_eval \\
    --gpus 0,1,2,3 \\
    --eval_batch_size 16 \\
    --overwrite_cache \\
"""
RUN = Path("fintune_google_albert_base_v2_squad_2.0")
SCRIPT = "gluonnlp/run_squad.py"
# command file -> batch, accumulation, epochs, rate, warm-up, weight decay, length, clip, layer decay: as the last
# generate_commands.py writes it, and as the file itself says of whole-word masking
FILES = {
    "albert_base": (4, 3, 3, 2e-5, 0.1, 0.01, 512, 1.0, None),
    "albert_large": (3, 4, 3, 2e-5, 0.1, 0.01, 512, 1.0, None),
    "albert_xlarge": (1, 12, 3, 2e-5, 0.1, 0.01, 512, 0.1, None),
    "albert_xxlarge": (1, 12, 3, 2e-5, 0.1, 0.01, 512, 0.1, None),
    "electra_small": (8, 1, 2, 3e-4, 0.1, 0, 512, 1.0, 0.8),
    "electra_base": (8, 1, 2, 1e-4, 0.1, 0, 512, 1.0, 0.8),
    "electra_large": (2, 4, 2, 5e-5, 0.1, 0, 512, 1.0, 0.9),
    "gluon_en_cased_bert_base_v1": (6, 2, 3, 3e-5, 0.1, 0.01, 512, 1.0, None),
    "mobilebert": (8, 1, 5, 4e-5, 0.1, 0.01, 384, 1.0, None),
    "roberta_large": (2, 6, 3, 3e-5, 0.2, 0.01, 512, 1.0, None),
    "uncased_bert_base": (6, 2, 3, 3e-5, 0.1, 0.01, 512, 1.0, None),
    "uncased_bert_large": (2, 6, 3, 3e-5, 0.1, 0.01, 512, 1.0, None),
    "uncased_bert_wwm_large": (3, 2, 2, 3e-5, 0.1, 0.01, 384, 1.0, None),
}
NAMES = (
    "batch_size", "optimizer.accumulate", "epochs", "learning_rate", "optimizer.warmup", "optimizer.weight_decay",
    "max_length", "optimizer.clip", "optimizer.layer_decay",
)  # fmt: skip


def typed(command):
    """The words behind `python3 run_squad.py`, as a shell gives them to it."""
    words = shlex.split(command.replace("\\\n", " "))
    return [SCRIPT, *words[2:]] if words[0].startswith("python") else words


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_part(shared, there, version, part, paragraphs):
    """The first and last question of each of the first paragraphs, of SQuAD 2.0 often without an answer."""
    content = read(shared(f"squad-{version}/{part}.json"))
    first = content["data"][0]
    kept = [{**each, "qas": [*each["qas"][:1], *each["qas"][-1:]]} for each in first["paragraphs"][:paragraphs]]
    path = there / "squad" / f"{part}-v{version}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**content, "data": [{**first, "paragraphs": kept}]}), encoding="utf-8")


def in_folder(there, words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(there), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["compat", *words])
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, long_bert, shared):
    """A working directory in which the README's training was typed, and what came of it; read only."""
    there = tmp_path_factory.mktemp("gluonnlp")
    shutil.copytree(long_bert, there / "google_albert_base_v2")
    for version, part in (("2.0", "train"), ("2.0", "dev"), ("1.1", "dev")):
        write_part(shared, there, version, part, 6)
    return there, in_folder(there, typed(README))


@pytest.fixture
def a_run(trained, here):
    """A working directory with a copy of all that."""
    shutil.copytree(trained[0], here, dirs_exist_ok=True)
    return here / RUN


@pytest.fixture
def settings(dokhae, here):
    """`settings(words)`: the settings of our own training that a command shows; damaged data end it there."""

    def run(words, model="google_albert_base_v2"):
        (here / model).mkdir(exist_ok=True)
        for part in ("train-v2.0", "dev-v2.0", "train-v1.1", "dev-v1.1"):
            path = here / "squad" / f"{part}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text("{}")
        outcome = dokhae("compat", *words)
        assert outcome.code == 2, outcome
        (shown,) = [line for line in outcome.err.splitlines() if line.startswith("dokhae train ")]
        pairs = [word.removeprefix("--").partition("=")[::2] for word in shlex.split(shown)[2:]]
        return {name: value or "true" for name, value in pairs}, outcome.err

    return run


def test_the_command_of_the_readme_trains_and_scores(trained):
    there, outcome = trained
    assert outcome.code == 0, outcome.err
    config = yaml.safe_load((there / RUN / "config.yaml").read_text(encoding="utf-8"))
    asked = {
        "benchmark": "squad-2.0", "epochs": 3.0, "batch_size": 4, "learning_rate": 2e-5, "max_length": 512, "step": 128,
        "max_question_length": 64, "seed": 100, "precision": "fp32", "misplaced_answers": "repair",
        "decoding": {"n_best": 5, "max_answer_length": 30, "search": "pruned"},
    }  # fmt: skip
    assert {name: config[name] for name in asked} == asked
    steps = {"clip": 0.1, "warmup": 0.1, "weight_decay": 0.01, "adam_epsilon": 1e-6, "no_bias_correction": True,
             "schedule": "linear", "layer_decay": 1.0, "frozen_layers": 0}  # fmt: skip
    assert {name: config["optimizer"][name] for name in steps} == steps
    assert config["keep"]["best_by"] == "last"
    devices = config["devices"] or 1
    assert config["optimizer"]["accumulate"] * devices == 12  # 4 GPUs, 3 batches each


def test_what_has_no_meaning_and_what_is_not_the_same_is_said(trained):
    said = trained[1].err
    assert "--overwrite_cache: features are kept by what they are made of, so they are never old\n" in said
    assert said.count("joint answerability head is not in dokhae yet") == 1
    assert "so scores cannot be compared with those of its table" in said


def test_its_files_have_their_old_names_beside_ours(trained):
    run = trained[0] / RUN
    assert read(run / "revised_predictions.json") == read(run / "predictions.json")
    assert read(run / "na_prob.json") == read(run / "null_odds.json")
    results, scores = read(run / "best_results.json"), read(run / "scores.json")["scores"]
    assert {name: results[name] for name in scores} == scores
    assert results["best_ckpt"] == "last.ckpt"


def test_the_best_threshold_gives_what_our_own_has_fitted(trained):
    results = read(trained[0] / RUN / "best_results.json")
    assert results["total"] == 12 and 0 < results["NoAns_total"] < 12
    assert results["best_f1"] == pytest.approx(results["f1"]) and results["best_exact"] >= results["exact"]


def test_the_scores_are_those_that_dokhae_evaluate_prints(trained, dokhae):
    there, outcome = trained
    run = there / RUN
    words = (there / "squad" / "dev-v2.0.json", run / "predictions.json", "--benchmark", "squad-2.0")
    assert json.loads(dokhae("evaluate", *words).out) == read(run / "scores.json")["scores"]
    assert json.loads(outcome.out) == read(run / "scores.json")["scores"]


def test_the_readmes_checkpoint_is_the_runs_model(a_run, dokhae):
    outcome = dokhae("compat", *typed(EVALUATE))
    assert outcome.code == 0, outcome.err
    assert f"_8164.params: the model in {RUN}\n" in outcome.err
    for name in ("predictions.json", "nbest_predictions.json", "na_prob.json", "revised_predictions.json"):
        assert read(a_run / "evaluate" / name) == read(a_run / name)
    results = read(a_run / "evaluate" / "best_results.json")
    assert results == {**read(a_run / "best_results.json"), "best_ckpt": str(RUN)}
    assert json.loads(outcome.out) == read(a_run / "scores.json")["scores"]


def test_a_model_of_2_0_is_evaluated_on_1_1(a_run, dokhae, here):
    outcome = dokhae("compat", *typed(EARLIER))
    assert outcome.code == 0, outcome.err
    answers = read(here / "one_one" / "predictions.json")
    assert len(answers) == 12 and not (here / "one_one" / "na_prob.json").exists()
    assert list(read(here / "one_one" / "best_results.json")) == ["exact_match", "f1", "best_ckpt"]


def test_a_runs_own_answers_are_not_lost(a_run, refusal):
    said = refusal("compat", SCRIPT, "--version", "1.1", "--do_eval", "--output_dir", RUN)
    assert said.startswith(f"--output_dir {RUN}: has its training's answers to ")
    assert said.endswith(f"dev-v2.0.json; name another one, and --param_checkpoint {RUN}")
    assert refusal("compat", SCRIPT, "--do_train", "--output_dir", RUN) == (
        f"--output_dir {RUN}: has a run already; name another one"
    )


@pytest.mark.slow
def test_all_checkpoints_are_evaluated(trained, here, dokhae):
    shutil.copytree(trained[0] / "squad", here / "squad")
    shutil.copytree(trained[0] / "google_albert_base_v2", here / "google_albert_base_v2")
    words = [*typed(README), "--all_evaluate", "--max_saved_ckpt", "2", "--output_dir", "all", "--lr", "1e-3"]
    outcome = dokhae("compat", *words)
    assert outcome.code == 0, outcome.err
    results, run = read(here / "all" / "best_results.json"), here / "all"
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert config["keep"] == {"best_by": "f1", "best": 2, "patience": None}
    assert len(results["checkpoints"]) == 3 and results["best_ckpt"] == results["best"]["checkpoint"]
    assert results["f1"] == max(one["scores"]["f1"] for one in results["checkpoints"])
    before = (run / "best_results.json").read_bytes()
    assert dokhae("compat", SCRIPT, "--do_eval", "--all_evaluate", "--output_dir", "all").code == 0
    assert (run / "best_results.json").read_bytes() == before


def test_electra_learns_slower_below(settings):
    found, said = settings(typed(ELECTRA), "google_electra_small")
    assert (found["optimizer.layer_decay"], found["learning_rate"], found["batch_size"]) == ("0.8", "0.0003", "32")
    assert (found["optimizer.weight_decay"], found["optimizer.clip"], found["epochs"]) == ("0.0", "0.1", "2.0")
    assert "for ELECTRA alone" not in said
    found, _ = settings([*typed(ELECTRA), "--untunable_depth", "2"], "google_electra_small")
    assert found["optimizer.frozen_layers"] == "2"


def test_others_do_not(settings):
    found, said = settings([*typed(ROBERTA), "--layerwise_decay", "0.9"], "fairseq_roberta_large")
    assert "optimizer.layer_decay" not in found and "fairseq_roberta_large is trained without" in said
    assert (found["optimizer.warmup"], found["optimizer.clip"]) == ("0.2", "0.1")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--warmup_steps 40", {"optimizer.warmup": "40"}),
        ("--num_train_steps 7 --save_interval 3", {"max_steps": "7", "checkpoint_every": "3"}),
        ("--max_grad_norm -1", {"optimizer.clip": "0.0"}),
        ("--optimizer adam", {"optimizer.no_bias_correction": None}),
        ("--optimizer adamw --adam_epsilon 1e-8", {"optimizer.no_bias_correction": "true",
                                                   "optimizer.adam_epsilon": "1e-08"}),
        ("--doc_stride 64 --max_query_length 32", {"step": "64", "max_question_length": "32"}),
        ("--start_top_n 3 --end_top_n 8", {"decoding.n_best": "8"}),
        ("--max_answer_length 20 --wd 0.1", {"decoding.max_answer_length": "20", "optimizer.weight_decay": "0.1"}),
        ("--version 1.1 --seed 7", {"benchmark": "squad-1.1", "seed": "7", "train": "squad/train-v1.1.json",
                                    "dev": None}),
        ("--do_eval --all_evaluate", {"dev": "squad/dev-v2.0.json", "keep.best_by": "f1", "keep.best": "5"}),
        ("--all_evaluate", {"keep.best_by": "last", "keep.best": None}),
        ("--gpus -1 --num_accumulated 5", {"device": "cpu", "optimizer.accumulate": "5"}),
        ("--backbone_path google_albert_base_v2 --model_name google_zh_bert_base", {"model": "google_albert_base_v2"}),
    ],
)  # fmt: skip
def test_an_option_is_a_setting(settings, words, expected):
    found, _ = settings([SCRIPT, "--do_train", "--gpus", "-1", *shlex.split(words)])
    assert {name: found.get(name) for name in expected} == expected


def test_16_bits_want_a_gpu(settings):
    found, said = settings([SCRIPT, "--do_train", "--dtype", "float16"])
    if found["device"] == "cpu":
        assert found["precision"] == "auto"
        assert "--dtype float16: there is no GPU here for 16 bits; precision auto stands in their place" in said
    else:
        assert found["precision"] == "fp16"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "run_squad.py: nothing to do; give --do_train, --do_eval, or both"),
        (
            "--do_train --data_dir no",
            "no/train-v2.0.json: is not here; fetch it with: dokhae compat nlp_data prepare_squad --version 2.0 "
            "--save-path no",
        ),
        (
            "--do_eval",
            "squad_out: no training has finished there; give --do_train, or --param_checkpoint with a run or a model "
            "folder",
        ),
        (
            "--do_eval --param_checkpoint no.params",
            "--param_checkpoint no.params: is not here; name the folder of a run or model",
        ),
        (
            "--do_eval --param_checkpoint here.params",
            "--param_checkpoint here.params: is MXNet's, which cannot be read here; train again with --do_train, or "
            "name the folder of a run or model",
        ),
        (
            "--do_train --backbone_path here.params",
            "--backbone_path here.params: is not a folder, and MXNet's .params cannot be read here; name the folder of "
            "an encoder in Hugging Face's form",
        ),
        ("--do_train --optimizer sgd", "--optimizer sgd: is adamw or adam here"),
        (
            "--do_train --adam_betas (0.8,0.9)",
            "--adam_betas (0.8,0.9): they are always (0.9, 0.999) here; leave it out",
        ),
        ("--do_train --dtype int8 --gpus -1", "--dtype int8: is float32 or float16 here"),
        (
            "--do_train --model_name google_albert_base",
            "--model_name: 'google_albert_base' is not known; did you mean google_albert_base_v2?",
        ),
        (
            "--do_train --model_name gluon_electra_small_owt",
            "--model_name: gluon_electra_small_owt is GluonNLP's own, in MXNet's format, which cannot be read here; "
            "put an encoder into a folder gluon_electra_small_owt, or name another one",
        ),
        (
            "--do_train --num_acumulated 3",
            f"{SCRIPT}: --num_acumulated is not one of its options; did you mean --num_accumulated?",
        ),
        ("--version 3.0", f"{SCRIPT}: argument --version: invalid choice: '3.0' (choose from '1.1', '2.0')"),
    ],
)
def test_mistakes_are_told_in_one_line(dokhae, here, words, message):
    (here / "squad").mkdir()
    for name in ("squad/train-v2.0.json", "squad/dev-v2.0.json", "here.params"):
        (here / name).write_text("{}")
    outcome = dokhae("compat", SCRIPT, *words.split())
    assert (outcome.code, outcome.out, outcome.err.splitlines()[-1]) == (2, "", f"dokhae: {message}")


def test_every_encoder_has_a_name_on_the_hub_or_is_mxnets_alone(here):
    known = {*names.ROWS, *names.OTHERS}
    alone = {"gluon_en_cased_bert_base_v1", "gluon_electra_small_owt"}
    found = {name: names.hub_name(name) for name in known - alone}
    assert all(name.count("/") == 1 for name in found.values()) and len({*found.values()}) == len(found) == 20
    assert found["google_albert_base_v2"] == "albert/albert-base-v2"
    assert found["google_electra_large"] == "google/electra-large-discriminator"
    assert found["google_en_uncased_bert_wwm_large"] == "google-bert/bert-large-uncased-whole-word-masking"
    for name in alone:
        with pytest.raises(SettingsError, match="in MXNet's format"):
            names.hub_name(name)
    rows = {row.name.rpartition("/")[2].removesuffix("-fp16") for row in recipes.rows() if "gluonnlp/" in row.name}
    assert rows == {*names.ROWS.values()}


@pytest.mark.parametrize("name", FILES)
def test_a_command_file_says_what_it_said(settings, name):
    script = catalogue.find(f"commands/run_squad2_{name}.sh")
    model = script.what.split()[1]
    found, said = settings([f"commands/run_squad2_{name}.sh", "0", "1.1", "float32", "--gpus", "-1"], model)
    values = [None if found.get(each) is None else float(found[each]) for each in NAMES]
    assert values == [None if each is None else float(each) for each in FILES[name]]
    assert (found["benchmark"], found["out"]) == ("squad-1.1", f"fintune_{model}_squad_1.1")
    assert (found["model"], found["dev"], found["precision"]) == (model, "squad/dev-v1.1.json", "fp32")
    assert "squad/train-v1.1.json, squad/dev-v1.1.json: already there\n" in said
    assert "run_squad.py --gpus 0,1,2,3 --model_name " in said


def test_a_command_file_without_arguments_is_for_2_0(settings):
    found, said = settings(["commands/run_squad2_electra_small.sh"], "google_electra_small")
    assert (found["benchmark"], found["precision"]) == ("squad-2.0", "fp32")
    assert "--dtype float32" in said


def test_a_command_file_fetches_what_is_not_there(dokhae, here, published):
    outcome = dokhae("compat", "commands/run_squad2_albert_base.sh", "0", "2.0", "float32", "--gpus", "-1")
    assert outcome.code == 2  # there is no such encoder here
    assert "dokhae data download squad-2.0 --out=squad\n" in outcome.err
    assert (here / "squad" / "dev-v2.0.json").read_bytes() == CONTENT


def test_a_command_file_knows_its_arguments(refusal):
    said = refusal("compat", "commands/run_squad2_albert_base.sh", "0", "3.0")
    assert said.endswith("albert_base.sh: argument version: invalid choice: '3.0' (choose from '1.1', '2.0')")


@pytest.fixture
def published(monkeypatch):
    """A server with a SQuAD 2.0 of its own."""
    monkeypatch.setenv("NO_PROXY", "*")
    with served(CONTENT) as files:
        both = [
            replace(FILE, name=name, address=f"{files.url}/{name}") for name in ("train-v2.0.json", "dev-v2.0.json")
        ]
        own = release(*both)
        rows = [replace(row, release=own) if row.name == "squad-2.0" else row for row in benchmarks.BENCHMARKS]
        monkeypatch.setattr(benchmarks, "BENCHMARKS", tuple(rows))
        yield files


def test_squad_is_fetched_once(dokhae, here, published):
    words = ("compat", *typed("nlp_data prepare_squad --version 2.0"), "--source", published.url)
    outcome = dokhae(*words)
    assert (outcome.code, outcome.out) == (0, "squad/train-v2.0.json\nsquad/dev-v2.0.json\n")
    assert f"dokhae data download squad-2.0 --out=squad --source={published.url}\n" in outcome.err
    assert (here / "squad" / "dev-v2.0.json").read_bytes() == CONTENT
    assert dokhae(*words).code == 0 and len(published.asked) == 2
    (here / "squad" / "dev-v2.0.json").write_text("mine")
    assert dokhae(*words).code == 2
    assert dokhae(*words, "--overwrite", "--cache-path", "x").err.startswith(
        "--cache-path: the files themselves are in"
    )
    assert (here / "squad" / "dev-v2.0.json").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "-np 4 -H a:2,b:2 python3 run_squad.py --do_train",
            "-H a:2,b:2: other machines are not reached from here; type on each of them: torchrun --nnodes 2 "
            "--nproc-per-node 2 --rdzv-backend c10d --rdzv-id squad --rdzv-endpoint a:29500 "
            f"-m dokhae compat {SCRIPT} --do_train",
        ),
        ("-np 4 -H localhost:2 python3 run_squad.py --do_train", "-np 4: the hosts in -H have 2 slots"),
        (
            "-np 4 -H localhost:x python3 run_squad.py --do_train",
            "-H localhost:x: has to be hosts with their numbers of processes, such as localhost:4",
        ),
        ("-np 4 python3 train.py", "horovodrun: starts python3 run_squad.py alone, not python3 train.py"),
        ("-np 4", "horovodrun: starts python3 run_squad.py alone, not nothing"),
        ("-np 2 python3 run_squad.py --gpus 0", "run_squad.py: nothing to do; give --do_train, --do_eval, or both"),
        (
            "-np 2 python3 run_squad.py --do_eval --comm horovood",
            f"{SCRIPT}: argument --comm_backend: invalid choice: 'horovood' (choose from 'horovod', "
            "'dist_sync_device', 'device')",
        ),
    ],
)
def test_what_horovodrun_cannot_start_is_told_before(refusal, here, words, message):
    (here / "squad").mkdir()
    (here / "google_albert_base_v2").mkdir()
    (here / "squad" / "train-v2.0.json").write_text("{}")
    assert refusal("compat", "horovodrun", *words.split()) == message


def in_a_shell(there, scripts, words):
    """A command typed in a working directory, the folder of scripts in front of all others in PATH."""
    variables = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=there, env=variables, capture_output=True, text=True, timeout=280, check=False)


def test_a_file_of_the_old_name_does_the_same(dokhae, here, tmp_path_factory):
    scripts = tmp_path_factory.mktemp("scripts")
    made = dokhae("compat", "scripts", "gluonnlp", scripts).out.splitlines()
    assert len(made) == 17 and str(scripts / "commands" / "run_squad2_albert_base.sh") in made
    done = in_a_shell(here, scripts, ["nlp_data", "prepare_squad", "--version", "2.0", "--source", "nowhere"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "dokhae: source 'nowhere' is neither an http(s) address nor a folder"


@pytest.mark.slow
@pytest.mark.parametrize("starter", ["horovodrun", "mpirun"])
def test_horovodrun_is_torchrun(trained, here, dokhae, tmp_path_factory, starter):
    shutil.copytree(trained[0], here, dirs_exist_ok=True)
    scripts = tmp_path_factory.mktemp("scripts")
    dokhae("compat", "scripts", "gluonnlp", scripts)
    line = f"{starter} -np 2 -H localhost:2 python3 run_squad.py --comm_backend horovod --do_train --do_eval"
    rest = "--batch_size 4 --num_accumulated 6 --lr 2e-5 --epochs 3 --max_grad_norm 0.1 --output_dir two"
    done = in_a_shell(here, scripts, [*line.split(), *rest.split()])
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Horovod is torchrun here: python -m torch.distributed.run --standalone ")
    assert done.stderr.count("joint answerability head") == 1
    assert read(here / "two" / "run.json")["processes"] == 2
    # two processes with 6 batches a step each compute what one does with 12
    assert json.loads(done.stdout) == pytest.approx(read(here / RUN / "scores.json")["scores"])
    assert (here / "two" / "revised_predictions.json").exists() and (here / "two" / "best_results.json").exists()
    again = in_a_shell(here, scripts, [*line.split(), *rest.split()])
    assert (again.returncode, "has a run already" in again.stderr) == (2, True)


@pytest.mark.slow
def test_a_command_file_trains_with_four_processes(trained, here, dokhae, tmp_path_factory):
    shutil.copytree(trained[0] / "squad", here / "squad")
    shutil.copytree(trained[0] / "google_albert_base_v2", here / "google_albert_base_v2")
    scripts = tmp_path_factory.mktemp("scripts")
    dokhae("compat", "scripts", "gluonnlp", scripts)
    done = in_a_shell(here, scripts, ["sh", scripts / "commands/run_squad2_albert_base.sh", "1", "2.0", "float16"])
    assert done.returncode == 0, done.stderr
    assert "horovodrun -np 4 -H localhost:4 python3 run_squad.py --comm_backend horovod --model_name " in done.stderr
    assert read(here / RUN / "run.json")["processes"] == 4 and (here / RUN / "na_prob.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [ELECTRA, ROBERTA])
def test_the_other_trainings_of_the_readme_run(trained, here, dokhae, command):
    shutil.copytree(trained[0] / "squad", here / "squad")
    words = typed(command)
    shutil.copytree(trained[0] / "google_albert_base_v2", here / words[2])
    outcome = dokhae("compat", *words)
    assert outcome.code == 0, outcome.err
    assert (here / f"fintune_{words[2]}_squad_2.0" / "best_results.json").exists()


@pytest.mark.slow
def test_the_whole_of_the_shared_data(shared, long_bert, here, dokhae):
    shutil.copytree(long_bert, here / "google_electra_small")
    (here / "squad").mkdir()
    for part in ("train", "dev"):
        shutil.copyfile(shared(f"squad-2.0/{part}.json"), here / "squad" / f"{part}-v2.0.json")
    words = ["--num_train_steps", "20", "--batch_size", "8", "--gpus", "-1", "--model_name", "google_electra_small"]
    outcome = dokhae("compat", SCRIPT, "--do_train", "--do_eval", "--layerwise_decay", "0.8", *words)
    assert outcome.code == 0, outcome.err
    dev = read(here / "squad" / "dev-v2.0.json")["data"]
    questions = [qa["id"] for article in dev for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    for name in ("predictions.json", "revised_predictions.json", "na_prob.json", "nbest_predictions.json"):
        assert list(read(here / "squad_out" / name)) == questions
    best = read(here / "squad_out" / "best_results.json")
    words = ("predictions.json", "--benchmark", "squad-2.0", "--na_probs", "squad_out/na_prob.json")
    scores = json.loads(dokhae("evaluate", "squad/dev-v2.0.json", f"squad_out/{words[0]}", *words[1:]).out)
    assert {name: best[name] for name in ("exact", "total")} == {name: scores[name] for name in ("exact", "total")}
    assert best["best_f1"] >= scores["best_f1"] - 1e-9 and best["best_f1"] == pytest.approx(best["f1"])
