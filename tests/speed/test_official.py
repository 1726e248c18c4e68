from __future__ import annotations

import pytest

from dokhae import benchmarks
from dokhae.files import read_json
from dokhae.metrics import evaluate
from speed import answers, official

SCRIPTS = {"squad-1.1": official.evaluate_squad, "korquad-1.0": official.evaluate_korquad}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_official_algorithm_gives_the_published_numbers(shared, name):
    rows = [row for row in read_json(shared("official-scores/manifest.json")) if row["task"] == name]
    assert rows
    for row in rows:
        articles = read_json(shared(row["data"]))["data"]
        assert SCRIPTS[name](articles, read_json(shared(row["predictions"]))) == row["scores"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_dokhae_gives_every_digit_of_it(shared, name):
    benchmark, path = benchmarks.find(name), shared(f"{name}/dev.json")
    examples, articles = benchmark.read(path, True), read_json(path)["data"]
    predictions = {one.id: one.answers[0].text[: position % 9] for position, one in enumerate(examples)}
    del predictions[examples[7].id]
    theirs, ours = SCRIPTS[name](articles, predictions), evaluate(examples, predictions, benchmark.rule)
    assert 5 < theirs["exact_match"] < theirs["f1"] < 95
    assert answers.same_scores([theirs], [ours]) == "1 pairs of scores equal to the last digit"
    with pytest.raises(AssertionError, match="scores differ"):
        answers.same_scores([theirs], [ours | {"f1": ours["f1"] + 1e-12}])
