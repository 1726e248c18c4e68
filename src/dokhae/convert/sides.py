"""The two sides that are compared, each with its outputs under the same names: TensorFlow's and transformers'."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.convert.families import ACTIVATIONS, read_settings, refuse_other_kind
from dokhae.convert.folders import scheme_in
from dokhae.convert.graph import Graph, Sizes
from dokhae.errors import DataError, ModelError, optional
from dokhae.model.finding import quiet
from dokhae.model.loading import load_tokenizer, locate
from dokhae.model.tensorflow import Checkpoint
from dokhae.model.variables import weight_name

LONGEST = 512  # tokens of a text
# The outputs of transformers' classes -> how they are called here.
HEADS = {
    "BertForPreTraining": {"prediction_logits": "word logits", "seq_relationship_logits": "sentence logits"},
    "AlbertForPreTraining": {"prediction_logits": "word logits", "sop_logits": "sentence logits"},
    "ElectraForPreTraining": {"logits": "replaced logits"},
    "BertForMaskedLM": {"logits": "word logits"},
    "AlbertForMaskedLM": {"logits": "word logits"},
    "ElectraForMaskedLM": {"logits": "word logits"},
    "BertForSequenceClassification": {"logits": "label logits"},
    "AlbertForSequenceClassification": {"logits": "label logits"},
    "BertForQuestionAnswering": {},
    "AlbertForQuestionAnswering": {},
    "BertModel": {},
    "AlbertModel": {},
    "ElectraModel": {},
}


@dataclass(frozen=True, slots=True)
class Text:
    """One text as both models read it."""

    ids: list[int]
    types: list[int]
    answer: tuple[int, int]  # first and last token of the answer that the loss of a span head is of


def as_text(tokenizer: Any, first: str, second: str, longest: int, where: str = "the text") -> Text:  # noqa: ANN401
    """A pair, or a text alone where the second is empty. Its answer is all of the last part.

    longest: in tokens, the model's positions; more than 512 are not read. DataError, which begins with `where`, for a
    text without tokens.
    """
    encoded = tokenizer(first, second or None, truncation=True, max_length=min(longest, LONGEST))
    parts = encoded.sequence_ids()
    part = 1 if 1 in parts else 0
    last = [place for place, one in enumerate(parts) if one == part]
    if not last:
        raise DataError(f"{where}: has nothing that the tokenizer makes tokens of; take it out")
    types = encoded.get("token_type_ids") or [0] * len(parts)
    return Text(list(encoded["input_ids"]), list(types), (last[0], last[-1]))


def load_folder(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a converted folder, with all of its weights; ModelError where one is not there."""
    with optional("a model", "train"):
        import torch
        import transformers
    if not (folder / "config.json").exists():
        raise ModelError(f"{folder}: is no folder with a config.json; name one that `dokhae convert tf` has written")
    classes = read_settings(folder / "config.json").get("architectures")
    name = str(classes[0]) if isinstance(classes, list) and classes else ""
    if name not in HEADS:
        raise ModelError(f"{folder}: has a model of the class {name or '(none)'}, which cannot be compared; name a "
                         "folder that `dokhae convert tf` has written")  # fmt: skip
    # Without a pooler in its file, BertModel would draw one.
    options = {"add_pooling_layer": False} if name in ("BertModel", "AlbertModel") and not _has_pooler(folder) else {}
    try:
        with quiet():
            model, report = getattr(transformers, name).from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True, local_files_only=True, **options
            )
    except Exception as error:  # whatever transformers or safetensors say of a damaged folder
        raise ModelError(f"{folder}: no model could be loaded: {str(error).partition(chr(10))[0]}") from None
    if report["missing_keys"]:
        raise ModelError(f"{folder}: lacks {', '.join(sorted(report['missing_keys'])[:3])}; convert it again")
    return load_tokenizer(locate(folder)), model.eval()


def _has_pooler(folder: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "model.safetensors", "pt") as file:
            return any(name.startswith("pooler.") for name in file.keys())  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder}: its model.safetensors cannot be read: {error}") from None


def graph_of(checkpoint: Checkpoint, config: Path, generator: bool = False) -> Graph:
    """TensorFlow's side; config: bert_config.json or a config.json; generator: ELECTRA's other half."""
    settings, scheme = read_settings(config), scheme_in(checkpoint, generator)
    refuse_other_kind(scheme.name, settings, config)
    activation = str(settings.get("hidden_act", "gelu"))
    if "model_type" not in settings:
        activation = ACTIVATIONS.get(scheme.name, {}).get(activation, activation)
    try:
        sizes = Sizes(
            settings["num_hidden_layers"],
            settings["num_attention_heads"],
            activation,
            settings.get("num_hidden_groups", 1),
            settings.get("inner_group_num", 1),
        )
    except KeyError as error:
        raise ModelError(f"{config}: lacks {error}; take the file that came with the checkpoint") from None
    wanted = [name for name in checkpoint.shapes if weight_name(name, scheme) is not None]
    return Graph({name: checkpoint.read(name) for name in wanted}, sizes, generator)


def tensorflow_outputs(graph: Graph, text: Text, checkpoint: Checkpoint) -> dict[str, Any]:
    """Hidden states by layer, pooled output, logits and the loss of a span head; numpy arrays by name."""
    try:
        found = graph.outputs(text.ids, text.types)
    except Exception as error:  # a variable that is not there, or of a shape that does not fit
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{checkpoint.path}: cannot be computed with these settings and ids ({reason}); name the "
                         "checkpoint that the folder was made from") from None  # fmt: skip
    return found | ({"loss": graph.loss(found["span logits"], *text.answer)} if "span logits" in found else {})


def transformers_outputs(model: Any, text: Text) -> dict[str, Any]:  # noqa: ANN401 - a transformers model
    """The same of the folder's model."""
    import torch

    inputs = {
        "input_ids": torch.tensor([text.ids]),
        "token_type_ids": torch.tensor([text.types]),
        "attention_mask": torch.ones(1, len(text.ids), dtype=torch.long),
    }
    with torch.inference_mode():
        base = model.base_model(**inputs, output_hidden_states=True)
        states = [state[0].numpy() for state in base.hidden_states]
        found = {"embeddings": states[0]} | {f"layer {number}": state for number, state in enumerate(states[1:], 1)}
        if getattr(base, "pooler_output", None) is not None:
            found["pooled output"] = base.pooler_output.numpy()
        if model.base_model is model:
            return found
        whole = model(**inputs)
    if hasattr(model, "qa_outputs"):
        logits = torch.stack([whole.start_logits[0], whole.end_logits[0]])  # (start or end, token)
        # In float64, for float32 has steps of 4.8e-7 from 4 on, and the bound is smaller.
        loss = torch.nn.functional.cross_entropy(logits.double(), torch.tensor(text.answer))
        return found | {"span logits": logits.T.numpy(), "loss": loss.numpy()}
    for attribute, name in HEADS[type(model).__name__].items():
        found[name] = getattr(whole, attribute)[0].numpy()
    return found
