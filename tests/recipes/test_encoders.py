"""encoders.yaml against tiny random models: with windows end to end they have the logits of padded ones, or not."""

from __future__ import annotations

import pytest
import yaml
from measure_onnx import TABLE, tiny_model
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES

from dokhae.model.packing import is_packed, pack

ROWS = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
CLAIMS = {row["model_type"]: row["packing"] for row in ROWS}


@pytest.mark.parametrize("model_type", CLAIMS)
def test_models_read_windows_end_to_end_where_the_table_says_so(model_type):
    model = tiny_model(model_type)
    assert pack(model) == is_packed(model) == (CLAIMS[model_type] == "yes")


def test_rows_are_whole_and_of_families_that_answer_questions():
    columns = ["family", "model_type", "examples", "tokenizer", "fast_tokenizer", "packing", "onnx"]
    for row in ROWS:
        assert list(row) in (columns, [*columns, "note"])
        assert row["model_type"] in MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES
        assert row["fast_tokenizer"] in ("yes", "built (from SentencePiece)")
        assert {row["packing"], row["onnx"]} <= {"yes", "no"}
        assert row.get("note") or "no" not in (row["packing"], row["onnx"])  # a no says why
        assert all(name.count("/") == 1 for name in row["examples"])
    assert len({row["family"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("claim", ["packing", "onnx"])
def test_families_of_one_model_type_are_said_to_do_the_same(claim):
    assert len({(row["model_type"], row[claim]) for row in ROWS}) == len(CLAIMS)
