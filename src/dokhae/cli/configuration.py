"""--config FILE.yaml: the same names as the options; an unknown one is an error, options on the command line win."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from dokhae.errors import SettingsError
from dokhae.records import nearest, read_settings


def with_config(args: list[str], command: Callable[..., Any]) -> list[str]:
    """The arguments with every --config FILE replaced by what is in it, put before them so that they win.

    Raises SettingsError with the nearest name for an option that the command does not have.
    """
    rest: list[str] = []
    files: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        if arg == "--":  # what follows are no options, not even a question that begins with --
            rest += [arg, *waiting]
        elif arg == "--config":
            files.append(next(waiting, ""))
        elif arg.startswith("--config="):
            files.append(arg.partition("=")[2])
        else:
            rest.append(arg)
    if "" in files:
        raise SettingsError("--config needs a file: --config settings.yaml")
    known = option_types(command)
    before = rest[: rest.index("--")] if "--" in rest else rest
    given = {option(arg) for arg in before if arg.startswith("--")}
    for name in given - known.keys() - {"help"}:  # tyro names the nearest one only where no other option is missing
        raise SettingsError(f"--{name} is not an option{nearest(name, list(known))}")
    found = [each for file in files for each in options(read_settings(Path(file)), known, file)]
    return [part for name, words in found if name not in given for part in (f"--{name}", *words)] + rest


def option(arg: str) -> str:
    """The name of an option as the records spell it."""
    return arg.removeprefix("--").partition("=")[0].replace("-", "_")


def options(
    content: Mapping[str, Any], known: Mapping[str, Any], file: str, group: str = ""
) -> list[tuple[str, list[str]]]:
    """The options that a mapping stands for: (name, words). SettingsError for a name the command does not have."""
    found: list[tuple[str, list[str]]] = []
    for key, value in content.items():
        name = group + str(key).replace("-", "_")
        is_group = any(each.startswith(f"{name}.") for each in known)
        if name not in known and not is_group:
            raise SettingsError(f"{file}: {name} is not a setting{nearest(name, list(known))}")
        if value is None:
            continue
        if isinstance(value, Mapping) != is_group:
            raise SettingsError(f"{file}: {name} is {'a group of settings' if is_group else 'one value'}, "
                                f"not {'one value' if is_group else 'a group of settings'}")  # fmt: skip
        if is_group:
            found += options(value, known, file, f"{name}.")
        elif value is not False or known[name] is not bool:
            found.append((name, words(value, known[name], f"{file}: {name}")))
    return found


def words(value: Any, hint: Any, where: str) -> list[str]:  # noqa: ANN401 - what a file holds
    """What follows an option on the command line: nothing for true, else the value."""
    if isinstance(value, bool) != (hint is bool) or isinstance(value, list):
        wanted = "true or false" if hint is bool else "one value"
        raise SettingsError(f"{where}: is {value!r}; it has to be {wanted}")
    return [] if hint is bool else [str(value)]


def option_types(command: Callable[..., Any]) -> dict[str, Any]:
    """Option -> type, for a function or dataclass; options in groups have a dot, arguments without a name are none."""
    hints = typing.get_type_hints(command, include_extras=True)
    found: dict[str, Any] = {}
    for name in inspect.signature(command).parameters:
        hint, *extras = typing.get_args(hints[name]) if _annotated(hints[name]) else (hints[name],)
        if Positional in extras:
            continue
        if dataclasses.is_dataclass(hint):
            prefix = "" if extras else f"{name}."  # a record with an annotation of ours stands for its fields
            found |= {f"{prefix}{inner}": kind for inner, kind in option_types(hint).items()}  # type: ignore[arg-type]
        else:
            found[name] = hint
    return found


def _annotated(hint: Any) -> bool:  # noqa: ANN401
    return typing.get_origin(hint) is typing.Annotated
