"""The command lines of pytorch-pretrained-BERT's READMEs on all of the shared data, scored by the official scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.old_bert import typed
from compat.test_bert_pytorch import KORQUAD, README
from compat.test_bert_pytorch_others import README as README_GLUE
from compat.test_bert_pytorch_others import results
from dokhae.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def data(here, encoder, shared, monkeypatch) -> Path:
    """The working directory with whole files under the names of old."""
    encoder("bert-base-uncased")
    encoder("bert-base-multilingual-cased")
    (here / "squad").mkdir()
    (here / "glue/MRPC").mkdir(parents=True)
    for split in ("train", "dev"):
        for version in ("1.1", "2.0"):
            (here / f"squad/{split}-v{version}.json").symlink_to(shared(f"squad-{version}/{split}.json"))
        (here / f"KorQuAD_v1.0_{split}.json").symlink_to(shared(f"korquad-1.0/{split}.json"))
        (here / f"glue/MRPC/{split}.tsv").symlink_to(shared(f"mrpc/{split}.tsv"))
    for name, value in (("SQUAD_DIR", "squad"), ("GLUE_DIR", "glue"), ("TASK_NAME", "MRPC")):
        monkeypatch.setenv(name, value)
    return here


@pytest.mark.parametrize(
    ("command", "dev", "out", "script", "benchmark"),
    [
        (README, "squad/dev-v1.1.json", "tmp/debug_squad", "evaluate-v1.1.py", "squad-1.1"),
        (README.replace("v1.1", "v2.0") + " --version_2_with_negative", "squad/dev-v2.0.json", "tmp/debug_squad",
         "evaluate-v2.0.py", "squad-2.0"),
        (KORQUAD, "KorQuAD_v1.0_dev.json", "res", "evaluate-v1.0.py", "korquad-1.0"),
    ],
    ids=["squad-1.1", "squad-2.0", "korquad-1.0"],
)  # fmt: skip
def test_squad(data, capsys, command, dev, out, script, benchmark):
    said = typed(command.replace("\n\n", "\n").replace("/\n --version", " --version"))
    assert said.code == 0, said.err
    scored = typed(f"official/{script} {dev} {out}/predictions.json")
    assert scored.code == 0, scored.err
    capsys.readouterr()
    assert main(["evaluate", dev, f"{out}/predictions.json", "--benchmark", benchmark]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(scored.out)
    assert Path(out, "null_odds.json").exists() is (benchmark == "squad-2.0")


def test_mrpc(data):
    said = typed(README_GLUE)
    assert said.code == 0, said.err
    found = results(Path("tmp/MRPC/eval_results.txt"))
    assert found["global_step"] == 345  # 3,659 pairs by 32, three times
    assert 0.5 < found["acc"] < 1
