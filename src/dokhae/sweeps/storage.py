"""Where a study is kept: any database that Optuna knows, Redis, or a journal file."""

from __future__ import annotations

import time
from pathlib import Path

import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalRedisBackend

from dokhae.errors import SettingsError

SECONDS_TO_WAIT = 10.0  # for another process that is making the tables
SECONDS_LOCKED = 60.0  # that an SQLite file may be in another process's hands


def open_storage(url: str) -> BaseStorage:
    """A database, Redis, or (a path alone) a journal file, which network file systems can share."""
    if url.startswith("redis"):
        return JournalStorage(JournalRedisBackend(url))
    if "://" not in url:
        return JournalStorage(JournalFileBackend(str(_journal(Path(url).expanduser()))))
    options = {"connect_args": {"timeout": SECONDS_LOCKED}} if url.startswith("sqlite") else {}
    until = time.monotonic() + SECONDS_TO_WAIT
    while True:
        try:
            return RDBStorage(url, engine_kwargs=options)
        except sqlalchemy.exc.DBAPIError as error:
            if not any(word in str(error) for word in ("exist", "UNIQUE", "nique")) or time.monotonic() > until:
                raise
            time.sleep(0.2)  # another process is making the same tables


def sqlite(path: Path) -> str:
    """The URL of an SQLite file, whatever its name."""
    url = sqlalchemy.engine.URL.create("sqlite", database=str(path.resolve())).render_as_string()
    return url.replace("{", "{{").replace("}", "}}")  # Optuna takes URLs for templates


def _journal(path: Path) -> Path:
    if path.is_file():
        with path.open("rb") as file:
            if file.read(1) not in (b"", b"{"):
                raise SettingsError(f"{path}: is not a journal of Optuna; write an SQLite file as sqlite:///{path}")
    return path


def close_storage(storage: BaseStorage) -> None:
    """Give the connections back."""
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def shown(url: str | None) -> str:
    """A storage URL without its password."""
    if url is None:
        return "its study.db"
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url
