"""What a table of an old script is made of, and what came of its command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Kind = Callable[[str], Any]  # what the text of an option becomes


def bare(text: str) -> bool:
    """The kind of an option without a value."""
    raise ValueError(f"takes no value, and {text!r} is given")


def truth(text: str) -> bool:
    """The kind of a flag of TensorFlow's: --do_train=True, or bare; ValueError for another text."""
    known = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    if text.lower() not in known:
        raise ValueError("is True or False")
    return known[text.lower()]


def rest(text: str) -> list[str]:
    """The kind of an argument that is all that follows: a whole other command."""
    return [text]


@dataclass(frozen=True, slots=True)
class Flag:
    """One option of an old script: what it was there, and what it is here."""

    name: str  # as it was typed: --max_seq_length; without hyphens it is an argument with a place
    kind: Kind = str
    default: Any = None  # of the old script
    to: str | None = None  # our setting, those in groups with a dot; None: see `note`, or `gone`
    note: str = ""  # what becomes of it where that is not one setting
    gone: str = ""  # why it means nothing any more: accepted, and said
    also: tuple[str, ...] = ()  # other spellings
    choices: tuple[str, ...] = ()
    required: bool = False

    @property
    def key(self) -> str:
        """Its name in what was given."""
        return self.name.lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Given:
    """A command line of an old script, read."""

    script: Script
    values: Mapping[str, Any]  # by key; the old script's defaults where nothing was typed
    typed: frozenset[str]  # keys of what was

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - each has its kind
        return self.values[key]

    def settings(self) -> dict[str, Any]:
        """Our settings: the options that have one, typed or by the old script's default; None is left out."""
        pairs = ((flag.to, self.values[flag.key]) for flag in self.script.flags if flag.to is not None)
        return {name: value for name, value in pairs if value is not None}

    def typed_settings(self, names: Collection[str]) -> dict[str, Any]:
        """Those of our settings with these names that were typed: what was trained has its own of the others."""
        typed = {flag.to for flag in self.script.flags if flag.key in self.typed}
        return {name: value for name, value in self.settings().items() if name in names and name in typed}


@dataclass(frozen=True, slots=True)
class Script:
    """One command of a predecessor."""

    source: str  # the predecessor
    file: str  # as it was called: run_qa.py
    what: str  # what it does, in one line
    flags: tuple[Flag, ...]
    run: Callable[[Given], None]
    shell: str = ""  # lines of its shell script before the command: variables that users set there

    @property
    def name(self) -> str:
        """What `dokhae compat` calls it."""
        return f"{self.source}/{self.file}"
