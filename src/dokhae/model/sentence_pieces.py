"""A fast tokenizer with offsets from the SentencePiece file of a BERT-like model, such as KoBERT.

Such a model has a SentencePiece file, maybe a vocab.txt that numbers the pieces anew, and the name of a Python class.
transformers 5 lacks the class, or takes the files for WordPiece's or XLNet's and makes most of a Korean text unknown.
What is built here gives SentencePiece's own ids.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from dokhae.errors import ModelError, optional

ROLES = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
UNIGRAM, BPE = 1, 2  # trainer_spec.model_type; the others cut no words into pieces
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6  # types of pieces
WORD_MARK = "▁"
# In plain lower case, so that a class which lowers by default may agree, with a letter that is in no file.
PROBE, HANGUL = "in the town 1822 \U0010ffff ", "서울은 한국의 수도"


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the files of a model say about its pieces."""

    path: Path  # the SentencePiece file
    proto: Any  # what is in it
    kinds: dict[int, dict[str, float]]  # type -> its pieces -> their scores
    composes: bool  # its normaliser composes letters: jamo to syllables, e + accent to é
    entries: tuple[str, ...]  # id -> entry
    options: dict[str, Any]  # config.json, special_tokens_map.json and tokenizer_config.json, the last one wins
    roles: dict[str, str]  # cls_token and so on -> entry

    def of_type(self, kind: int) -> dict[str, float]:
        """The pieces of a type that have an id, and their scores."""
        known = frozenset(self.entries)
        return {piece: score for piece, score in self.kinds.get(kind, {}).items() if piece in known}


def build_tokenizer(folder: Path) -> Any | None:  # noqa: ANN401 - a transformers tokenizer
    """The fast tokenizer of the SentencePiece file in a folder; None where there is none with [CLS] and [SEP].

    Raises ModelError for a damaged file, and for one of a kind that the tokenizers library has not.
    """
    from transformers import PreTrainedTokenizerFast

    pieces = _find(folder)
    if pieces is None:
        return None
    try:
        backend = _backend(pieces)
    except Exception as error:  # text that is no UTF-8, a table that is none
        raise ModelError(f"{pieces.path}: is a damaged SentencePiece file ({error}); copy it again") from None
    return PreTrainedTokenizerFast(tokenizer_object=backend, **_keywords(pieces))  # type: ignore[no-untyped-call]


def agree(one: Any, built: Any) -> bool:  # noqa: ANN401 - transformers tokenizers
    """Whether a tokenizer gives the same ids as the one built here to a pair of plain texts, laid out alike.

    Hangul is asked only where its form does not matter: some learnt it in jamo, which their classes make of it.
    """
    ours, apart = built.backend_tokenizer, unicodedata.normalize("NFD", HANGUL)
    probe = PROBE + HANGUL if ours.encode(HANGUL).ids == ours.encode(apart).ids else PROBE
    if not one.is_fast or one.pad_token_id != built.pad_token_id:
        return False
    first, second = (tokenizer.encode(probe, "a") for tokenizer in (one.backend_tokenizer, ours))
    return bool(first.ids == second.ids and first.type_ids == second.type_ids)


def _find(folder: Path) -> Pieces | None:
    """The first SentencePiece file of a folder whose entries are BERT's."""
    for path in sorted((*folder.glob("*.model"), *folder.glob("*.spiece"))):
        proto, composes = _read(path)
        kinds: dict[int, dict[str, float]] = {}
        for one in proto.pieces:
            kinds.setdefault(one.type, {})[one.piece] = one.score
        entries = _entries(folder / "vocab.txt", tuple(one.piece for one in proto.pieces))
        if {ROLES["cls_token"], ROLES["sep_token"]} <= set(entries):
            spec, options = proto.trainer_spec, _settings(folder)
            roles = _roles(entries, list(kinds.get(UNKNOWN, ())), options)
            if spec.model_type not in (UNIGRAM, BPE) or spec.treat_whitespace_as_suffix or "unk_token" not in roles:
                raise ModelError(f"{path}: is no SentencePiece file of Unigram or BPE that marks where words begin and "
                                 "has an unknown token; choose another model")  # fmt: skip
            return Pieces(path, proto, kinds, composes, entries, options, roles)
    return None


def _read(path: Path) -> tuple[Any, bool]:
    """What is in a SentencePiece file, and whether its normaliser composes."""
    with optional("a SentencePiece file", "train"):
        from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
    try:
        content = path.read_bytes()
        proto = sentencepiece_model_pb2.ModelProto.FromString(content)  # type: ignore[attr-defined]
        composes = SentencePieceProcessor(model_proto=content).normalize("e\u0301").endswith("é")
    except Exception as error:  # protobuf and sentencepiece have errors of their own
        raise ModelError(f"{path}: cannot be read as a SentencePiece file ({error}); copy it again, or remove it if "
                         "the tokenizer is in other files") from None  # fmt: skip
    if not (proto.HasField("trainer_spec") and proto.HasField("normalizer_spec")):
        raise ModelError(f"{path}: is only the beginning of a SentencePiece file; copy it again")
    return proto, composes


def _entries(path: Path, pieces: tuple[str, ...]) -> tuple[str, ...]:
    """The entry of each id: the lines of vocab.txt, if most pieces that begin a word are there; else the pieces."""
    try:
        lines = tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError):
        return pieces
    marked = {piece for piece in pieces if piece.startswith(WORD_MARK)}  # WordPiece has none of them
    return lines if 2 * len(marked & set(lines)) > len(marked) else pieces


def _settings(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in (folder / f"{name}.json" for name in ("config", "special_tokens_map", "tokenizer_config")):
        if path.exists():
            try:
                found |= json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, TypeError) as error:
                raise ModelError(f"{path}: cannot be read as JSON settings ({error}); copy it again") from None
    return found


def _roles(entries: tuple[str, ...], unknown: list[str], options: dict[str, Any]) -> dict[str, str]:
    """The entry of each role: the stated one, BERT's, the one whose id config.json has, or the file's unknown piece."""
    found: dict[str, str | None] = {}
    for role, usual in ROLES.items():
        stated, number = options.get(role), options.get(f"{role}_id")
        names = [stated.get("content") if isinstance(stated, dict) else stated, usual]
        names += entries[number : number + 1] if isinstance(number, int) else ()
        names += unknown if role == "unk_token" else ()
        found[role] = next((name for name in names if name in entries), None)
    return {role: name for role, name in found.items() if name is not None}


def _backend(pieces: Pieces) -> Tokenizer:
    backend = Tokenizer(_model(pieces))
    backend.normalizer = normalizers.Sequence([*_stated_steps(pieces), *_own_steps(pieces)])
    words = not any(WORD_MARK in piece[1:] for piece in pieces.of_type(NORMAL))  # no piece is of two words
    backend.pre_tokenizer = pre_tokenizers.Metaspace(WORD_MARK, prepend_scheme="never", split=words)
    backend.decoder = decoders.Metaspace(WORD_MARK, prepend_scheme="always")
    first, last = pieces.roles["cls_token"], pieces.roles["sep_token"]
    single = f"{first}:0 $A:0 {last}:0"
    ids = [(token, pieces.entries.index(token)) for token in (first, last)]
    backend.post_processor = processors.TemplateProcessing(single, f"{single} $B:1 {last}:1", ids)
    backend.add_special_tokens(list(pieces.of_type(CONTROL)))
    backend.add_tokens(list(pieces.of_type(USER_DEFINED)))
    return backend


def _keywords(pieces: Pieces) -> dict[str, Any]:
    """What transformers' wrapper has to know: the roles, the longest input, the token types if the model has any."""
    longest = pieces.options.get("model_max_length") or pieces.options.get("max_len")
    typed = (pieces.options.get("type_vocab_size") or 1) > 1
    names = ["input_ids", "token_type_ids", "attention_mask"] if typed else None
    told = {"model_max_length": longest, "model_input_names": names}
    return pieces.roles | {name: value for name, value in told.items() if value}


def _model(pieces: Pieces) -> Any:  # noqa: ANN401 - a model of the tokenizers library
    spec, scores, unknown = pieces.proto.trainer_spec, pieces.of_type(NORMAL), pieces.roles["unk_token"]
    scores |= pieces.of_type(BYTE)
    named = {*scores, *pieces.roles.values(), *pieces.of_type(CONTROL), *pieces.of_type(USER_DEFINED)}
    # What no text becomes keeps its id under a name with a space, for spaces are word marks when the model sees them.
    entries = [entry if entry in named else f" {entry}" for entry in pieces.entries]
    if spec.model_type == UNIGRAM:
        scored = [(entry, scores.get(entry, 0.0)) for entry in entries]
        return models.Unigram(scored, entries.index(unknown), spec.byte_fallback)
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    cuts = ((piece[:at], piece[at:]) for piece in ranked for at in range(1, len(piece)))
    merges = [(left, right) for left, right in cuts if left in scores and right in scores]
    ids = {entry: number for number, entry in enumerate(entries)}
    return models.BPE(ids, merges, unk_token=unknown, fuse_unk=True, byte_fallback=spec.byte_fallback)


def _stated_steps(pieces: Pieces) -> list[Any]:
    """What the Python classes of XLNet's kin do to a text, as far as tokenizer_config.json states it."""
    steps: list[Any] = []
    if pieces.options.get("remove_space"):
        steps.append(normalizers.Replace(_one_of(str.isspace), " "))
    if "keep_accents" in pieces.options:
        steps += [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if pieces.options.get("keep_accents") is False:
        steps += [normalizers.NFKD(), normalizers.Replace(_one_of(unicodedata.combining), "")]
    if pieces.options.get("do_lower_case"):
        steps.append(normalizers.Lowercase())
    return steps


def _own_steps(pieces: Pieces) -> list[Any]:
    """SentencePiece's normaliser. The tokenizers library runs its table character by character, so what is composed of
    several is composed before and after; a mark on a character that the table replaces is still lost.
    """
    spec = pieces.proto.normalizer_spec
    composing = [normalizers.NFC()] if pieces.composes else []
    table = [normalizers.Precompiled(spec.precompiled_charsmap)] if spec.precompiled_charsmap else []
    steps: list[Any] = [*composing, *table, *composing]
    if spec.remove_extra_whitespaces or pieces.options.get("remove_space"):
        ends = Regex(f"\\A +|[ {WORD_MARK}]+\\z")
        steps += [normalizers.Replace(ends, ""), normalizers.Replace(Regex(" {2,}"), " ")]
    return [*steps, normalizers.Prepend(WORD_MARK)] if spec.add_dummy_prefix else steps


def _one_of(wanted: Callable[[str], object]) -> Regex:
    """A pattern of one wanted character; all white space and all combining marks are in the first two planes."""
    return Regex("[" + "".join(f"\\x{{{code:x}}}" for code in range(0x20000) if wanted(chr(code))) + "]")
