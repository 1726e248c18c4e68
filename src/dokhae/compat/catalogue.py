"""All old scripts by name, and files of their names that run them."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dokhae.compat.table import Script
from dokhae.errors import DataError, SettingsError
from dokhae.files import refuse_folder, write_text
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

PYTHON = '''#!/usr/bin/env python3
"""{what}; run by: dokhae compat {name}."""

import sys

try:
    from dokhae.cli import main
except ImportError:
    sys.exit("dokhae is not installed for this Python; run it with: " + {python!r})

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
    most = max(_fit(script, words) for script in found)
    fitting = [script for script in found if _fit(script, words) == most]
    if len(fitting) > 1:
        names = " or ".join(script.name for script in fitting)
        raise SettingsError(f"compat: {file} is a script of several predecessors; say {names}")
    return fitting[0]


def _fit(script: Script, words: Sequence[str]) -> tuple[bool, int]:
    """How well a command line is one of a script: whether it begins with an argument, as the script's does; options."""
    known = {name for flag in script.flags for name in (flag.name, *flag.also)}
    has_place = any(not flag.name.startswith("-") for flag in script.flags)
    begins = bool(words) and not words[0].startswith("-")
    return begins == has_place, len(known & {word.partition("=")[0] for word in words if word.startswith("--")})


def write(source: str, folder: Path, python: str) -> list[Path]:
    """Files with the names of a predecessor's scripts that run them, so that old command lines work in that folder.

    python: the interpreter that shell scripts call. DataError, and nothing written, where another file has the name, or
    one that was written before has been changed: variables of shell scripts are there to be edited.
    """
    texts = {folder / script.file: _text(script, python) for script in scripts(source)}
    for path, text in texts.items():
        refuse_folder(path)
        if path.exists() and _kept(path.read_text(encoding="utf-8", errors="replace")) != _kept(text):
            raise DataError(f"{path}: is a file of yours, or was changed; name another folder, or move it away")
    for path, text in texts.items():
        write_text(path, text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return list(texts)


def _text(script: Script, python: str) -> str:
    if script.file.endswith(".py"):
        return PYTHON.format(what=script.what, name=script.name, python=python)
    return SHELL.format(what=script.what, name=script.name, before=script.shell, python=shlex.quote(python))


def _kept(text: str) -> list[str]:
    """The lines of a file without the one that names the interpreter."""
    return [line for line in text.splitlines() if not line.startswith("exec ") and "run it with: " not in line]
