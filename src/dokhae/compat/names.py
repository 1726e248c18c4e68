"""Models by the names of old: the short ones that the hub once had, and GluonNLP's."""

from __future__ import annotations

from pathlib import Path

# the hub's owners of models that had none in their names: beginning of the name -> owner
OWNERS = {
    "bert-": "google-bert",
    "distilbert-": "distilbert",
    "albert-": "albert",
    "roberta-": "FacebookAI",
    "xlm-": "FacebookAI",
    "xlnet-": "xlnet",
}


def hub_name(name: str) -> str:
    """What the hub calls a model today; a folder of the old name, here, comes first."""
    if Path(name).expanduser().is_dir() or "/" in name:
        return name
    owner = next((owner for beginning, owner in OWNERS.items() if name.startswith(beginning)), None)
    return f"{owner}/{name}" if owner else name
