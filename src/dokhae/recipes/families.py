"""encoders.yaml: the families of encoders that pass the end-to-end test, and what each allows."""

from __future__ import annotations

from typing import Any

import yaml

from dokhae.files import read_text
from dokhae.recipes.reading import ENDING, FOLDER, NOT_A_TABLE

FAMILY = ("family", "model_type", "examples", "tokenizer", "fast_tokenizer", "packing", "onnx", "note")


def families() -> list[dict[str, str]]:
    """Every family in the order of the file: what FAMILY names, as text."""
    content = yaml.safe_load(read_text(FOLDER / f"{NOT_A_TABLE}{ENDING}"))
    return [{name: _text(entry.get(name)) for name in FAMILY} for entry in content]


def _text(value: Any) -> str:  # noqa: ANN401 - what a file holds
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())
