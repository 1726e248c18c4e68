"""SQuAD 1.1, SQuAD 2.0 and KorQuAD 1.0: articles of paragraphs, each a context with its questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dokhae.data.entries import Given
from dokhae.data.fields import as_record, list_field, optional_text_field, text_field


def squad_questions(articles: list[Any], path: Path) -> Iterator[Given]:
    """The questions under a SQuAD file's "data", in file order."""
    for number, value in enumerate(articles):
        place = f"{path}: data[{number}]"
        article = as_record(value, place)
        title = optional_text_field(article, "title", place)
        for position, paragraph in enumerate(list_field(article, "paragraphs", place)):
            yield from _paragraph_questions(paragraph, title, path, f"data[{number}].paragraphs[{position}]")


def with_squad_questions(articles: list[Any], questions: Iterator[Any]) -> list[Any]:
    """The same articles with other questions in the same places; None leaves one out."""

    def paragraph_with(paragraph: dict[str, Any]) -> dict[str, Any]:
        found = [next(questions) for _ in paragraph["qas"]]
        return paragraph | {"qas": [question for question in found if question is not None]}

    return [
        article | {"paragraphs": [paragraph_with(paragraph) for paragraph in article["paragraphs"]]}
        for article in articles
    ]


def _paragraph_questions(value: object, title: str, path: Path, position: str) -> Iterator[Given]:
    place = f"{path}: {position}"
    paragraph = as_record(value, place)
    page = {"context": text_field(paragraph, "context", place), "title": title}
    for number, question in enumerate(list_field(paragraph, "qas", place)):
        yield Given(f"{place}.qas[{number}]", f"{path}: question ", question, page)
