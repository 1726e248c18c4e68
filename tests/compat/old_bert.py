"""What pytorch-pretrained-BERT's users had: its command lines, its folders, a little of its data."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from compat.conftest import _first
from dokhae.cli import main

OLD_NAMES = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob",
    "initializer_range",
)  # fmt: skip


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    err: str
    out: str = ""


def typed(command: str) -> Said:
    """Run a command line as a README has it, in this process: `python FILE ...` with its variables, line ends and all.

    /tmp/ is the folder tmp of the working directory.
    """
    words = shlex.split(os.path.expandvars(command.replace("\\\n", " ").replace(" /tmp/", " tmp/")))
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(["compat", *words[words[0] == "python" :]])
    return Said(code, err.getvalue(), out.getvalue())


def few_questions(source: Path, target: Path, questions: int) -> Path:
    """The first questions of a file, two of a context."""
    content = json.loads(source.read_text(encoding="utf-8"))
    content["data"] = list(_first(content["data"], questions))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content), encoding="utf-8")
    return target


def few_pairs(source: Path, target: Path, pairs: int) -> Path:
    """The first rows of a table."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = source.read_text(encoding="utf-8").split("\n")[: pairs + 1]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def old_folder(model: Path, folder: Path) -> Path:
    """A BERT as version 0.1 had it: pytorch_model.bin of the bare encoder, bert_config.json, vocab.txt."""
    folder.mkdir()
    network = AutoModelForQuestionAnswering.from_pretrained(model)
    weights = {}
    for name, weight in network.bert.state_dict().items():
        for now, then in OLD_NAMES:
            name = name.replace(now, then)
        weights[name] = weight
    torch.save(weights, folder / "pytorch_model.bin")
    sizes = {name: getattr(network.config, name) for name in SIZES}
    (folder / "bert_config.json").write_text(json.dumps(sizes), encoding="utf-8")
    entries = AutoTokenizer.from_pretrained(model).get_vocab()
    (folder / "vocab.txt").write_text("".join(f"{entry}\n" for entry in sorted(entries, key=entries.get)), "utf-8")
    return folder
