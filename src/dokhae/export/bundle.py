"""`dokhae pack`: a trained reader as a zip with all that it needs to answer on a leaderboard's machine."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import dokhae
from dokhae import benchmarks
from dokhae.benchmarks import Benchmark, Leaderboard
from dokhae.errors import SettingsError
from dokhae.export import archive, manifest, requirements, texts, trained
from dokhae.export.manifest import Manifest
from dokhae.export.trained import Content, Trained
from dokhae.files import refuse_folder

SOURCES = Path(dokhae.__file__).parent
NOT_PACKED = ("__pycache__", "data/sample/")  # the sample and its encoder: `dokhae demo` alone reads them
SCRIPTS = ("predict.py", "check_cuda.py")


def pack(run: Path, benchmark: str, out: Path, name: str | None = None) -> Manifest:
    """Write the bundle of a run or model folder to the zip `out`, whole or not at all; returns its manifest.

    name: that of the bundle on CodaLab, by default the run's. Raises SettingsError, ModelError or DataError where the
    leaderboard of the benchmark could not run it.
    """
    row, board = _leaderboard(benchmark)
    _check_out(out, run)
    if name is not None:
        texts.check_name(name)
    found = trained.find(run, row)
    pins = requirements.pins(requirements.needed(found.settings, found.files))
    made = Manifest(
        dokhae=dokhae.__version__,
        name=name or texts.usable_name(_called(run)),
        benchmark=row.name,
        folder_input=board.folder_input,
        python=requirements.python_version(),
        encoder=found.encoder,
        dev=found.dev,
        files={},
    )
    files = _files(found)
    files["requirements.txt"] = requirements.as_file(pins).encode()
    files["Dockerfile"] = texts.dockerfile(made.name, made.python).encode()
    sizes = sum(map(archive.size_of, _weights(found))), sum(map(archive.size_of, files.values()))
    files["README.md"] = texts.readme(made, row, board, out, pins, sizes).encode()
    return replace(made, files=archive.write(out, out.stem, files, lambda digests: _last(made, digests)))


def _last(made: Manifest, digests: dict[str, str]) -> tuple[str, bytes]:
    return manifest.FILE_NAME, manifest.as_file(replace(made, files=digests))


def _leaderboard(name: str) -> tuple[Benchmark, Leaderboard]:
    """A benchmark that has a leaderboard. SettingsError with those that have one."""
    boards = {row.name: (row, row.leaderboard) for row in benchmarks.BENCHMARKS if row.leaderboard is not None}
    if name.lower() not in boards:
        raise SettingsError(f"--for {name}: no leaderboard is known that takes models of it; it can be "
                            f"{', '.join(boards)}")  # fmt: skip
    return boards[name.lower()]


def _check_out(out: Path, run: Path) -> None:
    """SettingsError for an --out that is no new zip beside the run."""
    refuse_folder(out)
    if out.suffix.lower() != ".zip":
        raise SettingsError(f"{out}: a bundle is a zip; name it {out.stem}.zip")
    if out.stem.strip(".") == "" or out.stem.startswith("-") or set(out.stem) & set('\\:*?"<>|'):
        raise SettingsError(f"{out}: its name is that of the folder inside, which not every system takes; name it "
                            "with letters and digits")  # fmt: skip
    if out.resolve().is_relative_to(run.resolve()):
        raise SettingsError(f"{out}: lies inside of {run}, which is packed; name a file elsewhere")


def _called(run: Path) -> str:
    """The name of a run folder, also where its model folder is given."""
    folder = run.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def _files(found: Trained) -> dict[str, Content]:
    """Path in the bundle -> content: the model, dokhae as it is, and the two scripts."""
    sources = {path.relative_to(SOURCES).as_posix(): path for path in SOURCES.rglob("*") if path.is_file()}
    files: dict[str, Content] = {
        f"dokhae/{name}": path for name, path in sources.items() if not any(part in name for part in NOT_PACKED)
    }
    files |= {f"model/{name}": content for name, content in found.files.items()} | _licence()
    return files | {name: texts.template(name).encode() for name in SCRIPTS}


def _licence() -> dict[str, Content]:
    """That of the sources, which whoever passes them on has to pass on too; it is installed, not one of them."""
    try:
        text = distribution("dokhae").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    return {} if text is None else {"dokhae/LICENSE": text.encode()}


def _weights(found: Trained) -> list[Content]:
    return [content for name, content in found.files.items() if name.endswith(archive.STORED)]
