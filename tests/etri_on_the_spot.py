"""A morpheme BERT in the form in which ETRI hands out its own, with a vocabulary made on the spot from real morphemes.

>>> folder = write_etri(tmp_path / "etri")  # vocab.korean_morp.list, bert_config.json and pytorch_model.bin
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers

from dokhae.data import read_examples, sample_path
from dokhae.korean import analysis
from dokhae.model.etri import SIZES, VOCABULARY

ANALYSERS = ("kiwi", "mecab")
CONTEXTS = 60  # texts of the sample
ENTRIES, ROWS = 950, 957  # of the vocabulary, and of the embeddings
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HEAD = ["n_iters=4", "max_length=20"]
LETTERS = "갔했됐봤왔라별호우란재빙찬랑0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_.,()"
POSITIONS = 512


def units(text: str, analyser: str) -> list[str]:
    """The morphemes of a text as the vocabulary has them: lemma/TAG_."""
    return [f"{one.lemma}/{one.tag}_" for one in analysis.find(analyser).analyse([text])[0]]


@functools.cache
def entries() -> tuple[str, ...]:
    """Pieces of morphemes, those of all tags among them, the special ones in the middle."""
    contexts = dict.fromkeys(example.context for example in read_examples(sample_path("train")))
    korean = [context for context in contexts if "다." in context][:CONTEXTS]
    found = [unit for analyser in ANALYSERS for text in korean for unit in units(text, analyser)]
    letters = sorted({*LETTERS, *(letter for unit in found for letter in unit)})
    tails = sorted({f"/{unit.rpartition('/')[2]}" for unit in found})
    pieces = Counter(piece for unit in found for piece in (unit, *_pieces(unit)) if len(piece) > 1)
    common = [piece for piece, _ in sorted(pieces.items(), key=lambda item: (-item[1], item[0])) if piece not in tails]
    return (*letters, *SPECIALS[:2], *tails, *SPECIALS[2:], *common)[:ENTRIES]


def _pieces(unit: str) -> Iterable[str]:
    """Beginnings and ends: 라별호/NNP_ has 라별, 라별호 and 호/NNP_, 별호/NNP_."""
    lemma, _, tag = unit.rpartition("/")
    yield from (lemma[:length] for length in range(2, len(lemma) + 1))
    yield from (f"{lemma[-length:]}/{tag}" for length in range(1, len(lemma)))


def lines(names: Iterable[str]) -> str:
    """A vocabulary file."""
    scored = [f"{name}\t{-number / 100}" for number, name in enumerate(names)]
    return "\n".join([*HEAD, *scored, ""])


def sizes(**changes: Any) -> dict[str, Any]:
    """bert_config.json as BERT's own code writes it."""
    return {
        "attention_probs_dropout_prob": 0.0,
        "directionality": "bidi",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 128,
        "max_position_embeddings": POSITIONS,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "pooler_fc_size": 64,
        "pooler_num_attention_heads": 2,
        "pooler_num_fc_layers": 3,
        "pooler_size_per_head": 32,
        "pooler_type": "first_token_transform",
        "type_vocab_size": 2,
        "vocab_size": ROWS,
    } | changes


@functools.cache
def pretrained() -> Any:
    """A random BERT with the heads of its pretraining. Its weights are large enough that it learns in a few steps."""
    known = {name: value for name, value in sizes().items() if not name.startswith(("pooler", "direction"))}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.BertForPreTraining(transformers.BertConfig(**known))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim > 1:
                    weight.normal_(0.0, 0.06)
    return model


def old_names(bare: bool = False) -> dict[str, torch.Tensor]:
    """Its weights under the names of pytorch-pretrained-BERT; bare: of the encoder alone, without the word bert."""
    weights = {name: weight.clone() for name, weight in pretrained().state_dict().items()}
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weight
           for name, weight in weights.items()}  # fmt: skip
    if not bare:
        return old
    return {name.removeprefix("bert."): weight for name, weight in old.items() if name.startswith("bert.")}


def write_etri(folder: Path, vocabulary: str | None = None, **changes: Any) -> Path:
    """The three files, with another vocabulary or other sizes where they are given."""
    folder.mkdir(parents=True)
    (folder / VOCABULARY).write_text(lines(entries()) if vocabulary is None else vocabulary, encoding="utf-8")
    (folder / SIZES).write_text(json.dumps(sizes(**changes)), encoding="utf-8")
    torch.save(old_names(), folder / "pytorch_model.bin")
    return folder
