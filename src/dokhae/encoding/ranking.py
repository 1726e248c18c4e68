"""Which windows of a context to read first: those that share most with the question, by BM25 on token ids.

The windows of one context are the documents. They are cut differently for questions of different lengths, so each
question has an index of its own. It knows the question's tokens alone; all others are one more, for the lengths.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import Features
from dokhae.encoding.layout import Layout
from dokhae.encoding.offsets import Ints

OTHER = 0  # stands for every token that the question does not have


def best_windows(features: Features, layout: Layout, most: int | None) -> NDArray[np.int64]:
    """The numbers of the `most` best windows of each example (None: of all its windows), ascending."""
    if most is None or most >= np.bincount(features.window_example).max(initial=0):
        return np.arange(features.window_count)
    kept = [best_first(features, example, layout)[:most] for example in range(len(features.example_context))]
    return np.sort(np.concatenate(kept))


def best_first(features: Features, example: int, layout: Layout) -> NDArray[np.int64]:
    """The numbers of an example's windows, those that share most with its question first; of equal ones the earlier."""
    first, after = np.searchsorted(features.window_example, (example, example + 1)).tolist()
    windows = np.arange(first, after)
    if len(windows) < 2:
        return windows
    asked = features.question_ids[slice(*features.question_bounds[example : example + 2])]
    asked = asked[~np.isin(asked, [*chain(*layout.specials), *layout.markers])]
    terms = np.unique(asked)
    texts = _texts(features, example, windows, layout, terms)
    if not any(map(any, texts)):
        return windows
    return windows[np.argsort(-_scores(texts, (np.searchsorted(terms, asked) + 1).tolist(), len(terms)), kind="stable")]


def _texts(
    features: Features, example: int, windows: NDArray[np.int64], layout: Layout, terms: Ints
) -> list[list[int]]:
    """What stands in each window, its lead included: the places of tokens in `terms`, from 1, or OTHER.

    Markers are left out, and so are tokens of the context that stand for no character.
    """
    context = features.context_slice(example)
    ids = features.context_ids[context]
    counted = (features.context_ends[context] > features.context_starts[context]) & ~np.isin(ids, layout.markers)
    places = _places(ids, terms)
    texts = []
    for window in windows.tolist():
        inside = slice(int(features.window_start[window]), int(features.window_end[window]))
        lead = features.window_lead[window]
        above = features.lead_ids[slice(*features.lead_bounds[lead : lead + 2])]
        headings = _places(above[~np.isin(above, layout.markers)], terms)
        texts.append([*headings.tolist(), *places[inside][counted[inside]].tolist()])
    return texts


def _places(ids: Ints, terms: Ints) -> NDArray[np.int64]:
    if not len(terms):
        return np.zeros(len(ids), dtype=np.int64)
    place = np.minimum(np.searchsorted(terms, ids), len(terms) - 1)
    return np.where(terms[place] == ids, place + 1, OTHER)


def _scores(texts: list[list[int]], asked: list[int], terms: int) -> NDArray[np.float32]:
    """BM25 (Lucene's, k1 = 1.5, b = 0.75) of each text; a term that is asked twice counts twice."""
    from bm25s import BM25  # imports tqdm, and numba and JAX where they are installed

    index = BM25()
    index.scores = index.build_index_from_ids(list(range(terms + 1)), texts, show_progress=False)
    return np.asarray(index.get_scores_from_ids(asked))
