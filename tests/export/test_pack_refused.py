"""What `dokhae pack` does not pack: one line each, and nothing is written."""

from __future__ import annotations

import pytest

from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.export.bundle import pack
from dokhae.files import read_json, write_json
from dokhae.pages.text import PageConfig
from dokhae.settings import NullThreshold
from export.bundles import change_settings


@pytest.fixture
def refused(tmp_path):
    """`refused(run, benchmark="korquad-1.0", out=..., name=...)`: what is said, and nothing is written."""

    def call(run, benchmark="korquad-1.0", out=None, **more):
        out = tmp_path / "new" / "b.zip" if out is None else out
        with pytest.raises((DataError, ModelError, SettingsError)) as error:
            pack(run, benchmark, out, **more)
        assert not (tmp_path / "new").exists()
        assert "\n" not in str(error.value)
        return str(error.value)

    return call


def test_questions_without_an_answer_need_a_null_threshold(run, refused, tmp_path):
    assert "has no null threshold, and squad-2.0 has questions without an answer" in refused(run, "squad-2.0")
    change_settings(run, null_threshold=NullThreshold(1.5, "set"), benchmark="squad-2.0")
    assert pack(run, "squad-2.0", tmp_path / "b.zip").benchmark == "squad-2.0"


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        ("korquad-2.1", "was not trained on web pages"),
        ("klue-mrc", "--for klue-mrc: no leaderboard is known that takes models of it; it can be squad-1.1, squad-2.0, "
                     "korquad-1.0, korquad-2.1"),
        ("korquad-2.0", "no leaderboard is known that takes models"),
        ("korquad", "--for korquad: no leaderboard is known that takes models of it; it can be squad-1.1"),
    ],
)  # fmt: skip
def test_benchmarks_that_it_cannot_be_packed_for_are_refused(packed, refused, benchmark, message):
    assert message in refused(packed.run, benchmark)


def test_a_model_of_pages_is_not_packed_for_plain_text(run, refused):
    change_settings(run, pages=PageConfig())
    assert "was trained on web pages, and korquad-1.0 has plain text" in refused(run)


def test_an_unfinished_run_is_refused(run, refused):
    write_json(run / "run.json", read_json(run / "run.json") | {"status": "interrupted"})
    assert refused(run).endswith(f"its training is interrupted, not finished; go on with `dokhae train --resume {run}`")


def test_a_classifier_is_refused(run, refused):
    (run / "model" / "dokhae.json").rename(run / "model" / "dokhae_classifier.json")
    assert "is a classifier, which answers no questions" in refused(run)


def test_a_model_that_dokhae_did_not_train_is_refused(tiny_bert, refused):
    assert "has no dokhae.json, so its windows and threshold are not known" in refused(tiny_bert)


def test_code_that_comes_with_a_model_is_refused(run, refused):
    settings = read_json(run / "model" / "config.json")
    write_json(run / "model" / "config.json", settings | {"auto_map": {"AutoModel": "modeling.Model"}})
    assert "needs Python code of its own (auto_map)" in refused(run)


def test_a_service_of_morphemes_is_refused(run, refused):
    change_settings(run, morphemes="http://127.0.0.1:5757")
    assert "asks http://127.0.0.1:5757 for morphemes, and leaderboards run without network" in refused(run)


def test_what_is_not_there_is_said(packed, run, refused, tmp_path):
    assert "there is no such folder; name a run folder" in refused(tmp_path / "nowhere")
    (run / "model" / "model.safetensors").unlink()
    assert "has no weights (model.safetensors or pytorch_model.bin)" in refused(run)
    (run / "model" / "model.safetensors").symlink_to(tmp_path / "gone")
    assert "model.safetensors: is not there, or a link to nothing" in refused(run)
    (run / "model" / "model.safetensors").unlink()
    parts = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    write_json(run / "model" / "model.safetensors.index.json", parts)
    (run / "model" / "model-1-of-2.safetensors").touch()
    assert "model-2-of-2.safetensors: is not there" in refused(run)


def test_places_where_no_bundle_can_be_are_refused(packed, refused, tmp_path):
    assert refused(packed.run, out=tmp_path / "b.tar").endswith("b.tar: a bundle is a zip; name it b.zip")
    for name in ("..zip", "-x.zip", "a:b.zip"):
        assert "not every system takes" in refused(packed.run, out=tmp_path / name)
    assert "is a directory" in refused(packed.run, out=tmp_path)
    assert "lies inside of" in refused(packed.run, out=packed.run / "model" / "b.zip")
    assert not (packed.run / "model" / "b.zip").exists()
    assert "for instance my-model" in refused(packed.run, name="my model")
