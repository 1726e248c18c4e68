"""Hidden states as files that grow while they are written: JSON lines, Parquet, safetensors."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

from dokhae.errors import SettingsError, optional
from dokhae.files import atomic_path
from dokhae.tasks.decimals import six_decimals
from dokhae.tasks.extraction import States, runs

Write = Callable[[States], None]
AT_ONCE = 1 << 18  # numbers that become text at once
HEADER = 4096  # bytes of a safetensors file in front of its arrays, a multiple of 8; filled up with spaces


@dataclass(frozen=True, slots=True)
class Taken:
    """What the states are of."""

    model: str
    layers: tuple[int, ...]
    pooling: str  # none, cls or mean
    hidden: int
    names: Callable[[list[int]], list[str]]  # of tokens, by their ids

    @property
    def told(self) -> dict[str, str]:
        """What is written into the files about them."""
        return {"model": self.model, "layers": ",".join(map(str, self.layers)), "pooling": self.pooling}


def refuse_another_suffix(path: Path) -> None:
    """SettingsError where the suffix of a file says none of the forms."""
    if path.suffix.lower() not in FORMS:
        raise SettingsError(f"{path}: features are written as .jsonl, .parquet or .safetensors; give the file one of "
                            "these endings")  # fmt: skip


@contextlib.contextmanager
def open_file(path: Path, taken: Taken) -> Iterator[Write]:
    """A function that adds states to a file, which has its name when the block ends well, and else is not there.

    DataError where it cannot be written, MissingExtra where Parquet needs pyarrow.
    """
    refuse_another_suffix(path)
    with atomic_path(path) as temporary, FORMS[path.suffix.lower()](temporary, taken) as write:
        yield write


@contextlib.contextmanager
def _json_lines(path: Path, taken: Taken) -> Iterator[Write]:
    def write(states: States) -> None:
        lengths = np.diff(states.bounds) if taken.pooling == "none" else np.ones(states.after - states.first, np.int64)
        for first, last in runs(lengths * len(taken.layers) * taken.hidden, AT_ONCE):
            file.writelines(json_lines(part_of(states, first, last, taken), taken))

    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield write


def part_of(states: States, first: int, last: int, taken: Taken) -> States:
    """The states of the lines [first, last) among those of some states."""
    tokens = slice(int(states.bounds[first]), int(states.bounds[last]))
    rows = tokens if taken.pooling == "none" else slice(first, last)
    bounds = states.bounds[first : last + 1] - states.bounds[first]
    return States(states.first + first, states.ids[tokens], bounds, states.values[rows])


def json_lines(states: States, taken: Taken) -> Iterator[str]:
    """A line for each line of the input, as extract_features.py of pytorch-pretrained-BERT wrote it."""
    vectors = iter(six_decimals(states.values.reshape(-1, taken.hidden)))
    heads = [f'{{"index": {layer}, "values": [' for layer in taken.layers]
    rows = ["[" + ", ".join([f"{head}{next(vectors)}]}}" for head in heads]) + "]" for _ in range(len(states.values))]
    if taken.pooling != "none":
        for number, row in enumerate(rows, states.first):
            yield f'{{"linex_index": {number}, "layers": {row}}}\n'
        return
    tokens = [json.dumps(name, ensure_ascii=False) for name in taken.names(states.ids.tolist())]
    features = [f'{{"token": {token}, "layers": {row}}}' for token, row in zip(tokens, rows, strict=True)]
    for number, (first, last) in enumerate(pairwise(states.bounds.tolist()), states.first):
        yield f'{{"linex_index": {number}, "features": [{", ".join(features[first:last])}]}}\n'


@contextlib.contextmanager
def _parquet(path: Path, taken: Taken) -> Iterator[Write]:
    """A row for each line, in row groups of a portion: the tokens, and of each layer a list of their vectors."""
    with optional("writing .parquet", "data"):
        import pyarrow as pa
        from pyarrow import parquet
    vector = pa.list_(pa.float32(), taken.hidden)
    of_tokens = taken.pooling == "none"
    layers = [pa.field(f"layer_{layer}", pa.list_(vector) if of_tokens else vector) for layer in taken.layers]
    tokens = [pa.field("tokens", pa.list_(pa.string()))]
    schema = pa.schema([pa.field("linex_index", pa.int64()), *tokens, *layers], metadata=taken.told)

    def table(states: States) -> Any:  # noqa: ANN401 - a table of pyarrow
        bounds = pa.array(states.bounds.astype(np.int32))
        columns = [
            pa.array(np.arange(states.first, states.after)),
            pa.ListArray.from_arrays(bounds, pa.array(taken.names(states.ids.tolist()), pa.string())),
        ]
        for number in range(len(taken.layers)):
            flat = pa.array(np.ascontiguousarray(states.values[:, number]).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(flat, taken.hidden)
            columns.append(pa.ListArray.from_arrays(bounds, vectors) if of_tokens else vectors)
        return pa.Table.from_arrays(columns, schema=schema)

    # numbers like these have neither repetitions nor a minimum that says anything
    plain = {"compression": "NONE", "use_dictionary": False, "write_statistics": False}
    with parquet.ParquetWriter(path, schema, **plain) as writer:
        yield lambda states: writer.write_table(table(states))


@contextlib.contextmanager
def _safetensors(path: Path, taken: Taken) -> Iterator[Write]:
    """One array `states`, (T, layers, hidden) or pooled (lines, layers, hidden), then `bounds` and `ids`.

    The library wants every array whole before it writes. So this writes the form itself: states come first, for they
    alone are large and they come in this order; the header has its place in front, and is filled in at the end.
    """
    shape = [0, len(taken.layers), taken.hidden]
    lines = tokens = 0
    with path.open("w+b") as file, _aside(path) as bounds, _aside(path) as ids:
        file.write(bytes(HEADER))
        bounds.write(np.zeros(1, dtype="<i8").tobytes())

        def write(states: States) -> None:
            nonlocal lines, tokens
            file.write(states.values.astype("<f4", copy=False).data)
            ids.write(states.ids.astype("<i4", copy=False).data)
            bounds.write((states.bounds[1:] + tokens).astype("<i8").data)
            shape[0] += len(states.values)
            lines, tokens = states.after, tokens + len(states.ids)

        yield write
        for part in (bounds, ids):
            part.seek(0)
            while block := part.read(1 << 20):
                file.write(block)
        arrays = (("states", "F32", shape), ("bounds", "I64", [lines + 1]), ("ids", "I32", [tokens]))
        file.seek(0)
        file.write(_header(arrays, taken))


def _aside(path: Path) -> IO[bytes]:
    """A file without a name, on the same disk."""
    return tempfile.TemporaryFile(dir=path.parent)


def _header(arrays: tuple[tuple[str, str, list[int]], ...], taken: Taken) -> bytes:
    """The header of a safetensors file whose arrays stand in this order."""
    content: dict[str, Any] = {"__metadata__": taken.told}
    at = 0
    for name, kind, shape in arrays:
        end = at + int(np.prod(shape)) * int(kind[1:]) // 8
        content[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(content).encode()
    return (HEADER - 8).to_bytes(8, "little") + text.ljust(HEADER - 8)


FORMS: dict[str, Callable[[Path, Taken], AbstractContextManager[Write]]] = {
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
}
