"""A bundle answers wherever it is; a pack that is stopped leaves nothing."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from speed.pages import write_pages

import dokhae
from dokhae.export.bundle import pack
from export.bundles import QUIET, make_environment, pinned, unpack
from tiny_models import make_model
from training.small import FEW, config, write_squad
from waiting import wait_until

SIZE = 9 * 2**28  # bytes of weights, more than 2 GiB


@pytest.mark.slow
def test_an_interrupted_pack_leaves_nothing_and_holds_no_weights_in_memory(run, tmp_path):
    with (run / "model" / "block_head.safetensors").open("wb") as file:
        file.truncate(SIZE)
    out = tmp_path / "out" / "b.zip"
    code = (
        "import sys, dokhae.cli\n"
        f"code = dokhae.cli.main(['pack', {str(run)!r}, '--for', 'korquad-1.0', '--out', {str(out)!r}])\n"
        "sys.stdout.write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "sys.exit(code)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: out.parent.exists() and sum(path.stat().st_size for path in out.parent.iterdir()) >= 2**28, 120)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert list(out.parent.iterdir()) == []
    assert int(said[0]) < 200_000  # kB
    pack(run, "korquad-1.0", out)  # more than 2 GiB, which zips of old cannot hold
    with zipfile.ZipFile(out) as archive:
        assert archive.getinfo("b/model/block_head.safetensors").file_size == SIZE
    out.unlink()


@pytest.mark.slow
def test_it_answers_from_anywhere_beside_another_dokhae(packed, tmp_path):
    """This interpreter has dokhae installed; the bundle's own comes first. Launchers' variables are nothing to it."""
    work = tmp_path / "elsewhere"
    work.mkdir()
    shutil.copy(packed.data, work / "asked")  # a leaderboard calls it as it likes
    script = packed.folder / "predict.py"
    where = f"import sys; sys.argv = ['predict.py', 'asked', 'p.json']; import runpy; runpy.run_path({str(script)!r}"
    code = f"{where})['main'](sys.argv[1:]); import dokhae; sys.stdout.write(dokhae.__file__)"
    command = [sys.executable, "-I", "-c", code]
    launched = QUIET | {"SLURM_NTASKS": "2", "TORCHELASTIC_RUN_ID": "none"}
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, env=launched, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == str(packed.folder / "dokhae" / "__init__.py")
    assert (work / "p.json").read_bytes() == (packed.run / "predictions.json").read_bytes()


@pytest.mark.slow
def test_it_says_no_answer_by_the_threshold_of_the_run(tmp_path):
    rows = [*FEW, ("선장의 배는 어디에서 왔는가?", "빙찬랑 선장은 배를 타고 왔다.", None)]
    data, encoder = write_squad(tmp_path / "dev.json", rows), make_model("bert", tmp_path / "encoder")
    settings = {"benchmark": "squad-2.0", "korean_split": "particles", "max_steps": 1}
    dokhae.train(config(encoder, data, tmp_path / "run", **settings), show=False)
    told = pack(tmp_path / "run", "squad-2.0", tmp_path / "b.zip")
    assert told.dev.questions == 7
    assert told.dev.null_threshold.startswith("null threshold ")
    command = [sys.executable, "-I", unpack(tmp_path / "b.zip", tmp_path) / "predict.py", "dev.json", "p/p.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=QUIET, check=False)
    assert done.returncode == 0, done.stderr
    for here, there in (("p/p.json", "run/predictions.json"), ("p/null_odds.json", "run/null_odds.json")):
        assert (tmp_path / here).read_bytes() == (tmp_path / there).read_bytes()


def test_a_wrong_number_of_arguments_is_one_line(packed):
    for words in ([], ["a.json"], ["a.json", "b.json", "c.json"], ["--help"]):
        command = [sys.executable, "-I", packed.folder / "predict.py", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "usage: python predict.py INPUT OUTPUT [OPTIONS OF dokhae predict]\n"


@pytest.mark.slow
def test_a_bundle_of_pages_answers_a_folder_of_them(tmp_path):
    write_pages(tmp_path / "train", 14, 0, "small", per_file=7)
    write_pages(tmp_path / "dev", 6, 1, "small", per_file=2)
    encoder = make_model("bert", tmp_path / "encoder")
    settings = {
        "benchmark": "korquad-2.1", "dev": tmp_path / "dev", "max_length": 96, "step": None, "overlap": 16, "lead": 12,
        "batch_size": 8, "max_steps": 4, "korean_split": "mecab", "korean_trim": "kiwi",
    }  # fmt: skip
    dokhae.train(config(encoder, tmp_path / "train", tmp_path / "run", **settings), show=False)
    told = pack(tmp_path / "run", "korquad-2.1", tmp_path / "b.zip")
    folder = unpack(tmp_path / "b.zip", tmp_path)
    assert {"model/block_head.safetensors", "model/vocab.txt"} <= told.files.keys()
    assert {"python-mecab-ko", "python-mecab-ko-dic", "kiwipiepy", "kiwipiepy-model"} <= pinned(folder).keys()
    python = make_environment(tmp_path / "python", list(pinned(folder)))
    command = [python, "-I", folder / "predict.py", "dev", "p/predictions.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=QUIET, check=False)
    assert done.returncode == 0, done.stderr
    answers = (tmp_path / "p" / "predictions.json").read_bytes()
    assert answers == (tmp_path / "run" / "predictions.json").read_bytes()
    assert len(json.loads(answers)) > 5
