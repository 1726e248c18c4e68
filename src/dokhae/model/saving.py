"""A model folder in Hugging Face's format, written whole or not at all."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dokhae.errors import DataError, DokhaeError
from dokhae.files import TEMPORARY, make_folder
from dokhae.model.blocks import FILE_NAME, without_block_head
from dokhae.model.finding import quiet


def save_model(
    folder: Path,
    model: Any,  # noqa: ANN401 - a transformers model
    tokenizer: Any,  # noqa: ANN401 - and its tokenizer
    add: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write model and tokenizer under a temporary name, then put them in place of `folder`.

    add: writes what else belongs into the folder. Raises DataError where it cannot be written.
    """
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory(
        dir=make_folder(folder.parent), prefix=f".{folder.name}.", suffix=TEMPORARY
    ) as temporary:
        made = Path(temporary) / folder.name
        try:
            with quiet():
                weights, blocks = without_block_head(model)
                model.save_pretrained(made, state_dict=weights)
                if blocks:
                    save_file(blocks, made / FILE_NAME)
                tokenizer.save_pretrained(made)
            add(made)
            mode = stat.S_IMODE((made / "config.json").stat().st_mode)  # as new files are here
            for file in filter(Path.is_file, made.iterdir()):
                file.chmod(mode)  # safetensors writes for the owner alone; a server may run as another
            if folder.exists():
                folder.rename(Path(temporary) / "old")
            made.rename(folder)
        except DokhaeError:
            raise
        except Exception as error:  # safetensors has errors of its own for a full disk
            raise DataError(f"{folder}: cannot be written: {error}") from None
