"""vocab.txt of a WordPiece tokenizer, the name under which the field knows its entries."""

from __future__ import annotations

import logging
from pathlib import Path

from dokhae.errors import ModelError
from dokhae.files import read_json

log = logging.getLogger("dokhae")
FILE_NAME = "vocab.txt"


def entries_of(tokenizer: Path) -> str | None:
    """The text of vocab.txt by a tokenizer.json: an entry a line, in the order of ids.

    None for tokenizers of another kind, which have no such file, and for ids with gaps, which is said. ModelError for a
    file that is no tokenizer.
    """
    content = read_json(tokenizer)
    try:
        model, added = content["model"], content.get("added_tokens", [])
        if model.get("type") != "WordPiece":
            return None
        ids = {one["content"]: one["id"] for one in added} | model["vocab"]
        entries = sorted(ids, key=ids.__getitem__)
    except (KeyError, TypeError, AttributeError):
        raise ModelError(f"{tokenizer}: is not a tokenizer's file; put the old file back") from None
    if [ids[entry] for entry in entries] != list(range(len(entries))) or any("\n" in entry for entry in entries):
        log.warning(
            "%s: its ids have gaps, or an entry has a line break, so there is no %s of it; models do not need it",
            tokenizer,
            FILE_NAME,
        )
        return None
    # an entry with a space stands for an empty line, whose id it keeps
    return "".join(f"{'' if ' ' in entry else entry}\n" for entry in entries)
