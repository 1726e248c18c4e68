"""dokhae scratch, dokhae doctor."""

from __future__ import annotations

import re
import socket

import pytest

from dokhae import Reader
from dokhae.cli import doctor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", *(f"##{letter}" for letter in "abcdefgh"), "서울"]
SMALL = ("--layers", 1, "--hidden_size", 16, "--heads", 2, "--max_length", 32)


@pytest.fixture
def vocabulary(write):
    return write("vocab.txt", "\n".join(WORDS) + "\n")


def test_scratch_writes_a_folder_that_loads(dokhae, vocabulary, tmp_path):
    folder = tmp_path / "encoders" / "tiny"
    outcome = dokhae("scratch", "--vocabulary", vocabulary, "--out", folder, *SMALL)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"wrote {folder}\n")
    reader = Reader.load(folder)
    assert reader.settings.windows.max_length == 32
    assert len({path.stat().st_mode for path in [*folder.iterdir(), vocabulary]}) == 1
    prediction = reader(question="a?", context="서울 bad")
    assert prediction.text == "서울 bad"[prediction.start : prediction.end] != ""


def test_the_same_seed_makes_the_same_weights(dokhae, vocabulary, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        dokhae("scratch", "--vocabulary", vocabulary, "--out", tmp_path / name, *SMALL, "--seed", seed)
    first, same, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == same != other


def test_scratch_refuses_a_folder_with_something_in_it(refusal, vocabulary, tmp_path):
    line = refusal("scratch", "--vocabulary", vocabulary, "--out", tmp_path, *SMALL)
    assert line == f"{tmp_path}: is not an empty folder; name another --out"
    assert [path.name for path in tmp_path.iterdir()] == ["vocab.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--heads", 0), "heads is 0; it has to be at least 1"),
        (("--layers", -1), "layers is -1; it has to be at least 1"),
        (("--hidden_size", 16, "--heads", 3), "hidden_size 16 does not divide into 3 heads"),
    ],
)
def test_sizes_that_make_no_model_are_refused(refusal, vocabulary, tmp_path, options, message):
    assert refusal("scratch", "--vocabulary", vocabulary, "--out", tmp_path / "new", *options) == message
    assert not (tmp_path / "new").exists()


def test_a_vocabulary_of_another_kind_is_refused(refusal, write, tmp_path):
    line = refusal("scratch", "--vocabulary", write("vocab.txt", "<s>\n[PAD]\n"), "--out", tmp_path / "new")
    assert line.endswith("vocab.txt: is not a WordPiece vocabulary: it lacks [UNK], [CLS], [SEP]")


def test_doctor_says_what_is_here_without_the_network(dokhae, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    outcome = dokhae("doctor", "--offline")
    assert (outcome.code, outcome.err) == (0, "")
    names = [line.split("  ")[0] for line in outcome.out.splitlines()]
    assert names[:2] == ["python", "cores"]
    assert {"train: torch", "core: tyro", "cpu", "cuda", "mps", "cache: features", "cache: models"} <= set(names)
    assert "hub" not in names
    assert re.search(r"^precision auto +(bf16|fp16|fp32) on (cpu|cuda|mps): (this [CG]PU has|mixed)", outcome.out, re.M)


def test_doctor_says_that_the_hub_is_out_of_reach(dokhae, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    outcome = dokhae("doctor")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].startswith("hub ")
    assert "not reachable (" in outcome.out


def test_doctor_warns_of_what_is_missing_or_compromised(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda _: "2.6.3")
    assert doctor.found("lightning") == "2.6.3  DANGER: this release was compromised; remove it"
    assert doctor.found("torch") == "2.6.3"
    monkeypatch.undo()
    monkeypatch.setitem(doctor.PACKAGES, "report", ("no-such-package",))
    assert doctor.found("no-such-package") == "not installed (pip install 'dokhae[report]')"
