"""An old script's command line -> what was given, by its table."""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from dokhae.compat.road import speaks
from dokhae.compat.table import Flag, Given, Script, bare, rest, truth
from dokhae.errors import SettingsError
from dokhae.records import nearest

log = logging.getLogger("dokhae")
NUMBERS = re.compile(r"-\d+(,-?\d+)+")  # --layers -1,-2: argparse takes the list for an option


def read(script: Script, words: Sequence[str]) -> Given:
    """What was typed, and the old script's defaults; options that mean nothing any more are said, each in one line.

    As the old scripts did, it takes --name value, --name=value, and the beginning of a name that is no other's.
    Raises SettingsError for an option that the script never had, with the nearest name.
    """
    parser = _Parser(script)
    space, unknown = parser.parse_known_args(_joined(words))
    if unknown:
        name = unknown[0].partition("=")[0]
        known = [flag.name for flag in script.flags if flag.name.startswith("-")]
        hint = nearest(name, known) if known and name.startswith("-") else ""
        raise SettingsError(f"{script.name}: {name} is not one of its options{hint}")
    typed = vars(space)
    for flag in script.flags:
        if flag.gone and flag.key in typed and speaks():
            log.info("%s: %s", flag.name, flag.gone)
    defaults = {flag.key: flag.kind is not bare and flag.default for flag in script.flags}
    return Given(script, defaults | typed, frozenset(typed))


def _joined(words: Sequence[str]) -> list[str]:
    """Lists of numbers that begin with a minus, tied to the option before them."""
    found: list[str] = []
    for word in words:
        if NUMBERS.fullmatch(word) and found and found[-1].startswith("--"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


class _Parser(argparse.ArgumentParser):
    """argparse, whose errors are ours; only what is typed is in its namespace."""

    def __init__(self, script: Script) -> None:
        super().__init__(prog=script.name, add_help=False, argument_default=argparse.SUPPRESS)
        for flag in script.flags:
            names = [flag.name, *flag.also]
            self.add_argument(*names, **_options(flag))
            if flag.kind is truth:  # TensorFlow's flags: --nodo_train
                self.add_argument(f"--no{flag.key}", dest=flag.key, action="store_const", const=False)

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{self.prog}: {message}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - each has its kind
        """Python 3.11 takes SUPPRESS, the default of an argument that is not given, for one of its choices."""
        if value is not argparse.SUPPRESS:
            super()._check_value(action, value)


def _options(flag: Flag) -> dict[str, Any]:
    """What argparse is told of an option."""
    if flag.kind is rest:
        return {"nargs": argparse.REMAINDER}
    if flag.kind is bare:
        return {"action": "store_true", "dest": flag.key}
    found: dict[str, Any] = {"type": flag.kind}
    if flag.choices:
        found["choices"] = flag.choices
    if flag.name.startswith("-"):
        found |= {"dest": flag.key, "required": flag.required}
    elif not flag.required:
        found["nargs"] = "?"
    if flag.kind is truth:
        found |= {"nargs": "?", "const": True}
    return found
