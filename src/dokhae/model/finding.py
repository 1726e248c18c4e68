"""Where a model is: a local folder, or the hub; and one clear error where it cannot be had."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.errors import MissingExtra, ModelError, optional
from dokhae.files import read_json
from dokhae.model import etri

HUB_TIMEOUT = 10  # seconds to wait for the hub's first answer
# one of them is in every model folder
BEGINNINGS = ("config.json", "tokenizer_config.json", "tokenizer.json", etri.VOCABULARY)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from: a local folder, or a hub name."""

    name: str
    folder: Path | None  # None: the hub
    offline: bool = False  # the hub cannot be reached: only what is in its local cache

    @property
    def options(self) -> dict[str, Any]:
        """What every from_pretrained of transformers is given."""
        return {"local_files_only": self.offline or self.folder is not None}


def locate(name: str | Path) -> Source:
    """Find a model: a folder (a run folder stands for the model in it), or else what the hub has under that name.

    Raises ModelError where neither has it, so that nothing retries for a minute on a misspelt name.
    """
    text = str(name)
    folder = Path(text).expanduser()
    if (folder / "model" / "config.json").exists():
        folder /= "model"
    if folder.is_dir():
        if not any((folder / file).exists() for file in BEGINNINGS):
            raise ModelError(f"{text}: is a folder without a model: it has none of {', '.join(BEGINNINGS)}")
        _refuse_old(folder, text)
        return Source(str(folder), folder)
    if folder.exists():
        raise ModelError(f"{text}: is a file; a model is a folder with config.json, weights and tokenizer files")
    if text.count("/") > 1 or text.startswith((".", "/", "~")) or "\\" in text:
        raise ModelError(f"{text}: there is no such model folder")
    return _ask_hub(text)


def _refuse_old(folder: Path, name: str) -> None:
    """ModelError for a folder from before transformers, whose config.json does not say what model it is."""
    path = folder / "config.json"
    settings = read_json(path) if path.exists() else None
    if isinstance(settings, dict) and not settings.keys() & {"model_type", "architectures"}:
        raise ModelError(f"{name}: its config.json does not say what model it is (no model_type), as none did before "
                         f"transformers; convert the folder: dokhae convert pytorch {name} --out NEW")  # fmt: skip


def _ask_hub(name: str) -> Source:
    with optional("loading a model", "train"):
        from huggingface_hub import HfApi, try_to_load_from_cache
        from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError
    try:
        HfApi().model_info(name, timeout=HUB_TIMEOUT)
        return Source(name, None)
    except GatedRepoError:
        raise ModelError(f"{name}: is gated; accept its terms on the hub and log in with `hf auth login`") from None
    except RepositoryNotFoundError:
        raise ModelError(f"{name}: there is no folder of that name here and no such model on the hub "
                         "(a private model needs `hf auth login`)") from None  # fmt: skip
    except HFValidationError as error:
        raise ModelError(f"{name}: is neither a folder nor a name the hub could have: {error}") from None
    except Exception as error:  # any fault of the network, whatever HTTP library the hub client uses
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return Source(name, None, offline=True)
        raise ModelError(
            f"{name}: there is no folder of that name here, the hub cannot be reached ({error}), and the model is not "
            "in the hub's local cache; check the name and the connection"
        ) from None


def find_file(source: Source, name: str) -> Path | None:
    """One more file of a model, in its folder or fetched from the hub; None where it has no such file."""
    if source.folder is not None:
        return source.folder / name if (source.folder / name).exists() else None
    with optional("loading a model", "train"):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError
    with explained(source, name):
        try:
            return Path(hf_hub_download(source.name, name, local_files_only=source.offline))
        except RemoteEntryNotFoundError:
            return None
        except LocalEntryNotFoundError:
            if source.offline:
                return None
            raise


@contextlib.contextmanager
def explained(source: Source, what: str) -> Iterator[None]:
    """Whatever transformers raises, as one ModelError."""
    try:
        yield
    except MissingExtra:
        raise
    except Exception as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        where = "the folder" if source.folder else "the hub"
        raise ModelError(f"{source.name}: no {what} could be loaded from {where}: {first}") from None


@contextlib.contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """Hold back transformers' report of new head weights and its progress bars; bars: keep these, for a download."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("transformers")
    level, hidden = logger.level, not bars and transformers_logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    if hidden:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logger.setLevel(level)
        if hidden:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
