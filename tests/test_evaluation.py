from __future__ import annotations

import json
import math

import pytest

import dokhae
from dokhae.errors import DataError, SettingsError

DATA = {
    "data": [{"paragraphs": [{"context": "Ann sang in 1704.", "qas": [
        {"id": "q1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]},
        {"id": "q2", "question": "When?", "answers": [{"text": "in 1704", "answer_start": 9}]},
        {"id": "q3", "question": "Where?", "answers": [], "is_impossible": True},
    ]}]}]
}  # fmt: skip
ANSWERS = {"q1": "Ann", "q2": "1704", "q3": ""}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(DATA), encoding="utf-8")
    return path


def test_answers_may_be_a_mapping_or_a_file(data, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(ANSWERS), encoding="utf-8")
    scores = dokhae.evaluate(data, ANSWERS, "squad-2.0")
    assert scores["exact"] == pytest.approx(200 / 3)
    assert scores["f1"] == pytest.approx((1 + 2 / 3 + 1) / 3 * 100)
    assert scores["NoAns_exact"] == 100.0
    assert dokhae.evaluate(str(data), str(path), benchmark="squad-2.0") == scores
    assert dokhae.evaluate(data, path, benchmark="SQuAD-2.0") == scores


def test_a_threshold_on_na_probs_takes_answers_back(data, tmp_path):
    odds = tmp_path / "odds.json"
    odds.write_text(json.dumps({"q1": 0.9, "q2": 0.1, "q3": 0.9}), encoding="utf-8")
    scores = dokhae.evaluate(data, ANSWERS, "squad-2.0", na_probs=odds, na_prob_thresh=0.5)
    assert (scores["HasAns_exact"], scores["NoAns_exact"]) == (0.0, 100.0)
    assert scores["best_exact"] == pytest.approx(200 / 3)


def test_an_infinite_threshold_takes_back_every_answer_or_none(data, tmp_path):
    odds = tmp_path / "odds.json"
    odds.write_text(json.dumps({"q1": 0.9, "q2": 0.1, "q3": 0.9}), encoding="utf-8")
    found = [dokhae.evaluate(data, ANSWERS, "squad-2.0", odds, threshold) for threshold in (math.inf, -math.inf)]
    assert [scores["HasAns_exact"] for scores in found] == [50.0, 0.0]


@pytest.mark.parametrize(
    ("benchmark", "with_odds", "threshold", "message"),
    [
        ("squad-1.1", False, 0.5, r"is for data with unanswerable questions \(SQuAD 2.0\)"),
        ("korquad-1.0", False, 0.5, r"is for data with unanswerable questions \(SQuAD 2.0\)"),
        ("squad-2.0", False, 0.5, "is a threshold of na_probs; give that file too"),
        ("squad-2.0", True, math.nan, r"is not a number \(nan\)"),
    ],
)
def test_a_threshold_that_would_change_nothing_is_refused(data, tmp_path, benchmark, with_odds, threshold, message):
    odds = tmp_path / "odds.json"
    odds.write_text(json.dumps({"q1": 0.9, "q2": 0.1, "q3": 0.9}), encoding="utf-8")
    with pytest.raises(SettingsError, match=f"^na_prob_thresh {message}"):
        dokhae.evaluate(data, ANSWERS, benchmark, odds if with_odds else None, threshold)


def test_images_add_average_precisions_at_the_end(data, tmp_path):
    odds = tmp_path / "odds.json"
    odds.write_text(json.dumps({"q1": 0.0, "q2": 0.1, "q3": 0.9}), encoding="utf-8")
    scores = dokhae.evaluate(data, ANSWERS, "squad-2.0", na_probs=odds, out_image_dir=tmp_path / "images")
    assert list(scores)[-3:] == ["pr_exact_ap", "pr_f1_ap", "pr_oracle_ap"]
    assert (tmp_path / "images" / "na_prob_hist_noAns.png").read_bytes()[:4] == b"\x89PNG"


def test_warnings_are_logged(data, caplog):
    dokhae.evaluate(data, {"q1": "Ann", "other": ""}, "squad-1.1")
    assert [record.message.partition(":")[0] for record in caplog.records] == ["predictions", "predictions"]


def test_what_does_not_fit_is_refused(data, tmp_path):
    with pytest.raises(SettingsError, match="images of curves are drawn over na_probs"):
        dokhae.evaluate(data, ANSWERS, "squad-2.0", out_image_dir=tmp_path / "images")
    with pytest.raises(SettingsError, match="benchmark 'squad' is not known; did you mean squad-"):
        dokhae.evaluate(data, ANSWERS, "squad")
    with pytest.raises(DataError, match="predictions: holds a list"):
        dokhae.evaluate(data, ["Ann"], "squad-1.1")
    with pytest.raises(DataError, match="none.json: no such file"):
        dokhae.evaluate(data, tmp_path / "none.json", "squad-1.1")
    with pytest.raises(DataError, match="none.json: no such file"):
        dokhae.evaluate(tmp_path / "none.json", ANSWERS, "squad-1.1")
