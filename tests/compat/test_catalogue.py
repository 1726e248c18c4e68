"""Scripts by name, their tables, and files of their names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dokhae import recipes
from dokhae.compat import catalogue
from dokhae.errors import DataError
from dokhae.recipes.dotted import settings_by_name
from dokhae.tasks.config import ClassifyConfig

SCRIPTS = catalogue.scripts()
KNOWN = settings_by_name() | settings_by_name(ClassifyConfig)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_table_says_what_becomes_of_every_option(script):
    assert len({flag.key for flag in script.flags}) == len(script.flags)
    for flag in script.flags:
        assert (flag.to is not None) + bool(flag.note) + bool(flag.gone) == 1, flag.name


def test_a_setting_that_a_table_names_is_one():
    trainers = [script for script in SCRIPTS if "do_train" in {flag.key for flag in script.flags}]
    named = {flag.to for script in trainers for flag in script.flags if flag.to is not None}
    assert named - KNOWN.keys() == set()


def test_the_document_has_every_script_and_every_option_that_means_something():
    said = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
    for script in SCRIPTS:
        _, is_command, name = script.file.partition("commands/run_squad2_")
        assert (f"`{name.removesuffix('.sh')}`" if is_command else script.file) in said
        options = [flag for flag in script.flags if flag.name.startswith("-") and not flag.gone]
        assert [flag.name for flag in options if flag.name not in said] == []


def test_names():
    assert catalogue.find("kor-squad-pl/run_qa.py").name == "kor-squad-pl/run_qa.py"
    assert catalogue.find("./run_qa.py").name == "kor-squad-pl/run_qa.py"
    assert catalogue.find("examples/run_classifier.py").name == "bert-pytorch/run_classifier.py"
    assert catalogue.find("run_squad.py", ["--bert_model=x", "--do_train"]).name == "bert-pytorch/run_squad.py"
    assert catalogue.find("run_squad.py", ["--model_name", "google_electra_small"]).name == "gluonnlp/run_squad.py"
    misspelt = ["--bert_model", "x", "--do_train", "--trian_file", "y"]
    assert catalogue.find("run_squad.py", misspelt).name == "bert-pytorch/run_squad.py"  # which then says what is wrong
    assert catalogue.find("run_squad.py", ["dev.json", "predictions.json"]).name == "lyeoni/run_squad.py"


def test_a_name_that_is_of_several(refusal):
    assert refusal("compat", "run_squad.py", "--do_train") == (
        "compat: run_squad.py is a script of several predecessors; "
        "say bert-pytorch/run_squad.py or gluonnlp/run_squad.py"
    )


def test_a_name_that_is_not_known(refusal):
    assert refusal("compat", "run_clasifier.py") == (
        "compat: 'run_clasifier.py' is not a script of a predecessor; did you mean run_classifier.py?"
    )


def test_the_listing_and_a_table(dokhae):
    said = dokhae("compat").out
    assert all(script.name in said for script in SCRIPTS)
    table = dokhae("compat", "run_qa.py", "--help").out
    assert "--max_seq_length" in table and "--max_length (default there: 384)" in table


def test_files_of_the_old_names(dokhae, refusal, tmp_path):
    told = dokhae("compat", "scripts", "--help")
    assert (told.code, told.out) == (0, dokhae("compat", "--help").out)
    made = dokhae("compat", "scripts", "lyeoni", tmp_path).out.splitlines()
    assert sorted(made) == sorted(str(tmp_path / script.file) for script in catalogue.scripts("lyeoni"))
    assert dokhae("compat", "scripts", "lyeoni", tmp_path).code == 0  # its own files are written again
    done = subprocess.run(
        [sys.executable, tmp_path / "check_cuda.py"], capture_output=True, text=True, timeout=60, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, "") and "CUDA" in done.stdout
    (tmp_path / "check_cuda.py").write_text("mine", encoding="utf-8")
    assert refusal("compat", "scripts", "lyeoni", tmp_path) == (
        f"{tmp_path / 'check_cuda.py'}: is a file of yours, or was changed; name another folder, or move it away"
    )


def test_variables_that_were_edited_stay_and_a_space_in_a_path_is_no_fault(tmp_path):
    catalogue.write("etri", tmp_path, "/opt/my env/bin/python")
    path = tmp_path / "run_squad_ETRI.sh"
    assert "exec '/opt/my env/bin/python' -m dokhae compat etri/run_squad_ETRI.sh" in path.read_text(encoding="utf-8")
    catalogue.write("etri", tmp_path, sys.executable)  # another interpreter is no change of the user's
    path.write_text(path.read_text(encoding="utf-8").replace("/root/workspace", "/data"), encoding="utf-8")
    with pytest.raises(DataError, match="is a file of yours, or was changed"):
        catalogue.write("etri", tmp_path, sys.executable)


def test_shell_files_call_this_interpreter(dokhae, tmp_path):
    dokhae("compat", "scripts", "gluonnlp", tmp_path)
    said = (tmp_path / "nlp_data").read_text(encoding="utf-8")
    assert f'exec {sys.executable} -m dokhae compat gluonnlp/nlp_data "$@"' in said


def test_what_a_command_line_does_not_say_is_the_tables():
    assert recipes.defaults("kor-squad-pl", "korquad-1.0")["optimizer.schedule"] == "constant"
    assert recipes.defaults("kor-squad-pl", "korquad-1.0")["max_length"] == 512
    assert recipes.defaults("kor-squad-pl", "squad-2.0")["max_length"] == 384
