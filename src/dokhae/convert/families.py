"""BERT, ALBERT and ELECTRA: what their settings have to say, and which of transformers' classes takes which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.errors import DataError, ModelError
from dokhae.files import read_json

SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
# The activation that ALBERT's own code calls gelu is the approximation with tanh.
ACTIVATIONS = {"albert": {"gelu": "gelu_new"}}


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of encoder that transformers has."""

    title: str  # how its classes begin
    sizes: tuple[str, ...]  # settings without which its shape is not known
    classes: Mapping[str, tuple[str, ...]]  # how a class's name ends -> what its weights begin with; first fit
    spare: tuple[str, ...]  # what a class may lack without loss for the encoder
    pooler: str  # how the pooler's weights begin; "" where there is none

    def class_for(self, names: set[str]) -> str:
        """The class that takes most of the weights of these names."""
        for ending, parts in self.classes.items():
            if all(any(name.startswith(part) for name in names) for part in parts):
                return self.title + ending
        return f"{self.title}Model"


FAMILIES = {
    "bert": Family(
        "Bert",
        SIZES,
        {
            "ForQuestionAnswering": ("qa_outputs.",),
            "ForSequenceClassification": ("classifier.", "bert.pooler."),
            "ForPreTraining": ("cls.predictions.", "cls.seq_relationship.", "bert.pooler."),
            "ForMaskedLM": ("cls.predictions.",),
        },
        ("bert.pooler.", "cls."),
        "bert.pooler.",
    ),
    "albert": Family(
        "Albert",
        (*SIZES, "embedding_size"),
        {
            "ForQuestionAnswering": ("qa_outputs.",),
            "ForSequenceClassification": ("classifier.", "albert.pooler."),
            "ForPreTraining": ("predictions.", "sop_classifier.", "albert.pooler."),
            "ForMaskedLM": ("predictions.",),
        },
        ("albert.pooler.", "predictions.", "sop_classifier."),
        "albert.pooler.",
    ),
    "electra": Family(
        "Electra",
        (*SIZES, "embedding_size"),
        {
            "ForQuestionAnswering": ("qa_outputs.",),
            "ForSequenceClassification": ("classifier.",),
            "ForPreTraining": ("discriminator_predictions.",),
            "ForMaskedLM": ("generator_predictions.", "generator_lm_head."),
        },
        ("discriminator_predictions.", "generator_predictions.", "generator_lm_head."),
        "",
    ),
}


def read_settings(path: Path) -> dict[str, Any]:
    """What a bert_config.json or config.json holds. ModelError where it is not a mapping, or cannot be read."""
    try:
        content = read_json(path)
    except DataError as error:
        raise ModelError(str(error)) from None
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: is not the settings of a model, which are names and values; name its bert_config.json"
        )
    return content


def refuse_other_kind(kind: str, settings: dict[str, Any], path: Path) -> None:
    """ModelError where the settings name another model_type; those from before transformers name none."""
    stated = settings.get("model_type", kind)
    if stated != kind:
        raise ModelError(f"{path}: is of a model of the type {stated!r}, and the weights are {kind.upper()}'s; take "
                         "the settings that came with them")  # fmt: skip


def config_of(kind: str, settings: dict[str, Any], path: Path) -> Any:  # noqa: ANN401 - a transformers config
    """The config that transformers has for these settings; what it does not know is left out.

    Raises ModelError where a size is missing or is no number, and for what no model of this kind can be made of.
    """
    import transformers

    refuse_other_kind(kind, settings, path)
    family = FAMILIES[kind]
    for name in family.sizes:
        value = settings.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{path}: is not the settings of {_article(family.title)}: {name} is {value!r}, and has "
                             "to be a number from 1 on; take the file that came with the checkpoint")  # fmt: skip
    make = getattr(transformers, f"{family.title}Config")
    known = make().to_dict()
    kept = {name: value for name, value in settings.items() if name in known and name != "model_type"}
    activation = kept.get("hidden_act")
    if "model_type" not in settings and activation is not None:
        kept["hidden_act"] = ACTIVATIONS.get(kind, {}).get(activation, activation)
    kept = {
        name: value for name, value in kept.items() if name not in ("architectures", "transformers_version", "dtype")
    }
    try:
        return make(**kept)
    except Exception as error:  # whatever transformers has against a value
        raise ModelError(f"{path}: {make.__name__} cannot be made of these settings: {' '.join(str(error).split())}; "
                         "take the file that came with the checkpoint") from None  # fmt: skip


def unknown_settings(config: Any, settings: dict[str, Any]) -> list[str]:  # noqa: ANN401 - a transformers config
    """The names of the settings that transformers does not know, and that are left out."""
    return sorted(settings.keys() - config.to_dict().keys())


def _article(title: str) -> str:
    return f"an {title.upper()}" if title[0] in "AE" else f"a {title.upper()}"
