"""A batch made from padded rows, for tests of what models and decoders do with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
