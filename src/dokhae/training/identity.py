"""What a checkpoint belongs to: this version of dokhae, these weights to start from, this tokenizer."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dokhae import __version__
from dokhae.encoding import PairTokenizer
from dokhae.errors import SettingsError
from dokhae.records import from_mapping

KEY = "dokhae"  # in a checkpoint


@dataclass(frozen=True, slots=True)
class Identity:
    """Two trainings can share a checkpoint where these are equal."""

    version: str  # of dokhae
    encoder: str  # SHA-256 of the weights below the head, before training
    tokenizer: str  # SHA-256 of the tokenizer and of how it lays out a pair

    def content(self) -> dict[str, str]:
        """Plain values, for a checkpoint or run.json."""
        return asdict(self)


def identity_of(model: Any, tokenizer: PairTokenizer) -> Identity:  # noqa: ANN401 - a transformers model
    """The identity of an encoder as it was loaded."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.base_model.state_dict().items()):
        digest.update(f"{name}{tuple(weight.shape)}{weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return Identity(__version__, digest.hexdigest(), hashlib.sha256(tokenizer.identity.encode()).hexdigest())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, its tensors without their values.

    SettingsError where it cannot be read, or is none of this version's.
    """
    advice = "train again into another folder"
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # whatever zipfile, pickle or torch say of a damaged file
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise SettingsError(f"{path}: is damaged ({reason}); {advice}") from None
    found = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(found, dict) or "version" not in found:
        raise SettingsError(f"{path}: is not a checkpoint of this version of dokhae, {__version__}; {advice}")
    if found["version"] != __version__:
        raise SettingsError(f"{path}: was written by dokhae {found['version']}, and this is {__version__}; go on with "
                            f"that version, or {advice}")  # fmt: skip
    return dict(content)


def identity_in(path: Path) -> Identity:
    """What a checkpoint says of itself; errors as of read_checkpoint."""
    return from_mapping(Identity, read_checkpoint(path)[KEY], str(path))


def check_same(now: Identity, before: Identity, model: str, what: str) -> None:
    """SettingsError where the encoder is no longer the one that `what` (a checkpoint, a run) began with."""
    for part, name in (("encoder", "weights"), ("tokenizer", "tokenizer files, Korean settings or analyser")):
        if getattr(now, part) != getattr(before, part):
            raise SettingsError(f"{what}: began with another encoder: {model} has other {name} now; put the "
                                "old files back, or train anew")  # fmt: skip
