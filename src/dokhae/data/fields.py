"""Fields of parsed records; each error says where, what was expected, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dokhae.errors import DataError

Record = Mapping[str, Any]
ID_NAMES = ("id", "guid")  # of the question's id; the first that is given counts


def as_record(value: object, where: str) -> Record:
    """The value as an object with named fields."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: must be an object with named fields, found {described(value)}")
    return value


def text_field(record: Record, name: str, where: str) -> str:
    """A field that holds text, possibly empty."""
    value = _present(record, name, where)
    if not isinstance(value, str):
        raise DataError(f"{where}: {name!r} must be text, found {described(value)}")
    return value


def optional_text_field(record: Record, name: str, where: str) -> str:
    """A field that holds text; "" where it is missing or null."""
    return "" if record.get(name) is None else text_field(record, name, where)


def id_field(record: Record, where: str) -> str:
    """The question's id, which KLUE calls guid; a whole number becomes its digits."""
    name = next((name for name in ID_NAMES if record.get(name) is not None), ID_NAMES[0])
    value = _present(record, name, where)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    identifier = text_field(record, name, where)
    if not identifier:
        raise DataError(f"{where}: {name!r} is empty; give every question its own id")
    refuse_lone_surrogates(identifier, name, where)
    return identifier


def offset_field(record: Record, name: str, where: str) -> int:
    """A field that holds a character offset."""
    value = _present(record, name, where)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f"{where}: {name!r} must be a whole number (a character offset), found {described(value)}")
    if value < 0:
        raise DataError(f"{where}: {name!r} is {value}, but character offsets count from 0")
    return value


def list_field(record: Record, name: str, where: str) -> list[Any]:
    """A field that holds a list."""
    value = _present(record, name, where)
    if not isinstance(value, list):
        raise DataError(f"{where}: {name!r} must be a list, found {described(value)}")
    return value


def flag_field(record: Record, name: str, where: str) -> bool:
    """A field that holds true or false; false where it is missing or null."""
    value = record.get(name)
    if value is not None and not isinstance(value, bool):
        raise DataError(f"{where}: {name!r} must be true or false, found {described(value)}")
    return bool(value)


def refuse_lone_surrogates(text: str, name: str, where: str) -> None:
    """DataError where the text holds half a character, which no tokenizer and no UTF-8 file can take."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: {name!r} holds a lone surrogate (\\u{ord(text[error.start]):04x}) at character {error.start}, "
            "half of a character; mend the program that wrote the file"
        ) from None


def described(value: object) -> str:
    """A value in words, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"an object with {_named(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {shortened(value)}"
    return f"the {type(value).__name__} {value!r}"


def shortened(text: str, limit: int = 60) -> str:
    """The text in quotes, cut after `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _present(record: Record, name: str, where: str) -> object:
    value = record.get(name)
    if value is None:
        found = {other: given for other, given in record.items() if given is not None}
        raise DataError(f"{where}: the field {name!r} is missing; found {_named(found)}")
    return value


def _named(record: Record, limit: int = 8) -> str:
    if not record:
        return "no fields"
    names = ", ".join(shortened(str(name), 30) for name in list(record)[:limit])
    return f"the fields {names}" + (", …" if len(record) > limit else "")
