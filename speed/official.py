"""The algorithms of the official SQuAD 1.1 and KorQuAD 1.0 scripts, plainly: article by article, gold by gold."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

Scores = dict[str, float]


def evaluate_squad(articles: list[Any], predictions: Mapping[str, str]) -> Scores:
    """SQuAD 1.1: English words."""
    return evaluate(articles, predictions, normalize_squad, str.split)


def evaluate_korquad(articles: list[Any], predictions: Mapping[str, str]) -> Scores:
    """KorQuAD 1.0: Korean characters."""
    return evaluate(articles, predictions, normalize_korquad, characters)


def evaluate(
    articles: list[Any],
    predictions: Mapping[str, str],
    normalize: Callable[[str], str],
    units: Callable[[str], list[str]],
) -> Scores:
    """Exact match and F1 over the articles of a SQuAD file; a question without a prediction scores 0."""
    total, exact_match, f1 = 0, 0.0, 0.0
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                total += 1
                if question["id"] not in predictions:
                    continue
                golds = [answer["text"] for answer in question["answers"]]
                prediction = predictions[question["id"]]
                exact_match += max(float(normalize(prediction) == normalize(gold)) for gold in golds)
                f1 += max(f1_score(units(normalize(prediction)), units(normalize(gold))) for gold in golds)
    return {"exact_match": 100.0 * exact_match / total, "f1": 100.0 * f1 / total}


def f1_score(predicted: list[str], gold: list[str]) -> float:
    """Harmonic mean of precision and recall of the units that both share."""
    shared = sum((Counter(predicted) & Counter(gold)).values())
    if shared == 0:
        return 0.0
    precision, recall = 1.0 * shared / len(predicted), 1.0 * shared / len(gold)
    return (2 * precision * recall) / (precision + recall)


def normalize_squad(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces."""
    excluded = set(string.punctuation)
    text = "".join(character for character in text.lower() if character not in excluded)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def normalize_korquad(text: str) -> str:
    """Quotes and brackets become spaces; lower case, no punctuation, single spaces."""
    for mark in "'\"《》<>〈〉()‘’":
        text = re.sub(re.escape(mark), " ", text)
    excluded = set(string.punctuation)
    return " ".join("".join(character for character in text.lower() if character not in excluded).split())


def characters(text: str) -> list[str]:
    """The characters of every word."""
    return [character for word in text.split() for character in word]
