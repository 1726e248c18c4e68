"""Checkpoints as the code of BERT, ALBERT and ELECTRA saved them, made from random models of transformers.

>>> write_checkpoint(tmp_path / "bert_model.ckpt", variables_of(tiny("bert")))  # needs TensorFlow
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tokenizers_on_the_spot import wordpiece

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "type_vocab_size": 2,
}
# What the names of transformers become, one after the other.
RENAMED = {
    "bert": (
        ("qa_outputs.weight", "cls/squad/output_weights"),
        ("qa_outputs.bias", "cls/squad/output_bias"),
        ("cls.seq_relationship.weight", "cls/seq_relationship/output_weights"),
        ("cls.seq_relationship.bias", "cls/seq_relationship/output_bias"),
        ("cls.predictions.bias", "cls/predictions/output_bias"),
        ("classifier.weight", "output_weights"),
        ("classifier.bias", "output_bias"),
    ),
    "albert": (
        ("albert_layer_groups.", "transformer.group_"),
        ("albert_layers.", "inner_group_"),
        ("full_layer_layer_norm.", "LayerNorm_1."),
        ("attention.LayerNorm.", "LayerNorm."),
        ("attention.dense", "attention_1.output.dense"),
        ("attention.query", "attention_1.self.query"),
        ("attention.key", "attention_1.self.key"),
        ("attention.value", "attention_1.self.value"),
        ("ffn_output", "ffn_1.intermediate.output.dense"),
        ("ffn.", "ffn_1.intermediate.dense."),
        ("albert.pooler", "bert.pooler.dense"),
        ("albert.", "bert."),
        ("sop_classifier.classifier.weight", "cls/seq_relationship/output_weights"),
        ("sop_classifier.classifier.bias", "cls/seq_relationship/output_bias"),
        ("predictions.bias", "cls/predictions/output_bias"),
        ("predictions.LayerNorm", "cls.predictions.transform.LayerNorm"),
        ("predictions.dense", "cls.predictions.transform.dense"),
        ("qa_outputs.weight", "cls/squad/output_weights"),
        ("qa_outputs.bias", "cls/squad/output_bias"),
    ),
    "electra": (("dense_prediction", "dense_1"),),
    "generator": (("electra.", "generator."), ("generator_lm_head.bias", "generator_predictions/output_bias")),
}
ENDINGS = (
    ("LayerNorm.weight", "LayerNorm.gamma"),
    ("LayerNorm_1.weight", "LayerNorm_1.gamma"),
    ("LayerNorm.bias", "LayerNorm.beta"),
    ("LayerNorm_1.bias", "LayerNorm_1.beta"),
    ("_embeddings.weight", "_embeddings"),
    (".weight", ".kernel"),
    (".layer.", ".layer_"),
    (".", "/"),
)
DECODERS = ("decoder.weight", "decoder.bias", "generator_lm_head.weight")  # there only once


@functools.cache
def tiny(family: str, ending: str = "ForPreTraining", seed: int = 0, **more: Any) -> Any:
    """A random model, all of its weights unlike those that transformers draws; shared: do not change it."""
    own = {} if family == "Bert" else {"embedding_size": 16}
    config = getattr(transformers, f"{family}Config")(vocab_size=len(wordpiece(False)), **SIZES | own | more)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, family + ending)(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(1.0 if weight.ndim == 1 else 0.0, 0.1)
    return model.eval()


def variable_of(name: str, kind: str) -> str:
    """The variable of a weight; written apart from the mapping of dokhae, the other way round."""
    for old, new in (*RENAMED[kind], *ENDINGS):
        name = name.replace(old, new)
    return name


def variables_of(model: Any, kind: str = "", slots: bool = False) -> dict[str, np.ndarray]:
    """What its code would have in a checkpoint; slots: with what Adam keeps and the counter of steps."""
    kind = kind or model.config.model_type
    bare = f"{model.base_model_prefix}." if model.base_model is model else ""
    made = {}
    for name, weight in model.state_dict().items():
        if not name.endswith(DECODERS):
            variable = variable_of(bare + name, kind)
            made[variable] = weight.numpy().T if variable.endswith("/kernel") else weight.numpy()
    zeros = {f"{name}/{slot}": np.zeros_like(value) for name, value in made.items() for slot in ("adam_m", "adam_v")}
    return made | ({"global_step": np.array(7), **zeros} if slots else {})


def electra_variables(apart: bool = False) -> dict[str, np.ndarray]:
    """Both halves; apart: the generator has embeddings of its own."""
    both = variables_of(tiny("Electra")) | variables_of(tiny("Electra", "ForMaskedLM", 1), "generator")
    return (
        both if apart else {name: value for name, value in both.items() if not name.startswith("generator/embeddings/")}
    )


def write_checkpoint(prefix: Path, variables: dict[str, np.ndarray], shards: int = 1) -> Path:
    """As TensorFlow 1 wrote it; shards: in how many .data files. Skips where there is no TensorFlow."""
    tensorflow = pytest.importorskip("tensorflow").compat.v1
    devices = tensorflow.ConfigProto(device_count={"CPU": shards})
    with tensorflow.Graph().as_default(), tensorflow.Session(config=devices) as session:
        for number, (name, value) in enumerate(variables.items()):
            with tensorflow.device(f"/cpu:{number % shards}"):
                tensorflow.get_variable(name, initializer=value)
        session.run(tensorflow.global_variables_initializer())
        tensorflow.train.Saver(sharded=shards > 1).save(session, str(prefix), write_meta_graph=False)
    return prefix


def write_files(folder: Path, model: Any, lower_case: bool = False, **changes: Any) -> tuple[Path, Path]:
    """bert_config.json and vocab.txt of a model, as its code had them."""
    known = ("vocab_size", "embedding_size", "hidden_act", *SIZES)
    settings = {name: getattr(model.config, name) for name in known if hasattr(model.config, name)}
    config, vocab = folder / "bert_config.json", folder / "vocab.txt"
    config.write_text(
        json.dumps(settings | {"directionality": "bidi", "pooler_type": "first_token_transform"} | changes)
    )
    vocab.write_text("\n".join(wordpiece(lower_case)) + "\n", encoding="utf-8")
    return config, vocab
