"""The edge: reading with clear errors, writing to a temporary name that is renamed when it is whole."""

from __future__ import annotations

import codecs
import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from dokhae.errors import DataError, SettingsError

TEMPORARY = ".tmp"  # ends the names of files that are not whole yet
LOCK = ".training.lock"  # of a run folder: its name, or what its name ends with
MARKS = {  # what a file begins with -> its encoding; the longer ones first, for UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, without a byte order mark; DataError where that cannot be had."""
    path = Path(path)
    with open_bytes(path) as file:
        return decoded(file.read(), str(path))


def decoded(content: bytes, where: str) -> str:
    """The UTF-8 text of some bytes, without a byte order mark; DataError, which `where` begins, if there is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: is not UTF-8 (byte {error.start}); convert it, for instance with {conversion(content)}"
        ) from None
    if not text or text.isspace():  # without a copy of it
        raise DataError(f"{where}: is empty")
    return text


def conversion(beginning: bytes) -> str:
    """The command that makes UTF-8 of a file that is none, by how it begins: without a mark it is taken for CP949."""
    encoding = next((name for mark, name in MARKS.items() if beginning.startswith(mark)), "cp949")
    return f"`iconv -f {encoding} -t utf-8`"


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BufferedReader]:
    """An open file; DataError where it cannot be read, also later, inside the block."""
    refuse_folder(path)
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it; check its owner and mode") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {_reason(error)}") from None


def refuse_folder(path: Path) -> None:
    """DataError where the path is a folder."""
    if os.path.isdir(path):  # unlike Path.is_dir, False where the parent folder may not be entered
        raise DataError(f"{path}: is a directory, not a file; name the file inside it")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is any shape; the callers check theirs
    """The parsed content of a JSON file; DataError names the place where it stops being JSON."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str, is_line: bool = False) -> Any:  # noqa: ANN401
    """Parse JSON text; `where` (a file, or a file and line) begins the error message. is_line: it tells the line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        what = "stops in the middle: it is cut off, fetch it again" if ended else f"is not JSON: {error.msg}"
        line = "" if is_line else f"line {error.lineno}, "
        raise DataError(f"{where}: {what} ({line}column {error.colno})") from None
    except ValueError as error:  # an integer of more than 4,300 digits
        raise DataError(f"{where}: cannot be read as JSON: {error}") from None
    except RecursionError:
        raise DataError(f"{where}: is nested too deeply to be read") from None


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes when it does not.

    DataError where it cannot be written, in the block too.
    """
    with atomic_paths([path]) as (temporary,), explained_writing(path):
        yield temporary


@contextlib.contextmanager
def atomic_paths(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Such a path for each of some files: none has its name before the block has ended. What it writes, it explains.

    A link stays one: what it leads to is written.
    """
    temporaries: list[Path] = []
    targets = [(path, Path(os.path.realpath(path)) if os.path.islink(path) else path) for path in map(Path, paths)]
    try:
        for path, target in targets:
            make_folder(target.parent)
            # of a long name only the beginning, or what is added to it would make it too long
            temporary = target.parent / f".{target.name[:50]}.{uuid.uuid4().hex}{TEMPORARY}"
            with explained_writing(path):
                _refuse_other_than_file(path)
                temporary.touch(exist_ok=False)  # with the mode that new files have here
            temporaries.append(temporary)
        yield temporaries
        done: list[Path] = []
        for (path, target), temporary in zip(targets, temporaries, strict=True):
            with explained_writing(path, done):
                if path.exists():
                    temporary.chmod(stat.S_IMODE(path.stat().st_mode))
                os.replace(temporary, target)
            done.append(path)
    finally:
        for temporary in temporaries:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def explained_writing(path: Path, done: Sequence[Path] = ()) -> Iterator[None]:
    """DataError where the block cannot write what is to have the name `path`. done: what has been written with it."""
    try:
        yield
    except OSError as error:
        rest = f"{', '.join(map(str, done))} is written already" if done else "nothing was changed"
        raise DataError(f"{path}: cannot be written: {_reason(error)}; {rest}") from None


def _refuse_other_than_file(path: Path) -> None:
    """DataError where something has this name that is no file, OSError where nothing can have it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise DataError(f"{path}: is a directory; name a file to write")
    if not stat.S_ISREG(mode) or Path("/dev") in path.absolute().parents:  # it would be replaced
        raise DataError(f"{path}: is a device or a pipe; name a file to write")


def _reason(error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long for this file system; name a shorter one"
    return error.strerror or str(error)


def make_folder(path: Path) -> Path:
    """Create a folder and its parents; DataError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be made a folder: {_reason(error)}") from None
    return path


def refuse_full_folder(path: Path, otherwise: str = "") -> None:
    """SettingsError where something is already in the folder that is to be made; `otherwise` adds to the advice.

    DataError where it cannot be made, or what is in it cannot be seen.
    """
    try:
        names = [each.name for each in path.iterdir()] if stat.S_ISDIR(path.stat().st_mode) else [path.name]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DataError(f"{path}: cannot be made a folder: {_reason(error)}") from None
    if not all(_left_over(name) or name == LOCK for name in names):
        raise SettingsError(f"{path}: is not an empty folder; name another --out{otherwise}")


def _left_over(name: str) -> bool:
    return name.startswith(".") and name.endswith(TEMPORARY)  # of a process that was killed while it wrote


def clear_left_over(folder: Path) -> None:
    """Remove from a folder what a killed process had not written to the end."""
    for path in folder.iterdir():
        if _left_over(path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401
    """Write a whole JSON file (UTF-8, readable Hangul), or nothing."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def json_files(path: Path) -> list[Path]:
    """The .json files of a folder by name, or a file alone; DataError where a folder has none."""
    if not os.path.isdir(path):
        return [path]
    try:
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(".json"))
    except OSError as error:
        raise DataError(f"{path}: this folder cannot be listed: {_reason(error)}") from None
    if not names:
        raise DataError(f"{path}: this folder has no .json files; name the folder that holds the KorQuAD 2.x files")
    return [path / name for name in names]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, or of a folder's .json files; DataError where they cannot be read."""
    if not os.path.isdir(path):
        with open_bytes(Path(path)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file_path in json_files(Path(path)):
        digest.update(f"{file_path.name}\0{sha256(file_path)}\n".encode())
    return digest.hexdigest()


def give_back_lock(lock: Any) -> None:  # noqa: ANN401 - of the package filelock, which who only scores need not have
    """Give a FileLock back that is held, and take its file away.

    While it is held, for who waits has the file open: that one sees that it has gone, and looks again (filelock 3.24).
    """
    with contextlib.suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()
