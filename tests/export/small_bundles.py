"""Bundles whose predict.py is a few lines of plain Python that look the answers up: for the tests of rehearsals."""

from __future__ import annotations

import hashlib
import json
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dokhae.export import manifest
from dokhae.export.manifest import Dev, Manifest
from training.small import FEW, write_squad

HERE = ".".join(platform.python_version_tuple()[:2])
ANSWERS = {f"q{number}": answer for number, (_, _, answer) in enumerate(FEW)}
SCORES = {"exact_match": 100.0, "f1": 100.0}
PREDICT = """
import json, sys
from pathlib import Path
own = Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(own))
import dokhae
given, out = Path(sys.argv[1]), Path(sys.argv[2])
files = sorted(given.glob("*.json")) if given.is_dir() else [given]
records = [record for file in files for record in json.loads(file.read_bytes())["data"]]
paragraphs = [paragraph for record in records for paragraph in record.get("paragraphs", [record])]
ids = [question["id"] for paragraph in paragraphs for question in paragraph["qas"]]
known = json.loads((own / "model" / "answers.json").read_bytes())
answers = {id: known[id] for id in ids if id in known}
seconds = dict.fromkeys(("median", "mean", "percentile_95", "longest"), 0.25)
if "--latency" in sys.argv:
    out.with_name("latency.json").write_text(json.dumps(seconds))
"""
WRITE = """
out.write_text(json.dumps(answers))
"""


@dataclass(frozen=True)
class Small:
    """A data file and the zip of a bundle for it."""

    zip: Path
    data: Path


@dataclass(frozen=True)
class Wanted:
    """What a small bundle is to be."""

    also: str = ""  # lines of predict.py before it writes the answers
    answers: Mapping[str, str | None] = field(default_factory=lambda: ANSWERS)
    predict: str = ""  # in place of all its lines
    scores: Mapping[str, float] | None = field(default_factory=lambda: SCORES)  # of the run; None: it says none
    questions: int | None = None
    digest: str = ""  # of the file that the run was scored on; "": of the data
    benchmark: str = "korquad-1.0"
    python: str = HERE
    requirements: str = ""


def make_small(folder: Path, wanted: Wanted, data: Path | None = None) -> Small:
    """Write data of six questions (unless there is some) and a bundle."""
    data = data or write_squad(folder / "dev.json", FEW)
    files = {
        "predict.py": wanted.predict or PREDICT + wanted.also + WRITE,
        "dokhae/__init__.py": "",
        "model/answers.json": json.dumps(dict(wanted.answers)),
        "requirements.txt": wanted.requirements,
        "Dockerfile": "FROM python:3.11-slim\n",
    }
    digest = wanted.digest or manifest.sha256(data)
    made = Manifest(
        dokhae="0",
        name="small",
        benchmark=wanted.benchmark,
        folder_input=wanted.benchmark == "korquad-2.1",
        python=wanted.python,
        encoder=None,
        dev=wanted.scores and Dev("dev.json", digest, wanted.questions, dict(wanted.scores)),
        files={name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    )
    (folder / manifest.FILE_NAME).write_bytes(manifest.as_file(made))
    with zipfile.ZipFile(folder / "small.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / manifest.FILE_NAME, f"small/{manifest.FILE_NAME}")
        for name, text in files.items():
            archive.writestr(f"small/{name}", text)
    return Small(folder / "small.zip", data)


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
