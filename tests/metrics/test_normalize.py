from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plain_rules import plain_english, plain_klue, plain_korean, plain_korean_html
from strategies import texts

from dokhae.errors import DataError
from dokhae.metrics.normalize import (
    NEEDS_PARSER,
    normalize_english,
    normalize_klue,
    normalize_korean,
    normalize_korean_html,
    parse_html,
)


def test_english_drops_case_punctuation_articles_and_spaces():
    assert normalize_english("  The U.S.A.'s\tan–apple, a day ") == "usas –apple day"


def test_korean_parts_words_at_quotes_and_brackets_but_not_at_commas():
    assert normalize_korean("《토지》(1969년),박경리,作") == "토지 1969년 박경리作"


def test_korean_html_drops_tags_entities_and_every_space():
    assert normalize_korean_html("<td>세종&nbsp;대왕 </td><td>A &amp; B</td>") == "세종대왕ab"


def test_korean_lower_cases_after_quotes_became_spaces():
    assert normalize_korean("ΑΣ'Α") == "ας α"  # the final sigma


def test_klue_keeps_quotes_and_brackets_that_are_not_ascii():
    assert normalize_klue("《토지》(1969년), ‘박경리’") == "《토지》1969년 ‘박경리’"


def test_klue_parts_words_only_at_the_five_characters_of_its_mistyped_pattern():
    assert normalize_klue("가'()‘’나 다()‘’라") == "가 나 다‘’라"


def test_klue_lower_cases_first():
    assert normalize_klue("ΑΣ'Α") == "ασα"  # no final sigma


@given(texts)
def test_klue_equals_the_plain_rule(text):
    assert normalize_klue(text) == plain_klue(text)


@given(texts)
def test_english_equals_the_plain_rule(text):
    assert normalize_english(text) == plain_english(text)


@given(texts)
def test_korean_equals_the_plain_rule(text):
    assert normalize_korean(text) == plain_korean(text)


@given(texts)
@example("\ufeff가")
@example("가\x00나")
@example("https://ko.wikipedia.org/?a=1&b=2")
@example("<?xml version='1.0'?>가")
@example("가 " * 3000)
def test_korean_html_equals_the_plain_rule(text):
    assert normalize_korean_html(text) == plain_korean_html(text)


def test_skipping_the_parser_is_safe_for_every_character():
    """All at once, each between letters, at the start and at the end of a text; only spaces may differ."""
    safe = [chr(code) for code in range(sys.maxunicode + 1) if not NEEDS_PARSER.match(chr(code))]
    for shape in ("가{}나", "{}b", "b{}"):
        text = "".join(map(shape.format, safe))
        assert "".join(parse_html(text).split()) == "".join(text.split())
    basic = [character for character in safe if ord(character) < 0x500]
    assert [c for c in basic if "".join(parse_html(c).split()) != "".join(c.split())] == []


@given(st.text(st.characters().filter(lambda character: not NEEDS_PARSER.match(character))))
def test_skipping_the_parser_is_safe_for_texts(text):
    assert "".join(parse_html(text).split()) == "".join(text.split())


def test_half_a_surrogate_pair_in_html_is_an_error_that_says_so():
    with pytest.raises(DataError, match="half of a surrogate pair"):
        normalize_korean_html("<b>\ud800</b>")


def test_english_scores_load_no_html_parser():
    code = (
        "import sys; from dokhae.metrics import ENGLISH_WORDS, score_answer; score_answer('a', ['b'], ENGLISH_WORDS);"
        "sys.exit('bs4' in sys.modules or 'lxml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
