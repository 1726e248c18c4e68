"""A model of transformers from named weights, each of them accounted for: loaded, left out for a reason, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.convert.families import FAMILIES
from dokhae.errors import ModelError


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights under transformers' names, read when they are asked for."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Any]  # one of them, a tensor
    called: Mapping[str, str]  # what the file calls them

    @property
    def rows(self) -> int | None:
        """The entries that there are embeddings for; None where there are no such embeddings."""
        return next((shape[0] for name, shape in self.shapes.items() if name.endswith("word_embeddings.weight")), None)


@dataclass(frozen=True, slots=True)
class Filled:
    """A model with its weights."""

    model: Any
    left_out: list[str]  # weights that its class has no place for, and that the encoder does not need


def fill(weights: Weights, kind: str, config: Any, config_path: Path) -> Filled:  # noqa: ANN401
    """The class of transformers that takes most of the weights, with them; config: transformers' own.

    Raises ModelError for a weight of another shape than the config's, one too many and one too few.
    """
    model = _empty(weights, kind, config, config_path)
    own = _own_names(model)
    left_out = _check_names(weights, own, FAMILIES[kind].spare, config_path)
    _check_missing(weights, model, own, config_path)
    for name in weights.shapes:
        if name in own:
            _copy(weights, name, own[name])
    _check_tied(weights, own)
    return Filled(model.eval(), left_out)


def _empty(weights: Weights, kind: str, config: Any, config_path: Path) -> Any:  # noqa: ANN401
    """The model before it has its weights."""
    import transformers

    family, names = FAMILIES[kind], set(weights.shapes)
    chosen = family.class_for(names)
    if chosen.endswith("Classification"):
        config.num_labels = _labels(weights)
    pooled = chosen.endswith("Model") and family.pooler
    options = {"add_pooling_layer": any(name.startswith(family.pooler) for name in names)} if pooled else {}
    try:
        return getattr(transformers, chosen)(config, **options)
    except Exception as error:  # an activation that is not known, heads that do not divide the hidden size
        raise ModelError(f"{config_path}: no {chosen} can be made of these settings: {' '.join(str(error).split())}; "
                         "take the file that came with the checkpoint") from None  # fmt: skip


def _labels(weights: Weights) -> int:
    """The rows of the last layer of a classifier."""
    return next(shape[0] for name, shape in reversed(sorted(weights.shapes.items()))
                if name.startswith("classifier.") and len(shape) == 2)  # fmt: skip


def _own_names(model: Any) -> dict[str, Any]:  # noqa: ANN401
    """The model's weights by the names that they have in a model with a head."""
    bare = model.base_model is model
    return {
        f"{model.base_model_prefix}.{name}" if bare else name: weight for name, weight in model.state_dict().items()
    }


def _check_names(weights: Weights, own: dict[str, Any], spare: tuple[str, ...], config_path: Path) -> list[str]:
    """The weights to leave out; ModelError for those that the model should have and has not, and for other shapes."""
    left_out = []
    for name, shape in weights.shapes.items():
        if name not in own and (name.startswith(spare) or name.endswith("position_ids")):
            left_out.append(name)
        elif name not in own:
            raise ModelError(f"{weights.path}: has {name}, which by {config_path.name} is not in the model; {ADVICE}")
        elif tuple(own[name].shape) != shape:
            raise ModelError(f"{weights.path}: {name} is of the shape {shape}, and by {config_path.name} of "
                             f"{tuple(own[name].shape)}; {ADVICE}")  # fmt: skip
    return left_out


ADVICE = "take the weights and the settings of one and the same model"


def _check_missing(weights: Weights, model: Any, own: dict[str, Any], config_path: Path) -> None:  # noqa: ANN401
    there = {own[name].data_ptr() for name in weights.shapes if name in own}
    missing = [name for name, weight in own.items() if weight.data_ptr() not in there]  # what is tied is there twice
    if missing:
        raise ModelError(f"{weights.path}: lacks {missing[0]} ({len(missing)} weights in all), which "
                         f"{type(model).__name__} of {config_path.name} has; {ADVICE}")  # fmt: skip


def _copy(weights: Weights, name: str, place: Any) -> None:  # noqa: ANN401 - a tensor
    import torch

    with torch.no_grad():
        place.copy_(weights.read(name))
    if not bool(torch.isfinite(place).all()):
        raise ModelError(f"{weights.path}: {name} has values that are no numbers; copy the file again")


def _check_tied(weights: Weights, own: dict[str, Any]) -> None:
    """ModelError where two weights that the model has once (embeddings and decoder) differ in the file."""
    import torch

    seen: dict[int, str] = {}
    for name in (name for name in weights.shapes if name in own):
        other = seen.setdefault(own[name].data_ptr(), name)
        if other != name and not torch.equal(weights.read(other).float(), own[name].float()):
            raise ModelError(f"{weights.path}: {name} and {other} differ, and the model has them once; such a model "
                             "cannot be converted")  # fmt: skip
