"""<source>.yaml -> rows. A row's settings are the source's defaults, its benchmark's, its encoder's and its own."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dokhae import benchmarks
from dokhae.errors import SettingsError
from dokhae.recipes.dotted import flat
from dokhae.recipes.layers import checked, merged
from dokhae.records import from_mapping, nearest, read_settings

FOLDER = Path(__file__).parent
ENDING = ".yaml"
NOT_A_TABLE = "encoders"  # what dokhae can do with each family of encoders


@dataclass(frozen=True, slots=True)
class Scores:
    """Two scores, 0 to 100, as they were printed; None: not published."""

    em: float | None = None
    f1: float | None = None  # the benchmark's second score: ROUGE-W for klue-mrc


@dataclass(frozen=True, slots=True)
class Published:
    """What was published of a row besides its settings."""

    dev: Scores = field(default_factory=Scores)
    test: Scores = field(default_factory=Scores)
    reference: Scores = field(default_factory=Scores)  # what the model's own authors report
    steps: int | None = None  # optimizer steps of the whole training
    steps_up_to: int | None = None  # where a range was published
    windows: int | None = None  # training windows


@dataclass(frozen=True, slots=True)
class Row:
    """One training of a published table."""

    name: str  # source/benchmark/row
    title: str  # of the table
    url: str  # where it was published
    benchmark: str
    model: str | None  # hub name; None: its weights have to be given
    settings: dict[str, Any]  # of TrainConfig, nested as in a settings file
    devices: int  # it was trained on
    published: Published
    needs: str | None  # what dokhae does not have yet
    note: str


@dataclass(frozen=True, slots=True)
class _Encoder:
    """What a file says of an encoder."""

    model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    devices: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a file says of a row; em and f1 on the dev set."""

    em: float | None = None
    f1: float | None = None
    encoder: str | None = None  # the last part of the row's name unless given
    settings: dict[str, Any] = field(default_factory=dict)
    test: Scores = field(default_factory=Scores)
    reference: Scores = field(default_factory=Scores)
    steps: int | None = None
    steps_up_to: int | None = None
    windows: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    """A <source>.yaml."""

    title: str
    url: str
    encoders: dict[str, Any]  # name -> _Encoder
    rows: dict[str, Any]  # benchmark/name -> _Entry
    defaults: dict[str, Any] = field(default_factory=dict)
    benchmarks: dict[str, Any] = field(default_factory=dict)  # name -> settings
    devices: int = 1
    needs: str | None = None
    note: str = ""


def sources() -> list[str]:
    """The names of the packaged tables."""
    return sorted(path.stem for path in FOLDER.glob(f"*{ENDING}") if path.stem != NOT_A_TABLE)


def rows() -> list[Row]:
    """Every packaged row, table by table, in the order of the files."""
    return [row for source in sources() for row in _packaged(source)]


def find(name: str) -> Row:
    """A row by its name, source/benchmark/row; the source may be a file of one's own: mine.yaml/korquad-1.0/row.

    Raises SettingsError with the nearest name where there is none.
    """
    file, is_file, _ = name.partition(f"{ENDING}/")
    source = name.partition("/")[0]
    if name.endswith(ENDING):
        raise SettingsError(
            f"recipe {name!r} is a file of rows; name one of them, as `dokhae recipes {name}` lists them"
        )
    if is_file:
        found: Iterable[Row] = read_source(Path(f"{file}{ENDING}"))
        name = full_name(name)
    else:
        found = _packaged(source) if source in sources() else rows()
    for row in found:
        if row.name == name:
            return row
    near = nearest(name, [row.name for row in found]).partition("; known")[0]
    raise SettingsError(f"recipe {name!r} is not known{near}; `dokhae recipes` lists all of them")


def read_source(path: Path, source: str | None = None) -> list[Row]:
    """The rows of a file, named after the file's whole path unless `source` is given.

    Every key of the file is checked, also where no row uses it; SettingsError with the file's name and the place.
    """
    content = _read(path)
    checked(content.defaults, f"{path}: defaults")
    for benchmark, layer in content.benchmarks.items():
        _benchmark(str(benchmark), f"{path}: benchmarks")
        checked(layer, f"{path}: benchmarks: {benchmark}")
    encoders = {str(name): from_mapping(_Encoder, entry, f"{path}: {name}") for name, entry in content.encoders.items()}
    for name, encoder in encoders.items():
        checked(encoder.settings, f"{path}: {name}: settings")
    source = source or str(_whole(path))
    return [_row(path, source, content, encoders, str(name), row) for name, row in content.rows.items()]


def defaults(source: str, benchmark: str) -> dict[str, Any]:
    """What a packaged table says of every row of a benchmark, by name; those in groups have a dot."""
    path = FOLDER / f"{source}{ENDING}"
    file = _read(path)
    return flat(merged(file.defaults, *_layers(file, benchmark, str(path))), str(path))


def full_name(name: str) -> str:
    """The name of a row as Row.name has it: in a table of one's own with the file's whole path."""
    file, is_file, row = name.partition(f"{ENDING}/")
    return f"{_whole(Path(f'{file}{ENDING}'))}/{row}" if is_file else name


def _whole(path: Path) -> Path:
    path = path.expanduser()
    return path.parent.resolve() / path.name  # a link keeps its own name, with its ending


@functools.cache
def _packaged(source: str) -> tuple[Row, ...]:
    return tuple(read_source(FOLDER / f"{source}{ENDING}", source))


def _read(path: Path) -> _File:
    return from_mapping(_File, read_settings(path.expanduser()), str(path))


def _layers(file: _File, benchmark: str, where: str) -> list[dict[str, Any]]:
    """The settings of a benchmark, however a file writes its name."""
    return [each for key, each in file.benchmarks.items() if _benchmark(str(key), where) == benchmark and each]


def _row(path: Path, source: str, file: _File, encoders: dict[str, _Encoder], name: str, content: object) -> Row:
    where = f"{path}: {name}"
    entry = from_mapping(_Entry, content or {}, where)
    benchmark, slash, last = name.partition("/")
    if not slash or not last or "/" in last:
        raise SettingsError(f"{where}: a row is named BENCHMARK/ROW, such as korquad-1.0/koelectra-base-v3")
    benchmark = _benchmark(benchmark, where)
    encoder = _encoder(entry.encoder or last, encoders, where)
    return Row(
        name=f"{source}/{benchmark}/{last}",
        title=file.title,
        url=file.url,
        benchmark=benchmark,
        model=encoder.model,
        settings=checked(
            merged(file.defaults, *_layers(file, benchmark, where), encoder.settings, entry.settings), where
        ),
        devices=encoder.devices or file.devices,
        published=Published(
            Scores(entry.em, entry.f1), entry.test, entry.reference, entry.steps, entry.steps_up_to, entry.windows
        ),
        needs=file.needs,
        note=" ".join(part for part in (file.note, encoder.note, entry.note) if part),
    )


def _benchmark(name: str, where: str) -> str:
    """The benchmark's own name, however it is written."""
    try:
        return benchmarks.find(name).name
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None


def _encoder(name: str, encoders: dict[str, _Encoder], where: str) -> _Encoder:
    if name in encoders:
        return encoders[name]
    raise SettingsError(f"{where}: there is no encoder {name!r}{nearest(name, list(encoders))}")
