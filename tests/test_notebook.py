"""The notebooks: what they have stored is of this code, and of no machine. test_notebook_run.py runs them."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import nbformat
import pandas
import pytest
import refresh_notebook
from bs4 import BeautifulSoup
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from refresh_notebook import code_cells, execute, fingerprint, read

CELLS = ("look", "own", "audit", "ceiling", "baseline", "train", "scores", "errors", "threshold", "ask")
PATH = re.compile(r"(?<![\w<.])(?:/[\w.~-]+){2,}|\b[A-Za-z]:\\|file://")  # </td> is none, and neither is 1/2
CLOCK = re.compile(r"\b\d+:\d\d\b")


def table_of(markup):
    page = BeautifulSoup(markup, "lxml")
    names, *rows = [
        [cell.text for cell in row.find_all(["th", "td"])] for row in [page.thead.tr, *page.tbody.find_all("tr")]
    ]
    return pandas.DataFrame(rows, columns=names).set_index(names[0])


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == f"{name}-code")


IN_TENSORFLOW = ("tensorflow_hidden_states", "tensorflow_squad")


@pytest.mark.parametrize("name", IN_TENSORFLOW)
def test_what_the_tensorflow_notebooks_have_stored_is_within_the_bounds(name):
    notebook = read(name)
    assert notebook.metadata["dokhae"]["fingerprint"] == fingerprint(notebook)
    shown = [output.data for cell in code_cells(notebook) for output in cell.outputs]
    text = "\n".join(content for data in shown for content in data.values())
    assert PATH.findall(text) == CLOCK.findall(text) == []
    if name == "tensorflow_squad":
        loss = ast.literal_eval(shown[-1]["text/plain"])
        assert abs(float(loss["TensorFlow"]) - float(loss["PyTorch"])) <= 2.5e-7
    else:
        table = table_of(cell_of(notebook, "compare").outputs[0].data["text/html"])
        assert len(table) == 8
        assert table["standard deviation"].astype(float).between(1e-9, 9e-7).all()


def test_what_the_notebook_has_stored_is_of_this_code_sample_and_encoder():
    notebook = read()
    assert [cell.id for cell in code_cells(notebook)] == [f"{name}-code" for name in CELLS]
    hint = "the notebook, the sample or the encoder has changed: run `python tools/refresh_notebook.py`"
    assert notebook.metadata["dokhae"]["fingerprint"] == fingerprint(notebook), hint
    assert all(cell.outputs for cell in code_cells(notebook)), hint
    refuse_traces(notebook)


def refuse_traces(notebook):
    """Nothing of a machine may be stored."""
    assert set(notebook.metadata) == {"kernelspec", "language_info", "dokhae"}
    assert all(cell.metadata == {} for cell in notebook.cells)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    text = "\n".join(content for output in outputs for content in output.data.values())
    assert len(text) > 5000
    assert PATH.findall(text) == []
    assert CLOCK.findall(text) == []
    assert socket.gethostname() not in re.split(r"[^\w-]+", text)


@pytest.mark.parametrize("text", ["in /home/ann/run", "'/tmp/x'", r"C:\Users", "file:///a", "</td>/var/tmp/x</td>"])
def test_a_path_is_known_when_it_is_seen(text):
    assert PATH.search(text)


def test_another_code_has_another_fingerprint():
    notebook = read()
    before = fingerprint(notebook)
    notebook.cells[0].source += "\nMore words."
    assert fingerprint(notebook) == before
    code_cells(notebook)[3].source += "\n"
    assert fingerprint(notebook) != before


def of_one_cell(source):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])


def test_a_cell_that_fails_is_an_error(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(of_one_cell("1 / 0"), tmp_path)


def test_the_time_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh_notebook, "SECONDS", 1)
    with pytest.raises(CellTimeoutError):
        execute(of_one_cell("import time\ntime.sleep(60)"), tmp_path)


def test_the_cells_are_run_by_this_python(tmp_path):
    import sys

    notebook = execute(of_one_cell("import os, sys\n(sys.executable, os.getcwd(), os.environ['TMPDIR'])"), tmp_path)
    executable, *folders = ast.literal_eval(notebook.cells[0].outputs[0].data["text/plain"])
    assert Path(executable).samefile(sys.executable)
    assert [Path(folder) for folder in folders] == [tmp_path, tmp_path]
