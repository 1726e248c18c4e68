"""TensorFlow checkpoints, read by TensorFlow: what is in them, and a BERT's weights under transformers' names.

The reader in Python alone that there is, tensorflow-checkpoint-reader, was last released in 2023.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.errors import ModelError, optional
from dokhae.model.variables import each_once, is_transposed, weight_name

FILES = re.compile(r"(.+)\.(?:index|meta|data-\d+-of-\d+)")
PART = re.compile(r".+\.data-\d+-of-(\d+)")
OBJECTS = re.compile(r"_CHECKPOINTABLE_OBJECT_GRAPH|.*/\.ATTRIBUTES/VARIABLE_VALUE")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose variables are named."""

    path: Path  # its .index file
    shapes: Mapping[str, tuple[int, ...]]  # of the variables, by name
    read: Callable[[str], Any]  # the values of a variable, as numpy has them


def open_checkpoint(place: Path) -> Checkpoint:
    """A checkpoint; `place`: model.ckpt for model.ckpt.index and its data, one of these files, or the folder.

    Raises MissingExtra without TensorFlow, ModelError for a damaged one and for one of objects (TensorFlow 2).
    """
    with optional("a TensorFlow checkpoint", "tf"):
        import tensorflow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    prefix = _prefix(place)
    path = prefix.with_name(f"{prefix.name}.index")
    _refuse_missing_parts(prefix, path)
    with _explained(path):
        reader = tensorflow.train.load_checkpoint(str(prefix))
        shapes = {name: tuple(shape) for name, shape in sorted(reader.get_variable_to_shape_map().items())}

    def read(variable: str) -> Any:  # noqa: ANN401 - a numpy array
        with _explained(path):
            return reader.get_tensor(variable)

    if any(OBJECTS.fullmatch(name) for name in shapes):
        raise ModelError(f"{path}: is an object-based checkpoint of TensorFlow 2, whose variables have the names of "
                         "Python attributes; take the bert_model.ckpt of TensorFlow 1 that it was made from, or save "
                         "its variables under BERT's names with tf.compat.v1.train.Saver")  # fmt: skip
    return Checkpoint(path, shapes, read)


def read_checkpoint(prefix: Path) -> dict[str, Any]:
    """A BERT encoder's weights, tensors by name. Raises as open_checkpoint does, and where there are none."""
    checkpoint = open_checkpoint(prefix)
    weights = weights_of(checkpoint.shapes, checkpoint.read, checkpoint.path)
    if not weights:
        raise ModelError(
            f"{checkpoint.path}: has no variables bert/…; take the checkpoint that BERT's own code has saved"
        )
    return weights


def weights_of(variables: Iterable[str], read: Callable[[str], Any], path: Path) -> dict[str, Any]:
    """Those of the variables in a file that are a BERT encoder's; `read` gives the values of one."""
    named = ((weight_name(variable), variable) for variable in sorted(variables))
    called = each_once(((name, own) for name, own in named if name is not None and name.startswith("bert.")), path)
    return {name: as_weight(variable, read(variable)) for name, variable in called.items()}


def as_weight(variable: str, values: Any) -> Any:  # noqa: ANN401 - a numpy array to a tensor
    """The weight that a variable is, in float32 and in memory of its own."""
    import numpy as np
    import torch

    array = np.asarray(values, dtype=np.float32)
    return torch.from_numpy((array.T if is_transposed(variable) else array).copy())


def _prefix(place: Path) -> Path:
    """What TensorFlow calls the checkpoint that a path stands for."""
    named = FILES.fullmatch(place.name)
    if named:
        return place.with_name(named[1])
    if not place.is_dir():
        return place
    found = sorted({path.with_suffix("") for path in place.glob("*.index")})
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found)
    raise ModelError(f"{place}: has the checkpoints {names}; name one of them" if found else
                     f"{place}: has no checkpoint: no file *.index; name another folder")  # fmt: skip


def _refuse_missing_parts(prefix: Path, path: Path) -> None:
    """ModelError where files are missing; what one that is there says of their number is believed."""
    if not path.exists():
        raise ModelError(f"{path}: no such file; name a checkpoint as TensorFlow does: bert_model.ckpt for "
                         "bert_model.ckpt.index and its .data files")  # fmt: skip
    files = sorted(prefix.parent.glob(f"{_escaped(prefix.name)}.data-*-of-*"))
    counts = {found[1] for found in (PART.fullmatch(file.name) for file in files) if found}
    wanted = [f"{prefix.name}.data-{number:05d}-of-{count}" for count in counts for number in range(int(count))]
    missing = [name for name in wanted if not (prefix.parent / name).exists()]
    if missing or not files:
        lost = f"{missing[0]} is missing" if missing else "its .data files are missing"
        more = f", {len(missing)} of {len(wanted)} such files" if len(missing) > 1 else ""
        raise ModelError(f"{path}: cannot be read as a TensorFlow checkpoint ({lost}{more}); copy it again with all of "
                         "its .data files beside it")  # fmt: skip


def _escaped(name: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", name)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Whatever TensorFlow raises, as one ModelError; IndexError too, which it has where the data ends too early."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{path}: cannot be read as a TensorFlow checkpoint ({reason}); copy it again with all of its "
                         ".data files beside it") from None  # fmt: skip
