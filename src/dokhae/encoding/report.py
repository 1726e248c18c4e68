"""What a tokenizer does to a text that its user should know."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dokhae.encoding.features import Features
from dokhae.encoding.layout import PairTokenizer
from dokhae.encoding.windows import WindowConfig
from dokhae.types import Example

HANGUL = re.compile("[가-힣]")
NFD = re.compile("[\u1100-\u11ff]")  # letters of syllables that are taken apart
KOREAN = re.compile(f"{HANGUL.pattern}|{NFD.pattern}")
LOOKED_AT = 1000  # examples: enough to know a language by
MANY = 5.0  # % of the answers, of the tokens
ENOUGH = 500  # tokens; in a few, some rare name is no sign


def warnings(
    examples: Sequence[Example], features: Features, tokenizer: PairTokenizer, windows: WindowConfig
) -> list[str]:
    """Everything below that applies."""
    cut = features.truncated_questions.tolist()
    lines = (korean_warning(examples, features, tokenizer), cut_questions(examples, cut, windows))
    return [line for line in lines if line]


def korean_warning(examples: Sequence[Example], features: Features, tokenizer: PairTokenizer) -> str | None:
    """What makes Korean words unknown to a tokenizer; None where all is well."""
    return hangul_warning(examples, features, tokenizer) or unknown_warning(examples, features, tokenizer)


def unknown_warning(examples: Sequence[Example], features: Features, tokenizer: PairTokenizer) -> str | None:
    """Where much of a Korean text is unknown to the tokenizer, mostly for its letters stand one by one (NFD)."""
    if tokenizer.unknown_id is None or not len(features.context_ids):
        return None
    share = 100.0 * float(np.mean(features.context_ids == tokenizer.unknown_id))
    if share < MANY:  # nearly always: no text is searched
        return None
    korean = [example.context for example in examples[:LOOKED_AT] if KOREAN.search(example.context)]
    apart = any(NFD.search(context) for context in korean)
    if not korean or (not apart and len(features.context_ids) < ENOUGH):
        return None
    advice = "choose an encoder with a Korean vocabulary"
    if apart:
        advice = (
            "syllables stand there letter by letter (NFD), and its vocabulary has whole ones: convert the text to NFC"
        )
    return f"WARNING: {share:.0f}% of the context's tokens are unknown to the tokenizer; {advice}"


def hangul_warning(examples: Sequence[Example], features: Features, tokenizer: PairTokenizer) -> str | None:
    """One loud line where a lower-casing tokenizer that strips accents meets Hangul; None where all is well.

    Stripping accents decomposes Hangul syllables into jamo, which a vocabulary of syllables does not have. Such a
    tokenizer turns Korean words into [UNK] (KorQuAD 1.0 with lower-cased mBERT: a ceiling of 40 EM instead of 84).
    """
    if tokenizer.normalized("가É") in ("가É", "가é") or tokenizer.normalized("É") != "e":
        return None
    if not _is_korean(examples):
        return None
    unknown = tokenizer.unknown_id
    share = 0.0 if unknown is None else 100.0 * float(np.mean(features.context_ids == unknown))
    return (
        "WARNING: THIS TOKENIZER LOWER-CASES AND STRIPS ACCENTS, AND THE DATA IS KOREAN: it takes Hangul syllables "
        f"apart; {share:.1f}% of the context's tokens are unknown to it. Use a cased encoder (do_lower_case=False), "
        "and see what it costs with `dokhae ceiling`"
    )


def cut_questions(examples: Sequence[Example], cut: Sequence[int], windows: WindowConfig) -> str | None:
    """How many questions were cut, and the first of them; None where none was. cut: their places in `examples`."""
    if not cut:
        return None
    first = f" (the first is {examples[cut[0]].id})" if examples[cut[0]].id else ""
    return f"{len(cut)} of {len(examples)} questions were cut to {windows.max_question_length} tokens{first}"


def lost_ends(examples: Sequence[Example], features: Features) -> str | None:
    """One line where many answers of Korean data end inside of a token; None where few do.

    KoELECTRA v1's vocabulary has the end of 71% of KorQuAD's answers, mBERT's of 84%: their exact match ends there.
    """
    answered = np.flatnonzero(features.answer_end >= 0)
    if not len(answered) or not _is_korean(examples):
        return None
    last = features.context_bounds[features.example_context[answered]] + features.answer_end[answered]
    golds = np.array([examples[number].answers[0].end for number in answered.tolist()])
    lost = 100.0 * float(np.mean(features.context_ends[last] > golds))  # before it, tags or spaces are left
    if lost < MANY:
        return None
    return (
        f"{lost:.0f}% of the answers end inside of a token, mostly before a particle, so exact match can reach some "
        f"{100 - lost:.0f}; --korean_split particles cuts words there (`dokhae ceiling` tells what that is worth)"
    )


def _is_korean(examples: Sequence[Example]) -> bool:
    return any(HANGUL.search(example.context) for example in examples[:LOOKED_AT])
