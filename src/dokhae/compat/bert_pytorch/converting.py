"""convert_tf_checkpoint_to_pytorch.py, and the package's command of that name, over dokhae convert tf."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from dokhae.compat import road
from dokhae.compat.bert_pytorch.outputs import save_weights
from dokhae.compat.table import Flag, Given, Script
from dokhae.errors import SettingsError
from dokhae.files import make_folder, read_json, refuse_folder, write_text

log = logging.getLogger("dokhae")
ONLY = "convert_tf_checkpoint_to_pytorch"
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def convert(given: Given) -> None:
    """Options."""
    dump(*(Path(given[name]).expanduser() for name in ("tf_checkpoint_path", "bert_config_file", "pytorch_dump_path")))


def convert_by_place(given: Given) -> None:
    """Arguments by their places; only the conversion of BERT is ours."""
    if given["command"] != ONLY:
        raise SettingsError(f"pytorch_pretrained_bert: {given['command']} is of a model that writes text, and dokhae "
                            f"reads; it has {ONLY} alone")  # fmt: skip
    dump(*(Path(given[name]).expanduser() for name in ("TF_CHECKPOINT", "TF_CONFIG", "PYTORCH_DUMP_OUTPUT")))


def dump(checkpoint: Path, config: Path, path: Path) -> None:
    """Convert into a folder for the while, and save its weights to `path` as torch.save does."""
    refuse_folder(path)
    with tempfile.TemporaryDirectory(dir=make_folder(path.parent), prefix=".dokhae-convert-") as name:
        folder = Path(name)
        vocab = beside(checkpoint, config) or stand_in(config, folder / "vocab.txt")
        settings = {"config": config, "vocab": vocab, "out": folder / "model"}
        road.run("convert", "tf", checkpoint, settings=settings)
        save_weights(folder / "model", path)


def beside(checkpoint: Path, config: Path) -> Path | None:
    """The vocabulary that came with a checkpoint, if it is there."""
    paths = (folder / "vocab.txt" for folder in (config.parent, checkpoint.parent))
    return next((path for path in paths if path.exists()), None)


def stand_in(config: Path, path: Path) -> Path:
    """A vocabulary of the right size: a dump has the weights alone, and its words are never read."""
    content = read_json(config)
    size = content.get("vocab_size") if isinstance(content, dict) else None
    if not isinstance(size, int) or size < len(SPECIALS):
        raise SettingsError(f"{config}: has no vocab_size; take the bert_config.json that came with the checkpoint")
    entries = (*SPECIALS, *(f"[unused{number}]" for number in range(size - len(SPECIALS))))
    write_text(path, "".join(f"{entry}\n" for entry in entries))
    log.info("%s: there is no vocab.txt beside it; the weights need none", config)
    return path


CONVERT = Script(
    "bert-pytorch",
    f"{ONLY}.py",
    "a TensorFlow checkpoint of BERT as a file of torch.save",
    (
        Flag("--tf_checkpoint_path", required=True, note="the checkpoint of dokhae convert tf"),
        Flag("--bert_config_file", required=True, note="--config"),
        Flag("--pytorch_dump_path", required=True, note="the weights of the folder that is written for the while"),
    ),
    convert,
)
PACKAGE = Script(
    "bert-pytorch",
    "pytorch_pretrained_bert",
    f"the package's own command: {ONLY} CHECKPOINT CONFIG DUMP",
    (
        Flag("command", required=True, note=f"{ONLY}; the others are of models that write text"),
        Flag("TF_CHECKPOINT", required=True, note="the checkpoint of dokhae convert tf"),
        Flag("TF_CONFIG", required=True, note="--config"),
        Flag("PYTORCH_DUMP_OUTPUT", required=True, note="the weights of the folder that is written for the while"),
    ),
    convert_by_place,
)
