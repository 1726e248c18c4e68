"""The fast tokenizer of an old model: WordPiece from vocab.txt or SentencePiece from a .model, in the right case."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dokhae.errors import ModelError
from dokhae.files import open_bytes, read_text, write_json

Casing = Literal["auto", "cased", "uncased"]
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
SETTING = "do_lower_case"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer, and what has to be known of it besides."""

    tokenizer: Any  # of transformers, fast
    entries: int  # lines or pieces: what there have to be embeddings for
    casing: str  # cased or uncased, and how that is known


def read_vocabulary(path: Path, casing: Casing, settings: dict[str, Any], longest: int) -> Vocabulary:
    """The tokenizer of a vocab.txt or of a SentencePiece model.

    settings: of the model and of a tokenizer_config.json, which may say do_lower_case; longest: input in tokens.
    Raises ModelError or DataError for a file that is no such vocabulary.
    """
    if path.suffix in (".model", ".spiece"):
        return _of_pieces(path, casing, settings, longest)
    from transformers import BertTokenizer

    entries = _lines(path)
    lower, why = _lower_case(entries, casing, settings, "##")
    ids = {
        entry: number for number, entry in enumerate(entries)
    }  # of an entry that is there twice, BERT takes the last
    tokenizer = BertTokenizer(vocab=ids, do_lower_case=lower, model_max_length=longest)
    return Vocabulary(tokenizer, len(entries), why)


def _lines(path: Path) -> list[str]:
    """The entry of each id. An empty line keeps its id under a name that no text becomes."""
    lines = read_text(path).removesuffix("\n").split("\n")
    entries = [line.strip() or f" {number}" for number, line in enumerate(lines)]
    missing = [token for token in SPECIALS if token not in entries]
    if missing:
        raise ModelError(f"{path}: is not a WordPiece vocabulary: it lacks {', '.join(missing)}; take the vocab.txt "
                         "that came with the checkpoint (a SentencePiece file ends with .model)")  # fmt: skip
    return entries


def _of_pieces(path: Path, casing: Casing, settings: dict[str, Any], longest: int) -> Vocabulary:
    """ALBERT's: its own code puts white space and quotes in order and takes accents away, also where case is kept."""
    from dokhae.model.sentence_pieces import build_tokenizer

    with open_bytes(path):
        pass  # refused with its own message where it is not there
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(path, folder / "spiece.model")
        stated = {"remove_space": True, "keep_accents": False, "max_len": longest, "type_vocab_size": 2}
        pieces = _built(build_tokenizer, folder, path, stated).get_vocab()
        lower, why = _lower_case(sorted(pieces), casing, settings, "▁")
        return Vocabulary(_built(build_tokenizer, folder, path, stated | {SETTING: lower}), len(pieces), why)


def _built(build: Any, folder: Path, path: Path, stated: dict[str, Any]) -> Any:  # noqa: ANN401
    write_json(folder / "tokenizer_config.json", stated)
    try:
        tokenizer = build(folder)
    except ModelError as error:
        raise ModelError(str(error).replace(str(folder / "spiece.model"), str(path))) from None
    if tokenizer is None:
        raise ModelError(f"{path}: has no [CLS] and [SEP]; take the SentencePiece file that came with the checkpoint")
    return tokenizer


def _lower_case(entries: list[str], casing: Casing, settings: dict[str, Any], mark: str) -> tuple[bool, str]:
    """Whether texts are lowered, and how that is known.

    What an uncased vocabulary was made of had gone through BERT's lower-casing, so that leaves its entries as they are;
    it makes jamo of Hangul too.
    """
    from tokenizers.normalizers import BertNormalizer

    if casing != "auto":
        return casing == "uncased", f"{casing}, as --casing says"
    if isinstance(settings.get(SETTING), bool):
        lower = bool(settings[SETTING])
        return lower, f"{'uncased' if lower else 'cased'}, as {SETTING} says"
    normalizer = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=True)
    words = [entry.removeprefix(mark) for entry in entries if not (entry.startswith(("[", "<")) and len(entry) > 1)]
    upper = [word for word in words if normalizer.normalize_str(word) != word]
    if not upper:
        return True, "uncased, for every entry of the vocabulary is in lower case and without accents"
    return False, f"cased, for {len(upper)} entries of the vocabulary are not in plain lower case, {upper[0]!r} for one"
