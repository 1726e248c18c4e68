"""Models of the hub, from a server on this machine: found, missing, out of reach, cached, cut off."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from dokhae import Reader
from dokhae.encoding import WindowConfig
from dokhae.errors import ModelError
from dokhae.model import finding, loading
from dokhae.settings import ReaderSettings
from model.local_hub import NAME, served

TEXT = "서울은 대한민국의 수도이다. In 1704 the Early Otter was launched."


@pytest.fixture
def published(tiny_bert, tmp_path):
    """A model that dokhae trained, as it would lie on the hub."""
    folder = tmp_path / "published"
    shutil.copytree(tiny_bert, folder)
    ReaderSettings("squad-1.1", WindowConfig(48, overlap=8)).save(folder)
    return folder


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def ask(tmp_path):
    """`dokhae ask` in a process of its own, for the client reads its environment when it is imported."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")

    def run(endpoint, model=NAME):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return subprocess.run(
            [sys.executable, "-m", "dokhae", "ask", "수도는 어디인가?", "--model", model, "--format", "json",
             "--context", tmp_path / "text.txt"],
            capture_output=True, text=True, timeout=120,
            env={**environment, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"},
        )  # fmt: skip

    return run


@pytest.mark.slow
def test_a_model_of_the_hub_answers_as_its_folder_and_later_without_the_hub(ask, published, closed_port):
    with served(published) as hub:
        online = ask(hub.url)
        assert sorted(hub.fetched) == sorted(path.name for path in published.iterdir())
    offline = ask(closed_port)
    assert (online.returncode, online.stderr) == (0, "")
    assert (offline.returncode, offline.stdout, offline.stderr) == (0, online.stdout, "")
    answer = json.loads(online.stdout)
    expected = Reader.load(published)("수도는 어디인가?", TEXT)
    assert (answer["answer"], answer["start"]) == (expected.text, expected.start)
    assert answer["probability"] == pytest.approx(expected.probability)


@pytest.mark.slow
def test_a_file_that_comes_short_is_one_clear_error(ask, published):
    with served(published, shortened="model.safetensors") as hub:
        ended = ask(hub.url)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"dokhae: {NAME}: no model could be loaded from the hub: Consistency check failed")
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    """Another hub and an empty cache for this process."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    def use(url):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    return use


def test_a_model_that_the_hub_does_not_have(endpoint, published):
    with served(published) as hub:
        endpoint(hub.url)
        with pytest.raises(ModelError, match="^org/none: there is no folder of that name here and no such model on"):
            loading.locate("org/none")


def test_a_name_that_no_model_can_have(endpoint, published):
    with served(published) as hub:
        endpoint(hub.url)
        with pytest.raises(ModelError, match="^a b: is neither a folder nor a name the hub could have: "):
            loading.locate("a b")


def test_a_hub_out_of_reach(endpoint, closed_port):
    endpoint(closed_port)
    with pytest.raises(ModelError, match="the hub cannot be reached .*, and the model is not in the hub's local cache"):
        loading.locate(NAME)


def test_a_hub_that_does_not_answer(endpoint, published, monkeypatch):
    monkeypatch.setattr(finding, "HUB_TIMEOUT", 0.2)
    with served(published, delay=0.6) as hub:
        endpoint(hub.url)
        with pytest.raises(ModelError, match="the hub cannot be reached .*timed out"):
            loading.locate(NAME)


def test_one_more_file_of_a_model_comes_from_the_hub_or_its_cache(endpoint, published):
    with served(published) as hub:
        endpoint(hub.url)
        source = loading.locate(NAME)
        found = loading.find_file(source, "dokhae.json")
        assert ReaderSettings.load(found.parent).windows == WindowConfig(48, overlap=8)
        assert loading.find_file(source, "none.json") is None
    assert loading.find_file(loading.Source(NAME, None, offline=True), "dokhae.json") == found
    assert loading.find_file(loading.Source(NAME, None, offline=True), "more.json") is None
