"""Real predictions and the numbers that the official scripts print for them, equal to the last digit."""

from __future__ import annotations

import json

import pytest

from dokhae.data import read_examples, read_korquad2
from dokhae.metrics import (
    ENGLISH_WORDS,
    ENGLISH_WORDS_WITH_NULL,
    KOREAN_CHARACTERS,
    KOREAN_CHARACTERS_HTML,
    evaluate,
)

TASKS = {
    "squad-1.1": (read_examples, ENGLISH_WORDS),
    "squad-2.0": (read_examples, ENGLISH_WORDS_WITH_NULL),
    "korquad-1.0": (read_examples, KOREAN_CHARACTERS),
    "korquad-2.0": (read_korquad2, KOREAN_CHARACTERS_HTML),
}
PREDICTIONS = [
    "squad-1.1-bert-ensemble-google-ai",
    "squad-1.1-logistic-regression-base",
    "squad-1.1-match-lstm-with-ans-ptr",
    "squad-1.1-r-net-ensemble-microsoft",
    "squad-1.1-slqa-ensemble-alibaba-id",
    "squad-2.0-bert-single-model-google",
    "squad-2.0-bidaf-self-attention-elm",
    "squad-2.0-nlnet-single-model-micro",
    "korquad-1.0-perturbed",
    "korquad-2.0-perturbed",
]


@pytest.fixture(scope="module")
def manifest(shared):
    rows = json.loads(shared("official-scores/manifest.json").read_text(encoding="utf-8"))
    return {row["predictions"].removeprefix("official-scores/").removesuffix(".json"): row for row in rows}


def test_every_row_of_the_manifest_is_compared(manifest):
    assert sorted(manifest) == sorted(PREDICTIONS)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_scores_equal_the_official_ones(name, manifest, shared):
    row = manifest[name]
    predictions = json.loads(shared(row["predictions"]).read_text(encoding="utf-8"))
    read, rule = TASKS[row["task"]]
    scores = evaluate(read(shared(row["data"])), predictions, rule)
    assert list(scores.items()) == list(row["scores"].items())  # the order of the keys counts too


@pytest.mark.parametrize("name", [name for name in PREDICTIONS if name.startswith("squad-2.0")])
def test_scores_with_na_probs_equal_the_official_ones(name, manifest, shared):
    row = manifest[name]
    predictions, na_probs = (
        json.loads(shared(row[key]).read_text(encoding="utf-8")) for key in ("predictions", "na_probs")
    )
    read, rule = TASKS[row["task"]]
    scores = evaluate(read(shared(row["data"])), predictions, rule, na_probs, row["na_prob_thresh"])
    assert list(scores.items()) == list(row["scores_with_na_probs"].items())
