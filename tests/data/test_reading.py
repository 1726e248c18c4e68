import os
import subprocess
import sys

import pytest

from dokhae.data import read_examples
from dokhae.errors import DataError

NOBODY = 65534


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_a_missing_file_is_named(tmp_path, suffix):
    with pytest.raises(DataError, match=f"none.{suffix}: no such file"):
        read_examples(tmp_path / f"none.{suffix}")


@pytest.mark.parametrize("name", ["folder", "folder.json", "folder.csv"])
def test_a_folder_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name}: is a directory, not a file"):
        read_examples(tmp_path / name)


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    (tmp_path / "train.xml").touch()
    with pytest.raises(DataError, match="suffix '.xml' is not known; .* .json, .jsonl, .csv, .tsv, .parquet"):
        read_examples(tmp_path / "train.xml")


def test_a_missing_file_of_an_unknown_suffix_is_missing_first(tmp_path):
    with pytest.raises(DataError, match="train.xml: no such file"):
        read_examples(tmp_path / "train.xml")


def test_a_file_without_a_suffix_is_json(tmp_path):
    (tmp_path / "dev").write_text('[{"id": "1", "question": "Who?", "context": "Ann", "answers": []}]')
    assert read_examples(tmp_path / "dev")[0].id == "1"


def test_a_suffix_may_be_in_capitals(tmp_path):
    (tmp_path / "TRAIN.CSV").write_text("id,question,context,answer,answer_start\n1,Who?,Ann,Ann,0\n")
    assert read_examples(tmp_path / "TRAIN.CSV")[0].id == "1"


# In another process, since root may read everything and cannot be root again once it is not.
READ_AS_NOBODY = f"""
import os, sys, pyarrow.parquet
from dokhae.data import read_examples
if os.geteuid() == 0:
    os.seteuid({NOBODY})
for path in sys.argv[1:]:
    try:
        read_examples(path)
    except Exception as error:
        print(f"{{type(error).__name__}}: {{error}}")
"""


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs Unix permissions")
def test_files_without_permission_are_named(open_folder):
    paths = [open_folder / f"secret.{suffix}" for suffix in ("json", "jsonl", "csv", "parquet")]
    for path in paths:
        path.write_text("{}")
        path.chmod(0)
    command = [sys.executable, "-c", READ_AS_NOBODY, *map(str, paths)]
    messages = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert messages == [f"DataError: {path}: no permission to read it; check its owner and mode" for path in paths]


def test_reading_examples_imports_nothing_heavy():
    heavy = "{'numpy', 'pyarrow', 'torch', 'pandas', 'tokenizers', 'bs4'}"
    program = f"import sys, dokhae.data; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
