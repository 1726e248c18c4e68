"""Encoders made on the spot, and contexts long enough for every window that they can take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokhae import benchmarks
from dokhae.files import write_json
from dokhae.types import Example
from speed.plain_features import load_tokenizer
from speed.shared import encoder_folder

LONG = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
JOINED = 40  # paragraphs of an article in one context


def make(folder: Path, positions: int, data: Path) -> Path:
    """A folder with `model`, that takes so many tokens, and `train.json`, a SQuAD file of long contexts."""
    make_model(folder / "model", LONG, positions)
    rows = benchmarks.find("squad-1.1").read(data, True)
    write_json(folder / "train.json", {"version": "1.1", "data": articles(rows)})
    return folder


def make_small(folder: Path) -> Path:
    """An encoder that costs next to nothing."""
    return make_model(folder / "model", SMALL, 512)


def make_model(folder: Path, sizes: Mapping[str, int], positions: int) -> Path:
    """A BERT of these sizes with random weights, the same every time, and MiniLM's tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = load_tokenizer(encoder_folder())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=positions, **sizes)
        BertModel(config).save_pretrained(folder)
    tokenizer.model_max_length = positions
    tokenizer.save_pretrained(folder)
    return folder


def articles(examples: list[Example]) -> list[dict[str, Any]]:
    """Neighbouring contexts joined, with the questions of them all; each context once."""
    contexts = list(dict.fromkeys(example.context for example in examples))
    asked: dict[str, list[Example]] = {context: [] for context in contexts}
    for example in examples:
        asked[example.context].append(example)
    made = []
    for first in range(0, len(contexts), JOINED):
        joined, questions = "", []
        for context in contexts[first : first + JOINED]:
            questions += [as_question(one, len(joined)) for one in asked[context]]
            joined += context + "\n"
        made.append({"title": str(first), "paragraphs": [{"context": joined, "qas": questions}]})
    return made


def as_question(example: Example, moved: int) -> dict[str, Any]:
    """A question in SQuAD's form, its answers so many characters further on."""
    answers = [{"text": one.text, "answer_start": one.start + moved} for one in example.answers]
    return {"id": example.id, "question": example.question, "answers": answers}
