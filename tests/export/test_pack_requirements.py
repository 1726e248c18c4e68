"""The pinned versions of a bundle: those that are installed, all that are needed, and no more."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import dokhae
from dokhae.errors import MissingExtra
from dokhae.export.requirements import NEEDED, as_file, needed, pins
from dokhae.settings import ReaderSettings
from export.bundles import pinned

PLAIN = ["config.json", "model.safetensors", "tokenizer.json"]
# the modules of ours that the road from predict.py to the answers goes through
ROAD = (
    "cli/__init__",
    "cli/predict",
    "cli/configuration",
    "reader",
    "predict",
    "sharing",
    "encoding",
    "decoding",
    "model",
    "outputs",
)
# of checkpoints; of vocabularies that have their own rule; of training on a GPU, and comes with torch for one
NOT_ITS = {"tensorflow", "sentencepiece", "triton"}


def test_every_pin_is_what_is_installed(packed):
    found = pinned(packed.folder)
    assert found["torch"] == version("torch").partition("+")[0]
    for name, one in found.items():
        assert one == version(name).partition("+")[0]


def test_training_and_its_kin_are_not_among_them(packed):
    names = pinned(packed.folder).keys()
    assert names.isdisjoint({"dokhae", "lightning", "torchmetrics", "accelerate", "tensorboard", "sentencepiece"})
    assert set(NEEDED) <= names | {"pyyaml"}
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_whatever_the_road_imports_is_among_them(packed):
    sources, known = Path(dokhae.__file__).parent, packages_distributions()
    files = [path for part in ROAD for path in ([sources / f"{part}.py"] if (sources / f"{part}.py").exists()
                                                else sorted((sources / part).rglob("*.py")))]  # fmt: skip
    tops = {
        name.partition(".")[0]
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    } - sys.stdlib_module_names - {"dokhae"} - NOT_ITS  # fmt: skip
    assert {"torch", "tyro", "bm25s"} <= tops
    owners = {canonicalize_name(known[top][0]) for top in tops}
    assert owners <= pinned(packed.folder).keys()


@pytest.mark.parametrize(
    ("settings", "files", "more"),
    [
        ({}, PLAIN, set()),
        ({"korean_split": "particles"}, PLAIN, set()),
        ({"korean_split": "mecab"}, PLAIN, {"python-mecab-ko"}),
        ({"korean_trim": "kiwi", "morphemes": "mecab"}, PLAIN, {"kiwipiepy", "python-mecab-ko"}),
        ({}, [*PLAIN, "spiece.model"], set()),
        ({}, ["config.json", "tokenizer_78b3253a26.model", "vocab.txt"], {"sentencepiece", "protobuf"}),
    ],
)
def test_what_a_model_needs_depends_on_its_settings_and_files(settings, files, more):
    assert set(needed(ReaderSettings(**settings), files)) == {*NEEDED, *more}


def test_what_a_package_needs_comes_too_and_cuda_does_not():
    assert pins(["python-mecab-ko"]).keys() == {"python-mecab-ko", "python-mecab-ko-dic"}
    assert {"jinja2", "markupsafe"} <= pins(["torch"]).keys()
    assert pins(["triton", "nvidia-cudnn-cu13"]) == {}


def test_a_package_that_is_not_here_is_named_with_its_extra():
    with pytest.raises(MissingExtra, match=r"pip install 'dokhae\[train,korean\]'"):
        pins(["no-such-package-anywhere"])


def test_the_file_is_sorted_and_exact():
    lines = as_file({"a": "1", "b": "2.0"}).splitlines()
    assert lines[0].startswith("# for Python 3.")
    assert lines[1:] == ["a==1", "b==2.0"]
