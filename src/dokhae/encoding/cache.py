"""Features kept on disk, keyed by everything that shapes them; several processes may share the folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import tokenizers
from platformdirs import user_cache_path

from dokhae.encoding.features import Features, build_features
from dokhae.encoding.layout import PairTokenizer
from dokhae.encoding.windows import WindowConfig
from dokhae.errors import DataError
from dokhae.files import atomic_path
from dokhae.types import Example

VERSION = "3"  # raise it when the arrays or their meaning change


def cache_folder() -> Path:
    """Where features are kept: $DOKHAE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("DOKHAE_CACHE") or user_cache_path("dokhae")) / "features"


def cached_features(
    examples: Sequence[Example],
    tokenizer: PairTokenizer,
    config: WindowConfig,
    folder: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Features:
    """The features of `examples`, read from the cache or built and put there.

    A file that cannot be read (cut off, another version) is built again. Each file is written under a temporary name
    and renamed, so processes that build the same features at once do no harm.
    """
    path = (folder or cache_folder()) / f"{cache_key(examples, tokenizer, config)}.npz"
    features = _load(path)
    if features is None:
        features = build_features(examples, tokenizer, config, progress)
        # a cache that cannot be written (full disk, read-only home) costs time, not the run
        with contextlib.suppress(DataError), atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{field.name: getattr(features, field.name) for field in fields(Features)})
    return features


def cache_key(examples: Sequence[Example], tokenizer: PairTokenizer, config: WindowConfig) -> str:
    """SHA-256 over the data, the tokenizer with its layout, and the settings of the windows."""
    digest = hashlib.sha256()
    for part in (VERSION, tokenizers.__version__, tokenizer.identity, json.dumps(asdict(config))):
        digest.update(f"{len(part)}:{part}".encode())
    numbers: dict[str, int] = {}  # a context counts once, however many questions it has
    for example in examples:
        answers = [(answer.text, answer.start) for answer in example.answers[:1]]
        number = numbers.setdefault(example.context, len(numbers))
        digest.update(repr((example.id, example.question, number, answers)).encode())
    digest.update(repr(list(numbers)).encode())
    return digest.hexdigest()


def _load(path: Path) -> Features | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {field.name: arrays[field.name] for field in fields(Features)}
            return Features(**content | {"max_length": int(content["max_length"])})
    except Exception:  # no file; or a damaged one, of which zipfile, zlib and numpy may say nearly anything
        return None
