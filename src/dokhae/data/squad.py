"""SQuAD 1.1, SQuAD 2.0 and KorQuAD 1.0: articles of paragraphs, each a context with its questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dokhae.data.answers import gold_answers
from dokhae.data.entries import Entry, entry_of
from dokhae.data.fields import as_record, id_field, list_field, optional_text_field, text_field


def squad_entries(articles: list[Any], path: Path) -> Iterator[Entry]:
    """The questions under a SQuAD file's "data", in file order."""
    for number, value in enumerate(articles):
        place = f"{path}: data[{number}]"
        article = as_record(value, place)
        title = optional_text_field(article, "title", place)
        for position, paragraph in enumerate(list_field(article, "paragraphs", place)):
            yield from _paragraph_entries(paragraph, title, path, f"data[{number}].paragraphs[{position}]")


def _paragraph_entries(value: object, title: str, path: Path, position: str) -> Iterator[Entry]:
    place = f"{path}: {position}"
    paragraph = as_record(value, place)
    page = {"context": text_field(paragraph, "context", place), "title": title}
    for number, item in enumerate(list_field(paragraph, "qas", place)):
        question = as_record(item, f"{place}.qas[{number}]")
        example_id = id_field(question, f"{place}.qas[{number}]")
        where = f"{path}: question {example_id}"
        yield entry_of(where, example_id, question, page, gold_answers(question, where))
