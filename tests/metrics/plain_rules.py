"""The official rules once more, slow and step by step, to compare the fast ones with."""

from __future__ import annotations

import string
import warnings
from collections import Counter

import numpy as np


def plain_english(text):
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(_without_articles(kept).split())


def _without_articles(text):
    """A word is a longest run of letters, digits and underscores; an article is a word of its own."""
    runs, was_word = [], None
    for character in text:
        is_word = character.isalnum() or character == "_"
        if is_word and was_word:
            runs[-1] += character
        else:
            runs.append(character)
        was_word = is_word
    return "".join(" " if run in ("a", "an", "the") else run for run in runs)


def plain_korean(text):
    for character in "'\"《》<>〈〉()‘’":
        text = text.replace(character, " ")
    return " ".join("".join(c for c in text.lower() if c not in set(string.punctuation)).split())


def plain_korean_html(text):
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = BeautifulSoup(text, "lxml").get_text()
    return "".join(plain_korean(shown).split())


def plain_klue(text):
    """One of the first characters with all four others behind it becomes a space; no other quote or bracket does."""
    kept, text = "", text.lower()
    while text:
        whole = text[0] in "'\"《》<>〈〉" and text[1:5] == "()‘’"
        kept += " " if whole else text[0] if text[0] not in set(string.punctuation) else ""
        text = text[5 if whole else 1 :]
    return " ".join(kept.split())


def plain_words(normalized):
    return normalized.split()


def plain_characters(normalized):
    return [character for word in normalized.split() for character in word]


def plain_f1(predicted, gold, of_two_empty):
    if not predicted and not gold:
        return of_two_empty
    shared = sum((Counter(predicted) & Counter(gold)).values())
    if shared == 0:
        return 0
    precision = 1.0 * shared / len(predicted)
    recall = 1.0 * shared / len(gold)
    return (2 * precision * recall) / (precision + recall)


def plain_score(prediction, golds, normalize, units, of_two_empty=0):
    exact = max(normalize(prediction) == normalize(gold) for gold in golds)
    f1 = max(plain_f1(units(normalize(prediction)), units(normalize(gold)), of_two_empty) for gold in golds)
    return exact, f1


def plain_score_with_null(prediction, golds):
    golds = [gold for gold in golds if plain_english(gold)] or [""]
    return plain_score(prediction, golds, plain_english, plain_words, of_two_empty=1)


def plain_evaluate(examples, predictions, normalize, units):
    """SQuAD 1.1 and KorQuAD."""
    exact = f1 = 0
    for example in examples:
        if example.id in predictions:
            golds = [answer.text for answer in example.answers]
            one_exact, one_f1 = plain_score(predictions[example.id], golds, normalize, units)
            exact += one_exact
            f1 += one_f1
    return {"exact_match": 100.0 * exact / len(examples), "f1": 100.0 * f1 / len(examples)}


def plain_evaluate_with_null(examples, predictions, na_probs, na_prob_thresh):
    """SQuAD 2.0, with na_probs."""
    has_answer = {example.id: bool(example.answers) for example in examples}
    raw_exact, raw_f1 = {}, {}
    for example in examples:
        golds = [answer.text for answer in example.answers]
        raw_exact[example.id], raw_f1[example.id] = plain_score_with_null(predictions[example.id], golds)
    exact, f1 = dict(raw_exact), dict(raw_f1)
    for id, answerable in has_answer.items():
        if na_probs[id] > na_prob_thresh:
            exact[id] = f1[id] = float(not answerable)
    report = _plain_averages(exact, f1, list(exact), "")
    for prefix, wanted in (("HasAns_", True), ("NoAns_", False)):
        ids = [id for id in exact if has_answer[id] == wanted]
        if ids:
            report.update(_plain_averages(exact, f1, ids, prefix))
    for key, raw in (("best_exact", raw_exact), ("best_f1", raw_f1)):
        report[key], report[f"{key}_thresh"] = plain_best_threshold(predictions, raw, has_answer, na_probs)
    return report


def _plain_averages(exact, f1, ids, prefix):
    total_exact = total_f1 = 0
    for id in ids:
        total_exact += exact[id]
        total_f1 += f1[id]
    return {
        f"{prefix}exact": 100.0 * total_exact / len(ids),
        f"{prefix}f1": 100.0 * total_f1 / len(ids),
        f"{prefix}total": len(ids),
    }


def plain_best_threshold(predictions, scores, has_answer, na_probs):
    current = best = list(has_answer.values()).count(False)
    threshold = 0.0
    for id in sorted(na_probs, key=lambda id: na_probs[id]):
        if id not in scores:
            continue
        if has_answer[id]:
            current += scores[id]
        elif predictions[id]:
            current -= 1
        if current > best:
            best, threshold = current, na_probs[id]
    return 100.0 * best / len(scores), threshold


def plain_longest_run(predicted, gold):
    """Runs of what is not frequent in a long gold; the first of the longest then grows into whatever is beside it."""
    frequent = {character for character in gold if len(gold) >= 200 and gold.count(character) > len(gold) // 100 + 1}
    size = first = second = 0
    for start in range(len(predicted)):
        for other in range(len(gold)):
            found = _plain_run(predicted, gold, start, other, frequent)
            if found > size:
                size, first, second = found, start, other
    while first and second and predicted[first - 1] == gold[second - 1]:
        first, second, size = first - 1, second - 1, size + 1
    return size + _plain_run(predicted, gold, first + size, second + size, frozenset())


def _plain_run(predicted, gold, start, other, without):
    size = 0
    while start + size < len(predicted) and other + size < len(gold):
        if predicted[start + size] != gold[other + size] or gold[other + size] in without:
            break
        size += 1
    return size


def plain_rouge_w(predicted, gold):
    if gold == "":
        return float(predicted == "")
    run = plain_longest_run(predicted, gold)
    if run == 0:
        return 0.0
    precision, recall = run / len(predicted), run / len(gold)
    return (2 * precision * recall) / (precision + recall)


def plain_score_klue(prediction, golds):
    predicted, golds = plain_klue(prediction), [plain_klue(gold) for gold in golds] or [""]
    return float(predicted in golds), max(plain_rouge_w(predicted, gold) for gold in golds)


def plain_evaluate_klue(examples, predictions):
    """KLUE-MRC: by id, as numpy averages, in the order of the file."""
    scores = {e.id: plain_score_klue(predictions[e.id], [answer.text for answer in e.answers]) for e in examples}
    has_answer = {example.id: bool(example.answers) for example in examples}
    report = {}
    for prefix, kinds in (("", (True, False)), ("HasAns_", (True,)), ("NoAns_", (False,))):
        wanted = [score for id, score in scores.items() if has_answer[id] in kinds]
        if wanted:
            report[f"{prefix}exact_match"] = float(np.mean([exact for exact, _ in wanted])) * 100.0
            report[f"{prefix}rouge_w"] = float(np.mean([rouge for _, rouge in wanted])) * 100.0
            report[f"{prefix}total"] = len(wanted)
    return report
