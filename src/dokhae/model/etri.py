"""ETRI's morpheme BERT (KorBERT) as it is handed out: its own vocabulary file, BERT's bert_config.json, old weights.

Once saved by dokhae it is a model like any other, and nothing here is asked.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dokhae.errors import DataError, ModelError
from dokhae.files import read_json, read_text
from dokhae.model.old_weights import read_weights
from dokhae.model.sentence_pieces import ROLES

log = logging.getLogger("dokhae")
VOCABULARY = "vocab.korean_morp.list"
SIZES = "bert_config.json"
CONVERTED = "config.json"  # of transformers, which then knows how to make the model
NO_ENTRIES = ("n_iters=", "max_length=")  # how lines begin that tell of the vocabulary's making
LONGEST = 200  # characters of a morpheme with its tag; a longer one is unknown
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
COUNTS = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
OTHERS = ("hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "layer_norm_eps")
ENCODER = "bert."
LEFT_OUT = ("bert.pooler.", "bert.embeddings.position_ids")  # not of every model, and what is counted anyway


def build_tokenizer(folder: Path) -> Any | None:  # noqa: ANN401 - a transformers tokenizer
    """The fast tokenizer of the morpheme vocabulary in a folder; None where it has none, or a tokenizer.json.

    Raises ModelError for a file of another form, and for one with more entries than the model has embeddings.
    """
    from transformers import PreTrainedTokenizerFast

    if not (folder / VOCABULARY).exists() or (folder / "tokenizer.json").exists():
        return None
    entries = _entries(folder / VOCABULARY)
    if is_unconverted(folder):
        rows = _sizes(folder)["vocab_size"]  # rows without an entry are padding
        if len(entries) < rows:
            log.warning("%s: has %d entries, and the model has embeddings for %d; is the file whole?",
                        folder / VOCABULARY, len(entries), rows)  # fmt: skip
        if len(entries) > rows:
            raise ModelError(f"{folder / VOCABULARY}: has {len(entries)} entries, and the model has embeddings for "
                             f"{rows} by {SIZES}; take the files of one and the same model")  # fmt: skip
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=_backend(entries), model_input_names=list(INPUTS), **ROLES
    )


def is_unconverted(folder: Path) -> bool:
    """Whether a folder has the vocabulary, and nothing that transformers could make a model from."""
    return (folder / VOCABULARY).exists() and not (folder / CONVERTED).exists()


def build_model(
    folder: Path, kind: str = "BertForQuestionAnswering", settings: Mapping[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """BERT from the files of a folder, and the names of the weights (of a head, of the pooler) that are not among them.

    kind: its class in transformers; settings: more for its config. Raises ModelError where the files are damaged, or
    are not of one and the same model.
    """
    import transformers

    padding = _entries(folder / VOCABULARY).index(ROLES["pad_token"])
    sizes = _sizes(folder)
    path, weights = read_weights(folder)
    try:
        config = transformers.BertConfig(pad_token_id=padding, **sizes, **(settings or {}))
        model = getattr(transformers, kind)(config)
    except Exception as error:  # an activation that is not known, heads that do not divide the hidden size
        raise ModelError(f"{folder / SIZES}: no BERT can be made of these settings: {error}; copy it again") from None
    bare = ENCODER if model.base_model is model else ""  # an encoder alone has no name in front of its weights
    missing = _check(path, weights, {bare + name: weight for name, weight in model.state_dict().items()})
    model.load_state_dict({name.removeprefix(bare): weight for name, weight in weights.items()}, strict=False)
    return model.eval(), [name.removeprefix(bare) for name in missing]


def _entries(path: Path) -> list[str]:
    """The entry of each id. One that is white space alone keeps its id under a name that no text becomes."""
    try:
        lines = read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n")
    except DataError as error:
        raise ModelError(str(error)) from None
    named = (line.partition("\t")[0].strip() for line in lines if not line.startswith(NO_ENTRIES))
    entries = [entry or f" {number}" for number, entry in enumerate(named)]
    _refuse_another_form(path, entries)
    return entries


def _refuse_another_form(path: Path, entries: list[str]) -> None:
    if not any(entry.endswith("/NNG_") for entry in entries):
        raise ModelError(f"{path}: is not a vocabulary of morphemes: no entry ends with /NNG_; take the one that came "
                         "with the weights, whose lines are an entry, a tab and a score")  # fmt: skip
    lacking = [name for name in ROLES.values() if name not in entries]
    if lacking:
        raise ModelError(f"{path}: lacks {', '.join(lacking)}; copy it again from where the weights came from")
    entry, count = Counter(entries).most_common(1)[0]
    if count > 1:
        raise ModelError(f"{path}: has {entry!r} {count} times, so it is not clear which of its ids the weights mean; "
                         "copy it again from where they came from")  # fmt: skip


def _backend(entries: list[str]) -> Tokenizer:
    """Greedy longest match in what stands between spaces; no entry is told to continue a word."""
    ids = {entry: number for number, entry in enumerate(entries)}
    model = models.WordPiece(
        ids, unk_token=ROLES["unk_token"], max_input_chars_per_word=LONGEST, continuing_subword_prefix=""
    )
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    first, last = ((ROLES[role], ids[ROLES[role]]) for role in ("cls_token", "sep_token"))
    backend.post_processor = processors.BertProcessing(last, first)
    return backend


def _sizes(folder: Path) -> dict[str, Any]:
    """What BERT's settings say of the model's shape; of the rest that they may hold nothing is needed."""
    path = folder / SIZES
    if not path.exists():
        raise ModelError(f"{folder}: has no {SIZES}; copy it beside {VOCABULARY} from where that came from")
    try:
        content = read_json(path)
    except DataError as error:
        raise ModelError(str(error)) from None
    content = content if isinstance(content, dict) else {}
    for name in COUNTS:
        value = content.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{path}: is not the settings of a BERT: {name} is {value!r}, and has to be a number from "
                             "1 on; copy it again from where the weights came from")  # fmt: skip
    return {name: content[name] for name in (*COUNTS, *OTHERS) if name in content}


def _check(path: Path, weights: dict[str, Any], own: dict[str, Any]) -> list[str]:
    """The names of missing weights of head and pooler. ModelError where the others are not those of the model."""
    advice = f"take the weights and the {SIZES} of one and the same model"
    lacking = [name for name in own if name not in weights]
    encoder = [name for name in lacking if name.startswith(ENCODER) and not name.startswith(LEFT_OUT)]
    if encoder:
        raise ModelError(f"{path}: lacks {encoder[0]} ({len(encoder)} weights in all); {advice}")
    more = [name for name in weights if name.startswith(ENCODER) and name not in own and not name.startswith(LEFT_OUT)]
    if more:
        raise ModelError(f"{path}: has {more[0]} ({len(more)} such weights), which by {SIZES} is not in the model; "
                         f"{advice}")  # fmt: skip
    for name in [name for name in own if name in weights]:
        here, wanted = tuple(weights[name].shape), tuple(own[name].shape)
        if here != wanted:
            raise ModelError(f"{path}: {name} is of the shape {here}, and by {SIZES} of {wanted}; {advice}")
    return sorted(lacking)
