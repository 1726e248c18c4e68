"""Random logits with what decoding has to respect: other tokens' columns, CLS columns, ties."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dokhae.decoding import DecodingConfig, best_spans


class Logits(NamedTuple):
    """Some windows as a model leaves them."""

    start: NDArray[np.float32]  # (window, column)
    end: NDArray[np.float32]
    legal: NDArray[np.bool_]
    cls: NDArray[np.int64]  # (window,)

    def decoded(self, **settings):
        windows = np.arange(len(self.cls))
        legal = (self.legal, self.legal)
        return best_spans(windows, self.start, self.end, legal, self.cls, DecodingConfig(**settings))


@st.composite
def logits(draw, ties=True, most_columns=24):
    """Windows whose logits have few values (many ties) or all different ones."""
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, most_columns))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (rows, columns)
    if ties and draw(st.booleans()):
        start, end = (random.choice(np.float32([-1.5, 0.0, 0.1, 0.2, 0.3, 7.0]), shape) for _ in range(2))
    else:
        start, end = (
            random.normal(0, draw(st.sampled_from([1, 1e-6, 1e4])), shape).astype(np.float32) for _ in range(2)
        )
    legal = random.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    return Logits(start, end, legal, random.integers(columns, size=rows))


def span_lists(spans):
    """(start, end, score) of the spans that there are, for each window."""
    rows = zip(spans.start.tolist(), spans.end.tolist(), spans.score.tolist(), strict=True)
    return [[span for span in zip(*row, strict=True) if span[2] > -np.inf] for row in rows]
