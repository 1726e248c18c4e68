"""A batch made from padded rows, for tests of what models and decoders do with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dokhae.model.packing import in_one_row
from tiny_models import FAMILIES, shared_tokenizer

NOT = {"fnet", "mobilebert", "deberta-v2", "deberta-v3", "xlnet", "big-bird", "kobigbird", "longformer"}
YES = sorted(set(FAMILIES) - NOT)
LENGTHS = (40, 12, 12, 12, 61, 1, 90)


@dataclass(frozen=True)
class Rows:
    """Padded inputs by the model's names, each (R, C), as dokhae.encoding.Batch offers them."""

    inputs: dict[str, np.ndarray]

    def present(self):
        return self.inputs["attention_mask"].astype(bool)

    def padded(self):
        return self.inputs

    @property
    def ids(self):
        return self.inputs["input_ids"][self.present()]

    @property
    def types(self):
        return self.inputs.get("token_type_ids", np.zeros_like(self.inputs["input_ids"]))[self.present()]

    @property
    def lengths(self):
        return self.present().sum(axis=1)

    def split(self, values):
        """Values of tokens (T,), by window."""
        return np.split(values, np.cumsum(self.lengths)[:-1])


def windows(family, *lengths, seed=0):
    """Random windows of a family of so many tokens each, padded to the longest."""
    fast = shared_tokenizer(FAMILIES[family][1])
    present = np.arange(max(lengths)) < np.array(lengths)[:, None]
    ids = np.random.default_rng(seed).integers(10, 250, present.shape)
    types = np.arange(max(lengths)) >= np.array(lengths)[:, None] // 3
    return Rows(
        {
            "input_ids": np.where(present, ids, fast.pad_token_id),
            "attention_mask": present.astype(np.int64),
            "token_type_ids": (types & present).astype(np.int64),
        }
    )


def inputs(model, batch):
    """The batch, without token types for a model that has none."""
    if not (getattr(model.config, "type_vocab_size", 2) or 0) > 1 or "modernbert" in model.config.model_type:
        batch.inputs.pop("token_type_ids", None)
    return batch


def encoded(model, batch, mixed=None):
    """An encoder's states of the windows end to end, (token, hidden); mixed: the type of mixed precision."""
    device = next(model.parameters()).device
    row = in_one_row(model, batch.ids, batch.types, batch.lengths, device)
    with torch.autocast(device.type, mixed, enabled=mixed is not None):
        return model.base_model(**row).last_hidden_state[0, : len(batch.ids)]


def loss_of(states):
    """Something to learn from, which goes by every state."""
    states = states.float()
    return (states * torch.linspace(-1, 1, states.shape[-1], device=states.device)).square().mean()


def near(found, wanted, tolerance):
    """Tensors by name are as near as this part of the greatest number of each."""
    assert found.keys() == wanted.keys()
    for name, one in wanted.items():
        torch.testing.assert_close(found[name], one, rtol=0, atol=tolerance * float(one.abs().max() + 1e-6), msg=name)
