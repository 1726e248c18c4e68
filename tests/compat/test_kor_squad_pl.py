"""KorSQuAD-pl's command lines as its READMEs have them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from compat.conftest import Outcome
from data.archives import archive, archives_in, folder
from data.downloading import FILE, OTHER, release, squad
from data.local_files import served
from dokhae import benchmarks, evaluation
from dokhae.cli import main

README = """run_qa.py --model_type bert \\
                  --model_name_or_path bert-base-uncased \\
                  --data_name squad_v2.0 \\
                  --do_train \\
                  --do_eval \\
                  --gpu_ids 0 \\
                  --max_seq_length 384 \\
                  --num_train_epochs 2 \\
                  --batch_size 16 \\
                  --learning_rate 3e-5 \\
                  --adam_epsilon 1e-8"""
LARGE = """--model_type bert \\
                  --model_name_or_path bert-large-uncased-whole-word-masking \\
                  --data_name squad_v2.0"""
DISTRIBUTED = f"""run_qa.py {LARGE} \\
                  --do_train \\
                  --gpu_ids 0,1,2,3 \\
                  --max_seq_length 384 \\
                  --num_train_epochs 2 \\
                  --batch_size 4 \\
                  --learning_rate 3e-5 \\
                  --adam_epsilon 1e-8"""
ALONE = f"""run_qa.py {LARGE} \\
                  --do_eval \\
                  --gpu_ids 0 \\
                  --max_seq_length 384 \\
                  --num_train_epochs 2 \\
                  --batch_size 4 \\
                  --learning_rate 3e-5 \\
                  --adam_epsilon 1e-8"""
EARLIER = """run_qa.py --model_type bert \\
                  --model_name_or_path bert-base-uncased \\
                  --do_lower_case \\
                  --data_name squad_v2.0 \\
                  {} \\
                  --gpu_id 0 \\
                  --batch_size 12 \\
                  --learning_rate 3e-5"""
RUN = Path("model/squad_v2.0/bert-base-uncased")
OLD_FILES = ["nbest_predictions_eval.json", "null_odds_eval.json", "predictions_eval.json", "result.json"]


def typed(command):
    """The words of a command as a shell would give them; shlex does not know that a backslash joins two lines."""
    return shlex.split(command.replace("\\\n", " "))


def part_of(content, paragraphs):
    """The first paragraphs of a file in SQuAD form, with two questions each."""
    first = content["data"][0]
    kept = [{**each, "qas": [*each["qas"][:1], *each["qas"][-1:]]} for each in first["paragraphs"][:paragraphs]]
    return {**content, "data": [{**first, "paragraphs": kept}]}


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def without_gpus():
    """The machines of the old READMEs are not here, and what is shown without a GPU is the same everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.device_count", lambda: 0)
        patch.setattr("torch.cuda.is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory, long_bert, shared):
    """A working directory in which the README's command was typed, and what came of it; read only."""
    there = tmp_path_factory.mktemp("kor-squad-pl")
    shutil.copytree(long_bert, there / "bert-base-uncased")
    for name, paragraphs in (("train", 8), ("dev", 4)):
        path = there / "data" / "squad_v2.0" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(part_of(read(shared(f"squad-2.0/{name}.json")), paragraphs)), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(there), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["compat", *typed(README)])
    return there, Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture
def a_run(trained, here):
    """A working directory with a copy of all that."""
    shutil.copytree(trained[0], here, dirs_exist_ok=True)
    return here / RUN


@pytest.fixture
def line(dokhae, here):
    """`line("--do_train ...", data="squad_v2.0")`: the words of our command that run_qa.py shows before it runs."""

    def run(words, data="squad_v2.0"):
        for part in ("train", "dev"):
            path = here / "data" / data / f"{part}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
        asked = f"run_qa.py --model_type bert --model_name_or_path ./missing --data_name {data} --do_train {words}"
        outcome = dokhae("compat", *typed(asked))
        assert outcome.code == 2, outcome
        (shown,) = [each for each in outcome.err.splitlines() if each.startswith("dokhae train ")]
        return shlex.split(shown)[2:]

    return run


def test_the_command_of_the_readme_trains_and_scores(trained):
    there, outcome = trained
    assert outcome.code == 0, outcome.err
    run = there / RUN
    assert [path.name for path in sorted(run.glob("*_eval.json"))] + ["result.json"] == OLD_FILES
    assert "--gpu_ids 0: there is no GPU here; the CPU takes its place" in outcome.err
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    asked = {
        "benchmark": "squad-2.0", "epochs": 2.0, "batch_size": 16, "learning_rate": 3e-5, "max_length": 384,
        "step": 128, "max_question_length": 64, "null_threshold": 0.0, "seed": 42, "precision": "fp32",
    }  # fmt: skip
    assert {name: config[name] for name in asked} == asked
    assert config["optimizer"] == {
        "weight_decay": 0.01, "adam_epsilon": 1e-8, "schedule": "constant", "power": 1.0, "warmup": 0.0, "clip": 0.0,
        "accumulate": 1, "no_bias_correction": False, "layer_decay": 1.0, "frozen_layers": 0, "offload": False,
    }  # fmt: skip
    assert config["decoding"] == {"n_best": 20, "max_answer_length": 30, "search": "pruned"}
    assert config["keep"]["best_by"] == "loss"


def test_files_of_the_old_names_are_the_trainings_own(trained):
    run = trained[0] / RUN
    for ours in ("predictions.json", "nbest_predictions.json", "null_odds.json"):
        assert (run / ours.replace(".json", "_eval.json")).read_bytes() == (run / ours).read_bytes()
    assert read(run / "result.json") == read(run / "scores.json")["scores"]
    assert trained[1].out.endswith(json.dumps(read(run / "result.json"), indent=4) + "\n")
    assert read(run / "result.json")["total"] == 8


def test_checkpoints_and_tensorboard_are_below_the_old_folder(trained):
    run = trained[0] / RUN
    assert list(run.rglob("events.out.tfevents.*"))
    assert list(run.rglob("*.ckpt"))
    assert (run / "model" / "config.json").exists()


def test_evaluation_alone_gives_the_same_as_after_the_training(dokhae, a_run):
    before = {name: (a_run / name).read_bytes() for name in OLD_FILES}
    for name in OLD_FILES:
        (a_run / name).unlink()
    evaluated = README.replace("--do_train", "").replace("--gpu_ids 0", "--gpu_ids 0,1")
    outcome = dokhae("compat", *typed(evaluated))
    assert outcome.code == 0, outcome.err
    assert {name: (a_run / name).read_bytes() for name in OLD_FILES} == before
    assert not list(a_run.glob(".evaluation*"))


def test_evaluation_takes_another_null_threshold_and_leaves_the_run_alone(dokhae, a_run):
    own = (a_run / "predictions.json").read_bytes()
    asked = README.replace("--do_train", "--null_score_diff_threshold=-1e9 --n_best_size 3")
    assert dokhae("compat", *typed(asked)).code == 0
    assert set(read(a_run / "predictions_eval.json").values()) == {""}
    assert max(map(len, read(a_run / "nbest_predictions_eval.json").values())) == 3
    assert (a_run / "predictions.json").read_bytes() == own
    result = read(a_run / "result.json")
    assert result == evaluation.evaluate("data/squad_v2.0/dev.json", a_run / "predictions_eval.json", "squad-2.0")


def test_a_training_that_is_there_is_not_written_over(refusal, a_run):
    assert refusal("compat", *typed(README)) == (
        f"{RUN}: has a training already; leave out --do_train to evaluate it, or move it away to train anew"
    )


def test_what_is_not_said_is_as_in_the_last_version(line):
    assert line("") == [
        "--benchmark=squad-2.0", "--precision=fp32", "--step=128", "--max_question_length=64", "--batch_size=32",
        "--epochs=3", "--null_threshold=0.0", "--misplaced_answers=skip", "--optimizer.weight_decay=0.01",
        "--optimizer.adam_epsilon=1e-08", "--optimizer.schedule=constant", "--optimizer.warmup=0",
        "--optimizer.clip=0", "--decoding.n_best=20", "--decoding.max_answer_length=30",
        "--decoding.search=pruned", "--keep.best_by=loss", "--max_length=384", "--learning_rate=3e-05", "--seed=42",
        "--optimizer.accumulate=1", "--device=cpu", "--model=./missing",
        "--train=data/squad_v2.0/train.json", "--dev=data/squad_v2.0/dev.json",
        "--out=model/squad_v2.0/.-missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("--null_score_diff_threshold -1.5", "--null_threshold=-1.5"),
        ("--max_seq_length 512", "--max_length=512"),
        ("--doc_stride 64", "--step=64"),
        ("--max_query_length 32", "--max_question_length=32"),
        ("--num_train_epochs 4", "--epochs=4"),
        ("--batch_size 8", "--batch_size=8"),
        ("--learning_rate 5e-5", "--learning_rate=5e-05"),
        ("--weight_decay 0.1", "--optimizer.weight_decay=0.1"),
        ("--adam_epsilon 1e-6", "--optimizer.adam_epsilon=1e-06"),
        ("--n_best_size 5", "--decoding.n_best=5"),
        ("--max_answer_length 10", "--decoding.max_answer_length=10"),
        ("--seed 7", "--seed=7"),
        ("--gpu_ids -1", "--device=cpu"),
        ("--gpu_id 0,3", "--optimizer.accumulate=2"),
        ("--gpus 4", "--optimizer.accumulate=4"),
        ("--gpus 1,2,3", "--optimizer.accumulate=3"),
        ("--gpus 2 --accumulate_grad_batches 4", "--optimizer.accumulate=8"),
        ("--max_epochs 5", "--epochs=5"),
        ("--max_epochs 5 --num_train_epochs 2", "--epochs=2"),
        ("--max_steps 100", "--max_steps=100"),
        ("--gradient_clip_val 1.0", "--optimizer.clip=1.0"),
        ("--precision 16", "--precision=auto"),  # without a GPU
        ("--precision 32", "--precision=fp32"),
    ],
)
def test_each_option_has_its_setting(line, given, shown):
    assert shown in line(given)


@pytest.mark.parametrize(
    ("data", "benchmark"),
    [("korquad_v1.0", "korquad-1.0"), ("squad_v1.1", "squad-1.1"), ("squad_v1", "squad-1.1"),
     ("korquad_v2.0", "korquad-2.1")],
)  # fmt: skip
def test_each_data_set_has_its_benchmark_and_its_folders(line, data, benchmark):
    shown = line("", data)
    assert f"--benchmark={benchmark}" in shown
    assert f"--train=data/{data}/train.json" in shown
    assert f"--out=model/{data}/.-missing" in shown


def test_answers_in_pages_may_be_long(line):
    assert not [word for word in line("", "korquad_v2.0") if "max_answer_length" in word]
    assert "--decoding.max_answer_length=30" in line("--max_answer_length 30", "korquad_v2.0")


def test_models_have_the_names_of_today_and_folders_those_of_old(dokhae, here):
    for name in ("train", "dev"):
        (here / "data/korquad_v1.0").mkdir(parents=True, exist_ok=True)
        (here / f"data/korquad_v1.0/{name}.json").write_text("{}")
    asked = "run_qa.py --model_type KoELECTRA --model_name_or_path ./monologg/KoELECTRA --data_name KorQuAD_v1.0"
    err = dokhae("compat", *typed(asked), "--do_train").err
    assert "--model=./monologg/KoELECTRA" in err
    assert "--out=model/korquad_v1.0/.-monologg-koelectra" in err


def test_options_without_a_meaning_are_said(dokhae, here):
    asked = "run_qa.py --model_type bert --model_name_or_path m --do_lower_case --lang_id 2 --deterministic"
    outcome = dokhae("compat", *typed(asked), "--resume_from_checkpoint", "x.ckpt", "--precision", "32")
    lines = outcome.err.splitlines()
    assert lines[:4] == [
        "--do_lower_case: the model's own tokenizer knows whether it lower-cases",
        "--lang_id: it was for XLM alone, whose language embeddings are not used here",
        "--resume_from_checkpoint: an option of Lightning that run_qa.py took and never used; "
        "an interrupted run goes on with: dokhae train --resume ./model/DATA/MODEL",
        "--deterministic: an option of Lightning that run_qa.py took and never used",
    ]
    assert lines[4] == "--precision: run_qa.py took it and never used it; here it counts"
    assert outcome.code == 2


BERT = "--model_type bert --model_name_or_path m"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (BERT, "run_qa.py does nothing without --do_train or --do_eval; give one of them, or both"),
        ("--do_train", "run_qa.py needs --model_type and --model_name_or_path, such as"),
        (f"{BERT} --do_train", "data/squad_v2.0/train.json: there is no such file; fetch the data with: "
                               "dokhae compat download_squad.py --download_dir ./data"),
        (f"{BERT} --do_train --data_name korquad_v2.0",
         "data/korquad_v2.0/train.json: there is no such file and no folder data/korquad_v2.0/train; fetch the data "
         "with: dokhae compat download_korquad.py --download_dir ./data --data_name korquad_v2.0"),
        (f"{BERT} --do_train --data_name squad_v2",
         "data/squad_v2/train.json: there is no such file; say --data_name squad_v2.0, or put the data there"),
        (f"{BERT} --do_eval", "model/squad_v2.0/m/model: there is no trained model; train it first, with --do_train"),
        (f"{BERT} --do_train --data_name squad_v3", "--data_name squad_v3 is not known; did you mean squad_v"),
        ("--model_type brt --model_name_or_path m --do_train", "--model_type brt is not known; did you mean bert?"),
        (f"{BERT} --do_trian", "kor-squad-pl/run_qa.py: --do_trian is not one of its options; did you mean --do_train"),
        (f"{BERT} --do_train --precision 64", "--precision 64: models are trained in 32 or 16 bits here"),
        (f"{BERT} --do_train --batch_size many", "argument --batch_size: invalid int value: 'many'"),
        ("--text_reader kobert --do_train --data_name squad_v2", "--text_reader kobert is not known for squad_v2; "
                                                                 "known are bert"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(dokhae, here, words, message):
    if "--precision 64" in words:
        (here / "data/squad_v2.0").mkdir(parents=True)
    outcome = dokhae("compat", "kor-squad-pl/run_qa.py", *typed(words))
    assert outcome.code == 2
    assert message in outcome.err.splitlines()[-1]


def test_the_first_versions_named_a_model_by_its_reader(dokhae, here):
    for name in ("train", "dev"):
        (here / "data/korquad_v2").mkdir(parents=True, exist_ok=True)
        (here / f"data/korquad_v2/{name}.json").write_text("{}")
    (here / "bert-base-multilingual-cased").mkdir()
    outcome = dokhae("compat", *typed("run_qa.py --do_train --text_reader bert --data_name korquad_v2"))
    assert outcome.code == 2
    assert "--model=bert-base-multilingual-cased" in outcome.err
    assert "--out=model/korquad_v2/bert-base-multilingual-cased" in outcome.err


def a_file(name, content):
    return replace(FILE, name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def published(monkeypatch):
    """A server of the files of KorQuAD 1.0 and of both SQuADs, which are small here; its contents by path."""
    monkeypatch.setenv("NO_PROXY", "*")
    contents, rows = {}, []
    for row in benchmarks.BENCHMARKS:
        names = [file.name for file in row.release.files]
        if row.name in ("korquad-1.0", "squad-1.1", "squad-2.0"):
            own = {name: squad(1, f"{name} {row.name}") for name in names}
            contents |= {f"/{name}": content for name, content in own.items()}
            row = replace(row, release=release(*(a_file(name, content) for name, content in own.items())))
        rows.append(row)
    monkeypatch.setattr(benchmarks, "BENCHMARKS", tuple(rows))
    with served(b"") as files:
        files.contents = contents
        yield files


def names_in(path):
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_korquad_is_fetched_under_its_old_names_and_once(dokhae, here, published):
    asked = typed("download_korquad.py --download_dir ./data")
    assert dokhae("compat", *asked, "--source", published.url).code == 0
    train, dev = (here / "data/korquad_v1.0" / f"{part}.json" for part in ("train", "dev"))
    assert train.read_bytes() == published.contents["/KorQuAD_v1.0_train.json"]
    assert dev.read_bytes() == published.contents["/KorQuAD_v1.0_dev.json"]
    assert len(published.asked) == 2
    (here / "data/korquad_v1.0/KorQuAD_v1.0_train.json").unlink()  # as the old script has left it
    dev.unlink()
    again = dokhae("compat", *asked, "--source", published.url)
    assert (again.code, len(published.asked)) == (0, 2)
    assert dev.read_bytes() == published.contents["/KorQuAD_v1.0_dev.json"]
    last = dokhae("compat", *asked)
    assert last.err.splitlines() == ["data/korquad_v1.0/train.json, data/korquad_v1.0/dev.json: already there, intact"]
    assert len(published.asked) == 2


def test_squad_is_fetched_in_both_versions(dokhae, here, published):
    asked = typed("download_squad.py --download_dir ./data")
    assert dokhae("compat", *asked, "--source", published.url).code == 0
    assert names_in(here / "data") == [
        "squad_v1.1/dev-v1.1.json", "squad_v1.1/dev.json", "squad_v1.1/train-v1.1.json", "squad_v1.1/train.json",
        "squad_v2.0/dev-v2.0.json", "squad_v2.0/dev.json", "squad_v2.0/train-v2.0.json", "squad_v2.0/train.json",
    ]  # fmt: skip
    found = (here / "data/squad_v2.0/dev.json").read_bytes()
    assert found == published.contents["/dev-v2.0.json"]


def test_a_file_that_is_not_the_published_one_stays_until_it_may_go(dokhae, refusal, here, published):
    path = here / "data/korquad_v1.0/train.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    asked = ["compat", "download_korquad.py", "--source", published.url]
    assert refusal(*asked).startswith("data/korquad_v1.0/train.json: is not the file that was published: it has ")
    assert (path.read_bytes(), published.asked) == (OTHER, [])
    assert dokhae(*asked, "--overwrite").code == 0
    assert path.read_bytes() == published.contents["/KorQuAD_v1.0_train.json"]


def test_korquad_2_is_fetched_where_it_is_asked_for(dokhae, here, monkeypatch, tmp_path):
    train, dev = archive("train_00.zip", "a.json", "b.json"), archive("dev_00.zip", "d.json")
    both = release(folder(train, name="korquad-2.1/train"), folder(dev, name="korquad-2.1/dev"))
    row = replace(benchmarks.find("korquad-2.1"), release=both)
    others = [one for one in benchmarks.BENCHMARKS if one.name != row.name]
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (*others, row))
    asked = [
        "download_korquad.py",
        "--data_name",
        "korquad_v2.0",
        "--source",
        archives_in(tmp_path / "zips", train, dev),
    ]
    assert dokhae("compat", *asked).code == 0
    assert names_in(here / "data/korquad_v2.0") == ["dev/d.json", "train/a.json", "train/b.json"]
    for name in ("dev/d.json", "train/a.json"):
        assert (here / "data/korquad_v2.0" / name).samefile(here / "data/korquad-2.1" / name)  # 7.2 GB once
    assert dokhae("compat", *asked).err.count(": already there, intact\n") == 2


def test_korquads_official_script_by_its_own_name(dokhae, shared):
    rows = json.loads(shared("official-scores/manifest.json").read_text(encoding="utf-8"))
    row = next(row for row in rows if row["task"] == "korquad-1.0")
    files = ["--dataset_file", shared(row["data"]), "--prediction_file", shared(row["predictions"])]
    assert dokhae("compat", "evaluate_korquad_v1.py", *files).out == f"{json.dumps(row['scores'])}\n"


def test_scripts_of_the_old_names_run_in_any_folder(dokhae, here, some_of):
    data = some_of("korquad-1.0/dev.json", "data/korquad_v1.0/dev.json", 4)
    answers = {qa["id"]: qa["answers"][0]["text"] for article in read(data)["data"]
               for paragraph in article["paragraphs"] for qa in paragraph["qas"]}  # fmt: skip
    (here / "model").mkdir()
    (here / "model/predictions_eval.json").write_text(json.dumps(answers), encoding="utf-8")
    written = dokhae("compat", "scripts", "kor-squad-pl", here / "old").out.split()
    assert [Path(path).name for path in written] == [
        "run_qa.py", "download_korquad.py", "download_squad.py", "evaluate_korquad_v1.py",
    ]  # fmt: skip
    asked = "--dataset_file ./data/korquad_v1.0/dev.json --prediction_file ./model/predictions_eval.json"
    done = subprocess.run([sys.executable, "old/evaluate_korquad_v1.py", *asked.split()],
                          cwd=here, capture_output=True, text=True, timeout=60, encoding="utf-8")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, '{"exact_match": 100.0, "f1": 100.0}\n'), done.stderr


@pytest.mark.slow
def test_distributed_training_and_the_evaluation_after_it(dokhae, here, encoder, some_of):
    encoder("bert-large-uncased-whole-word-masking")
    some_of("squad-2.0/train.json", "data/squad_v2.0/train.json", 16)
    some_of("squad-2.0/dev.json", "data/squad_v2.0/dev.json", 8)
    outcome = dokhae("compat", *typed(DISTRIBUTED))
    assert outcome.code == 0, outcome.err
    run = here / "model/squad_v2.0/bert-large-uncased-whole-word-masking"
    assert not (run / "result.json").exists()
    assert dokhae("compat", *typed(ALONE)).code == 0
    assert read(run / "result.json") == read(run / "scores.json")["scores"]
    assert read(run / "predictions_eval.json") == read(run / "predictions.json")


@pytest.mark.slow
def test_the_command_lines_of_the_earlier_readme(dokhae, here, encoder, some_of):
    encoder("bert-base-uncased")
    some_of("squad-2.0/train.json", "data/squad_v2.0/train.json", 16)
    some_of("squad-2.0/dev.json", "data/squad_v2.0/dev.json", 8)
    assert dokhae("compat", *typed(EARLIER.format("--do_train"))).code == 0
    assert dokhae("compat", *typed(EARLIER.format("--do_eval"))).code == 0
    alone = read(RUN / "predictions_eval.json")
    shutil.move(RUN, here / "before")
    assert dokhae("compat", *typed(EARLIER.format("--do_train --do_eval"))).code == 0
    assert read(RUN / "predictions_eval.json") == alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "files", "model", "questions"),
    [
        ("korquad_v1.0", "korquad-1.0", "bert-base-multilingual-cased", 2000),  # two of each paragraph
        ("squad_v1.1", "squad-1.1", "bert-base-uncased", 300),
    ],
)
def test_the_other_data_sets(dokhae, here, encoder, some_of, data, files, model, questions):
    """A tiny encoder on the dev file, whose questions it is trained on too."""
    encoder(model)
    for part in ("train", "dev"):
        some_of(f"{files}/dev.json", f"data/{data}/{part}.json", questions)
    asked = f"run_qa.py --model_type bert --model_name_or_path {model} --data_name {data} --do_train --do_eval"
    outcome = dokhae("compat", *typed(asked), "--num_train_epochs", "1")
    assert outcome.code == 0, outcome.err
    run, dev = here / "model" / data / model, here / "data" / data / "dev.json"
    own = evaluation.evaluate(dev, run / "predictions_eval.json", files)
    result = read(run / "result.json")
    assert own == read(run / "scores.json")["scores"]
    assert (result.get("exact_match", result.get("exact")), result["f1"]) == (own["exact_match"], own["f1"])
    assert not (run / "null_odds_eval.json").exists()


@pytest.mark.slow
def test_korquad_2_from_folders_of_files(dokhae, here, encoder, shared):
    encoder("bert-base-multilingual-cased")
    content = read(shared("korquad-2.1-sample/korquad2.1_train_sample.json"))
    for part, pages in (("train", content["data"][:1]), ("dev", content["data"][1:2])):
        path = here / "data/korquad_v2.0" / part / "korquad2.1_00.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**content, "data": pages}), encoding="utf-8")
    asked = "run_qa.py --model_type bert --model_name_or_path bert-base-multilingual-cased --data_name korquad_v2.0"
    outcome = dokhae("compat", *typed(asked), "--do_train", "--do_eval", "--num_train_epochs", "1")
    assert outcome.code == 0, outcome.err
    run = here / "model/korquad_v2.0/bert-base-multilingual-cased"
    assert read(run / "result.json") == read(run / "scores.json")["scores"]
    assert read(run / "predictions_eval.json") == read(run / "predictions.json")
