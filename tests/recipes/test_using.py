"""A row as settings, with some of them changed; tables of one's own, and what is wrong in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dokhae import recipes
from dokhae.errors import DataError, SettingsError
from dokhae.recipes.dotted import flat
from dokhae.recipes.layers import merged

KOELECTRA = "kor-squad-pl/korquad-1.0/koelectra-base-v3"
TABLE = """
title: Mine
url: https://example.org
defaults: {step: 64, batch_size: 4, optimizer: {warmup: 0.1, clip: 0.5}}
benchmarks: {squad-1.1: {batch_size: 6}}
encoders:
  tiny: {model: me/tiny, settings: {optimizer: {clip: 2}}, note: Small.}
  own: {note: Ask us.}
rows:
  squad-1.1/tiny: {em: 1.5, settings: {epochs: 3}}
  korquad-1.0/tiny-long: {encoder: tiny, settings: {overlap: 32}, note: Long.}
  squad-1.1/own: {}
"""


@pytest.fixture
def table(tmp_path):
    """`table(old, new)`: the path of TABLE, something in it replaced."""

    def write(old="", new=""):
        assert old in TABLE
        path = tmp_path / "mine.yaml"
        path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
        return path

    return write


def test_a_row_has_the_settings_of_its_table_benchmark_encoder_and_its_own(table):
    path = table()
    config = recipes.config_of(recipes.find(f"{path}/squad-1.1/tiny"))
    assert (config.benchmark, config.model, config.recipe) == ("squad-1.1", "me/tiny", f"{path}/squad-1.1/tiny")
    assert (config.step, config.batch_size, config.epochs) == (64, 6, 3.0)
    assert (config.optimizer.warmup, config.optimizer.clip) == (0.1, 2.0)
    assert config.out.as_posix() == "runs/mine/squad-1.1/tiny"


def test_an_overlap_takes_the_place_of_a_step_below_it(table):
    config = recipes.config_of(recipes.find(f"{table()}/korquad-1.0/tiny-long"))
    assert (config.step, config.overlap) == (None, 32)
    assert merged({"step": 1}, {"overlap": 2}, {"step": 3}) == {"step": 3}
    assert merged({"step": 1}, {"overlap": None}) == {"step": 1, "overlap": None}


def test_upper_layers_win_setting_by_setting_and_change_none_below():
    below = {"a": 1, "group": {"b": 2, "c": 3}}
    assert merged(below, {"group": {"c": 4}, "d": 5}) == {"a": 1, "group": {"b": 2, "c": 4}, "d": 5}
    assert below == {"a": 1, "group": {"b": 2, "c": 3}}


def test_the_notes_of_a_row_are_those_of_its_parts(table):
    row = recipes.find(f"{table()}/korquad-1.0/tiny-long")
    assert (row.title, row.url, row.note) == ("Mine", "https://example.org", "Small. Long.")
    assert row.published == recipes.Published()
    assert recipes.find(f"{table()}/squad-1.1/tiny").published.dev == recipes.Scores(em=1.5)


def test_one_device_accumulates_the_batches_of_all_of_the_tables():
    row = recipes.find("kor-squad-pl/squad-1.1/electra-large")
    assert row.settings["batch_size"] == 4
    config = recipes.config_of(row)
    assert (config.batch_size, config.optimizer.accumulate) == (4, 4)
    several = recipes.planned(recipes.find("gluonnlp/squad-2.0/albert-large-v2"))
    assert (several.batch_size, several.optimizer.accumulate) == (3, 16)


def test_several_processes_accumulate_fewer_batches_for_the_same_step():
    row = recipes.find("kor-squad-pl/squad-1.1/electra-large")  # on four devices
    assert recipes.config_of(row, devices=2).optimizer.accumulate == 2
    assert recipes.config_of(row, devices=2, nodes=2).optimizer.accumulate == 1
    assert recipes.changes(recipes.config_of(row, devices=2)) == []
    with pytest.raises(SettingsError, match="a step is of 4 batches, which 3 processes cannot share evenly"):
        recipes.config_of(row, devices=3)
    by_hand = recipes.config_of(row, devices=3, optimizer={"accumulate": 1})
    assert recipes.changes(by_hand) == ["optimizer.accumulate 1"]


def test_settings_of_a_row_can_be_changed_one_by_one():
    config = recipes.config_of(recipes.find(KOELECTRA), epochs=1, overlap=64, optimizer={"warmup": 0.2})
    assert (config.epochs, config.step, config.overlap) == (1.0, None, 64)
    assert (config.optimizer.warmup, config.optimizer.adam_epsilon) == (0.2, 1e-6)
    with pytest.raises(SettingsError, match=f"^{KOELECTRA}: 'epoch' is not a setting; did you mean epochs\\?"):
        recipes.config_of(recipes.find(KOELECTRA), epoch=1)


def test_rows_that_cannot_run_are_refused(table):
    with pytest.raises(SettingsError, match="does not have yet: joint answerability head"):
        recipes.config_of(recipes.find("gluonnlp/squad-2.0/electra-base"))
    with pytest.raises(SettingsError, match=r"with --model FOLDER\. The linear .*aiopen\.etri\.re\.kr"):
        recipes.config_of(recipes.find("etri/korquad-1.0/etri-morpheme-bert"))
    own = recipes.find(f"{table()}/squad-1.1/own")
    with pytest.raises(SettingsError, match="its weights are on no hub; give the encoder with --model FOLDER. Ask us."):
        recipes.config_of(own)
    assert recipes.config_of(own, model="folder").model == "folder"


def test_a_run_of_the_row_has_no_changes_wherever_its_files_and_whatever_its_seed():
    config = recipes.config_of(recipes.find(KOELECTRA))
    elsewhere = replace(config, train="/a.json", dev="/b.json", out="/c", seed=7, device="cpu", checkpoint_every=10)
    assert recipes.changes(config) == recipes.changes(elsewhere) == []
    assert recipes.changes(replace(config, recipe=None, epochs=1)) == []


def test_the_changes_of_a_run_are_named_with_their_values():
    config = recipes.config_of(recipes.find(KOELECTRA), epochs=1, optimizer={"warmup": 0.5}, max_train_examples=9)
    assert recipes.changes(config) == ["epochs 1.0", "max_train_examples 9", "optimizer.warmup 0.5"]
    assert recipes.changes(replace(config, model="other"))[0] == "model other"


def test_any_encoder_is_that_of_a_row_without_one(table):
    row = recipes.find(f"{table()}/squad-1.1/own")
    assert recipes.changes(recipes.config_of(row, model="folder")) == []


def test_the_nearest_name_is_told(table):
    with pytest.raises(SettingsError, match="is not known; did you mean kor-squad-pl/korquad-1.0/koelectra-base-v3"):
        recipes.find("kor-squad-pl/korquad-1.0/koelectra-base-v4")
    with pytest.raises(SettingsError, match="recipe 'x' is not known; `dokhae recipes` lists all of them"):
        recipes.find("x")
    with pytest.raises(SettingsError, match="did you mean .*mine.yaml/squad-1.1/tiny"):
        recipes.find(f"{table()}/squad-1.1/tny")
    with pytest.raises(
        SettingsError, match="recipe 'x.yaml' is a file of rows; name one of them, as `dokhae recipes x.yaml`"
    ):
        recipes.find("x.yaml")
    with pytest.raises(DataError, match="none.yaml: no such file"):
        recipes.find("none.yaml/squad-1.1/tiny")


def test_a_row_of_one_s_own_table_has_one_name_however_it_is_asked_for(table, tmp_path, monkeypatch):
    path = table()
    name = f"{path}/squad-1.1/tiny"
    (tmp_path / "link.yaml").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("mine.yaml", "./mine.yaml", f"../{tmp_path.name}/mine.yaml", "~/mine.yaml"):
        assert recipes.find(f"{source}/squad-1.1/tiny").name == recipes.chosen(source)[0].name == name
        assert recipes.full_name(f"{source}/squad-1.1/tiny") == name
    assert recipes.find("link.yaml/squad-1.1/tiny").name == f"{tmp_path}/link.yaml/squad-1.1/tiny"
    assert recipes.full_name(KOELECTRA) == KOELECTRA
    config = recipes.config_of(recipes.find("mine.yaml/squad-1.1/tiny"), epochs=1)
    assert (config.recipe, recipes.changes(config)) == (name, ["epochs 1.0"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("url:", "ulr:", "'ulr' is not a setting; did you mean url?"),
        ("title: Mine\n", "", "title is missing"),
        ("defaults: {step", "defaults: {stpe", "defaults: 'stpe' is not a setting; did you mean step?"),
        ("warmup", "wramup", "defaults: optimizer: 'wramup' is not a setting; did you mean warmup?"),
        ("clip: 0.5", "clip: -1", "defaults: optimizer.clip is -1.0; it has to be at least 0"),
        ("squad-1.1: {batch", "squad-1.2: {batch", "benchmarks: benchmark 'squad-1.2' is not known; did you mean"),
        ("batch_size: 6", "batchsize: 6", "benchmarks: squad-1.1: 'batchsize' is not a setting; did you mean batch"),
        ("optimizer: {clip", "optimizer: {clp", "tiny: settings: optimizer: 'clp' is not a setting; did you mean clip"),
        ("note: Ask", "notes: Ask", "own: 'notes' is not a setting; did you mean note?"),
        ("em: 1.5", "em: good", "squad-1.1/tiny: em: is 'good', where float is wanted"),
        ("epochs: 3", "epoch: 3", "squad-1.1/tiny: 'epoch' is not a setting; did you mean epochs?"),
        ("{epochs: 3}", "[epochs]", "squad-1.1/tiny: settings: is ['epochs'], where dict is wanted"),
        ("epochs: 3", "model: x", "squad-1.1/tiny: model is not a setting here; it stands beside the settings, under"),
        ("defaults: {", "defaults: {recipe: x, ", "defaults: recipe is not a setting here; it is the row itself"),
        ("encoder: tiny", "encoder: tony", "korquad-1.0/tiny-long: there is no encoder 'tony'; did you mean tiny?"),
        ("overlap: 32", "overlap: 32, step: 9", "korquad-1.0/tiny-long: "),
        ("squad-1.1/own:", "own:", "own: a row is named BENCHMARK/ROW, such as korquad-1.0/koelectra-base-v3"),
        ("squad-1.1/own:", "squad-1.1/own/x:", "squad-1.1/own/x: a row is named BENCHMARK/ROW"),
        ("korquad-1.0/tiny", "korqad-1.0/tiny", "korqad-1.0/tiny-long: benchmark 'korqad-1.0' is not known; did"),
        ("encoders:", "encoders: [", "is not YAML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_named_with_the_file_and_the_place(table, old, new, message):
    path = table(old, new)
    with pytest.raises(SettingsError) as caught:
        recipes.read_source(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_the_packaged_tables_are_found_by_name():
    assert recipes.sources() == [
        "bert-pytorch", "etri", "gluonnlp", "kobigbird", "kor-squad-pl", "korquad-2", "lyeoni", "modern"
    ]  # fmt: skip
    names = [row.name for row in recipes.rows()]
    assert len(names) == len(set(names)) == 120
    assert recipes.find(names[0]).name == names[0]


def test_a_benchmark_may_be_written_otherwise_and_keeps_its_settings(table):
    path = table("{squad-1.1: {batch_size: 6}}", "{SQuAD-1.1: {batch_size: 6}}")
    row = recipes.find(f"{path}/squad-1.1/tiny")
    assert recipes.config_of(row).batch_size == 6
    path = table("  squad-1.1/tiny:", "  SQuAD-1.1/tiny:")
    assert recipes.config_of(recipes.find(f"{path}/squad-1.1/tiny")).batch_size == 6


def test_a_setting_that_is_given_with_a_dot_and_in_a_group_is_refused():
    with pytest.raises(SettingsError, match=r"spec: optimizer\.warmup is given twice"):
        flat({"optimizer.warmup": 0.1, "optimizer": {"warmup": 0.2}}, "spec")
