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
    """Write model and tokenizer of a kind (a key of FAMILIES) to a folder and return it; the same weights every time.

    With `spread` the weights are large enough that the logits differ from token to token, and from one question to
    the next; without, they are as transformers draws them.
    """
    make, tokenizer_kind = FAMILIES[kind]
    tokenizer = shared_tokenizer(tokenizer_kind)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make(hidden, layers, positions, tokenizer)
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


def _sizes(hidden: int, layers: int, tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * hidden,
    }


def _bert(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.BertConfig(max_position_embeddings=positions, **_sizes(hidden, layers, tokenizer))
    return transformers.BertForQuestionAnswering(config)


def _electra(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.ElectraConfig(
        embedding_size=hidden // 2,  # narrower than the layers, as in the small published ones
        max_position_embeddings=positions,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.ElectraForQuestionAnswering(config)


def _roberta(hidden: int, layers: int, positions: int, tokenizer: Any, name: str = "Roberta") -> Any:
    config = getattr(transformers, f"{name}Config")(
        type_vocab_size=1,
        max_position_embeddings=positions + tokenizer.pad_token_id + 1,  # counted from the padding index + 1
        **_sizes(hidden, layers, tokenizer),
    )
    return getattr(transformers, f"{name}ForQuestionAnswering")(config)


def _xlm_roberta(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    return _roberta(hidden, layers, positions, tokenizer, "XLMRoberta")


def _albert(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.AlbertConfig(
        embedding_size=hidden // 2, max_position_embeddings=positions, **_sizes(hidden, layers, tokenizer)
    )
    return transformers.AlbertForQuestionAnswering(config)


def _distilbert(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=hidden,
        n_layers=layers,
        n_heads=2,
        hidden_dim=2 * hidden,
        max_position_embeddings=positions,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.DistilBertForQuestionAnswering(config)


def _mobilebert(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.MobileBertConfig(
        embedding_size=hidden // 2,
        intra_bottleneck_size=hidden // 2,
        num_feedforward_networks=2,
        max_position_embeddings=positions,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.MobileBertForQuestionAnswering(config)


def _deberta(hidden: int, layers: int, positions: int, tokenizer: Any, **more: Any) -> Any:
    config = transformers.DebertaV2Config(
        max_position_embeddings=positions,
        type_vocab_size=0,
        relative_attention=True,
        position_biased_input=False,
        position_buckets=16,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        **more,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.DebertaV2ForQuestionAnswering(config)


def _deberta_2(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    return _deberta(hidden, layers, positions, tokenizer, conv_kernel_size=3, conv_act="gelu")


def _xlnet(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.XLNetConfig(
        vocab_size=len(tokenizer),
        d_model=hidden,
        n_layer=layers,
        n_head=2,
        d_inner=2 * hidden,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.XLNetForQuestionAnsweringSimple(config)


def _big_bird(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.BigBirdConfig(
        block_size=4,
        num_random_blocks=1,  # so windows of more than 28 tokens are sparse
        max_position_embeddings=positions,
        sep_token_id=tokenizer.sep_token_id,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.BigBirdForQuestionAnswering(config)


def _longformer(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.LongformerConfig(
        attention_window=[8] * layers,
        type_vocab_size=1,
        max_position_embeddings=positions + tokenizer.pad_token_id + 1,
        sep_token_id=tokenizer.sep_token_id,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.LongformerForQuestionAnswering(config)


def _modernbert(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.ModernBertConfig(
        max_position_embeddings=positions,
        local_attention=16,
        global_attn_every_n_layers=2,
        cls_token_id=tokenizer.cls_token_id,
        bos_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        eos_token_id=tokenizer.sep_token_id,
        **_sizes(hidden, layers, tokenizer),
    )
    return transformers.ModernBertForQuestionAnswering(config)


def _fnet(hidden: int, layers: int, positions: int, tokenizer: Any) -> Any:
    config = transformers.FNetConfig(max_position_embeddings=positions, **_sizes(hidden, layers, tokenizer))
    return transformers.FNetForQuestionAnswering(config)


# name: (maker, kind of tokenizer)
FAMILIES: dict[str, tuple[Callable[[int, int, int, Any], Any], str]] = {
    "bert": (_bert, "bert"),
    "bert-uncased": (_bert, "bert-uncased"),
    "electra": (_electra, "electra"),  # KoELECTRA: a cased Korean WordPiece
    "roberta": (_roberta, "roberta"),
    "albert": (_albert, "albert"),
    "distilbert": (_distilbert, "distilbert"),
    "electra-uncased": (_electra, "bert-uncased"),
    "xlm-roberta": (_xlm_roberta, "xlm-roberta"),
    "klue-roberta": (_roberta, "bert"),
    "mobilebert": (_mobilebert, "bert-uncased"),
    "deberta-v2": (_deberta_2, "deberta"),
    "deberta-v3": (_deberta, "deberta"),  # mDeBERTa too
    "xlnet": (_xlnet, "xlnet"),
    "big-bird": (_big_bird, "big-bird"),
    "kobigbird": (_big_bird, "bert"),
    "longformer": (_longformer, "roberta"),
    "modernbert": (_modernbert, "modernbert"),
    "mmbert": (_modernbert, "gemma"),
    "fnet": (_fnet, "albert"),  # no attention, and so no mask of it
}
KINDS = tuple(FAMILIES)[:6]  # what most tests are content with
