"""The guarded trim: particles cut off the end of an answer where the tokenizer had offered no end before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding.merge import ranked
from dokhae.korean.trimming import Particles, Trimmer
from dokhae.pages.clean import BREAKS
from dokhae.pages.text import PageConfig, page_text
from dokhae.types import Example, Prediction

Ints = NDArray[np.integer[Any]]


def particles_of(contexts: Sequence[str], trimmer: Trimmer, html: bool) -> list[Particles]:
    """The particles of each context; of a page (html) those of its text, in places of the page."""
    if not html:
        return trimmer.particles(contexts)
    shown = [page_text(context, PageConfig()) for context in contexts]
    found = trimmer.particles([one.text.translate(BREAKS) for one in shown])
    return [Particles(one.starts[each.starts], one.ends[each.ends - 1])
            for one, each in zip(shown, found, strict=True)]  # fmt: skip


def trimmed_ends(starts: Ints, ends: Ints, particles: Particles, token_ends: Ints) -> Ints:
    """The ends of spans of a context without the particles before them, (span,) as `ends`.

    starts, ends: characters, half-open. token_ends: where the tokens of the context end. Where one of them ends before
    the particles, the model could have chosen that end and did not: the span stays. So does one of nothing else.
    """
    if not len(particles.ends):
        return ends
    place = np.minimum(np.searchsorted(particles.ends, ends), len(particles.ends) - 1)
    shorter = particles.starts[place]
    trims = (particles.ends[place] == ends) & (shorter > starts) & ~np.isin(shorter, token_ends)
    return np.where(trims, shorter, ends)


def trimmed(
    prediction: Prediction, example: Example, particles: Particles, token_ends: Ints, with_null: bool
) -> Prediction:
    """A prediction whose candidates are trimmed; those that become the same text are one, with the best score."""
    if not prediction.n_best:
        return prediction
    _, first, after, start_logits, end_logits, _ = map(list, zip(*prediction.n_best, strict=True))
    # in a page, tags may stand behind the last token
    place = np.searchsorted(token_ends, after, side="right") - 1
    last = np.where(place < 0, after, token_ends[place])
    ends = trimmed_ends(np.array(first), last, particles, token_ends)
    if (ends == last).all():
        return prediction
    ends = ends.tolist()
    texts = [example.context[start:end] for start, end in zip(first, ends, strict=True)]
    scores = [span.score for span in prediction.n_best]
    columns = (texts, first, ends, start_logits, end_logits, scores)
    return ranked(example.id, columns, prediction.null_score, len(texts), with_null)
