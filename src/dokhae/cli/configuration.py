"""--config FILE.yaml: the same names as the options; an unknown one is an error, options on the command line win.

--recipe NAME, for the commands that have it: a published row fills up what neither gives.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from dokhae.errors import SettingsError
from dokhae.records import nearest, read_settings

WINDOWS = {"step", "overlap"}  # two ways to say one thing: the one that is given takes the other's place
Options = dict[str, list[str] | None]  # name -> the words that follow it; None: a bare option that is not given


def with_config(args: list[str], command: Callable[..., Any]) -> list[str]:
    """The arguments with every --config FILE replaced by what is in it, and --recipe NAME filled up from the row.

    Both come before the arguments, so that these win, and a file over the row. `--option=false` takes back what either
    says. Raises SettingsError with the nearest name for an option that the command does not have.
    """
    known = option_types(command)
    files, rest = ([], args) if "config" in known else without_files(args)  # some have a --config of their own
    end = rest.index("--") if "--" in rest else len(rest)
    before, after = rest[:end], rest[end:]
    given = {option(arg) for arg in before if arg.startswith("--")}
    for name in given - known.keys() - {"help"}:  # tyro names the nearest one only where no other option is missing
        raise SettingsError(f"--{name} is not an option{nearest(name, list(known))}")
    found: Options = {}
    for file in files:
        found |= options(read_settings(Path(file)), known, file)
    recipe = value_of("recipe", before) or next(iter(found.get("recipe") or []), None)
    if recipe and "recipe" in known and not {"-h", "--help"} & {*before}:
        found = of_recipe(recipe, {*given, *found}, known, processes(before, found)) | found
    taken = {*given, *(WINDOWS if WINDOWS & given else ())}
    chosen = [[f"--{name}", *words] for name, words in found.items() if name not in taken and words is not None]
    return [part for parts in chosen for part in parts] + as_flags(before, known) + after


def without_files(args: list[str]) -> tuple[list[str], list[str]]:
    """The files that --config names, and the other arguments."""
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
    return files, rest


def option(arg: str) -> str:
    """The name of an option as the records spell it."""
    return arg.removeprefix("--").partition("=")[0].replace("-", "_")


def value_of(name: str, args: list[str]) -> str | None:
    """What is given for an option, the last time where it is given more than once."""
    found = None
    for place, arg in enumerate(args):
        if arg.startswith("--") and option(arg) == name:
            found = arg.partition("=")[2] if "=" in arg else "".join(args[place + 1 : place + 2])
    return None if found is None or found.startswith("--") else found


def as_flags(args: list[str], known: Mapping[str, Any]) -> list[str]:
    """The arguments, for options that take no value, with --option=true as a bare one and without --option=false."""
    found = []
    for arg in args:
        name, equals, value = arg.partition("=")
        if not equals or not arg.startswith("--") or known.get(option(arg)) is not bool:
            found.append(arg)
        elif value.lower() == "true":
            found.append(name)
        elif value.lower() != "false":
            raise SettingsError(f"{arg}: {name} is given bare, or with =true or =false")
    return found


def of_recipe(name: str, given: Collection[str], known: Mapping[str, Any], processes: int = 1) -> Options:
    """The options that a published row adds to the given ones. SettingsError where it cannot run with them."""
    from dokhae import recipes  # keeps `--help` instant

    row = recipes.find(name)
    return options(recipes.still_needed(row, given, processes), known, row.name)


def processes(args: list[str], found: Options) -> int:
    """How many will train: devices times nodes, or where that is left open, as many as torchrun or srun has started."""
    given = {name: value_of(name, args) or next(iter(found.get(name) or []), None) for name in ("devices", "nodes")}
    if given["devices"] is None:
        started = os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS")
        given = {"devices": started} if started else given
    numbers = [int(text) for text in given.values() if text is not None and text.isdigit()]
    return max(math.prod(numbers), 1)


def options(content: Mapping[str, Any], known: Mapping[str, Any], file: str, group: str = "") -> Options:
    """The options that a mapping stands for. SettingsError for a name the command does not have."""
    found: Options = {}
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
            found |= options(value, known, file, f"{name}.")
        elif value is False and known[name] is bool:
            found[name] = None
        else:
            found[name] = words(value, known[name], f"{file}: {name}")
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
            found[next((one.name for one in extras if getattr(one, "name", None)), name)] = hint
    return found


def _annotated(hint: Any) -> bool:  # noqa: ANN401
    return typing.get_origin(hint) is typing.Annotated
