"""Downloads into a folder of their own."""

from __future__ import annotations

import pytest

from data.downloading import FILE, NAME, QUICK, release
from dokhae.data.download import download


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """`fetch(server)`: download FILE from a server, or another source, into the folder `there`; gives its bytes."""

    monkeypatch.setenv("NO_PROXY", "*")

    def run(source, file=FILE, patience=QUICK, **options):
        source = source if isinstance(source, str) else source.url
        (path,) = download([release(file)], tmp_path / "there", source, patience=patience, **options)
        assert path == tmp_path / "there" / NAME
        return path.read_bytes()

    return run


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"
