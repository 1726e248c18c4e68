"""The weights of a BERT in a TensorFlow checkpoint, under the names that transformers has for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dokhae.errors import ModelError, optional

# The last part of a variable's name -> how a weight's name ends. Adam's slots stand one part further down.
ENDINGS = {"kernel": ".weight", "bias": ".bias", "gamma": ".weight", "beta": ".bias"}
TABLE = re.compile(r"\w+_embeddings")  # what is looked up, not multiplied
LAYER = re.compile(r"layer_(\d+)")


def read_checkpoint(prefix: Path) -> dict[str, Any]:
    """The encoder's weights, tensors by name; `prefix`: model.ckpt for model.ckpt.index and its data.

    Raises MissingExtra without TensorFlow, ModelError where the checkpoint is damaged or is none of a BERT.
    """
    with optional("a TensorFlow checkpoint", "tf"):
        import tensorflow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    try:
        reader = tensorflow.train.load_checkpoint(str(prefix))
        weights = weights_of(reader.get_variable_to_shape_map(), reader.get_tensor)
    except Exception as error:  # TensorFlow's own errors, and IndexError where the data ends too early
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{prefix}.index: cannot be read as a TensorFlow checkpoint ({reason}); copy it again with "
                         "the .data file beside it") from None  # fmt: skip
    if not weights:
        raise ModelError(f"{prefix}.index: has no variables bert/…; take the checkpoint that BERT's own code has saved")
    return weights


def weights_of(variables: Iterable[str], read: Callable[[str], Any]) -> dict[str, Any]:
    """Those of the variables that are the encoder's; `read` gives the values of one, as numpy has them."""
    import numpy as np
    import torch

    weights = {}
    for variable in sorted(variables):
        name = weight_name(variable)
        if name is not None:
            values = np.asarray(read(variable), dtype=np.float32)
            # TensorFlow multiplies from the left: (in, out)
            weights[name] = torch.from_numpy((values.T if variable.endswith("/kernel") else values).copy())
    return weights


def weight_name(variable: str) -> str | None:
    """The name in transformers of a variable of BERT's own code; None for the optimizer's and for pretraining's heads.

    >>> weight_name("bert/encoder/layer_0/attention/self/query/kernel")
    'bert.encoder.layer.0.attention.self.query.weight'
    """
    *parts, last = variable.split("/")
    if parts[:1] != ["bert"]:
        return None
    path = ".".join(LAYER.sub(r"layer.\1", part) for part in parts)
    if TABLE.fullmatch(last):
        return f"{path}.{last}.weight"
    return path + ENDINGS[last] if last in ENDINGS else None
