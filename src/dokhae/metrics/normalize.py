"""What the official scripts do to a text before they compare it."""

from __future__ import annotations

import re
import string
import warnings
from functools import lru_cache

from dokhae.errors import DataError

ASCII_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
QUOTES_AND_BRACKETS = re.compile("['\"《》<>〈〉()‘’]")
# KLUE's script means the same but closes its bracket too early: one of some characters, and then these four in a row.
QUOTE_BEFORE_BRACKETS = re.compile("['\"《》<>〈〉][(][)]‘’")

# Where none of these occurs, the parser changes nothing but spaces (a test asks it about every character). Besides
# tags and entities: control characters, a byte order mark, non-characters and halves of surrogate pairs.
NEEDS_PARSER = re.compile("[<&\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")

# Golds repeat, within a question and from one validation to the next; long HTML answers must not pile up for ever.
remember = lru_cache(maxsize=1 << 14)


@remember
def normalize_english(text: str) -> str:
    """Lower-case words without ASCII punctuation and articles, one space between them."""
    text = ASCII_PUNCTUATION.sub("", text.lower())
    text = ARTICLES.sub(" ", text)
    return " ".join(text.split())


@remember
def normalize_korean(text: str) -> str:
    """Lower-case words without ASCII punctuation, one space between them; quotes and brackets part words."""
    # Lower-casing stays between the two: a capital sigma becomes another letter at the end of a word.
    text = QUOTES_AND_BRACKETS.sub(" ", text)
    text = ASCII_PUNCTUATION.sub("", text.lower())
    return " ".join(text.split())


@remember
def normalize_klue(text: str) -> str:
    """Lower-case words without ASCII punctuation, one space between them; other quotes and brackets stay."""
    text = QUOTE_BEFORE_BRACKETS.sub(" ", text.lower())
    text = ASCII_PUNCTUATION.sub("", text)
    return " ".join(text.split())


@remember
def normalize_korean_html(text: str) -> str:
    """The Korean form of what a browser would show, without any space."""
    return normalize_korean(without_tags(text)).replace(" ", "")


def without_tags(text: str) -> str:
    """The text that BeautifulSoup and lxml see; spaces at its ends may differ from theirs."""
    return parse_html(text) if NEEDS_PARSER.search(text) else text


def parse_html(text: str) -> str:
    """The text that BeautifulSoup and lxml see."""
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning  # SQuAD needs no parser

    with warnings.catch_warnings():
        # An answer may be an address or begin with an XML declaration; the advice about those is not for our users.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        try:
            return str(BeautifulSoup(text, "lxml").get_text())
        except UnicodeEncodeError:
            raise DataError(
                f"the answer {text[:80]!r} has half of a surrogate pair, which no HTML parser reads; write it as UTF-8"
            ) from None
