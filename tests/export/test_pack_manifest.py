"""bundle.json as it is read: of one form, and true of the files beside it."""

from __future__ import annotations

import shutil

import pytest

from dokhae.errors import DataError, ModelError
from dokhae.export import manifest
from dokhae.files import read_json, write_json


def test_a_changed_a_lacking_and_a_new_file_are_found(packed, tmp_path):
    folder = shutil.copytree(packed.folder, tmp_path / "b")
    (folder / "sitecustomize.py").touch()
    with pytest.raises(DataError, match=r"sitecustomize\.py: is not in bundle\.json"):
        manifest.verify(folder)
    (folder / "sitecustomize.py").unlink()
    (folder / "model" / "vocab.txt").write_text("changed")
    with pytest.raises(DataError, match=r"vocab\.txt: is not what was packed"):
        manifest.verify(folder)
    (folder / "model" / "vocab.txt").unlink()
    with pytest.raises(DataError, match=r"lacks model/vocab\.txt"):
        manifest.verify(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 2}, "is not of format 1"),
        ({"format": 1}, "are missing; pack the run again"),
        ([], "is not of format 1"),
    ],
)
def test_a_manifest_of_another_form_is_refused(tmp_path, content, message):
    write_json(tmp_path / "bundle.json", content)
    with pytest.raises((DataError, ModelError), match=message):
        manifest.read(tmp_path)


def test_a_manifest_names_no_file_outside_of_its_folder(packed, tmp_path):
    content = read_json(packed.folder / "bundle.json")
    write_json(tmp_path / "bundle.json", content | {"files": {"../x": "0"}})
    with pytest.raises(DataError, match=r"'\.\./x' is no file of a bundle"):
        manifest.read(tmp_path)
