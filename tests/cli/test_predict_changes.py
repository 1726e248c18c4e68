"""dokhae predict with windows and decoding of its own."""

from __future__ import annotations

import json
import shutil

import pytest

from cli.conftest import CONTEXT, squad
from dokhae import Reader
from dokhae.cli.changes import DecodingChanges, WindowChanges
from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.settings import NullThreshold, ReaderSettings

SAVED = ReaderSettings("korquad-1.0", WindowConfig(48, overlap=8), DecodingConfig(n_best=4))


@pytest.fixture
def trained(tiny_bert, tmp_path):
    folder = tmp_path / "trained"
    shutil.copytree(tiny_bert, folder)
    SAVED.save(folder)
    return folder


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        (WindowChanges(), WindowConfig(48, overlap=8)),
        (WindowChanges(max_length=64), WindowConfig(64, overlap=8)),
        (WindowChanges(step=16), WindowConfig(48, step=16)),
        (WindowChanges(overlap=4), WindowConfig(48, overlap=4)),
        (WindowChanges(max_question_length=8), WindowConfig(48, overlap=8, max_question_length=8)),
    ],
)
def test_what_is_not_given_stays(changes, windows):
    assert changes.made(SAVED.windows) == windows


def test_decoding_that_is_not_given_stays():
    assert DecodingChanges(search="pruned").made(SAVED.decoding) == DecodingConfig(n_best=4, search="pruned")


@pytest.mark.parametrize("folder", ["tiny_bert", "trained"])
def test_answers_are_those_of_a_reader_with_these_settings(dokhae, write, request, tmp_path, folder):
    model = request.getfixturevalue(folder)
    data, out = write("long.json", squad(CONTEXT * 8)), tmp_path / "new" / "p.json"
    asked = ("--max_length", 32, "--step", 12, "--max_question_length", 9)
    search = ("--decoding.n_best", 2, "--decoding.max_answer_length", 3, "--decoding.search", "pruned")
    outcome = dokhae("predict", data, "--model", model, "--benchmark", "korquad-1.0", "--out", out, *asked, *search)
    assert outcome.code == 0
    settings = ReaderSettings("korquad-1.0", WindowConfig(32, 12, None, 9), DecodingConfig(2, 3, "pruned"))
    reader = Reader.load(model, settings=settings)
    for qa in squad()["data"][0]["paragraphs"][0]["qas"]:
        own = reader(qa["question"], CONTEXT * 8)
        assert json.loads(out.read_text(encoding="utf-8"))[qa["id"]] == own.text
        n_best = json.loads(out.with_name("nbest_predictions.json").read_text(encoding="utf-8"))[qa["id"]]
        assert [each["text"] for each in n_best] == [each.text for each in own.n_best]
    told = "answers with other windows or another decoding than it was scored with" in outcome.err
    assert told == (folder == "trained")


def test_a_budget_and_a_threshold_go_with_other_windows(tiny_bert):
    reader = Reader.load(tiny_bert).with_windows(WindowConfig(32, step=12)).with_decoding(DecodingConfig(n_best=2))
    reader = reader.with_null_threshold(NullThreshold(-1e9, "set")).with_budget(max_windows=1)
    assert (reader.settings.windows.max_length, reader.settings.decoding.n_best) == (32, 2)
    assert reader("When?", CONTEXT).text == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max_length", 512), "windows of 512 tokens are asked for, but the model's positions end at 128"),
        (("--step", 8, "--overlap", 8), "windows: give step or overlap, not both"),
        (("--max_length", 4), "windows: max_length is 4 tokens; at least 8 are needed"),
        (("--decoding.n_best", 0), "decoding: n_best is 0; at least 1 is needed"),
    ],
)
def test_changes_that_cannot_be_met_are_refused(dokhae, questions, tiny_bert, tmp_path, options, message):
    asked = ("predict", questions, "--model", tiny_bert, "--benchmark", "squad-1.1", "--out", tmp_path / "p.json")
    outcome = dokhae(*asked, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"dokhae: {message}")
    assert not (tmp_path / "p.json").exists()


def test_scores_can_go_to_a_file(dokhae, refusal, questions, write, tmp_path):
    answers, scores = write("p.json", {"q1": "서울", "q2": "1705"}), tmp_path / "new" / "scores.json"
    outcome = dokhae("evaluate", questions, answers, "--benchmark", "squad-1.1", "--out", scores)
    assert (outcome.code, outcome.out) == (0, "")
    assert scores.read_text(encoding="utf-8") == '{"exact_match": 50.0, "f1": 50.0}'
    assert "replace what is scored" in refusal(
        "evaluate", questions, answers, "--benchmark", "squad-1.1", "--out", answers
    )
