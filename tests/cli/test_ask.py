"""dokhae ask."""

from __future__ import annotations

import io
import json
import re
import shutil

import pytest

from dokhae.encoding import WindowConfig
from dokhae.settings import NullThreshold, ReaderSettings

TEXT = "서울은 대한민국의 수도이다.\r\nIn 1704 the Early Otter was launched. " + "서온호는 보리를 싣고 다녔다. " * 12


@pytest.fixture
def article(write):
    return write("article.txt", "\ufeff" + TEXT)


@pytest.fixture
def silent(tiny_bert, tmp_path):
    """A model that always says that there is no answer."""
    folder = tmp_path / "silent"
    shutil.copytree(tiny_bert, folder)
    ReaderSettings(windows=WindowConfig(128, overlap=32), null_threshold=NullThreshold(float("-inf"), "set")).save(
        folder
    )
    return folder


def answer(outcome):
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_json_has_exact_offsets_and_the_best_candidates(dokhae, tiny_bert, article):
    found = answer(dokhae("ask", "수도는?", "--model", tiny_bert, "--context", article, "--top", 3, "--format", "json"))
    assert TEXT[found["start"] : found["end"]] == found["answer"] != ""
    assert len(found["candidates"]) == 3
    for candidate in found["candidates"]:
        assert TEXT[candidate["start"] : candidate["end"]] == candidate["text"]
    assert found["candidates"][0]["text"] == found["answer"]
    assert 0 < found["probability"] <= 1


def test_standard_input_gives_the_same_as_the_file(dokhae, tiny_bert, article, monkeypatch):
    options = ("ask", "수도는?", "--model", tiny_bert, "--format", "json")
    from_file = answer(dokhae(*options, "--context", article))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode()), encoding="ascii"))
    assert answer(dokhae(*options, "--context", "-")) == from_file


def test_text_shows_the_answer_in_its_surroundings(dokhae, tiny_bert, article, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = answer(dokhae("ask", "수도는?", "--model", tiny_bert, "--context", article, "--format", "json"))
    shown = dokhae("ask", "수도는?", "--model", tiny_bert, "--context", article).out
    highlighted = re.findall(r"\x1b\[1;30;43m(.*?)\x1b\[0m", shown, re.DOTALL)
    assert highlighted == [found["answer"]]
    assert "\r" in TEXT[max(found["start"] - 300, 0) : found["start"]]  # rich drops it, and counts on
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    first = max(found["start"] - 300, 0)
    assert TEXT[first : found["end"] + 300].replace("\r", "") in plain
    assert f"(characters {found['start']} to {found['end']}, probability {found['probability']:.3f})" in plain


def test_text_without_a_terminal_is_not_wrapped_or_coloured(dokhae, tiny_bert, article, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    shown = dokhae("ask", "수도는?", "--model", tiny_bert, "--context", article, "--top", 2).out
    assert "\x1b" not in shown
    assert TEXT.splitlines()[1][:150] in shown
    assert re.findall(r"^ +([12])  0\.\d{3}  ", shown, re.MULTILINE) == ["1", "2"]


def test_markup_in_a_text_is_text(dokhae, tiny_bert, write):
    shown = dokhae("ask", "Who?", "--model", tiny_bert, "--context", write("a.txt", "[bold]Ann[/bold] sang [/red]."))
    assert "[bold]Ann[/bold] sang [/red]." in shown.out


def test_a_terminal_is_shown_signs_for_what_it_would_obey(dokhae, tiny_bert, write, monkeypatch):
    text = "Ann\x1b]0;title\x07 sang\x1b[2J in\x9b31m 1704\x7f.\nBob\x08 slept."
    options = ("ask", "Who?", "--model", tiny_bert, "--context", write("a.txt", text), "--top", 2)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", dokhae(*options).out)  # without rich's own colours
    assert "Ann␛]0;title␇ sang␛[2J in\ufffd31m 1704␡.\nBob␈ slept." in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    monkeypatch.delenv("FORCE_COLOR")
    assert "sang\x1b[2J in\x9b31m 1704\x7f." in dokhae(*options).out
    found = answer(dokhae(*options, "--format", "json"))
    assert text[found["start"] : found["end"]] == found["answer"] != ""


def test_no_answer_has_no_offsets(dokhae, silent, article):
    options = ("ask", "수도는?", "--model", silent, "--context", article)
    found = answer(dokhae(*options, "--format", "json"))
    assert (found["answer"], found["start"], found["end"]) == ("", None, None)
    assert found["candidates"][0]["text"] != ""
    assert re.fullmatch(r"no answer  \(probability [01]\.\d{3}\)\n", dokhae(*options).out)


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(refusal, tiny_bert, article, question):
    assert refusal("ask", question, "--model", tiny_bert, "--context", article) == "the question is empty"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_context_is_refused(refusal, tiny_bert, write, monkeypatch, content):
    path = write("empty.txt", content)
    assert refusal("ask", "Who?", "--model", tiny_bert, "--context", path) == f"{path}: is empty"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert refusal("ask", "Who?", "--model", tiny_bert, "--context", "-") == "standard input: is empty"


def test_standard_input_that_is_not_utf_8_is_refused(refusal, tiny_bert, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("서울".encode("cp949"))))
    line = refusal("ask", "Who?", "--model", tiny_bert, "--context", "-")
    assert line.startswith("standard input: is not UTF-8 (byte 0); convert it")


def test_no_candidates_at_all_are_refused(refusal, tiny_bert, article):
    line = refusal("ask", "Who?", "--model", tiny_bert, "--context", article, "--top", 0)
    assert line == "top is 0; it has to be at least 1"
