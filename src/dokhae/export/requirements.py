"""The exact versions of what a reader needs to answer, taken from what is installed here."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from dokhae.errors import MissingExtra, optional
from dokhae.settings import ReaderSettings

# of what predicting imports; tests/export/test_pack_requirements.py keeps it true
NEEDED = (
    "bm25s", "filelock", "numpy", "platformdirs", "pyyaml", "rich", "safetensors", "tokenizers", "torch",
    "transformers", "tyro",
)  # fmt: skip
OF_PIECES = ("sentencepiece", "protobuf")  # where a SentencePiece file is all there is of the tokenizer
OF_ANALYSERS = {"kiwi": "kiwipiepy", "mecab": "python-mecab-ko"}
# CUDA for torch, which has other names in each of its builds: pip finds what the build wants
LEFT_TO_PIP = ("nvidia-", "cuda-", "triton")


def needed(settings: ReaderSettings, files: Iterable[str]) -> list[str]:
    """The packages that a reader with these settings and files of its model imports."""
    names = set(files)
    pieces = OF_PIECES if "tokenizer.json" not in names and any(_is_pieces(name) for name in names) else ()
    used = (settings.korean_split, settings.korean_trim, settings.morphemes)
    return sorted({*NEEDED, *pieces, *(OF_ANALYSERS[name] for name in used if name in OF_ANALYSERS)})


def _is_pieces(name: str) -> bool:
    return name.endswith((".model", ".spiece"))


def pins(names: Iterable[str]) -> dict[str, str]:
    """Package -> its exact public version, of the packages and of all that they need here, by name.

    Raises MissingExtra where one of them is not installed.
    """
    with optional("packing a reader", "train"):
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name
        from packaging.version import Version
    roots = [Requirement(name) for name in names]
    waiting, seen, found = list(roots), set(), {}
    while waiting:
        asked = waiting.pop()
        key = canonicalize_name(asked.name), frozenset(asked.extras)
        if key in seen or key[0].startswith(LEFT_TO_PIP):
            continue
        seen.add(key)
        installed = _installed(asked.name)
        if installed is None:
            if asked in roots:
                raise MissingExtra("packing this reader", "train,korean")
            continue  # the reader worked without it
        found[key[0]] = Version(installed.version).public  # without the +cpu of a build
        for one in map(Requirement, installed.requires or ()):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in {"", *asked.extras}):
                waiting.append(one)
    return dict(sorted(found.items()))


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def python_version() -> str:
    """That of this interpreter, for which the versions are: 3.11."""
    return ".".join(platform.python_version_tuple()[:2])


def as_file(pinned: Mapping[str, str]) -> str:
    """The text of requirements.txt."""
    lines = [f"# for Python {python_version()}; as installed where the reader was packed"]
    return "".join(f"{line}\n" for line in [*lines, *(f"{name}=={version}" for name, version in pinned.items())])
