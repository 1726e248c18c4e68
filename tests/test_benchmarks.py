"""The rows of the benchmarks, and the road of the one whose second score is not F1."""

from __future__ import annotations

import json

import pytest

import dokhae
from dokhae import benchmarks
from dokhae.ceiling import ceiling
from dokhae.data import read_examples
from dokhae.encoding import build_features
from dokhae.errors import SettingsError
from dokhae.metrics import KOREAN_RUNS_WITH_NULL
from tiny_models import make_model
from tokenizers_on_the_spot import pair_tokenizer
from training.small import FEW, config, write_squad

QUESTIONS = [*FEW, ("선장의 배는 어디에서 왔는가?", "빙찬랑 선장은 배를 타고 왔다.", None)]


@pytest.fixture
def klue(tmp_path):
    """A file in KLUE's form: with guid for id."""
    path = write_squad(tmp_path / "klue.json", QUESTIONS)
    path.write_text(path.read_text("utf-8").replace('"id"', '"guid"'), encoding="utf-8")
    return path


def test_names_are_found_in_any_case_and_near_ones_are_proposed():
    assert benchmarks.find("KLUE-MRC").name == "klue-mrc"
    with pytest.raises(SettingsError, match=r"benchmark 'klue-mcr' is not known; did you mean klue-mrc\?"):
        benchmarks.find("klue-mcr")


def test_every_name_is_given_once():
    assert len(set(benchmarks.names())) == len(benchmarks.names())


@pytest.mark.parametrize("row", benchmarks.BENCHMARKS, ids=lambda row: row.name)
def test_the_scores_of_a_rule_have_names_of_their_own(row):
    assert row.rule.exact_match_key != row.rule.f1_key
    assert row.rule.f1_label == {"f1": "F1", "rouge_w": "ROUGE-W"}[row.rule.f1_key]


def test_klue_mrc_is_published_under_a_licence_that_allows_changed_copies():
    release = benchmarks.find("klue-mrc").release
    assert (release.licence.name, [file.questions for file in release.files]) == ("CC BY-SA 4.0", [17_554, 5_841])


def test_klue_mrc_is_scored_by_exact_match_and_rouge_w(klue):
    answers = {f"q{number}": answer or "" for number, (_, _, answer) in enumerate(QUESTIONS)}
    scores = dokhae.evaluate(klue, answers | {"q4": "우란재에서"}, "klue-mrc")
    assert list(scores) == [
        "exact_match", "rouge_w", "total",
        "HasAns_exact_match", "HasAns_rouge_w", "HasAns_total",
        "NoAns_exact_match", "NoAns_rouge_w", "NoAns_total",
    ]  # fmt: skip
    assert (scores["exact_match"], scores["rouge_w"]) == (6 / 7 * 100, pytest.approx((6 + 0.75) / 7 * 100))


def test_klue_mrc_is_trained_with_a_null_threshold_for_rouge_w_and_its_ceiling_holds(klue, tmp_path):
    settings = config(make_model("bert", tmp_path / "encoder"), klue, tmp_path / "run", benchmark="klue-mrc", epochs=1)
    report = dokhae.train(settings, show=False)
    saved = json.loads((tmp_path / "run" / "model" / "dokhae.json").read_text("utf-8"))
    assert (saved["benchmark"], saved["null_threshold"]["origin"]) == ("klue-mrc", "fitted")
    assert dokhae.evaluate(klue, tmp_path / "run" / "predictions.json", "klue-mrc") == report["scores"]
    examples = read_examples(klue)
    features = build_features(examples, pair_tokenizer("bert"), settings.windows)
    best = ceiling(examples, features, settings.decoding.longest, KOREAN_RUNS_WITH_NULL)
    assert report["scores"]["rouge_w"] <= best.f1 <= 100.0
    assert best.exact_match <= best.f1
