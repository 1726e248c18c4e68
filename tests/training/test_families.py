"""The whole road with a tiny random encoder of every family and its real kind of tokenizer, by transformers' auto
classes: train, score, save, load, answer.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import dokhae
from dokhae import metrics
from dokhae.ceiling import ceiling
from dokhae.data import read_examples
from dokhae.encoding import WindowConfig, assemble, build_features
from dokhae.errors import SettingsError
from dokhae.settings import ReaderSettings
from dokhae.types import Example
from tiny_models import FAMILIES, POSITIONS, make_model, shared_tokenizer
from tokenizers_on_the_spot import pair_tokenizer
from training.small import FEW, config, write_squad

# Answers that stand between spaces, so that every tokenizer can give each of them exactly.
HANDFUL = [
    ("Who founded the town?", "In 1822, Quilek Ruskrel founded the town of Valibury.", "Quilek Ruskrel"),
    ("What did the ship carry?", "The ship Lorn carried honey cakes to Wesihaven.", "honey cakes"),
    ("What did the ship carry?", "The ship Nara carried lamp oil to Korustead.", "lamp oil"),
    ("진수된 해는?", "라별호는 1802 년 우란재 항구에서 진수되었다.", "1802"),
    ("어느 항구에서 만들었나?", "라별호는 1802 년 우란재 항구에서 진수되었다.", "우란재"),
    ("선장은 누구인가?", "라별호의 선장 빙찬랑 씨는 쪽빛 물감을 싣고 다녔다.", "빙찬랑"),
]
UNENDING = ("deberta-v2", "deberta-v3", "xlnet")  # relative positions
EPOCHS = dict.fromkeys((*UNENDING, "modernbert", "mmbert"), 5)  # without absolute positions it takes longer
TEXT = "The Early Otter was launched in 1704 at Korustead — “a small town”. 서온호는 《보리》를 싣고 다녔다. " * 8
families = pytest.mark.parametrize("family", FAMILIES)
TWINS = {  # the same code of transformers, another tokenizer
    "deberta-v3": "deberta-v2", "mmbert": "modernbert", "bert-uncased": "bert", "electra-uncased": "electra",
    "kobigbird": "big-bird",
}  # fmt: skip


@pytest.mark.parametrize(
    "family", [pytest.param(each, marks=pytest.mark.slow) if each in TWINS else each for each in FAMILIES]
)
def test_each_family_learns_a_handful_by_heart_and_answers_the_same_after_loading(family, tmp_path):
    data = write_squad(tmp_path / "handful.json", HANDFUL)
    often = write_squad(tmp_path / "often.json", HANDFUL * 40)
    model = make_model(family, tmp_path / "encoder", hidden=64, layers=2, spread=0.06)
    settings = config(
        model, often, tmp_path / "run", dev=data, epochs=EPOCHS.get(family, 2), learning_rate=5e-3, batch_size=6
    )
    report = dokhae.train(settings, show=False)

    assert (report["scores"]["exact_match"], report["scores"]["f1"]) == (100.0, 100.0)
    examples = read_examples(data)
    saved = json.loads((tmp_path / "run" / "predictions.json").read_text(encoding="utf-8"))
    predictions = dokhae.Reader.load(tmp_path / "run", device="cpu").predict(examples)
    assert {prediction.id: prediction.text for prediction in predictions} == saved
    for example, prediction in zip(examples, predictions, strict=True):
        assert example.context[prediction.start : prediction.end] == prediction.text == example.answers[0].text


@pytest.mark.parametrize("family", ["roberta"])
def test_what_no_token_ends_with_is_learnt_up_to_the_ceiling(family, tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    often = write_squad(tmp_path / "often.json", FEW * 50)
    model = make_model(family, tmp_path / "encoder", hidden=64, layers=2, spread=0.06)
    settings = config(model, often, tmp_path / "run", dev=data, epochs=2, learning_rate=5e-3, batch_size=6)
    scores = dokhae.train(settings, show=False)["scores"]

    examples = read_examples(data)
    features = build_features(examples, pair_tokenizer(family), settings.windows)
    best = ceiling(examples, features, settings.decoding.longest, metrics.KOREAN_CHARACTERS)
    assert 60 < scores["exact_match"] == best.exact_match < 100
    assert best.f1 - 2 < scores["f1"] <= best.f1  # F1 may be higher for another span than the annotated one


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """`reader(family, tokens)`: random weights, windows of so many tokens."""
    folders = {}

    def load(family, tokens):
        if family not in folders:
            folders[family] = make_model(family, tmp_path_factory.mktemp(family), layers=2)
        settings = ReaderSettings(windows=WindowConfig(tokens, overlap=8))
        return dokhae.Reader.load(folders[family], "cpu", settings=settings)

    return load


@families
def test_an_answer_does_not_depend_on_what_else_is_asked(family, reader):
    """Windows of every length, with no padding or much of it, in one batch or alone, before shorter ones and after."""
    asking = reader(family, 64)
    examples = [Example(f"{size}", "Who?", TEXT[:size]) for size in range(1, 80)]
    together = asking.predict(examples, batch_size=len(examples))
    for example, one in zip(examples, together, strict=True):
        alone = asking.predict([example])[0]
        assert (alone.start, alone.end) == (one.start, one.end)
        scores = [(found.null_score, found.n_best[0].start_logit, found.n_best[0].end_logit) for found in (alone, one)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-4, abs=1e-4)


def test_without_a_mask_a_tokenizer_that_pads_left_changes_nothing(tmp_path):
    folder = make_model("fnet", tmp_path / "fnet", layers=2)
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"padding_side": "left"}))
    asking = dokhae.Reader.load(folder, "cpu", settings=ReaderSettings(windows=WindowConfig(64, overlap=8)))
    examples = [Example(f"{size}", "Who?", TEXT[:size]) for size in (9, 30, 20)]
    for together, example in zip(asking.predict(examples), examples, strict=True):
        alone = asking.predict([example])[0]
        assert (alone.text, alone.null_score) == (together.text, pytest.approx(together.null_score, rel=1e-4))


@families
def test_special_tokens_in_a_text_stop_nobody(family, reader):
    names = shared_tokenizer(FAMILIES[family][1]).all_special_tokens
    text = " ".join(f"the {name} town {name}" for name in names)
    prediction = reader(family, 64)(question=f"Who {' '.join(names)}?", context=text)
    assert prediction.text == text[prediction.start : prediction.end] != ""


@families
def test_windows_end_where_the_positions_end(family, reader):
    asking = reader(family, POSITIONS * (2 if family in UNENDING else 1))
    prediction = asking(question="Who?", context=TEXT * 2)
    assert prediction.text == (TEXT * 2)[prediction.start : prediction.end] != ""
    if family not in UNENDING:
        with pytest.raises(SettingsError, match=f"windows of {POSITIONS + 1} tokens .* positions end at {POSITIONS};"):
            reader(family, POSITIONS + 1)


def test_xlnet_pads_left_and_its_cls_is_found_last(reader):
    tokenizer = reader("xlnet", 64).tokenizer
    features = build_features(
        [Example("q", "Who?", TEXT[:9]), Example("r", "Who?", TEXT[:30])], tokenizer, WindowConfig()
    )
    batch = assemble(features, np.arange(2), tokenizer.layout)
    present = batch.present()
    last = present.shape[1] - 1
    assert batch.cls.tolist() == (batch.starts + batch.lengths - 1).tolist()
    assert present[:, 0].tolist() == [False, False] and present[:, last].all()
    assert set(batch.padded()["input_ids"][:, last].tolist()) == {shared_tokenizer("xlnet").cls_token_id}
    assert batch.context_at.tolist() == batch.starts.tolist()  # the context comes first
