"""Features kept on disk, keyed by everything that shapes them; several processes may share the folder."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tokenizers
from platformdirs import user_cache_path

from dokhae.encoding import stored
from dokhae.encoding.features import Features, build_features
from dokhae.encoding.layout import PairTokenizer
from dokhae.encoding.pairs import PairConfig
from dokhae.encoding.windows import WindowConfig
from dokhae.errors import DataError
from dokhae.files import atomic_path, give_back_lock, make_folder
from dokhae.types import Example

log = logging.getLogger("dokhae")
Config = WindowConfig | PairConfig
Build = Callable[..., Features]  # of examples, a tokenizer, a Config and a function that is told of progress
Made = Callable[[Sequence[Example], Callable[[int], None]], Features]  # the same, all but the examples said
VERSION = "5"  # raise it when the arrays, their meaning or the form of the file change
CHARACTERS = 1 << 24  # of contexts whose features are in memory at once while they are built
PORTIONS = ".portions"
LONGEST_WAIT = 1800.0  # seconds; a process that takes longer, or was stopped, is not waited for


def cache_folder() -> Path:
    """Where features are kept: $DOKHAE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("DOKHAE_CACHE") or user_cache_path("dokhae")) / "features"


def cached_features(
    examples: Sequence[Example],
    tokenizer: PairTokenizer,
    config: Config,
    folder: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
    build: Build = build_features,
) -> Features:
    """The features of `examples`, read from the cache or built and put there; build: which are made with `config`.

    They are views of the file, so the processes of a machine share their memory. Of several processes that ask at
    once, one builds and the others wait for it. A file that cannot be read (cut off, another version) is built again.
    """

    def made(asked: Sequence[Example], update: Callable[[int], None]) -> Features:
        return build(asked, tokenizer, config, update)

    path = (folder or cache_folder()) / f"{cache_key(examples, tokenizer, config)}.features"
    features = _load(path)
    if features is not None:
        return features
    with _alone(path):
        features = _load(path)
        if features is not None:  # another process was quicker
            return features
        portions = _portions(examples)
        if len(portions) > 1:
            return _built_in_portions(examples, portions, made, path, progress)
        features = made(examples, progress)
        # a cache that cannot be written (full disk, read-only home) costs time, not the run
        with contextlib.suppress(DataError), atomic_path(path) as temporary:
            stored.save(temporary, [features])
    return _load(path) or features


def _portions(examples: Sequence[Example]) -> list[range]:
    """Numbers of examples whose contexts are built together; questions of one context stay so."""
    portions, first, characters = [], 0, 0
    before: str | None = None
    for number, example in enumerate(examples):
        context = example.context
        if context != before:
            if characters > CHARACTERS:
                portions.append(range(first, number))
                first, characters = number, 0
            characters += len(context)
        before = context
    return [*portions, range(first, len(examples))]


def _built_in_portions(
    examples: Sequence[Example],
    portions: Sequence[range],
    made: Made,
    path: Path,
    progress: Callable[[int], None],
) -> Features:
    """The features of more than fits into memory, by way of a file for each portion; contexts whose questions do not
    stand together may be in several.

    Raises DataError where the disk has no room for them.
    """
    files: list[Path] = []
    done = 0
    with _folder_for_portions(path) as folder:
        whole = folder / "whole"
        try:
            for number, portion in enumerate(portions):
                files.append(folder / str(number))
                asked = examples[portion.start : portion.stop]
                part = made(asked, lambda more: progress(done + more))  # noqa: B023
                done += len(part.context_bounds) - 1
                stored.save(files[-1], [part])
            stored.save(whole, stored.Parts(files))
            features = stored.load(whole)
        except OSError as error:
            raise DataError(f"{folder}: the features of the data cannot be kept there: {error.strerror or error}; "
                            "name a folder with more room in DOKHAE_CACHE") from None  # fmt: skip
        with contextlib.suppress(OSError):
            os.replace(whole, path)  # else they are mapped as long as they are needed
    return features


@contextlib.contextmanager
def _folder_for_portions(path: Path) -> Iterator[Path]:
    """A folder for the portions of a file: beside it, or where that cannot be written among the temporary files."""
    folder = path.with_name(f"{path.stem}.{os.getpid()}{PORTIONS}")
    try:
        for left in path.parent.glob(f"{path.stem}.*{PORTIONS}"):
            if time.time() - left.stat().st_mtime > LONGEST_WAIT:  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold other processes back that would build this file; the lock of one that is killed goes with it.

    Without a lock (a folder that cannot be written, a file system that has none) each of them builds for itself, which
    does no harm, for files are renamed into their place whole.
    """
    from filelock import FileLock, Timeout  # training has it; who only reads and scores need not

    lock = FileLock(path.with_suffix(".lock"))
    with contextlib.suppress(OSError, NotImplementedError, DataError, Timeout):
        make_folder(path.parent)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("another process is building the same features; waiting for it")
            lock.acquire(timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        if lock.is_locked:
            give_back_lock(lock)


def cache_key(examples: Sequence[Example], tokenizer: PairTokenizer, config: Config) -> str:
    """SHA-256 over the data, the tokenizer with its layout, and the settings of the windows with their kind."""
    digest = hashlib.sha256()
    for part in (VERSION, tokenizers.__version__, tokenizer.identity, repr(config)):
        digest.update(f"{len(part)}:{part}".encode())
    before: str | None = None
    context = b""
    for example in examples:
        if example.context is not before:  # a context is hashed once, where its questions come one after another
            before = example.context
            context = hashlib.sha256(before.encode("utf-8", "surrogatepass")).digest()
        answers = [(answer.text, answer.start) for answer in example.answers[:1]]
        digest.update(repr((example.id, example.question, context, answers)).encode())
    return digest.hexdigest()


def _load(path: Path) -> Features | None:
    try:
        return stored.load(path)
    except (OSError, ValueError):  # no file, a damaged one, or another's
        return None
