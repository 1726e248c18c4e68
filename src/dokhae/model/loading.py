"""Tokenizers and models by hub name or local folder, with one clear error where they cannot be had."""

from __future__ import annotations

import contextlib
import difflib
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dokhae.errors import ModelError, optional
from dokhae.model import etri
from dokhae.model.finding import Source, explained, find_file, locate, quiet
from dokhae.model.sentence_pieces import agree, build_tokenizer

__all__ = [
    "Source",
    "find_file",
    "from_pretrained",
    "load_classifier",
    "load_config",
    "load_encoder",
    "load_model",
    "load_tokenizer",
    "load_trained",
    "load_trained_classifier",
    "locate",
    "refuse_lost_block_head",
    "tell_missing",
]

log = logging.getLogger("dokhae")
SPANS, CLASSES = "AutoModelForQuestionAnswering", "AutoModelForSequenceClassification"
COUNTED = ("position_ids", "token_type_ids")  # what some files hold beside what was learnt
PIECE_FILES = ["*.model", "*.spiece", "*config.json", "special_tokens_map.json", "vocab.txt"]


def load_tokenizer(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers tokenizer
    """A fast tokenizer. ModelError where the folder has none, or only one without character offsets."""
    with optional("loading a model", "train"):
        from transformers import AutoTokenizer
    built = _of_morphemes(source) or _from_sentence_pieces(source)
    if built is not None:
        return built
    with explained(source, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source.name, trust_remote_code=trust_remote_code, **source.options)
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"{source.name}: has only a slow tokenizer ({type(tokenizer).__name__}), which gives no "
                         "character offsets; choose a model with a tokenizer.json")  # fmt: skip
    files = set(tokenizer.vocab_files_names.values()) | {"tokenizer.json"}
    if source.folder is not None and not any((source.folder / file).exists() for file in files):
        # transformers makes up a tokenizer of five entries here instead of failing
        raise ModelError(f"{source.name}: has no tokenizer ({' or '.join(sorted(files))}); "
                         "copy its files beside config.json")  # fmt: skip
    return tokenizer


def _of_morphemes(source: Source) -> Any | None:  # noqa: ANN401 - a transformers tokenizer
    """The tokenizer of ETRI's morpheme BERT; None for the others."""
    built = None if source.folder is None else etri.build_tokenizer(source.folder)
    if built is not None:
        built.name_or_path = source.name
    return built


def _from_sentence_pieces(source: Source) -> Any | None:  # noqa: ANN401 - a transformers tokenizer
    """The tokenizer of a BERT-like model with a SentencePiece file and no tokenizer.json (KoBERT); None for the others.

    transformers' own where it agrees (ALBERT, DeBERTa), for it knows what their classes do by default.
    """
    with optional("loading a model", "train"):
        from transformers import AutoTokenizer
    if find_file(source, "tokenizer.json") is not None:
        return None
    folder = source.folder or _fetch_piece_files(source)
    built = build_tokenizer(folder) if folder else None
    if built is None:
        return None
    built.name_or_path = source.name
    with contextlib.suppress(Exception), quiet():  # whatever keeps transformers from loading these files
        own = AutoTokenizer.from_pretrained(source.name, trust_remote_code=False, **source.options)
        return own if agree(own, built) else built
    return built


def _fetch_piece_files(source: Source) -> Path | None:
    """The folder in the hub's local cache, with what the SentencePiece tokenizer of a model may be made from."""
    with optional("loading a model", "train"):
        from huggingface_hub import HfApi
    with explained(source, "tokenizer"):
        names = ["config.json"] if source.offline else HfApi().list_repo_files(source.name)
    wanted = [name for name in names if "/" not in name and any(fnmatch(name, pattern) for pattern in PIECE_FILES)]
    found = [find_file(source, name) for name in wanted]
    return next((path.parent for path in found if path), None)


def load_model(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model with a span head, in float32; weights that are not there (a new head) are drawn from torch's seed.

    It reads windows end to end where its logits are then the same; `packing.is_packed` says so.
    """
    model, missing = _load_model(source, trust_remote_code)
    _tell_lost_encoder(source, model, missing)
    return model


def load_trained(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model that is to answer as it is; warns where weights (mostly the whole span head) are not there."""
    model, missing = _load_model(source, trust_remote_code)
    tell_missing(source, missing, "are random now, and so are its answers: fine-tune it first (dokhae train)")
    return model


def load_classifier(source: Source, labels: Sequence[str], trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model with a head for these labels, or for one number where there are none; else as load_model.

    A head for another number of them is left aside, which is told. ModelError where other weights do not fit.
    """
    names = list(labels) or ["score"]
    settings = {
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
        "problem_type": "single_label_classification" if labels else "regression",
    }
    model, report = _load(source, CLASSES, trust_remote_code, settings)
    _tell_lost_encoder(source, model, report["missing_keys"])
    head = [name for name in report["missing_keys"] if not name.startswith(f"{model.base_model_prefix}.")]
    if not head and not report["mismatched_keys"]:
        before = [str(name) for _, name in sorted(load_config(source, trust_remote_code).id2label.items())]
        if before != names:
            log.warning("%s: its head is for %s; the training goes on from there for %s",
                        source.name, ", ".join(before), ", ".join(names))  # fmt: skip
    return model


def load_trained_classifier(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401
    """A classifier that is to answer as it is, its labels in its config. ModelError where weights are not there."""
    model, report = _load(source, CLASSES, trust_remote_code)
    if model.config.problem_type == "multi_label_classification":
        raise ModelError(f"{source.name}: gives a text any number of its labels, which dokhae does not; choose a model "
                         "that gives it one")  # fmt: skip
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(f"{source.name}: is no trained classifier: it lacks {missing[0]} ({len(missing)} weights in "
                         "all); fine-tune it first (dokhae classify train)")  # fmt: skip
    return model


def load_encoder(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model without a head, in float32; warns where weights are not there, but for the pooler."""
    model, report = _load(source, "AutoModel", trust_remote_code)
    lost = [name for name in report["missing_keys"] if not name.startswith("pooler.")]
    tell_missing(source, lost, "are random now, and so are its hidden states: take a folder with all weights")
    return model


def tell_missing(source: Source, missing: Iterable[str], so: str) -> None:
    """Warn where a model's weights are not there: the first of them, and what follows (`they ...`)."""
    names = sorted(missing)
    if names:
        log.warning("%s: lacks %s; they %s", source.name, _shortened(names), so)


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _tell_lost_encoder(source: Source, model: Any, missing: Iterable[str]) -> None:  # noqa: ANN401
    """Warn where weights of the encoder itself are not there: a new head is usual, and so is a new pooler."""
    prefix = f"{model.base_model_prefix}."
    lost = [name for name in missing if name.startswith(prefix) and not name.startswith(f"{prefix}pooler.")]
    tell_missing(source, lost, "begin random, and have all to learn: is the folder whole?")


def refuse_lost_block_head(source: Source, expected: bool) -> None:
    """ModelError where the second head that a model was trained with is not in its folder."""
    from dokhae.model.blocks import FILE_NAME as BLOCKS

    if expected and find_file(source, BLOCKS) is None:
        raise ModelError(f"{source.name}: lacks {BLOCKS}, the head that answers with paragraphs, tables and lists; "
                         "copy it beside the weights")  # fmt: skip


def _load_model(source: Source, trust_remote_code: bool) -> tuple[Any, list[str]]:
    """The model with a span head, and the names of the weights that were not there."""
    # a classifier's config has as many labels as it has classes, and transformers would make so many logits of spans
    model, report = _load(source, SPANS, trust_remote_code, {"num_labels": 2})
    return model, sorted({*report["missing_keys"], *(str(name) for name, *_ in report["mismatched_keys"])})


def _load(
    source: Source, kind: str, trust_remote_code: bool, settings: Mapping[str, Any] | None = None
) -> tuple[Any, dict[str, Any]]:
    """A model as one of transformers' auto classes loads it, packed where it can be, and what was wrong with its
    weights. settings: of a new head in config.json; one that was saved may then have another shape.
    """
    with optional("loading a model", "train"):
        import transformers

        from dokhae.model.blocks import FILE_NAME as BLOCKS
        from dokhae.model.blocks import load_block_head
        from dokhae.model.packing import pack
    asked = dict(settings or {})
    if source.folder is not None and etri.is_unconverted(source.folder):
        of_bert = {"AutoModel": "BertModel"}.get(kind) or kind.replace("AutoModel", "Bert")
        model, missing = etri.build_model(source.folder, of_bert, asked)
        model.name_or_path = source.name
        report: dict[str, Any] = {"missing_keys": missing, "mismatched_keys": []}
    else:
        asked["ignore_mismatched_sizes"] = bool(settings)
        model, report = from_pretrained(source, getattr(transformers, kind), trust_remote_code, asked)
    _check_shapes(source, model, [str(name) for name, *_ in report["mismatched_keys"]])
    blocks = find_file(source, BLOCKS) if kind == SPANS else None
    if blocks is not None:
        load_block_head(model, blocks)
    pack(model)
    return model, report


def _check_shapes(source: Source, model: Any, others: Sequence[str]) -> None:  # noqa: ANN401
    """Say which weights of a head were left aside for their shape; ModelError where they are the encoder's."""
    encoder = sorted(name for name in others if name.startswith(f"{model.base_model_prefix}."))
    if encoder:
        raise ModelError(f"{source.name}: {encoder[0]} is not of the shape that config.json says ({len(encoder)} such "
                         "weights in all); take the files of one and the same model")  # fmt: skip
    if others:
        log.warning("%s: its head is for another number of labels than %d, so %s are drawn anew",
                    source.name, model.config.num_labels, ", ".join(sorted(others)))  # fmt: skip


def load_config(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a config of transformers
    """What config.json says; ModelError where it cannot be had."""
    with optional("loading a model", "train"):
        from transformers import AutoConfig
    with explained(source, "config"):
        return AutoConfig.from_pretrained(source.name, trust_remote_code=trust_remote_code, **source.options)


def from_pretrained(
    source: Source,
    kind: Any,  # noqa: ANN401 - a class of transformers
    trust_remote_code: bool,
    options: Mapping[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """What a class of transformers makes of the files, in float32, and its report of what was wrong with the weights.

    Raises ModelError, whatever goes wrong, also where the encoder's weights are another encoder's; weights of it that
    the class has no place for are told.
    """
    import torch

    with explained(source, "model"), quiet(bars=source.folder is None and sys.stderr.isatty()):
        made: tuple[Any, dict[str, Any]] = kind.from_pretrained(
            source.name,
            trust_remote_code=trust_remote_code,
            dtype=torch.float32,
            output_loading_info=True,
            **source.options,
            **options,
        )
    model, report = made
    _refuse_another_encoder(source, model, report)
    unused = _unused(model, report["unexpected_keys"])
    _refuse_relative_positions(source, unused)
    if unused:
        log.warning("%s: has %s, which have no place in %s; it goes on without them",
                    source.name, _shortened(unused), type(model).__name__)  # fmt: skip
    model.config.return_dict = True  # some that were traced say no, and would give tuples
    return made


def _refuse_another_encoder(source: Source, model: Any, report: Mapping[str, Any]) -> None:  # noqa: ANN401
    """ModelError where no weight of the encoder is there: they are another model's, or have other names."""
    prefix, missing = f"{model.base_model_prefix}.", sorted(report["missing_keys"])
    own = {name for name, _ in model.base_model.named_parameters()}
    if own <= {name.removeprefix(prefix) for name in missing}:
        there = (*difflib.get_close_matches(missing[0], report["unexpected_keys"], 1, 0), "no other weights")[0]
        raise ModelError(f"{source.name}: no weight of its encoder is there under the name that {type(model).__name__} "
                         f"has for it (config.json says model_type {model.config.model_type}): there is {there}, and "
                         f"not {missing[0]}; take files of one and the same model, or mend the names")  # fmt: skip


def _unused(model: Any, unexpected: Iterable[str]) -> list[str]:  # noqa: ANN401
    """Weights of the encoder, but for the pooler, that have no place in the model."""
    parts = {name for name, _ in model.base_model.named_children()} - {"pooler"}
    names = (name.removeprefix(f"{model.base_model_prefix}.") for name in unexpected)
    return sorted(name for name in names if name.partition(".")[0] in parts and not name.endswith(COUNTED))


def _refuse_relative_positions(source: Source, unused: Sequence[str]) -> None:
    """ModelError where a model was pretrained with relative positions of BERT's (Shaw et al. 2018).

    They are `relative_key` in its config, and transformers 5 has them no more: it would answer by positions that it
    has never learnt.
    """
    if any("distance_embedding" in name for name in unused):
        raise ModelError(f"{source.name}: was trained with relative positions (position_embedding_type in its "
                         "config.json), which transformers 5 does not compute any more; choose a model with absolute "
                         "ones, or with relative ones of its own (DeBERTa, XLNet)")  # fmt: skip
