"""BERT's three models as transformers has them, with weights and tokenizer by `load`, in evaluation and float32.

All of them are called with token ids and, where there is padding or a second text, with two more arrays of the shape
(texts, tokens), all int64:

    input_ids       token ids, special tokens included
    attention_mask  1 where a token is, 0 where padding is; left out: no padding
    token_type_ids  0 in the first text, 1 in the second one; left out: all 0

and `output_hidden_states=True` adds `hidden_states` to the output: the embeddings, then the states after each layer,
(texts, tokens, hidden) each, so -1 is the last layer.

BertModel, an encoder without a head: `last_hidden_state`, (texts, tokens, hidden), and `pooler_output`, (texts,
hidden): the first token's state after BERT's pooler, a layer with tanh.

>>> model, tokenizer = load(BertModel, name)
>>> inputs = tokenizer(["서울은 크다.", "A town"], padding=True, return_tensors="pt")
>>> output = model(**inputs)
>>> [list(one.shape) for one in (inputs["input_ids"], output.last_hidden_state, output.pooler_output)]
[[2, 7], [2, 7, 32], [2, 32]]
>>> len(model(**inputs, output_hidden_states=True).hidden_states)  # of one layer
2

BertForSequenceClassification, a text or a pair of texts to its class: `logits`, (texts, labels), one for each of
`model.config.id2label`.

>>> model, tokenizer = load(BertForSequenceClassification, classifier)
>>> inputs = tokenizer("서울은 크다.", "A town", return_tensors="pt")
>>> inputs["token_type_ids"].tolist()
[[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]]
>>> list(model(**inputs).logits.shape), model.config.id2label
([1, 2], {0: 'no', 1: 'yes'})

BertForQuestionAnswering, a question and its context to a span of the context: `start_logits` and `end_logits`,
(texts, tokens).

>>> model, tokenizer = load(BertForQuestionAnswering, name)
>>> output = model(**tokenizer("A town?", "서울은 크다.", return_tensors="pt"))
>>> list(output.start_logits.shape), list(output.end_logits.shape)
([1, 11], [1, 11])
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from dokhae.errors import ModelError, optional
from dokhae.model import etri
from dokhae.model.loading import Source, from_pretrained, load_config, load_tokenizer, locate, tell_missing

with optional("loading a model", "train"):
    from transformers import BertForQuestionAnswering, BertForSequenceClassification, BertModel, PreTrainedModel

__all__ = ["BertForQuestionAnswering", "BertForSequenceClassification", "BertModel", "load"]
Model = TypeVar("Model", bound=PreTrainedModel)


def load(kind: type[Model], name: str | Path, trust_remote_code: bool = False) -> tuple[Model, Any]:
    """A model of a class of transformers, in evaluation and float32, and its fast tokenizer.

    name: a run folder, a model folder or a hub name. Weights that are not there are drawn, which is told. Raises
    ModelError where model or tokenizer cannot be had, or are of another kind.
    """
    source = locate(name)
    tokenizer = load_tokenizer(source, trust_remote_code)
    if source.folder is not None and etri.is_unconverted(source.folder):
        model, missing = etri.build_model(source.folder, kind.__name__)
    else:
        _refuse_another_kind(source, kind, trust_remote_code)
        model, report = from_pretrained(source, kind, trust_remote_code, {})
        missing = report["missing_keys"]
    tell_missing(source, missing, "are random now, and so is what comes of them")
    return model.eval(), tokenizer


def _refuse_another_kind(source: Source, kind: type[PreTrainedModel], trust_remote_code: bool) -> None:
    """ModelError where the files are of another kind of model: transformers would draw all weights and go on."""
    here, wanted = load_config(source, trust_remote_code).model_type, getattr(kind.config_class, "model_type", "")
    if here != wanted:
        raise ModelError(f"{source.name}: is a model of the kind {here}, and {kind.__name__} of {wanted}; load it as a "
                         "class of its own kind, which `dokhae.load` takes as well")  # fmt: skip
