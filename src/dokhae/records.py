"""Settings as dataclasses <-> settings as mappings (YAML and JSON files), with unknown names refused."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from dokhae.errors import SettingsError
from dokhae.files import read_text

Record = TypeVar("Record")


def from_mapping(kind: type[Record], content: Any, where: str) -> Record:  # noqa: ANN401 - what a file holds
    """A record from a mapping; `where` (the file) begins the message of every SettingsError.

    Unknown names, missing ones and values of another type are refused; nested records are nested mappings.
    """
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where}: has to be a mapping of setting: value")
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in content:
        if name not in known:
            raise SettingsError(f"{where}: {name!r} is not a setting{nearest(str(name), list(known))}")
    missing = [name for name, field in known.items() if name not in content and _required(field)]
    if missing:
        raise SettingsError(f"{where}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    values = {name: _value(hints[name], value, f"{where}: {name}") for name, value in content.items()}
    try:
        return kind(**values)
    except SettingsError as error:  # what the record itself refuses, with the file's name
        raise SettingsError(f"{where}: {error}") from None


def read_settings(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; hyphens in names are read as underscores."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a name that is given twice, where YAML would keep the last one."""

        def compose_mapping_node(self, anchor: Any) -> Any:  # noqa: ANN401 - PyYAML has no types
            node = super().compose_mapping_node(anchor)
            names = [(key.tag, key.value) for key, _ in node.value if key.value != "<<"]
            twice = next((key for key, _ in node.value if names.count((key.tag, key.value)) > 1), None)
            if twice is not None:
                raise SettingsError(f"{path}: {twice.value!r} is given twice (line {twice.start_mark.line + 1} and on)")
            return node

    try:
        content = yaml.load(read_text(path), Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: has to be a mapping of setting: value")
    folded = {str(name).replace("-", "_"): value for name, value in content.items()}
    if len(folded) < len(content):
        raise SettingsError(f"{path}: a setting is given twice, with a hyphen and with an underscore")
    return folded


def to_mapping(record: Any) -> Any:  # noqa: ANN401 - a record, or a value in one
    """The record as plain values, paths as text."""
    if dataclasses.is_dataclass(record):
        return {field.name: to_mapping(getattr(record, field.name)) for field in dataclasses.fields(record)}
    return str(record) if isinstance(record, Path) else record


def nearest(name: str, known: list[str]) -> str:
    """A hint for a misspelt name, "" where nothing is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    """A value as its type wants it; a whole number passes for a float, text for a path."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    hint = next(option for option in options if option is not type(None))
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, where)  # type: ignore[arg-type]
    if typing.get_origin(hint) is typing.Literal:
        if value in typing.get_args(hint):
            return value
        raise SettingsError(f"{where}: is {value!r}; it can be {', '.join(map(str, typing.get_args(hint)))}")
    return _plain(hint, value, where)


def _plain(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 5e-5 as text
        try:
            return float(value)
        except ValueError:
            pass
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    kind = typing.get_origin(hint) or hint  # of dict[str, Any]: dict
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise SettingsError(f"{where}: is {value!r}, where {kind.__name__} is wanted")
