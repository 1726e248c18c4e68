"""Korean settings on the whole road: trained with, saved, loaded, answered with, scored again."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from transformers import BertTokenizerFast

import dokhae
from dokhae import Reader
from dokhae.cli import main
from dokhae.data import read_examples
from dokhae.decoding import DecodingConfig
from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import MissingExtra, SettingsError
from dokhae.korean import analysis, kiwi
from dokhae.model import loading
from dokhae.settings import ReaderSettings
from dokhae.training import KeepConfig
from dokhae.types import Example
from tiny_models import make_model
from training.small import config, write_squad

ROWS = [
    ("라별호는 언제 진수되었는가?", "1802년에 우란재에서 라별호가 진수되었다.", "1802년"),
    ("라별호가 진수된 곳은?", "1802년에 우란재에서 라별호가 진수되었다.", "우란재"),
    ("배의 이름은?", "1802년에 우란재에서 라별호가 진수되었다.", "라별호"),
    ("선장은 누구인가?", "이 배의 선장은 빙찬랑이었다.", "빙찬랑"),
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_model("bert", tmp_path_factory.mktemp("korean") / "encoder")


def trained(encoder, folder, **changes):
    data = write_squad(folder / "few.json", ROWS)
    run = folder / "run"
    more = {"epochs": 80, "learning_rate": 2e-3, "decoding": DecodingConfig(n_best=5), **changes}
    return run, dokhae.train(config(encoder, data, run, **more), show=False)


@pytest.mark.parametrize("split", ["particles", pytest.param("kiwi", marks=pytest.mark.slow)])
def test_a_split_is_trained_with_saved_and_answered_with(encoder, tmp_path, split):
    run, report = trained(encoder, tmp_path, korean_split=split)
    assert report["scores"]["exact_match"] == 100.0
    assert ReaderSettings.load(run / "model").korean_split == split
    reader = Reader.load(run)
    for question, context, answer in ROWS:
        found = reader(question=question, context=context)
        assert found.text == context[found.start : found.end] == answer
    assert dokhae.evaluate_run(run, "last", "cpu")["best"]["scores"] == report["scores"]


def test_a_model_that_was_trained_without_a_split_is_given_none(encoder, tmp_path):
    run, _ = trained(encoder, tmp_path, epochs=1)
    written = json.loads((run / "model" / "dokhae.json").read_text())
    assert written["korean_split"] == "none"
    for name in ("korean_split", "korean_trim", "morphemes", "rewritten_by"):
        del written[name]  # as an older dokhae wrote it
    (run / "model" / "dokhae.json").write_text(json.dumps(written))
    reader = Reader.load(run)
    whole = tokenizer_of(loading.load_tokenizer(loading.locate(run)))
    texts = ["서울에서는 봄날이었다"]
    assert reader.tokenizer.identity == whole.identity
    assert reader.tokenizer.tokenize(texts)[0].ids.tolist() == whole.tokenize(texts)[0].ids.tolist()


def test_a_split_is_part_of_what_a_checkpoint_belongs_to(encoder, tmp_path):
    run, _ = trained(encoder, tmp_path, epochs=1, korean_split="particles")
    for name in ("config.yaml", "run.json"):
        text = (run / name).read_text()
        for old, new in (
            ("split: particles", "split: none"),
            ('split": "particles', 'split": "none'),
            ("finished", "interrupted"),
        ):
            text = text.replace(old, new)
        (run / name).write_text(text)
    with pytest.raises(SettingsError, match="began with another encoder"):
        dokhae.resume(run, show=False)


def test_a_reader_that_is_trained_on_with_another_split_is_told(encoder, tmp_path, caplog):
    run, _ = trained(encoder, tmp_path, epochs=1, korean_split="particles")
    again = tmp_path / "again"
    again.mkdir()
    trained(run, again, epochs=1)
    assert "was trained with korean_split particles, and is trained with none now" in caplog.text


def test_a_ceiling_is_that_of_the_reader_as_it_was_trained(encoder, tmp_path, capsys):
    run, _ = trained(encoder, tmp_path, epochs=1, korean_split="particles")
    found = []
    for more in ([], ["--korean_split", "particles"], ["--korean_split", "none"]):
        windows = ["--max_length", "64", "--step", "16", "--format", "json"]
        main(
            ["ceiling", str(tmp_path / "few.json"), "--benchmark", "korquad-1.0", "--model", str(run), *windows, *more]
        )
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] != found[2]


class Score:
    """Logits that make every answer end with the last token of its context."""

    def __init__(self, layout):
        self.layout = layout

    def __call__(self, batch):
        start = np.zeros(len(batch.ids), dtype=np.float32)
        end = np.arange(len(batch.ids), dtype=np.float32)
        return start, end


def test_a_reader_trims_as_its_settings_say():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", "배는", "라별호이었다", "0", "1", "2", "##번이다"]
    fast = BertTokenizerFast(vocab={word: number for number, word in enumerate(words)}, do_lower_case=False)
    tokenizer = tokenizer_of(fast)
    text = "배는 라별호이었다"
    plain = Reader(tokenizer, Score(tokenizer.layout), ReaderSettings(decoding=DecodingConfig(n_best=3)))
    cutting = plain.with_korean_trim("kiwi")
    assert plain("?", text).text.endswith("라별호이었다")
    found = cutting("?", text)
    assert found.text.endswith("라별호") and found.text == text[found.start : found.end]
    assert cutting.with_korean_trim("none")("?", text) == plain("?", text)
    several = [Example(str(number), "?", f"{text} {number}번이다") for number in range(3)]
    answers = [one.text for one in cutting.predict(several, batch_size=2)]
    assert answers == [cutting("?", example.context).text for example in several]
    assert all(answer.endswith("번") for answer in answers)


def test_a_run_says_what_the_trim_mended_and_harmed(encoder, tmp_path):
    run, report = trained(encoder, tmp_path, korean_trim="kiwi", epochs=2, keep=KeepConfig(best_by="last"))
    told = report["korean_trim"]
    assert set(told) == {"analyser", "mended", "harmed", "without"}
    gain = 100 * (told["mended"] - told["harmed"]) / len(ROWS)
    assert report["scores"]["exact_match"] == pytest.approx(told["without"]["exact_match"] + gain)
    assert json.loads((run / "scores.json").read_text())["korean_trim"] == told
    reader = Reader.load(run)
    assert reader.settings.korean_trim == "kiwi"
    predictions = json.loads((run / "predictions.json").read_text())
    assert {one.id: one.text for one in reader.predict(read_examples(tmp_path / "few.json"))} == predictions


def test_a_missing_analyser_is_said_before_anything_is_written(encoder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    # without what is loaded already, which stays for the other tests
    monkeypatch.setattr(kiwi, "_loaded", kiwi._loaded.__wrapped__)
    monkeypatch.setattr(analysis, "find", analysis.find.__wrapped__)
    for changes in ({"korean_split": "kiwi"}, {"korean_trim": "kiwi"}):
        with pytest.raises(MissingExtra, match=r"the analyser kiwi needs .*dokhae\[korean\]"):
            trained(encoder, tmp_path, **changes)
        assert not (tmp_path / "run").exists()
