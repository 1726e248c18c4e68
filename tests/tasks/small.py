"""A handful of texts with classes that a tiny model can learn, and the smallest sensible settings."""

from __future__ import annotations

from pathlib import Path

from dokhae.tasks import ClassifyConfig

SHIPS = ("The ship Lorn carried honey cakes.", "This ship sailed to Wesihaven.", "A ship of 1802 had two masts.")
TOWNS = ("In 1822 the town was founded.", "The town of Valibury lies inland.", "A town needs a well and a gate.")


def write_table(path: Path, rows: list[tuple[str, ...]], header: str) -> Path:
    """A TSV file: the header has its names between spaces."""
    lines = ["\t".join(header.split()), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def singles(path: Path) -> Path:
    """Texts about a ship or a town."""
    rows = [(text, kind) for kind, texts in (("ship", SHIPS), ("town", TOWNS)) for text in texts]
    return write_table(path, rows, "text kind")


def pairs(path: Path) -> Path:
    """MRPC's layout: pairs of one kind are equivalent."""
    rows = [
        (str(int((one in SHIPS) == (other in SHIPS))), "1", "2", one, other)
        for one in SHIPS[:2] + TOWNS[:2]
        for other in SHIPS[1:] + TOWNS[1:]
    ]
    text = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + "".join("\t".join(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def config(model: Path, data: Path, out: Path, **changes) -> ClassifyConfig:
    settings = {
        "model": str(model), "train": data, "dev": data, "out": out, "batch_size": 3, "max_length": 48,
        "device": "cpu", "precision": "fp32", "learning_rate": 1e-3, "epochs": 2,
    }  # fmt: skip
    return ClassifyConfig(**(settings | changes))
