"""The three files of ETRI's morpheme BERT, wherever they lie, as one folder that dokhae loads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dokhae.compat.kept import encoder_folder
from dokhae.compat.table import Given
from dokhae.errors import SettingsError
from dokhae.files import atomic_path, make_folder, sha256

VOCAB, CONFIG, WEIGHTS = "--vocab_file", "--bert_config_file", "--init_checkpoint"


def encoder(given: Given) -> Path:
    """The folder with the files, if they lie in one under ETRI's names; else links to them, beside --output_dir.

    A folder in --init_checkpoint (of a run or model) is taken as it is. SettingsError for a file that is not there.
    """
    if given["init_checkpoint"] and Path(given["init_checkpoint"]).is_dir():
        return Path(given["init_checkpoint"])
    wanted = files(given)
    folder = next(iter(wanted.values())).parent
    if all(source == folder / name for name, source in wanted.items()) and weights_in(folder) <= wanted.keys():
        return folder
    return link(wanted, encoder_folder(Path(given["output_dir"])))


def files(given: Given) -> dict[str, Path]:
    """ETRI's names -> the files that were named."""
    from dokhae.model.etri import SIZES, VOCABULARY

    found = {}
    for option, name in ((VOCAB, VOCABULARY), (CONFIG, SIZES)):
        found[name] = _named(given, option)
        if not found[name].is_file():
            raise SettingsError(f"{option} {found[name]}: is not here; ETRI hands it out with the weights")
    return found | weights(_named(given, WEIGHTS))


def weights(path: Path) -> dict[str, Path]:
    """The files of a PyTorch dump, or of a TensorFlow checkpoint by its prefix, under names that dokhae looks for."""
    from dokhae.model.old_weights import SAFE, TORCH

    if path.is_file() and path.suffix != ".index":
        return {SAFE if path.suffix == ".safetensors" else TORCH: path}
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    parts = sorted(prefix.parent.glob(f"{prefix.name}.*"))
    if prefix.with_name(f"{prefix.name}.index") not in parts:
        raise SettingsError(f"{WEIGHTS} {path}: is not here, neither as a file (pytorch_model.bin) nor as a checkpoint "
                            f"of TensorFlow ({prefix.name}.index); ETRI gives it to those who sign its agreement, "
                            "https://aiopen.etri.re.kr")  # fmt: skip
    name = prefix.name if ".ckpt" in prefix.name else "model.ckpt"
    return {f"{name}{part.name.removeprefix(prefix.name)}": part for part in parts}


def weights_in(folder: Path) -> set[str]:
    """The files in a folder that dokhae would read as weights."""
    from dokhae.model.old_weights import CHECKPOINT, SAFE, TORCH

    return {name for name in (SAFE, TORCH) if (folder / name).exists()} | {one.name for one in folder.glob(CHECKPOINT)}


def link(wanted: dict[str, Path], folder: Path) -> Path:
    """A folder of links to files, copies where there can be none; several processes may do it at once.

    SettingsError where it has other weights, of an earlier command line.
    """
    if folder.is_dir() and not weights_in(folder) <= wanted.keys():
        raise SettingsError(f"{folder}: has other weights, of an earlier {WEIGHTS}; remove it, or name another "
                            "--output_dir")  # fmt: skip
    make_folder(folder)
    for name, source in wanted.items():
        target = folder / name
        if target.exists() and target.samefile(source):
            continue
        if target.exists() and not target.is_symlink():
            if sha256(target) == sha256(source):
                continue
            raise SettingsError(f"{target}: is another file than {source}, maybe of an earlier training; move it away, "
                                "or name another --output_dir")  # fmt: skip
        target.unlink(missing_ok=True)
        try:
            os.symlink(source.resolve(), target)
        except FileExistsError:  # another process was faster
            continue
        except OSError:
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
    return folder


def _named(given: Given, option: str) -> Path:
    named = given[option.removeprefix("--")]
    if named is None:
        raise SettingsError(f"{option} is not given; a training begins with ETRI's three files: {VOCAB}, {CONFIG} and "
                            f"{WEIGHTS}")  # fmt: skip
    return Path(named).expanduser()
