"""Old command lines in this process, in a folder of their own, with a tiny encoder and a little of the shared data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import Outcome, dokhae, refusal
from tiny_models import make_model

__all__ = ["Outcome", "dokhae", "refusal"]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def long_bert(tmp_path_factory) -> Path:
    """A tiny random BERT whose windows may be as long as those of the old READMEs; read only."""
    return make_model("bert", tmp_path_factory.mktemp("models") / "long", positions=512)


@pytest.fixture
def encoder(here, long_bert) -> Callable[[str], Path]:
    """`encoder("bert-base-uncased")`: a folder of that name in the working directory, with a tiny encoder in it."""

    def place(name: str) -> Path:
        shutil.copytree(long_bert, here / name)
        return here / name

    return place


@pytest.fixture
def some_of(shared, here) -> Callable[[str, str, int], Path]:
    """`some_of("squad-2.0/dev.json", "data/dev.json", 12)`: a file with the first so many questions of a shared one."""

    def write(source: str, target: str, questions: int) -> Path:
        content = json.loads(shared(source).read_text(encoding="utf-8"))
        content["data"] = list(_first(content["data"], questions))
        path = here / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return path

    return write


def _first(articles: list[dict], questions: int) -> Iterator[dict]:
    """Articles with so many questions in all, two of a paragraph."""
    for article in articles:
        kept = []
        for paragraph in article["paragraphs"]:
            taken = paragraph["qas"][: min(2, questions)]
            questions -= len(taken)
            if taken:
                kept.append({**paragraph, "qas": taken})
        if kept:
            yield {**article, "paragraphs": kept}
