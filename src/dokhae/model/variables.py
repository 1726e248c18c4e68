"""The variables of BERT, ALBERT and ELECTRA as their own TensorFlow code names them, and the weights of transformers
that they are. This is the one place that knows the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dokhae.errors import ModelError

# The last part of a variable's name -> how a weight's name ends.
ENDINGS = {
    "kernel": ".weight", "gamma": ".weight", "output_weights": ".weight",
    "bias": ".bias", "beta": ".bias", "output_bias": ".bias",
}  # fmt: skip
TABLE = re.compile(r"\w+_embeddings")  # what is looked up, not multiplied
LAYER = r"layer_(\d+)/(attention/self/(?:query|key|value)|(?:attention/output|intermediate|output)/dense|(?:attention/)?output/LayerNorm)"  # noqa: E501
GROUP = r"bert/encoder/transformer/group_(\d+)/inner_group_(\d+)/"
OWN = r"albert.encoder.albert_layer_groups.\1.albert_layers.\2."
SLOT = r"(?:adam_[mv]|lamb_[mv]|[mv]|(?:Adam|AdamWeightDecay|LAMB)(?:Optimizer)?(?:_\d+)?|Momentum|accum|grad_acc)"
# What a training keeps beside the weights -> how it is called where it is left out.
OF_TRAINING = {
    rf".+/{SLOT}": "slots of the optimizer",
    r"(?:.+/)?(?:global_step|local_step|accum_steps?|beta[12]_power(?:_\d+)?)": "counters of the training",
    r"(?:.+/)?(?:good_steps|(?:current_)?loss_scale)": "the scale of the loss",
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one code names its variables."""

    name: str  # transformers' model_type
    rules: tuple[tuple[str, str], ...]  # where a variable stands, but for its last part -> where its weight stands
    left_out: tuple[tuple[str, str], ...] = ()  # variables of another model in the same checkpoint -> what that is


BERT = Scheme(
    "bert",
    (
        (r"bert/embeddings(/LayerNorm)?", r"bert.embeddings\1"),
        (rf"bert/encoder/{LAYER}", r"bert.encoder.layer.\1.\2"),
        (r"bert/pooler/dense", "bert.pooler.dense"),
        (r"cls/predictions(/transform/(?:dense|LayerNorm))?", r"cls.predictions\1"),
        (r"cls/seq_relationship", "cls.seq_relationship"),
        (r"cls/squad", "qa_outputs"),
        (r"", "classifier"),
    ),
)
ALBERT = Scheme(
    "albert",
    (
        (r"bert/embeddings(/LayerNorm)?", r"albert.embeddings\1"),
        (r"bert/encoder/embedding_hidden_mapping_in", "albert.encoder.embedding_hidden_mapping_in"),
        (rf"{GROUP}attention_1/self/(query|key|value)", rf"{OWN}attention.\3"),
        (rf"{GROUP}attention_1/output/dense", f"{OWN}attention.dense"),
        (rf"{GROUP}LayerNorm", f"{OWN}attention.LayerNorm"),
        (rf"{GROUP}ffn_1/intermediate/dense", f"{OWN}ffn"),
        (rf"{GROUP}ffn_1/intermediate/output/dense", f"{OWN}ffn_output"),
        (rf"{GROUP}LayerNorm_1", f"{OWN}full_layer_layer_norm"),
        (r"bert/pooler/dense", "albert.pooler"),
        (r"cls/predictions(?:/transform(/dense|/LayerNorm))?", r"predictions\1"),
        (r"cls/seq_relationship", "sop_classifier.classifier"),
        (r"cls/squad", "qa_outputs"),
        (r"", "classifier"),
    ),
)
DISCRIMINATOR = Scheme(
    "electra",
    (
        (r"electra/embeddings(/LayerNorm)?", r"electra.embeddings\1"),
        (r"electra/embeddings_project", "electra.embeddings_project"),
        (rf"electra/encoder/{LAYER}", r"electra.encoder.layer.\1.\2"),
        (r"discriminator_predictions/dense", "discriminator_predictions.dense"),
        (r"discriminator_predictions/dense_1", "discriminator_predictions.dense_prediction"),
    ),
    ((r"generator(?:_predictions)?/.+", "the generator"),),
)
_GENERATOR = (
    (r"generator/embeddings_project", "electra.embeddings_project"),
    (rf"generator/encoder/{LAYER}", r"electra.encoder.layer.\1.\2"),
    (r"generator_predictions/(dense|LayerNorm)", r"generator_predictions.\1"),
    (r"generator_predictions", "generator_lm_head"),
)
_OF_DISCRIMINATOR = (r"(?:electra|discriminator_predictions)/.+", "the discriminator")
GENERATOR = Scheme(
    "electra", ((r"electra/embeddings(/LayerNorm)?", r"electra.embeddings\1"), *_GENERATOR), (_OF_DISCRIMINATOR,)
)
GENERATOR_APART = Scheme(
    "electra", ((r"generator/embeddings(/LayerNorm)?", r"electra.embeddings\1"), *_GENERATOR), (_OF_DISCRIMINATOR,)
)


def scheme_of(variables: Iterable[str], generator: bool = False) -> Scheme | None:
    """Whose code has named these variables; None where it is none of the three. generator: ELECTRA's other half."""
    names = list(variables)
    if any(name.startswith("electra/") for name in names):
        apart = any(name.startswith("generator/embeddings/") for name in names)
        return (GENERATOR_APART if apart else GENERATOR) if generator else DISCRIMINATOR
    if any(re.match(GROUP, name) for name in names):
        return ALBERT
    return BERT if any(name.startswith("bert/") for name in names) else None


def weight_name(variable: str, scheme: Scheme = BERT) -> str | None:
    """The name in transformers of a variable; None for what is no weight of the scheme's model.

    >>> weight_name("bert/encoder/layer_0/attention/self/query/kernel")
    'bert.encoder.layer.0.attention.self.query.weight'
    """
    place, _, last = variable.rpartition("/")
    ending = f".{last}.weight" if TABLE.fullmatch(last) else ENDINGS.get(last)
    for pattern, name in scheme.rules if ending else ():
        found = re.fullmatch(pattern, place)
        if found:
            return found.expand(name).replace("/", ".") + str(ending)
    return None


def each_once(named: Iterable[tuple[str, str]], path: Path) -> dict[str, str]:
    """What a file calls its weights, by their names in transformers, from pairs of (that name, the file's).

    Raises ModelError where the file has two for one weight.
    """
    called: dict[str, str] = {}
    for name, own in named:
        other = called.setdefault(name, own)
        if other != own:
            raise ModelError(f"{path}: {other} and {own} are both {name}, which a model has once; take a file that has "
                             "one of them")  # fmt: skip
    return called


def reason_to_leave_out(variable: str, scheme: Scheme) -> str | None:
    """What a variable is that no model needs; None where that is not known."""
    known = (*OF_TRAINING.items(), *scheme.left_out)
    return next((reason for pattern, reason in known if re.fullmatch(pattern, variable)), None)


def is_transposed(variable: str) -> bool:
    """Whether the weight has a variable's rows as its columns: TensorFlow multiplies from the left, (in, out)."""
    return variable.endswith("/kernel")
