"""By what a Korean prediction misses its gold answer: by a particle, a space, a unit, a bracket, some words, or all."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from dokhae.korean.particles import ends_in_particles
from dokhae.metrics import Rule, score_answer
from dokhae.report.korean_numerals import same_numbers
from dokhae.types import Answer, Example

# The classes in the order in which they are asked: a question belongs to the first that is true of it. Spacing comes
# before all that look beyond spaces. Numerals come before particles, for 만 and 도 are both: 400만 is not 400 with a
# particle. So do brackets, for of 수도(도쿄) a prediction may hold 수도(도, and 도 is a particle. Longer and shorter
# phrases come after all of these, which are longer or shorter too.
ERRORS: Final = {
    "missing": "no prediction",
    "answer_to_unanswerable": "an answer where there is none",
    "no_answer": "no answer where there is one",
    "unicode_form": "the same but for its Unicode form: composed syllables (NFC), or letters one by one (NFD)",
    "spacing": "the same but for spaces",
    "numerals_and_units": "the same numbers, with another unit or written in another way",
    "quotes_and_brackets": "the same but for quotation marks, other punctuation, or a part in brackets",
    "particle_too_many": "the gold answer and particles after it",
    "particle_too_few": "the gold answer without the particles at its end",
    "longer_phrase": "the gold answer and more around it",
    "shorter_phrase": "a part of the gold answer",
    "overlap": "shares characters with the gold answer, and neither holds the other",
    "elsewhere": "shares nothing with the gold answer",
}

# Besides all punctuation of Unicode: angle brackets and accents that are typed as quotes, and the letter that is typed
# as a middle dot.
MARKS: Final = "<>`´ㆍ"
# What explains a word, as in 고지마(幸島), also where a prediction ends within it. Other brackets hold names of works.
IN_BRACKETS = re.compile(r"[(（\[［〔][^()（）\[\]［］〔〕]*(?:[)）\]］〕]|$)")


def class_of(example: Example, prediction: str | None, gold: Answer | None, rule: Rule) -> str:
    """The class of a question that is not right, against its nearest gold answer; None = it has no answer."""
    if prediction is None:
        return "missing"
    if gold is None:
        return "answer_to_unanswerable"
    if not rule.normalize(prediction):
        return "no_answer"
    predicted, wanted = (unicodedata.normalize("NFC", text) for text in (prediction, gold.text))
    if rule.normalize(predicted) == rule.normalize(wanted):
        return "unicode_form"
    if _differ_in_spaces(predicted, wanted, rule):
        return "spacing"
    if any(same_numbers(form(predicted), form(wanted)) for form in (str.strip, rule.normalize)):
        return "numerals_and_units"
    if _differ_in_marks(predicted, wanted, rule):
        return "quotes_and_brackets"
    if _is_with_particles(predicted, wanted, rule):
        return "particle_too_many"
    if _is_with_particles(wanted, predicted, rule) and not _goes_on(example.context, gold):
        return "particle_too_few"
    return _class_by_characters(bare(predicted, rule), bare(wanted, rule))


def nearest_gold(prediction: str, example: Example, rule: Rule) -> Answer | None:
    """The gold answer with the best F1, the first of several; None where the question has none."""
    return max(example.answers, key=lambda gold: score_answer(prediction, [gold.text], rule)[1], default=None)


def _class_by_characters(predicted: str, gold: str) -> str:
    if gold and gold in predicted:
        return "longer_phrase"
    if predicted and predicted in gold:
        return "shorter_phrase"
    return "overlap" if set(predicted) & set(gold) else "elsewhere"


def bare(text: str, rule: Rule) -> str:
    """What a rule compares, without punctuation and spaces."""
    return _without_spaces(_without_marks(rule.normalize(text)))


def _differ_in_spaces(prediction: str, gold: str, rule: Rule) -> bool:
    if _without_spaces(rule.normalize(prediction)) != _without_spaces(rule.normalize(gold)):
        return False
    # KorQuAD's rule makes a space of a bracket: 휘도(명도) and 휘도명도 do not differ in their own spaces
    return _words(prediction) != _words(gold)


def _is_with_particles(longer: str, shorter: str, rule: Rule) -> bool:
    """Whether a text is another one and, glued to its end, particles: as they are, normalised, or without marks."""
    forms = ((text.strip(), rule.normalize(text), " ".join(_words(text))) for text in (longer, shorter))
    return any(
        not whole[place - 1].isspace() and _without_spaces(whole[:place]) == _without_spaces(stem)
        for whole, stem in zip(*forms, strict=True)
        for place in ends_in_particles(whole)
    )


def _goes_on(context: str, gold: Answer) -> bool:
    """Whether the word goes on after a gold answer: then the end of 사과 in 사과를 is no particle."""
    return context[gold.start : gold.end] == gold.text and context[gold.end : gold.end + 1].isalnum()


def _differ_in_marks(prediction: str, gold: str, rule: Rule) -> bool:
    predicted, wanted = bare(prediction, rule), bare(gold, rule)
    if predicted == wanted:
        return True
    if not predicted or not wanted:
        return False
    return wanted == bare(IN_BRACKETS.sub(" ", prediction), rule) or predicted == bare(IN_BRACKETS.sub(" ", gold), rule)


def _words(text: str) -> list[str]:
    return _without_marks(text.lower()).split()


def _without_marks(text: str) -> str:
    return "".join(each for each in text if each not in MARKS and unicodedata.category(each)[0] != "P")


def _without_spaces(text: str) -> str:
    return "".join(text.split())
