"""All old scripts by name, and files of their names that run them."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dokhae.compat.table import Script
from dokhae.errors import DataError, SettingsError
from dokhae.files import write_text
from dokhae.records import nearest

# folder-like name of a predecessor -> the module with its tables
SOURCES = {
    "kor-squad-pl": "kor_squad_pl",
    "lyeoni": "lyeoni",
    "bert-pytorch": "bert_pytorch",
    "gluonnlp": "gluonnlp",
    "etri": "etri",
    "official": "official",
}
MARK = "dokhae compat"  # in every file that `write` has written

PYTHON = '''#!/usr/bin/env python3
"""{what}; run by: dokhae compat {name}."""

import sys

from dokhae.cli import main

if __name__ == "__main__":
    sys.exit(main(["compat", "{name}", *sys.argv[1:]]))
'''
SHELL = """#!/bin/sh
# {what}
{before}exec {python} -m dokhae compat {name} "$@"
"""


def scripts(source: str | None = None) -> list[Script]:
    """The scripts of a predecessor, or of all. SettingsError with the nearest name for one that is not known."""
    if source is not None and source not in SOURCES:
        raise SettingsError(f"{source!r} is no predecessor{nearest(source, list(SOURCES))}")
    modules = [SOURCES[source]] if source else list(SOURCES.values())
    return [script for module in modules for script in import_module(f"dokhae.compat.{module}").SCRIPTS]


def find(name: str, words: Sequence[str] = ()) -> Script:
    """A script by its name, SOURCE/FILE, or by its file alone where that or its options (words) leave one.

    Raises SettingsError for a name that is not known, and where several scripts of that name have these options.
    """
    file = name.removeprefix("./").removeprefix("examples/").removeprefix("scripts/question_answering/")
    known = scripts()
    found = [script for script in known if script.name == file] or [script for script in known if script.file == file]
    if not found:
        raise SettingsError(f"compat: {name!r} is not a script of a predecessor"
                            f"{nearest(file, [script.file for script in known])}")  # fmt: skip
    typed = {word.partition("=")[0] for word in words if word.startswith("--")}
    fitting = [
        script for script in found if typed <= {name for flag in script.flags for name in (flag.name, *flag.also)}
    ]
    if len(found) > 1 and len(fitting) != 1:
        names = " or ".join(script.name for script in fitting or found)
        raise SettingsError(f"compat: {file} is a script of several predecessors; say {names}")
    return found[0] if len(found) == 1 else fitting[0]


def write(source: str, folder: Path, python: str) -> list[Path]:
    """Files with the names of a predecessor's scripts that run them, so that old command lines work in that folder.

    python: the interpreter that shell scripts call. DataError, and nothing written, where another file has the name.
    """
    paths = {folder / script.file: script for script in scripts(source)}
    for path in paths:
        if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise DataError(f"{path}: is a file of yours; name another folder, or move it away")
    for path, script in paths.items():
        form = PYTHON if path.suffix == ".py" else SHELL
        write_text(path, form.format(what=script.what, name=script.name, before=script.shell, python=python))
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return list(paths)
