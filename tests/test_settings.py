from __future__ import annotations

import json

import pytest

from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.errors import DokhaeError, ModelError, SettingsError
from dokhae.pages.text import PageConfig
from dokhae.settings import FILE_NAME, NullThreshold, ReaderSettings

SETTINGS = [
    ReaderSettings(),
    ReaderSettings("korquad-1.0", WindowConfig(512, overlap=64), DecodingConfig(5, 100, "pruned")),
    ReaderSettings("squad-2.0", WindowConfig(step=32), null_threshold=NullThreshold(-1.25, "set"), precision="bf16"),
    ReaderSettings("korquad-1.0", korean_split="particles", korean_trim="kiwi"),
    ReaderSettings(
        "korquad-2.1", WindowConfig(lead=32), DecodingConfig(20, 512), pages=PageConfig(keep_edit_marks=True)
    ),
    ReaderSettings("korquad-1.0", morphemes="http://localhost:8080/api/morpheme/etri"),
    ReaderSettings(
        "squad-2.0",
        WindowConfig(max_question_length=24),
        null_threshold=NullThreshold(-4.0715, "fitted", -4.0715, 1e-9, "dev.json", "0" * 64),
    ),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_is_saved_is_what_is_loaded(settings, tmp_path):
    settings.save(tmp_path)
    assert ReaderSettings.load(tmp_path) == settings
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME] == ["dokhae.json"]


def test_the_file_says_its_format_and_every_setting(tmp_path):
    ReaderSettings("squad-1.1").save(tmp_path)
    assert json.loads((tmp_path / FILE_NAME).read_text()) == {
        "format": 1,
        "benchmark": "squad-1.1",
        "windows": {"max_length": 384, "step": None, "overlap": None, "max_question_length": 64, "lead": 0},
        "decoding": {"n_best": 20, "max_answer_length": None, "search": "exact"},
        "null_threshold": None,
        "precision": "fp32",
        "korean_split": "none",
        "korean_trim": "none",
        "morphemes": None,
        "pages": None,
        "block_head": False,
        "rewritten_by": None,
    }


def test_a_model_of_others_has_no_settings(tmp_path):
    assert ReaderSettings.load(tmp_path) is None


@pytest.mark.parametrize("content", [[], {}, {"format": 2}, {"format": "1"}, {"benchmark": "squad-1.1"}, 1])
def test_another_format_is_refused(content, tmp_path):
    (tmp_path / FILE_NAME).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"dokhae\.json: is not a settings file of format 1"):
        ReaderSettings.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"window": {}}, "'window' is not a setting; did you mean windows?"),
        ({"windows": {"max_lenght": 5}}, "windows: 'max_lenght' is not a setting; did you mean max_length?"),
        ({"windows": {"max_length": "384"}}, "windows: max_length: is '384', where int is wanted"),
        ({"windows": {"step": True}}, "windows: step: is True, where int is wanted"),
        ({"windows": None}, "windows: has to be a mapping of setting: value"),
        ({"decoding": {"n_best": 2.5}}, "decoding: n_best: is 2.5, where int is wanted"),
        ({"decoding": {"search": "fast"}}, "decoding: search: is 'fast'; it can be exact, pruned"),
        ({"benchmark": 1}, "benchmark: is 1, where str is wanted"),
        ({"null_threshold": {"value": "high"}}, "null_threshold: value: is 'high', where float is wanted"),
        ({"null_threshold": {"origin": "guessed"}}, "origin: is 'guessed'; it can be default, set, fitted"),
    ],
)
def test_a_file_with_other_settings_says_which(content, message, tmp_path):
    (tmp_path / FILE_NAME).write_text(json.dumps({"format": 1, **content}))
    with pytest.raises(SettingsError) as caught:
        ReaderSettings.load(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / FILE_NAME)) and message in str(caught.value)


def test_a_cut_file_is_an_error_that_names_it(tmp_path):
    ReaderSettings().save(tmp_path)
    path = tmp_path / FILE_NAME
    path.write_text(path.read_text()[:40])
    with pytest.raises(DokhaeError, match=r"dokhae\.json: stops in the middle"):
        ReaderSettings.load(tmp_path)


def test_a_threshold_says_where_it_comes_from():
    assert NullThreshold().described() == "null threshold 0 (default)"
    assert NullThreshold(1.5, "set").described("abc") == "null threshold 1.5 (set)"
    fitted = NullThreshold(-2.0, "fitted", -1.0, -2.0, "dev.json", "abc")
    assert fitted.described() == "null threshold -2 (fitted for F1 on dev.json)"
    assert fitted.described("abc") == (
        "null threshold -2 (fitted for F1 on dev.json; FITTED ON THE SPLIT IT IS REPORTED ON)"
    )
    assert (
        NullThreshold(-1.0, "fitted", -1.0, -2.0, "dev.json").described()
        == "null threshold -1 (fitted for EM on dev.json)"
    )
