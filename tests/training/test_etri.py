"""The whole road with a morpheme BERT in ETRI's form: train, score, save, load, answer, by every analyser."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata

import pytest
import yaml

import dokhae
from dokhae.cli import main
from dokhae.data import read_examples
from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import AnalyserError, MissingExtra, SettingsError
from dokhae.korean import analysis, kiwi, mecab
from dokhae.model import loading
from dokhae.types import Example
from etri_on_the_spot import write_etri
from korean.stand_in import MECAB, OFFICIAL, served
from training.small import config, write_squad

# Answers that particles and contractions follow, at the beginning, in the middle and at the very end of their texts.
HANDFUL = [
    ("마을을 세운 사람은?", "1822년에 나두슬은 강가에 마을을 세웠다.", "나두슬"),
    ("마을을 세운 해는?", "1822년에 나두슬은 강가에 마을을 세웠다.", "1822년"),
    ("배는 무엇을 실었는가?", "그 배는 삼베를 싣고 학교 앞을 지나갔다.", "삼베"),
    ("책을 쓴 사람의 직업은?", "이 책을 쓴 사람은 의사다.\n그는 서울에서 태어났다.", "의사"),
    ("어디에서 태어났는가?", "이 책을 쓴 사람은 의사다.\n그는 서울에서 태어났다.", "서울"),
    ("배의 첫 이름은?", "그 배의 첫 이름은 로조호", "로조호"),
]
ETRI = "etri/korquad-1.0/etri-morpheme-bert"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder as ETRI gives it away."""
    return write_etri(tmp_path_factory.mktemp("etri") / "encoder")


def learn(encoder, folder, morphemes, **changes):
    """Learn the handful by heart; the run folder."""
    data = write_squad(folder / "handful.json", HANDFUL)
    often = write_squad(folder / "often.json", HANDFUL * 40)
    settings = config(encoder, often, folder / "run", dev=data, epochs=10, learning_rate=1.5e-3, batch_size=12,
                      morphemes=morphemes, **changes)  # fmt: skip
    report = dokhae.train(settings, show=False)
    assert (report["scores"]["exact_match"], report["scores"]["f1"]) == (100.0, 100.0)
    return folder / "run"


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    """A trained run; read only."""
    return learn(encoder, tmp_path_factory.mktemp("kiwi"), "kiwi")


def answers(run):
    return json.loads((run / "predictions.json").read_text(encoding="utf-8"))


def check_answers(run):
    """A loaded reader says what the training said, with exact characters of the texts."""
    examples = read_examples(run.parent / "handful.json")
    predictions = dokhae.Reader.load(run, device="cpu").predict(examples)
    assert {prediction.id: prediction.text for prediction in predictions} == answers(run)
    for example, prediction in zip(examples, predictions, strict=True):
        assert example.context[prediction.start : prediction.end] == prediction.text == example.answers[0].text


def test_it_learns_a_handful_by_heart_and_answers_the_same_after_loading(run):
    check_answers(run)
    saved = json.loads((run / "model" / "dokhae.json").read_text(encoding="utf-8"))
    assert (saved["morphemes"], saved["korean_split"]) == ("kiwi", "none")
    assert yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["morphemes"] == "kiwi"


def test_predict_and_evaluate_take_the_run_as_any_other(run, tmp_path, capsys):
    data = run.parent / "handful.json"
    arguments = ["predict", data, "--model", run, "--out", tmp_path / "p.json", "--device", "cpu"]
    assert main([str(one) for one in arguments]) == 0
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) == answers(run)
    capsys.readouterr()
    assert main(["evaluate", "--run", str(run)]) == 0
    assert json.loads(capsys.readouterr().out)["exact_match"] == 100.0


def test_letters_that_are_apart_are_answered_apart(run):
    question, context, answer = (unicodedata.normalize("NFD", text) for text in HANDFUL[0])
    prediction = dokhae.Reader.load(run, device="cpu")(question, f"  {context}\n")
    assert prediction.text == f"  {context}"[prediction.start : prediction.end] == answer


def test_a_text_without_morphemes_has_an_answer_of_nothing(run):
    reader = dokhae.Reader.load(run, device="cpu")
    for text in ("", " \n"):
        assert reader.predict([Example("q", "누구?", text)])[0].text == ""


@pytest.mark.slow
def test_mecab_works_too(encoder, tmp_path):
    check_answers(learn(encoder, tmp_path, "mecab"))


def test_a_service_works_too_and_is_asked_when_the_reader_is(encoder, tmp_path, monkeypatch):
    monkeypatch.delenv("ETRI_ACCESS_KEY", raising=False)
    with served() as service:
        run = learn(encoder, tmp_path, service.url + MECAB)
        check_answers(run)
        assert set(HANDFUL[0][:2]) <= set(service.texts)
        address = service.url
    with pytest.raises(AnalyserError, match=f"^{address}{MECAB}: "):
        dokhae.Reader.load(run, device="cpu")("누가 마을을 세웠는가?", "아직 묻지 않은 글이다.")


@pytest.mark.parametrize(("morphemes", "package", "room"), [("kiwi", "kiwipiepy", kiwi), ("mecab", "mecab", mecab)])
def test_a_reader_without_its_analyser_names_the_extra(run, tmp_path, monkeypatch, morphemes, package, room):
    model = shutil.copytree(run / "model", tmp_path / "model")
    settings = json.loads((model / "dokhae.json").read_text(encoding="utf-8"))
    (model / "dokhae.json").write_text(json.dumps(settings | {"morphemes": morphemes}), encoding="utf-8")
    monkeypatch.setitem(sys.modules, package, None)
    # without what is loaded already, which stays for the other tests
    monkeypatch.setattr(room, "_loaded", room._loaded.__wrapped__)
    monkeypatch.setattr(analysis, "find", analysis.find.__wrapped__)
    with pytest.raises(MissingExtra, match=rf"the analyser {morphemes} needs .* pip install 'dokhae\[korean\]'"):
        dokhae.Reader.load(model, device="cpu")


def test_a_training_without_an_analyser_says_what_to_give(encoder, tmp_path):
    data = write_squad(tmp_path / "handful.json", HANDFUL)
    with pytest.raises(SettingsError, match=f"^{encoder}: is a morpheme BERT, .*; give --morphemes mecab, kiwi, or"):
        dokhae.train(config(encoder, data, tmp_path / "run"), show=False)
    with pytest.raises(SettingsError, match="korean_split kiwi cuts words, and a morpheme BERT reads morphemes"):
        dokhae.train(config(encoder, data, tmp_path / "run", morphemes="kiwi", korean_split="kiwi"), show=False)
    assert not (tmp_path / "run").exists()


def test_the_published_row_runs_on_a_folder(tmp_path, capsys):
    encoder = write_etri(tmp_path / "KorBERT")
    data = write_squad(tmp_path / "handful.json", HANDFUL)
    arguments = ["train", "--recipe", ETRI, "--model", encoder, "--train", data, "--dev", data, "--out",
                 tmp_path / "run", "--device", "cpu", "--max_steps", "2"]  # fmt: skip
    assert main([str(one) for one in arguments]) == 0, capsys.readouterr().err
    used = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert (used["morphemes"], used["max_length"], used["max_question_length"]) == ("mecab", 512, 128)
    assert (used["learning_rate"], used["batch_size"], used["recipe"]) == (8.5e-5, 8, ETRI)
    capsys.readouterr()
    assert main(["recipes", "etri", "--runs", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith(f"{ETRI}\t\t84.08\t92.46\t")
    assert "max_steps 2" in line and "morphemes" not in line


def test_the_official_form_of_the_service_gives_the_same_tokens(encoder, monkeypatch):
    monkeypatch.delenv("ETRI_ACCESS_KEY", raising=False)
    fast = loading.load_tokenizer(loading.locate(encoder))
    texts = [text for _, text, _ in HANDFUL]
    with served() as service:
        asked = tokenizer_of(fast, morphemes=service.url + OFFICIAL).tokenize(texts)
    for here, there in zip(tokenizer_of(fast, morphemes="kiwi").tokenize(texts), asked, strict=True):
        assert here.ids.tolist() == there.ids.tolist()
        assert here.starts.tolist() == there.starts.tolist()  # where morphemes share characters it tells no ends
