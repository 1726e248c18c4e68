"""Measure what encoders.yaml says of ONNX: a tiny random model of each type, exported and run beside torch's.

It needs onnx, onnxscript and onnxruntime, which no extra of dokhae brings: install them beside `dokhae[train]`, best
into an environment of their own, and run

    python tools/measure_onnx.py              # every model type of the table, some seconds each
    python tools/measure_onnx.py bert xlnet   # these

A type passes if logits for other batch sizes and lengths than the exported one are within 1e-4 of torch's. Ends with 1
where the table says otherwise.
"""

from __future__ import annotations

import inspect
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig, AutoModelForQuestionAnswering

import dokhae

TABLE = Path(dokhae.__file__).parent / "recipes" / "encoders.yaml"
TOLERANCE = 1e-4
EXPORTED = (2, 48)  # batch, length
TRIED = (EXPORTED, (1, 40), (3, 61), (4, 90))
VOCABULARY, PADDING, CLS, SEPARATOR = 100, 1, 2, 3
SIZES = {
    "hidden_size": 32, "embedding_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
    "type_vocab_size": 2, "vocab_size": VOCABULARY, "pad_token_id": PADDING, "bos_token_id": CLS, "cls_token_id": CLS,
    "eos_token_id": SEPARATOR, "sep_token_id": SEPARATOR,
}  # fmt: skip
MORE = {  # what a type calls otherwise, or has of its own; local and sparse attention reach less far than a window
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
    "mobilebert": {"intra_bottleneck_size": 16, "num_feedforward_networks": 2},
    "deberta-v2": {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"],
                   "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "xlnet": {"d_model": 32, "n_layer": 3, "n_head": 2, "d_inner": 64},
    "big_bird": {"block_size": 4, "num_random_blocks": 1},
    "longformer": {"attention_window": [4, 4, 4]},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 3},
}  # fmt: skip


def tiny_model(model_type: str, **options: Any) -> Any:  # noqa: ANN401 - a transformers model
    """A model of a type with a span head and weights that tell tokens apart; the same every time.

    options: for from_config, such as attn_implementation.
    """
    positions = {} if model_type == "xlnet" else {"max_position_embeddings": 96}  # XLNet's are relative, without end
    config = AutoConfig.for_model(model_type, **SIZES, **positions, **MORE.get(model_type, {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForQuestionAnswering.from_config(config, **options).eval()
        with torch.no_grad():
            for weights in model.parameters():
                if weights.ndim > 1:
                    weights.normal_(0.0, 0.15)
    return model


def window(length: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """A question and a context of random tokens, two separators between them; name -> (length,)."""
    random = torch.Generator().manual_seed(1000 * seed + length)
    ids = torch.randint(SEPARATOR + 1, VOCABULARY, (length,), generator=random)
    question = length // 3
    ids[0], ids[question], ids[question + 1], ids[-1] = CLS, SEPARATOR, SEPARATOR, SEPARATOR
    types = (torch.arange(length) > question).long()
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": types}


def padded(windows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Windows as the rows of a batch; name -> (window, length of the longest)."""
    pads = {"input_ids": PADDING, "attention_mask": 0, "token_type_ids": 0}
    return {
        name: torch.nn.utils.rnn.pad_sequence([one[name] for one in windows], batch_first=True, padding_value=pad)
        for name, pad in pads.items()
    }


def taken(model: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """The inputs that a model takes."""
    names = inspect.signature(model.forward).parameters
    return {name: values for name, values in inputs.items() if name in names}


class Logits(torch.nn.Module):
    """A model as ONNX wants it: inputs by position, start and end logits alone."""

    def __init__(self, model: Any, names: list[str]) -> None:  # noqa: ANN401
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Start and end logits, each (window, token)."""
        inputs = dict(zip(self.names, values, strict=True))
        inputs["attention_mask"] = inputs["attention_mask"].float()  # XLNet subtracts it from 1.0
        output = self.model(**inputs)
        return output.start_logits, output.end_logits


def largest_difference(model_type: str) -> float:
    """Of the logits of real tokens between torch and onnxruntime. Raises whatever the export or the run raises."""
    import onnxruntime

    model = tiny_model(model_type)
    batches = [taken(model, padded([window(length - 3 * row) for row in range(size)])) for size, length in TRIED]
    names = list(batches[0])
    logits = Logits(model, names).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        shapes = [{0: torch.export.Dim("batch"), 1: torch.export.Dim("length")} for _ in names]
        torch.onnx.export(logits, tuple(batches[0].values()), path, input_names=names, output_names=["start", "end"],
                          dynamic_shapes=(tuple(shapes),), dynamo=True, verbose=False)  # fmt: skip
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    known = {one.name for one in session.get_inputs()}
    worst = 0.0
    for batch in batches:
        with torch.no_grad():
            expected = torch.stack(logits(*batch.values()))
        found = session.run(None, {name: values.numpy() for name, values in batch.items() if name in known})
        differences = (torch.stack([torch.from_numpy(one) for one in found]) - expected).abs()
        worst = max(worst, differences[:, batch["attention_mask"] > 0].max().item())
    return worst


def main(model_types: list[str]) -> int:
    """Print a line for each type; the exit status."""
    logging.disable(logging.WARNING)
    claims = {row["model_type"]: row["onnx"] for row in yaml.safe_load(TABLE.read_text(encoding="utf-8"))}
    wrong = 0
    for model_type in model_types or claims:
        try:
            worst = largest_difference(model_type)
            found, why = "yes" if worst <= TOLERANCE else "no", f"largest difference {worst:.1e}"
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being exported is the finding
            found, why = "no", f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
        wrong += found != claims.get(model_type, found)
        print(f"{model_type:12} {found:3} (the table: {claims.get(model_type, 'nothing')})  {why}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
