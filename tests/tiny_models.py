"""Tiny random models with a span head, in folders as `save_pretrained` leaves them.

>>> folder = make_model("bert", tmp_path / "bert")  # one layer of 32, 128 positions, some 60,000 weights
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from tokenizers_on_the_spot import train_tokenizer

POSITIONS = 128  # tokens of the longest window


def make_model(
    kind: str,
    folder: Path,
    hidden: int = 32,
    layers: int = 1,
    positions: int = POSITIONS,
    seed: int = 0,
    spread: float | None = 0.3,
) -> Path:
    """Write model and tokenizer of a kind (a key of KINDS) to a folder and return it; the same weights every time.

    With `spread` the weights are large enough that the logits differ from token to token, and from one question to
    the next; without, they are as transformers draws them.
    """
    tokenizer = shared_tokenizer(kind)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = KINDS[kind](hidden, layers, positions, len(tokenizer), tokenizer.pad_token_id)
        with torch.no_grad():
            for weights in model.parameters():
                if spread is not None and weights.ndim > 1:
                    weights.normal_(0.0, spread)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@functools.cache
def shared_tokenizer(kind: str) -> Any:
    """The tokenizer of a kind, trained once a process."""
    return train_tokenizer(kind)


def _sizes(hidden: int, layers: int) -> dict[str, int]:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * hidden,
    }


def _bert(hidden: int, layers: int, positions: int, entries: int, padding: int) -> Any:
    config = transformers.BertConfig(
        vocab_size=entries, max_position_embeddings=positions, pad_token_id=padding, **_sizes(hidden, layers)
    )
    return transformers.BertForQuestionAnswering(config)


def _electra(hidden: int, layers: int, positions: int, entries: int, padding: int) -> Any:
    config = transformers.ElectraConfig(
        vocab_size=entries,
        embedding_size=hidden // 2,  # narrower than the layers, as in the small published ones
        max_position_embeddings=positions,
        pad_token_id=padding,
        **_sizes(hidden, layers),
    )
    return transformers.ElectraForQuestionAnswering(config)


def _roberta(hidden: int, layers: int, positions: int, entries: int, padding: int) -> Any:
    config = transformers.RobertaConfig(
        vocab_size=entries,
        type_vocab_size=1,
        max_position_embeddings=positions + padding + 1,  # its positions are counted from the padding index + 1
        pad_token_id=padding,
        **_sizes(hidden, layers),
    )
    return transformers.RobertaForQuestionAnswering(config)


def _albert(hidden: int, layers: int, positions: int, entries: int, padding: int) -> Any:
    config = transformers.AlbertConfig(
        vocab_size=entries,
        embedding_size=hidden // 2,
        max_position_embeddings=positions,
        pad_token_id=padding,
        **_sizes(hidden, layers),
    )
    return transformers.AlbertForQuestionAnswering(config)


def _distilbert(hidden: int, layers: int, positions: int, entries: int, padding: int) -> Any:
    config = transformers.DistilBertConfig(
        vocab_size=entries,
        dim=hidden,
        n_layers=layers,
        n_heads=2,
        hidden_dim=2 * hidden,
        max_position_embeddings=positions,
        pad_token_id=padding,
    )
    return transformers.DistilBertForQuestionAnswering(config)


KINDS: dict[str, Callable[[int, int, int, int, int], Any]] = {
    "bert": _bert,
    "bert-uncased": _bert,
    "electra": _electra,
    "roberta": _roberta,
    "albert": _albert,
    "distilbert": _distilbert,
}
