"""A handful of questions and the smallest sensible settings."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import load_file

from dokhae.training import TrainConfig
from dokhae.training.module import TrainingModule
from tiny_models import make_model

FEW = [
    ("Who founded the town?", "In 1822, Quilek Ruskrel founded the town of Valibury.", "Quilek Ruskrel"),
    ("When was the town founded?", "In 1822, Quilek Ruskrel founded the town of Valibury.", "1822"),
    ("What did the ship carry?", "The ship Lorn carried honey cakes to Wesihaven.", "honey cakes"),
    ("라별호는 언제 진수되었는가?", "1802년에 우란재에서 라별호가 진수되었다.", "1802년"),
    ("라별호가 진수된 곳은?", "1802년에 우란재에서 라별호가 진수되었다.", "우란재"),
    ("선장은 누구인가?", "이 배는 빙찬랑 선장의 지휘 아래 쪽빛 물감을 싣고 다녔다.", "빙찬랑"),
]


def write_squad(path: Path, rows: list[tuple[str, str, str | None]]) -> Path:
    """A SQuAD 2.0 file of (question, context, answer or None)."""
    paragraphs = []
    for number, (question, context, answer) in enumerate(rows):
        answers = [] if answer is None else [{"text": answer, "answer_start": context.index(answer)}]
        qa = {"id": f"q{number}", "question": question, "answers": answers, "is_impossible": answer is None}
        paragraphs.append({"context": context, "qas": [qa]})
    path.write_text(json.dumps({"version": "x", "data": [{"title": "t", "paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def config(model: Path, data: Path, out: Path, **changes) -> TrainConfig:
    settings = {
        "benchmark": "korquad-1.0", "model": str(model), "train": data, "dev": data, "out": out, "batch_size": 3,
        "max_length": 64, "step": 16, "max_question_length": 24, "device": "cpu",
        "precision": "fp32",
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def logged(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextlib.contextmanager
def made_fast_as_on_a_gpu():
    """A training takes for a GPU what it is on, while it decides how the encoder is to be made fast."""
    start = TrainingModule.on_fit_start

    def start_on_gpu(module):
        with mock.patch.object(TrainingModule, "device", torch.device("cuda")):
            start(module)

    with mock.patch.object(TrainingModule, "on_fit_start", start_on_gpu):
        yield


def given(folder, rows=FEW):
    """A folder with an encoder and a file of questions."""
    make_model("bert", folder / "encoder")
    write_squad(folder / "few.json", rows)
    return folder


def command(folder, out, epochs, *more):
    """Words that train on what lies in the folder, in two processes unless more words say otherwise."""
    return [
        sys.executable, "-m", "dokhae", "train", "--benchmark", "korquad-1.0", "--model", str(folder / "encoder"),
        "--train", str(folder / "few.json"), "--dev", str(folder / "few.json"), "--out", str(out), "--device", "cpu",
        "--precision", "fp32", "--batch_size", "2", "--max_length", "64", "--step", "16", "--max_question_length",
        "24", "--learning_rate", "1e-3", "--keep.best_by", "loss", "--checkpoint_every", "1",
        "--epochs", str(epochs), "--devices", "2", *more,
    ]  # fmt: skip


def step_of(out):
    """The step that was saved last, 0 before the first."""
    last = out / "checkpoints" / "last.ckpt"
    return torch.load(last, weights_only=True)["global_step"] if last.exists() else 0
