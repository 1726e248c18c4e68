"""Which room may import what: the table of the design, enforced on the sources. A new room needs a row here."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

import dokhae

SOURCES = Path(dokhae.__file__).parent
# ground that every room stands on
COMMON = frozenset({"errors", "files", "types", "records", "progress", "patience", "stopping"})
COMMON_THIRD = frozenset({"yaml", "rich"})
EVERYTHING = frozenset(path.stem for path in SOURCES.iterdir() if path.suffix in ("", ".py") and path.stem[0] != "_")
HEAVY = (
    "torch", "transformers", "lightning", "matplotlib", "pyarrow", "sentencepiece", "huggingface_hub", "httpx2",
    "optuna", "sqlalchemy", "kiwipiepy", "mecab", "tensorflow", "bm25s", "triton",
)  # fmt: skip


@dataclass(frozen=True)
class Room:
    """What a room may import besides the common ground; `late`: only inside functions, or for type checkers."""

    ours: str = ""
    late: str | frozenset[str] = ""
    third: str = ""
    late_third: str = ""


ROOMS = {
    "errors": Room(),
    "files": Room(),
    "types": Room(),
    "records": Room(),
    "progress": Room(),
    "patience": Room(),
    "stopping": Room(),
    "data": Room(third="bs4 lxml pyarrow", late_third="httpx2"),
    "korean": Room(third="numpy", late_third="kiwipiepy mecab httpx2"),
    "pages": Room(ours="korean", third="numpy"),
    "encoding": Room(ours="korean pages", third="numpy tokenizers platformdirs", late_third="filelock bm25s"),
    "model": Room(
        third="numpy torch transformers huggingface_hub tokenizers triton",
        late_third="sentencepiece safetensors tensorflow",
    ),
    "convert": Room(ours="data model", late_third="numpy torch transformers tokenizers safetensors tensorflow"),
    "decoding": Room(ours="korean pages", third="numpy"),
    "metrics": Room(third="numpy bs4"),
    "benchmarks": Room(ours="data metrics"),
    "settings": Room(ours="encoding decoding korean pages"),
    "budget": Room(),
    "sharing": Room(ours="encoding", third="numpy"),
    "predict": Room(ours="encoding decoding korean budget sharing", third="numpy"),
    "reader": Room(ours="predict sharing budget settings encoding decoding korean", late="model", third="numpy"),
    "ceiling": Room(ours="encoding decoding korean metrics benchmarks", third="numpy"),
    "evaluation": Room(ours="benchmarks metrics", late="report"),
    "outputs": Room(ours="pages"),
    "demo": Room(
        ours="data encoding metrics benchmarks ceiling settings training.config",
        late="training model reader",
        late_third="torch",
    ),
    "report": Room(ours="metrics benchmarks korean pages", third="numpy matplotlib jinja2"),
    "training": Room(
        ours="data encoding model decoding korean pages metrics benchmarks sharing predict settings outputs ceiling",
        third="numpy torch lightning transformers filelock",
        late_third="wandb",
    ),
    "tasks": Room(
        ours="encoding korean model data metrics training settings sharing",
        third="numpy torch lightning transformers",
        late_third="pyarrow",
    ),
    "recipes": Room(ours="training.config training.contexts training.run_config benchmarks"),
    "sweeps": Room(
        ours="training recipes benchmarks report.figures",
        third="numpy optuna sqlalchemy filelock",
        late_third="matplotlib",
    ),
    "export": Room(
        ours="benchmarks settings korean data evaluation model.wordpieces",
        late="cli",  # only templates/predict.py, which stands alone in a bundle
        late_third="packaging torch",
    ),
    "compat": Room(late=EVERYTHING, late_third="torch"),
    "cli": Room(
        ours="encoding decoding korean training.config tasks.config",
        late=EVERYTHING,
        third="tyro",
        late_third=" ".join(HEAVY),
    ),
    "__init__": Room(late=EVERYTHING),
    "__main__": Room(ours="cli"),
}


class Import(NamedTuple):
    """One import of one module."""

    where: str  # file:line
    module: str
    late: bool


def imports(path: Path) -> list[Import]:
    """All imports of a file; `from dokhae import a, b` counts as dokhae.a and dokhae.b."""
    found = []

    def visit(node: ast.AST, late: bool) -> None:
        for child in ast.iter_child_nodes(node):
            where = f"{path.relative_to(SOURCES)}:{getattr(child, 'lineno', 0)}"
            if isinstance(child, ast.Import):
                found.extend(Import(where, alias.name, late) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0 and child.module, f"{where}: imports are absolute"
                names = (
                    [f"dokhae.{alias.name}" for alias in child.names] if child.module == "dokhae" else [child.module]
                )
                found.extend(Import(where, name, late) for name in names)
            functions = ast.FunctionDef | ast.AsyncFunctionDef
            for_checkers = isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"
            visit(child, late or isinstance(child, functions) or for_checkers)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def room_of(path: Path) -> str:
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


FILES = sorted(SOURCES.rglob("*.py"))
BY_ROOM = {
    name: [path for path in FILES if room_of(path) == name] for name in sorted({room_of(path) for path in FILES})
}


def test_every_room_has_its_row():
    assert sorted(BY_ROOM) == sorted(ROOMS)


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_a_room_imports_only_what_its_row_allows(name):
    assert [
        f"{one.where}: {one.module}" for path in BY_ROOM[name] for one in imports(path) if not allowed(name, one)
    ] == []


def allowed(name: str, one: Import) -> bool:
    """Whether the row of a room allows an import."""
    room = ROOMS[name]
    top, _, inside = one.module.partition(".")
    if top in sys.stdlib_module_names:
        return True
    if top != "dokhae":
        late_third = room.late_third.split() if one.late else []
        return top in COMMON_THIRD or top in room.third.split() or top in late_third
    target = inside.split(".")[0]
    late = (room.late.split() if isinstance(room.late, str) else room.late) if one.late else ()
    if target in ("", "__version__", name) or target in COMMON or target in late:
        return True
    return any(f"{inside}.".startswith(f"{granted}.") for granted in room.ours.split())


def test_the_common_ground_imports_only_itself():
    for name in COMMON:
        targets = {
            one.module.split(".")[1] for path in BY_ROOM[name] for one in imports(path) if "dokhae." in one.module
        }
        assert targets <= COMMON


@pytest.mark.parametrize(
    ("room", "module", "late", "verdict"),
    [
        ("encoding", "dokhae.decoding", False, False),
        ("encoding", "dokhae.files", False, True),
        ("encoding", "torch", True, False),
        ("reader", "dokhae.model", False, False),
        ("reader", "dokhae.model.span", True, True),
        ("cli", "dokhae.training.config", False, True),
        ("cli", "dokhae.training", False, False),
        ("cli", "dokhae.training.fit", True, True),
        ("cli", "torch", False, False),
        ("training", "dokhae.cli", True, False),
        ("recipes", "dokhae.training.config", False, True),
        ("recipes", "dokhae.training.fit", True, False),
    ],
)
def test_the_table_is_read_as_it_is_meant(room, module, late, verdict):
    assert allowed(room, Import("", module, late)) is verdict


def test_nothing_is_printed():
    calls = [
        f"{path.relative_to(SOURCES)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []


def run_and_name_heavy(code: str) -> tuple[str, list[str]]:
    """What some code says in a new process, and the heavy packages it has loaded at its end."""
    watched = f"{code}\nimport sys\nsys.stderr.write(' '.join(one for one in {HEAVY!r} if one in sys.modules))"
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, timeout=60, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.split()


def run_verb(*arguments: str) -> tuple[str, list[str]]:
    """The same of `python -m dokhae ...`, which has to end well."""
    lines = (
        "import runpy, sys",
        f"sys.argv = ['dokhae', *{arguments!r}]",
        "try: runpy.run_module('dokhae', run_name='__main__')",
        "except SystemExit as stop: assert not stop.code, stop.code",
    )
    return run_and_name_heavy("\n".join(lines))


@pytest.mark.parametrize(
    "module",
    [
        "dokhae",
        "dokhae.reader",
        "dokhae.evaluation",
        "dokhae.training",
        "dokhae.ceiling",
        "dokhae.recipes",
        "dokhae.sweeps",
        "dokhae.tasks",
    ],  # fmt: skip
)
def test_importing_the_api_loads_nothing_heavy(module):
    assert run_and_name_heavy(f"import {module}") == ("", [])


def test_listing_recipes_loads_nothing_heavy():
    said, heavy = run_verb("recipes", "lyeoni")
    assert heavy == []
    assert said.startswith("recipe\tencoder\t")


def test_help_loads_nothing_heavy():
    said, heavy = run_verb("--help")
    assert heavy == []
    assert "usage: dokhae VERB" in said


@pytest.mark.parametrize(
    "verb",
    [
        "train", "predict", "evaluate", "ask", "ceiling", "scratch", "recipes", "sweep", "demo", "doctor",
        "data", "data download", "data audit", "data convert",
        "convert", "convert tf", "convert pytorch", "convert verify",
        "classify", "classify train", "classify predict", "classify evaluate", "features",
        "pack", "rehearse",
    ],
)  # fmt: skip
def test_the_help_of_a_verb_loads_nothing_heavy(verb):
    said, heavy = run_verb(*verb.split(), "--help")
    assert heavy == []
    assert f"dokhae {verb}" in said
