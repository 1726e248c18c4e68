"""Tokenizers and models by hub name or local folder, with one clear error where they cannot be had."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dokhae.errors import MissingExtra, ModelError, optional
from dokhae.model import etri
from dokhae.model.sentence_pieces import agree, build_tokenizer

log = logging.getLogger("dokhae")
HUB_TIMEOUT = 10  # seconds to wait for the hub's first answer
# one of them is in every model folder
BEGINNINGS = ("config.json", "tokenizer_config.json", "tokenizer.json", etri.VOCABULARY)
PIECE_FILES = ["*.model", "*.spiece", "*config.json", "special_tokens_map.json", "vocab.txt"]


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
        return Source(str(folder), folder)
    if folder.exists():
        raise ModelError(f"{text}: is a file; a model is a folder with config.json, weights and tokenizer files")
    if text.count("/") > 1 or text.startswith((".", "/", "~")) or "\\" in text:
        raise ModelError(f"{text}: there is no such model folder")
    return _ask_hub(text)


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


def load_tokenizer(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers tokenizer
    """A fast tokenizer. ModelError where the folder has none, or only one without character offsets."""
    with optional("loading a model", "train"):
        from transformers import AutoTokenizer
    built = _of_morphemes(source) or _from_sentence_pieces(source)
    if built is not None:
        return built
    with _explained(source, "tokenizer"):
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
    with _explained(source, "tokenizer"):
        names = ["config.json"] if source.offline else HfApi().list_repo_files(source.name)
    wanted = [name for name in names if "/" not in name and any(fnmatch(name, pattern) for pattern in PIECE_FILES)]
    found = [find_file(source, name) for name in wanted]
    return next((path.parent for path in found if path), None)


def load_model(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model with a span head, in float32; weights that are not there (a new head) are drawn from torch's seed.

    It reads windows end to end where its logits are then the same; `packing.is_packed` says so.
    """
    return _load_model(source, trust_remote_code)[0]


def load_trained(source: Source, trust_remote_code: bool = False) -> Any:  # noqa: ANN401 - a transformers model
    """A model that is to answer as it is; warns where weights (mostly the whole span head) are not there."""
    model, missing = _load_model(source, trust_remote_code)
    if missing:
        log.warning("%s: lacks %s; they are random now, and so are its answers: fine-tune it first (dokhae train)",
                    source.name, ", ".join(missing[:4]) + (", …" if len(missing) > 4 else ""))  # fmt: skip
    return model


def refuse_lost_block_head(source: Source, expected: bool) -> None:
    """ModelError where the second head that a model was trained with is not in its folder."""
    from dokhae.model.blocks import FILE_NAME as BLOCKS

    if expected and find_file(source, BLOCKS) is None:
        raise ModelError(f"{source.name}: lacks {BLOCKS}, the head that answers with paragraphs, tables and lists; "
                         "copy it beside the weights")  # fmt: skip


def find_file(source: Source, name: str) -> Path | None:
    """One more file of a model, in its folder or fetched from the hub; None where it has no such file."""
    if source.folder is not None:
        return source.folder / name if (source.folder / name).exists() else None
    with optional("loading a model", "train"):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError
    with _explained(source, name):
        try:
            return Path(hf_hub_download(source.name, name, local_files_only=source.offline))
        except RemoteEntryNotFoundError:
            return None
        except LocalEntryNotFoundError:
            if source.offline:
                return None
            raise


def _load_model(source: Source, trust_remote_code: bool) -> tuple[Any, list[str]]:
    """The model, and the names of the weights that were not there."""
    with optional("loading a model", "train"):
        import torch
        from transformers import AutoModelForQuestionAnswering

        from dokhae.model.blocks import FILE_NAME as BLOCKS
        from dokhae.model.blocks import load_block_head
        from dokhae.model.packing import pack
    if source.folder is not None and etri.is_unconverted(source.folder):
        built, missing = etri.build_model(source.folder)
        built.name_or_path = source.name
        pack(built)
        return built, missing
    with _explained(source, "model"), quiet(bars=source.folder is None and sys.stderr.isatty()):
        model, report = AutoModelForQuestionAnswering.from_pretrained(
            source.name,
            trust_remote_code=trust_remote_code,
            dtype=torch.float32,
            output_loading_info=True,
            **source.options,
        )
    blocks = find_file(source, BLOCKS)
    if blocks is not None:
        load_block_head(model, blocks)
    pack(model)
    return model, sorted(report["missing_keys"])


@contextlib.contextmanager
def _explained(source: Source, what: str) -> Iterator[None]:
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
