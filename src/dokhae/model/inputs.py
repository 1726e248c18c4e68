"""What a model reads: which inputs, and how many tokens. Models that read more than text are refused."""

from __future__ import annotations

import inspect
from typing import Any

from dokhae.errors import ModelError, SettingsError

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OTHER_STATES = "encoder_attention_mask"  # of another encoder, which BERT could read if it were a decoder
QUESTION_INPUTS = ("global_attention_mask", "question_lengths")  # how a model can be told where the question ends


def input_names(tokenizer: Any, model: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The inputs that the tokenizer makes and the model can take. ModelError where it reads more than two texts.

    KLUE's RoBERTa, for one, has a BERT tokenizer with two token types and an embedding for one of them. And
    transformers 5 no longer lists token types for ALBERT, which was pretrained with them (4 did): where the files do
    not list the inputs themselves, the tokenizer's own layout of a pair says whether there are any. An attention mask
    is ours to give: a tokenizer that does not list it (FNet's) can be beside a model that needs it.
    """
    takes = inspect.signature(model.forward).parameters
    _refuse_more_than_text(tokenizer, model, list(takes))
    _refuse_another_separator(tokenizer, model, list(takes))
    types = getattr(model.config, "type_vocab_size", 2) or 0
    names = dict.fromkeys((*tokenizer.model_input_names, "attention_mask"))
    if "model_input_names" not in tokenizer.init_kwargs and any(tokenizer.backend_tokenizer.encode("a", "b").type_ids):
        names["token_type_ids"] = None
    return tuple(name for name in names if name in takes and (name != "token_type_ids" or types > 1))


def _refuse_more_than_text(tokenizer: Any, model: Any, takes: list[str]) -> None:  # noqa: ANN401
    """ModelError for what is no token of a text: inputs that the tokenizer lists (LayoutLM's boxes), or that have an
    attention mask of their own (LUKE's entities, LXMERT's pictures; a decoder makes its inputs itself).
    """
    known = (*QUESTION_INPUTS, OTHER_STATES)
    masks = [name for name in takes if name.endswith("_attention_mask") and name not in known]
    sequences = [] if model.config.is_encoder_decoder else [name.removesuffix("attention_mask") for name in masks]
    listed = [name for name in tokenizer.model_input_names if name not in TEXT_INPUTS and name in takes]
    more = listed + [name for name in takes if name.startswith(tuple(sequences)) and name not in listed]
    if more:
        raise ModelError(f"{model.name_or_path}: {type(model).__name__} also reads {', '.join(more)}, which a question "
                         "and a context do not give; choose an encoder of text alone, such as BERT, RoBERTa or "
                         "ELECTRA")  # fmt: skip


def _refuse_another_separator(tokenizer: Any, model: Any, takes: list[str]) -> None:  # noqa: ANN401
    """ModelError where the model looks for the end of the question (BigBird, Longformer), but not for our separator."""
    separator = getattr(model.config, "sep_token_id", None)
    if set(takes).isdisjoint(QUESTION_INPUTS) or model.config.is_encoder_decoder or separator == tokenizer.sep_token_id:
        return
    raise ModelError(f"{model.name_or_path}: its config.json says that token {separator} is the separator, its "
                     f"tokenizer says {tokenizer.sep_token_id}; correct sep_token_id in config.json")  # fmt: skip


def longest_input(model: Any) -> int | None:  # noqa: ANN401
    """Tokens that the model's positions allow; None where they have no end (relative positions).

    RoBERTa and its kin count positions from the padding index + 1. Rotary positions go on for ever, but were trained up
    to a length that the config tells. Block-sparse attention takes whole blocks.
    """
    table = _positions(model)
    if table is not None:
        longest = int(table.num_embeddings) - first_position(model)
    elif getattr(model.config, "rope_parameters", None):
        longest = int(model.config.max_position_embeddings)
    else:
        return None
    if getattr(model.config, "attention_type", None) == "block_sparse":
        longest -= longest % model.config.block_size
    return longest


def check_length(max_length: int, longest: int | None, model: str) -> None:
    """SettingsError where the windows are longer than the model's position embeddings."""
    if longest is not None and max_length > longest:
        raise SettingsError(f"max_length is {max_length}, but the positions of {model} end at {longest}; "
                            f"use --max_length {longest}")  # fmt: skip


def first_position(model: Any) -> int:  # noqa: ANN401
    """Where a window's positions begin: RoBERTa and its kin count from the padding index + 1, others from 0."""
    padding = getattr(_positions(model), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def _positions(model: Any) -> Any | None:  # noqa: ANN401 - the table of position embeddings, where there is one
    return next((module for name, module in model.named_modules()
                 if name.endswith("position_embeddings") and hasattr(module, "num_embeddings")), None)  # fmt: skip


def grow_embeddings(model: Any, tokens: int) -> None:  # noqa: ANN401
    """Give a model embeddings for so many tokens, where it has fewer; the new ones are drawn as it draws its own."""
    if model.get_input_embeddings().num_embeddings < tokens:
        model.resize_token_embeddings(tokens, mean_resizing=False)
