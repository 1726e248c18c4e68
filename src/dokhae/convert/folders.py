"""An old checkpoint, TensorFlow's or PyTorch's, written as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dokhae.convert.families import FAMILIES, config_of, read_settings, unknown_settings
from dokhae.convert.filling import Weights, fill
from dokhae.convert.vocabulary import Casing, Vocabulary, read_vocabulary
from dokhae.errors import ModelError
from dokhae.files import refuse_full_folder
from dokhae.model.old_weights import SAFE, TORCH, read_old
from dokhae.model.saving import save_model
from dokhae.model.tensorflow import Checkpoint, as_weight
from dokhae.model.variables import Scheme, each_once, is_transposed, reason_to_leave_out, scheme_of, weight_name

Electra = Literal["discriminator", "generator"]
CONFIGS, VOCABULARIES = ("config.json", "bert_config.json"), ("vocab.txt", "spiece.model")  # in an old folder


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written, and what besides the weights it is made from."""

    config: Path
    vocab: Path
    out: Path
    casing: Casing = "auto"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a checkpoint."""

    source: Path
    class_name: str  # of transformers
    loaded: int  # variables or weights
    left_out: dict[str, tuple[str, ...]]  # why -> which
    unknown_settings: tuple[str, ...]  # of the old settings, that transformers does not know
    casing: str  # cased or uncased, and how that is known


def convert_tensorflow(checkpoint: Checkpoint, wanted: Wanted, electra: Electra = "discriminator") -> Conversion:
    """Write the folder of an open TensorFlow checkpoint.

    Raises ModelError for one with anything that is not known, and for files that are not of one and the same model.
    """
    refuse_full_folder(wanted.out)
    scheme = scheme_in(checkpoint, electra == "generator")
    weights, left_out = account(checkpoint, scheme)
    return _write(weights, scheme.name, left_out, wanted)


def convert_pytorch(path: Path, wanted: Wanted) -> Conversion:
    """Write the folder of an old pytorch_model.bin.

    Raises ModelError for a file with anything else than weights, and for files that are not of one and the same model.
    """
    refuse_full_folder(wanted.out)
    kind = read_settings(wanted.config).get("model_type", "bert")
    if kind not in list(FAMILIES):  # it may be anything that JSON has
        raise ModelError(f"{wanted.config}: is of a model of the type {kind!r}; {', '.join(FAMILIES)} are converted")
    tensors = read_old(path, kind)
    shapes = {name: tuple(one.shape) for name, one in tensors.items()}
    weights = Weights(path, shapes, tensors.__getitem__, {name: name for name in shapes})
    return _write(weights, kind, {}, wanted)


def files_of(source: Path, config: Path | None = None, vocab: Path | None = None) -> tuple[Path, Path, Path]:
    """Weights, config and vocabulary of an old folder, or of the weights in it; those that are given win.

    Raises ModelError where one is not there.
    """
    folder = source if source.is_dir() else source.parent
    if (folder / "tokenizer.json").exists():
        raise ModelError(
            f"{folder}: has a tokenizer.json, so it is a Hugging Face folder as it is; use it with --model"
        )
    path = _found(folder, (TORCH, SAFE), "the file with the weights instead") if source.is_dir() else source
    if not path.exists():
        raise ModelError(f"{path}: no such file; name a {TORCH} or its folder")
    config = config or _found(folder, CONFIGS, "the settings of the model with --config")
    vocab = vocab or _found(folder, VOCABULARIES, "the vocabulary with --vocab")
    return path, config, vocab


def account(checkpoint: Checkpoint, scheme: Scheme) -> tuple[Weights, dict[str, tuple[str, ...]]]:
    """The weights of a checkpoint, and what is left out of it by reason. ModelError where a variable is neither,
    and where two are one weight.
    """
    named: list[tuple[str, str]] = []
    left_out: dict[str, list[str]] = {}
    unknown = []
    for variable in checkpoint.shapes:
        reason = reason_to_leave_out(variable, scheme)
        name = weight_name(variable, scheme)
        if name is not None:
            named.append((name, variable))
        elif reason is not None:
            left_out.setdefault(reason, []).append(variable)
        else:
            unknown.append(variable)
    if unknown:
        raise ModelError(f"{checkpoint.path}: has {len(unknown)} variables that are no part of {scheme.name.upper()} "
                         f"as it is known here: {some(unknown)}; nothing was written")  # fmt: skip
    weights = each_once(named, checkpoint.path)
    shapes = {
        name: checkpoint.shapes[variable][:: -1 if is_transposed(variable) else 1] for name, variable in weights.items()
    }

    def read(name: str) -> Any:  # noqa: ANN401 - a tensor
        return as_weight(weights[name], checkpoint.read(weights[name]))

    return Weights(checkpoint.path, shapes, read, weights), {reason: tuple(names) for reason, names in left_out.items()}


def scheme_in(checkpoint: Checkpoint, generator: bool = False) -> Scheme:
    """Whose code has named the variables of a checkpoint; generator: ELECTRA's other half.

    Raises ModelError where it is none that is known, and for the generator of what has none.
    """
    scheme = scheme_of(checkpoint.shapes, generator)
    if scheme is None:
        raise ModelError(f"{checkpoint.path}: is no BERT, ALBERT or ELECTRA: none of its {len(checkpoint.shapes)} "
                         f"variables begins with bert/ or electra/ ({some(checkpoint.shapes)})")  # fmt: skip
    if generator and scheme.name != "electra":
        raise ModelError(f"{checkpoint.path}: is of {scheme.name.upper()}, which has no generator; leave out --electra")
    if generator and not any(name.startswith("generator") for name in checkpoint.shapes):
        raise ModelError(f"{checkpoint.path}: has no generator, only a discriminator; leave out --electra")
    return scheme


def _write(weights: Weights, kind: str, left_out: dict[str, tuple[str, ...]], wanted: Wanted) -> Conversion:
    settings = read_settings(wanted.config)
    config = config_of(kind, settings, wanted.config)
    told = settings | _beside(wanted.vocab)
    vocabulary = read_vocabulary(wanted.vocab, wanted.casing, told, config.max_position_embeddings)
    _check_rows(weights, vocabulary, wanted.vocab)
    _tell_roles(config, vocabulary.tokenizer)
    filled = fill(weights, kind, config, wanted.config)
    class_name = type(filled.model).__name__
    if filled.left_out:
        parts = tuple(weights.called[name] for name in filled.left_out)
        left_out = left_out | {f"parts that {class_name} has not": parts}
    save_model(wanted.out, filled.model, vocabulary.tokenizer)
    loaded = len(weights.shapes) - len(filled.left_out)
    unknown = tuple(unknown_settings(config, settings))
    return Conversion(weights.path, class_name, loaded, left_out, unknown, vocabulary.casing)


def _beside(vocab: Path) -> dict[str, Any]:
    """What a tokenizer_config.json in the folder of the vocabulary says."""
    path = vocab.with_name("tokenizer_config.json")
    return read_settings(path) if path.exists() else {}


def _check_rows(weights: Weights, vocabulary: Vocabulary, path: Path) -> None:
    if weights.rows not in (None, vocabulary.entries):
        raise ModelError(f"{path}: has {vocabulary.entries} entries, and {weights.path.name} has embeddings for "
                         f"{weights.rows}; take the vocabulary and the weights of one and the same model")  # fmt: skip


def _tell_roles(config: Any, tokenizer: Any) -> None:  # noqa: ANN401 - of transformers
    """The ids of special tokens in the config: the vocabulary's, where the config has any."""
    for name, number in (
        ("pad_token_id", tokenizer.pad_token_id),
        ("bos_token_id", tokenizer.cls_token_id),
        ("eos_token_id", tokenizer.sep_token_id),
    ):
        if getattr(config, name) is not None:
            setattr(config, name, number)


def _found(folder: Path, names: tuple[str, ...], advice: str) -> Path:
    """The first of these files that a folder has."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ModelError(f"{folder}: has neither {' nor '.join(names)}; give {advice}")


def some(names: Iterable[str]) -> str:
    """The first three names."""
    first = list(names)
    return ", ".join(first[:3]) + (", …" if len(first) > 3 else "")
