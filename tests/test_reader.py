from __future__ import annotations

import copy
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import pytest
import torch

import dokhae
from dokhae import Reader
from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.encoding.korean import tokenizer_of
from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.model import loading
from dokhae.model.devices import fastest, onednn_takes
from dokhae.model.frozen import FrozenLinear
from dokhae.settings import NullThreshold, ReaderSettings
from dokhae.types import Example
from tiny_models import KINDS, make_model

KOREAN = "서온호는 1704년 코루스타드에서 진수되었다. 《보리》를 싣고 다녔으며, 선장은 ‘나래’였다. " * 5
ENGLISH = "The Early Otter was launched in 1704 at Korustead — “a small town”. Her captain was naïve Nara. " * 5
QUESTIONS = ("서온호는 언제 진수되었는가?", "Who was the captain?")
EXAMPLES = [
    Example(f"{number}", question, context[: 40 * number or None])
    for number, (question, context) in enumerate(product(QUESTIONS, (KOREAN, ENGLISH, KOREAN, ENGLISH)))
]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """kind -> a reader with random weights and windows much shorter than the contexts."""
    folder = tmp_path_factory.mktemp("readers")
    settings = ReaderSettings(windows=WindowConfig(64, overlap=16), decoding=DecodingConfig(n_best=5))
    return {kind: Reader.load(make_model(kind, folder / kind), "cpu", settings=settings) for kind in KINDS}


@pytest.fixture
def saved(tiny_bert, tmp_path):
    """`saved(settings)`: a copy of the tiny model with these settings beside its weights."""

    def save(settings):
        folder = tmp_path / "saved"
        shutil.copytree(tiny_bert, folder)
        settings.save(folder)
        return folder

    return save


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", [KOREAN, ENGLISH, f"  {ENGLISH}\r\n{KOREAN}"], ids=["korean", "english", "both"])
def test_offsets_are_those_of_the_context(readers, kind, context):
    for question in QUESTIONS:
        prediction = readers[kind](question=question, context=context)
        assert prediction.text == context[prediction.start : prediction.end] != ""
        assert len(prediction.n_best) == 5
        for candidate in prediction.n_best:
            assert candidate.text == context[candidate.start : candidate.end]


@pytest.mark.parametrize("kind", KINDS)
def test_one_at_a_time_answers_as_a_batch_does(readers, kind):
    reader = readers[kind]
    batch = reader.predict(EXAMPLES, batch_size=7)
    assert [prediction.id for prediction in batch] == [example.id for example in EXAMPLES]
    for example, together in zip(EXAMPLES, batch, strict=True):
        alone = reader(example.question, example.context)
        assert (alone.text, alone.start, alone.end) == (together.text, together.start, together.end)
        assert alone.probability == pytest.approx(together.probability, abs=1e-4)
        assert alone.null_score == pytest.approx(together.null_score, abs=1e-4)


def test_progress_counts_questions(readers):
    seen = []
    readers["bert"].predict(EXAMPLES, batch_size=2, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(EXAMPLES) < len(seen)  # windows are more than questions


@pytest.mark.parametrize("size", [0, -1])
def test_batches_of_no_windows_are_refused(readers, size):
    for answer in (readers["bert"].predict, lambda *of: list(readers["bert"].predict_alone(*of))):
        with pytest.raises(SettingsError, match=f"batch_size is {size}; at least 1 is needed"):
            answer(EXAMPLES, size)


@pytest.mark.parametrize(
    ("question", "context", "message"),
    [
        ("a", "\ud800 x", "q7: the context is not valid Unicode: surrogates not allowed"),
        ("\udc00", "x", "q7: the question is not valid Unicode: surrogates not allowed"),
        (None, "x", "q7: the question is NoneType, and has to be text"),
        ("a", b"x", "q7: the context is bytes, and has to be text"),
        ("a", None, "q7: the context is NoneType, and has to be text"),
    ],
)
def test_what_is_no_text_is_refused_by_the_name_of_its_question(readers, question, context, message):
    with pytest.raises(DataError, match=message):
        readers["bert"].predict([*EXAMPLES, Example("q7", question, context)])
    with pytest.raises(DataError, match=f"^{message[4:]}"):
        readers["bert"](question, context)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_reader_can_be_sent_to_another_process_and_copied(tiny_bert, precision):
    reader = Reader.load(tiny_bert, "cpu", precision)
    expected = reader.predict(EXAMPLES)
    for made in (pickle.loads(pickle.dumps(reader)), copy.deepcopy(reader)):
        frozen = any(isinstance(module, FrozenLinear) for module in made.score.model.modules())
        assert frozen == onednn_takes({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
        assert made.predict(EXAMPLES) == expected


def test_a_warning_is_said_once_however_its_numbers_change(readers, caplog):
    reader = readers["bert"].with_windows(WindowConfig(64, overlap=16, max_question_length=20))
    for number in range(3):  # each with an id of its own
        long = Example(f"u{number}", "Who was it? " * 30, ENGLISH)
        reader.predict([long])
        reader.with_budget(max_windows=1).predict([long])
    assert caplog.text.count("questions were cut") == 1


def test_nothing_asked_is_nothing_answered(readers):
    assert readers["bert"].predict([]) == []


def test_a_context_without_text_has_no_answer(readers):
    prediction = readers["bert"](question="누구?", context=" \n")
    assert (prediction.text, prediction.start, prediction.end, prediction.n_best) == ("", None, None, ())


def test_saved_settings_are_applied(saved):
    folder = saved(ReaderSettings("squad-1.1", WindowConfig(48, step=8), DecodingConfig(n_best=3, max_answer_length=2)))
    reader = Reader.load(folder)
    assert reader.settings.windows == WindowConfig(48, step=8)
    (tokens,) = reader.tokenizer.tokenize([ENGLISH])
    for prediction in reader.predict([Example("q", question, ENGLISH) for question in QUESTIONS]):
        assert len(prediction.n_best) == 3
        for candidate in prediction.n_best:
            inside = (tokens.starts >= candidate.start) & (tokens.ends <= candidate.end)
            assert 1 <= inside.sum() <= 2


def test_a_saved_null_threshold_is_applied_and_can_be_replaced(saved):
    windows = WindowConfig(64, overlap=16)
    reader = Reader.load(saved(ReaderSettings("squad-2.0", windows, null_threshold=NullThreshold(-1e9, "set"))))
    assert reader(QUESTIONS[0], KOREAN).text == ""
    assert reader.with_null_threshold(NullThreshold(1e9, "set"))(QUESTIONS[0], KOREAN).text != ""
    assert reader.with_null_threshold(None)(QUESTIONS[0], KOREAN).text != ""
    assert reader(QUESTIONS[0], KOREAN).text == ""  # with_null_threshold leaves the reader as it was


def test_given_settings_win_over_saved_ones(saved):
    folder = saved(ReaderSettings(windows=WindowConfig(48, step=8)))
    settings = ReaderSettings(windows=WindowConfig(32, step=4))
    assert Reader.load(folder, settings=settings).settings is settings


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_without_settings_has_the_defaults_cut_to_its_positions(tmp_path, kind):
    reader = Reader.load(make_model(kind, tmp_path / kind, positions=96))
    assert reader.settings == ReaderSettings(windows=WindowConfig(96, overlap=24))
    assert reader(QUESTIONS[1], ENGLISH * 3).text != ""


def test_positions_need_not_be_a_multiple_of_the_padding(tmp_path):
    reader = Reader.load(make_model("bert", tmp_path / "bert", positions=100))
    assert reader(QUESTIONS[1], ENGLISH * 3).text != ""


def test_a_model_with_many_positions_has_the_defaults(tmp_path):
    assert Reader.load(make_model("bert", tmp_path / "bert", positions=400)).settings == ReaderSettings()


def test_windows_beyond_the_positions_are_refused(tiny_bert):
    with pytest.raises(SettingsError, match="windows of 384 tokens are asked for, but .* positions end at 128"):
        Reader.load(tiny_bert, settings=ReaderSettings())


def test_a_run_folder_stands_for_its_model(tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "run" / "model")
    found = [Reader.load(path)(QUESTIONS[0], KOREAN) for path in (tmp_path / "run", str(tmp_path / "run"), tiny_bert)]
    assert found[0] == found[1] == found[2]


def test_what_cannot_be_met_is_refused(tiny_bert, tmp_path):
    with pytest.raises(SettingsError, match="precision fp16 needs a GPU"):
        Reader.load(tiny_bert, "cpu", "fp16")
    with pytest.raises(SettingsError, match="precision is 'bf-16'; it can be fp32, bf16, fp16 or auto"):
        Reader.load(tiny_bert, "cpu", "bf-16")
    with pytest.raises(SettingsError, match="device 'tpu' is not here"):
        Reader.load(tiny_bert, "tpu")
    with pytest.raises(ModelError, match="there is no such model folder"):
        Reader.load(tmp_path / "none")


def test_two_readers_answer_in_two_threads(readers):
    pair = [readers["bert"], readers["roberta"]]
    expected = [reader.predict(EXAMPLES) for reader in pair]
    with ThreadPoolExecutor(2) as pool:
        found = [job.result() for job in [pool.submit(reader.predict, EXAMPLES) for reader in pair]]
    assert found == expected
    assert found[0] != found[1]


def test_one_reader_serves_several_threads(readers):
    reader = readers["bert"]
    expected = [reader(example.question, example.context) for example in EXAMPLES]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda example: reader(example.question, example.context), EXAMPLES)) == expected


def test_the_package_shows_what_it_has():
    assert dokhae.Reader is Reader
    assert dokhae.TrainConfig.__name__ == "TrainConfig"
    assert callable(dokhae.evaluate)
    assert callable(dokhae.train)
    for name in dokhae.__all__:
        assert getattr(dokhae, name) is not None
    assert {"Reader", "evaluate", "train", "TrainConfig", "__version__"} <= set(dir(dokhae))
    with pytest.raises(AttributeError, match="module 'dokhae' has no attribute 'reeder'"):
        dokhae.reeder  # noqa: B018


LEARNED = "bf16" if onednn_takes(torch.bfloat16) else "fp32"  # what a model that was trained in bf16 answers in here


@pytest.mark.parametrize(("asked", "taken"), [(None, LEARNED), ("fp32", "fp32"), ("auto", fastest("cpu")[0])])
def test_a_reader_computes_as_it_was_scored_unless_it_is_told_otherwise(tiny_bert, asked, taken):
    settings = ReaderSettings(precision="bf16", windows=WindowConfig(64, overlap=16))
    reader = Reader.load(tiny_bert, "cpu", asked, settings)
    weights = next(module for module in reader.score.model.modules() if isinstance(module, FrozenLinear))
    assert weights.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[taken]


def test_a_precision_that_the_device_lacks_becomes_fp32_unless_it_was_asked_for(tiny_bert):
    settings = ReaderSettings(precision="fp16", windows=WindowConfig(64, overlap=16))
    reader = Reader.load(tiny_bert, "cpu", None, settings)
    assert reader.score.precision == "fp32"
    with pytest.raises(SettingsError, match="fp16 needs a GPU"):
        Reader.load(tiny_bert, "cpu", "fp16", settings)


def test_texts_go_to_no_address_that_a_stranger_has_chosen(tiny_bert, tmp_path, monkeypatch):
    address = "https://example.org/api/morpheme/etri"
    folder = tmp_path / "hub"
    shutil.copytree(tiny_bert, folder)
    ReaderSettings(morphemes=address).save(folder)
    monkeypatch.setattr(loading, "locate", lambda name: loading.Source(str(folder), None))
    monkeypatch.setattr(loading, "find_file", lambda _, name: folder / name if (folder / name).exists() else None)
    with pytest.raises(ModelError, match="Org/model: its settings send every question and context to https://example"):
        Reader.load("Org/model", "cpu")
    with pytest.raises(SettingsError, match="no entries such as /NNG_"):  # past that question
        Reader.load("Org/model", "cpu", morphemes="mecab")


def test_another_version_of_what_cuts_words_is_told(saved, caplog):
    told = ReaderSettings(windows=WindowConfig(64, step=16), korean_split="particles", rewritten_by="cut long ago")
    folder = saved(told)
    Reader.load(folder, "cpu")
    assert "was trained on texts cut long ago, and they are cut at particles" in caplog.text
    caplog.clear()
    own = tokenizer_of(loading.load_tokenizer(loading.locate(folder)), korean_split="particles").rewritten_by
    replace(told, rewritten_by=own).save(folder)
    Reader.load(folder, "cpu")
    assert "was trained on texts" not in caplog.text
