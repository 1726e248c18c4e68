"""encoders.yaml against tiny random models: packed windows have the logits of padded ones, or they have not."""

from __future__ import annotations

import pytest
import torch
import yaml
from measure_onnx import TABLE, padded, taken, tiny_model, window
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES

ROWS = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
CLAIMS = {row["model_type"]: row["packing"] for row in ROWS}
LENGTHS = [17, 40, 25]


def attend_within_windows(module, query, key, value, mask, lengths, scaling=None, sliding_window=None, **_):
    """Attention of each window to itself, by transformers' protocol. query, key, value: (1, head, token, size)."""
    parts = zip(*(one.split(lengths, dim=2) for one in (query, key, value)), strict=True)
    found = [
        scaled_dot_product_attention(*part, attn_mask=near(part[0].shape[2], sliding_window), scale=scaling)
        for part in parts
    ]
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None


def near(length, reach):
    """The mask of local attention, (token, token); None where every token is seen."""
    positions = torch.arange(length)
    return None if reach is None else (positions[:, None] - positions).abs() < reach


def attend_within_windows_as_if_nothing_were_local(*tensors, sliding_window=None, **options):
    return attend_within_windows(*tensors, **options)


for name, function in (
    ("packed", attend_within_windows),
    ("all-see-all", attend_within_windows_as_if_nothing_were_local),
):
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, lambda *_, **__: None)


def largest_difference(model_type, attention="packed"):
    """Of the logits between the windows in one row and padded, of the same weights."""
    windows = [window(length, seed) for seed, length in enumerate(LENGTHS)]
    plain, packing = tiny_model(model_type), tiny_model(model_type, attn_implementation=attention)
    row = {name: torch.cat([one[name] for one in windows])[None] for name in ("input_ids", "token_type_ids")}
    first = 2 if model_type in ("roberta", "xlm-roberta") else 0  # counted from the padding index + 1
    row["position_ids"] = torch.cat([torch.arange(first, first + length) for length in LENGTHS])[None]
    with torch.no_grad():
        expected = plain(**taken(plain, padded(windows)))
        found = packing(**taken(packing, row), lengths=LENGTHS)
    differences = []
    for side in ("start_logits", "end_logits"):
        real = [logits[:length] for logits, length in zip(getattr(expected, side), LENGTHS, strict=True)]
        differences.append((getattr(found, side)[0] - torch.cat(real)).abs().max().item())
    return max(differences)


@pytest.mark.parametrize("model_type", [name for name, claim in CLAIMS.items() if claim == "yes"])
def test_windows_in_one_row_have_the_logits_of_padded_ones_where_the_table_says_so(model_type):
    assert largest_difference(model_type) < 1e-5


@pytest.mark.parametrize("model_type", [name for name, claim in CLAIMS.items() if claim == "no"])
def test_windows_in_one_row_have_other_logits_or_fail_where_the_table_says_so(model_type):
    try:
        difference = largest_difference(model_type)
    except (AssertionError, TypeError, ValueError):
        return
    assert difference > 1e-2


def test_modernbert_needs_the_mask_of_its_local_layers():
    assert largest_difference("modernbert", "all-see-all") > 1e-2


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
