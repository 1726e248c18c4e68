from __future__ import annotations

import json
import math
import resource
import sys
from dataclasses import replace

import pytest

from decoding.building import merge_one
from dokhae.decoding import choose
from dokhae.errors import DataError
from dokhae.outputs import finite, n_best, write_predictions
from dokhae.types import Example

EXAMPLES = [Example("q1", "?", "서울은 크다"), Example("q2", "?", ""), Example("q0", "?", "서울은 크다")]
SPANS = [[(0, 2, 1.5, 2.0), (4, 5, 0.5, 0.25)], [], [(0, 3, 0.5, 0.0)]]
PREDICTIONS = [
    choose(merge_one(example, spans, 1.0, n_best=20, with_null=True), 0.0)
    for example, spans in zip(EXAMPLES, SPANS, strict=True)
]


def read(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_the_files_of_a_benchmark_with_null(tmp_path):
    path = tmp_path / "run" / "predictions.json"
    written = write_predictions(path, PREDICTIONS, with_null=True)
    assert [one.name for one in written] == ["predictions.json", "nbest_predictions.json", "null_odds.json"]
    assert sorted(written) == sorted(path.parent.iterdir())
    assert list(read(path).items()) == [("q1", "서울"), ("q2", ""), ("q0", "")]
    assert read(path.with_name("null_odds.json")) == {"q1": -2.5, "q2": sys.float_info.max, "q0": 0.5}


def test_n_best_lists_have_characters_logits_and_probabilities(tmp_path):
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, with_null=True)
    n_best = read(tmp_path / "nbest_predictions.json")
    assert n_best["q2"] == []
    assert [one["text"] for one in n_best["q1"]] == ["서울", "크"]
    assert {**n_best["q1"][0], "probability": 0} == {
        "text": "서울", "probability": 0, "start_logit": 1.5, "end_logit": 2.0, "start": 0, "end": 2,
    }  # fmt: skip
    total = math.exp(3.5) + math.exp(0.75) + math.exp(1.0)
    assert math.isclose(n_best["q1"][0]["probability"], math.exp(3.5) / total)


def test_without_null_there_are_no_null_odds_and_the_name_is_free(tmp_path):
    written = write_predictions(tmp_path / "answers.json", PREDICTIONS, with_null=False)
    assert [one.name for one in written] == ["answers.json", "nbest_predictions.json"]
    assert sorted(written) == sorted(tmp_path.iterdir())


def test_hangul_stays_readable_and_files_are_replaced_whole(tmp_path):
    path = tmp_path / "predictions.json"
    path.write_text("old")
    write_predictions(path, PREDICTIONS, with_null=False)
    assert '"서울"' in path.read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


AWKWARD = Example('"q"\\\n\x00', "?", 'a "quoted" \\ text,\n\ttabbed\r — \u2028 나라 \x1f\U0001f9a6 end')


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_the_bytes_are_those_of_json(tmp_path, count):
    spans = [(0, 13, 1e-7, 12345678.9), (3, 40, -0.1, 1e22), (11, 39, 0.1, -0.2)]
    awkward = merge_one(AWKWARD, spans, math.pi, n_best=20, with_null=True)
    predictions = [*PREDICTIONS, awkward][:count]
    write_predictions(tmp_path / "predictions.json", iter(predictions), with_null=True)
    contents = {
        "predictions.json": {one.id: one.text for one in predictions},
        "nbest_predictions.json": {one.id: n_best(one) for one in predictions},
        "null_odds.json": {one.id: finite(one.null_score_difference) for one in predictions},
    }
    for name, content in contents.items():
        expected = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        assert (tmp_path / name).read_bytes() == expected.encode()


def test_a_question_that_is_repeated_is_written_once(tmp_path):
    write_predictions(tmp_path / "p.json", [*PREDICTIONS, PREDICTIONS[0]], with_null=False)
    text = (tmp_path / "p.json").read_text(encoding="utf-8")
    assert text.count('"q1"') == 1
    assert list(json.loads(text)) == ["q1", "q2", "q0"]


def test_predictions_that_stop_with_an_error_leave_the_old_files(tmp_path):
    def stopping():
        yield replace(PREDICTIONS[0], text="new")
        raise KeyboardInterrupt

    write_predictions(tmp_path / "p.json", PREDICTIONS, with_null=True)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write_predictions(tmp_path / "p.json", stopping(), with_null=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_file_is_new_where_one_of_them_has_no_room(tmp_path):
    write_predictions(tmp_path / "p.json", PREDICTIONS, with_null=True)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sizes = sorted(len(content) for content in before.values())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[1] + 1, limits[1]))  # room for all but the n-best lists
    try:
        with pytest.raises(DataError, match="cannot be written: File too large; nothing was changed"):
            write_predictions(tmp_path / "p.json", list(reversed(PREDICTIONS)), with_null=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_has_its_name_already_is_told_where_another_file_cannot_have_its_own(tmp_path):
    def coming():
        yield from PREDICTIONS
        tmp_path.joinpath("nbest_predictions.json").mkdir()

    path = tmp_path / "p.json"
    with pytest.raises(DataError) as error:
        write_predictions(path, coming(), with_null=True)
    told = f"{tmp_path / 'nbest_predictions.json'}: cannot be written: Is a directory; {path} is written already"
    assert str(error.value) == told
    assert sorted(one.name for one in tmp_path.iterdir()) == ["nbest_predictions.json", "p.json"]


def test_an_error_of_whoever_predicts_is_not_one_of_the_files(tmp_path):
    def coming():
        yield PREDICTIONS[0]
        raise ConnectionResetError("the other side has gone")

    with pytest.raises(ConnectionResetError, match="the other side has gone"):
        write_predictions(tmp_path / "p.json", coming(), with_null=True)
    assert not list(tmp_path.iterdir())
