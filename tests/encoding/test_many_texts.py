"""Many texts are tokenized, and many answers found, as one long text; each has to come out as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.offsets import tokens_of
from dokhae.types import Answer, Example
from encoding.texts import texts
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer

kinds = pytest.mark.parametrize("kind", TOKENIZERS)
few = settings(deadline=None, max_examples=40, derandomize=True)
EDGES = [" a ", "\u0301b\u0301", "", "\0", "c\0\u0301 ", " \n", "\u1161가\u11ab", "d"]


@kinds
@few
@given(many=st.lists(texts(), max_size=5))
@example(many=EDGES)
@example(many=EDGES[::-1])
def test_texts_do_not_touch_each_other(kind, many):
    tokenizer = pair_tokenizer(kind)
    together = tokenizer.tokenize(many)
    alone = [tokenizer.tokenize([text])[0] for text in many]
    assert len(together) == len(many)
    for one, other in zip(together, alone, strict=True):
        for values, wanted in ((one.ids, other.ids), (one.starts, other.starts), (one.ends, other.ends)):
            assert values.tolist() == wanted.tolist() and values.dtype == np.int32


@kinds
@few
@given(contexts=st.lists(texts(), min_size=1, max_size=4), random=st.randoms(use_true_random=False))
@example(contexts=EDGES, random=None)
def test_answers_are_found_in_their_own_context_alone(kind, contexts, random):
    """Wherever they are said to be, also outside of it."""
    golds = [(random.randint(-2, 12), random.randint(1, 9)) for _ in contexts] if random else [(0, 1)] * len(contexts)
    examples = [
        Example(str(number), "?", context, (Answer("x" * size, start),))
        for number, (context, (start, size)) in enumerate(zip(contexts, golds, strict=True))
    ]
    features = build_features(examples, pair_tokenizer(kind), WindowConfig())
    for number, one in enumerate(examples):
        here = features.context_slice(number)
        starts, ends = features.context_starts[here], features.context_ends[here]
        wanted = tokens_of(starts, ends, one.answers[0].start, one.answers[0].end) or (-1, -1)
        assert (features.answer_start[number], features.answer_end[number]) == wanted
