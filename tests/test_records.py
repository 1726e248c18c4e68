from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import yaml

from dokhae.errors import SettingsError
from dokhae.records import from_mapping, nearest, read_settings, to_mapping


@dataclass(frozen=True)
class Inner:
    """Nested settings."""

    rate: float = 0.1
    kind: Literal["linear", "cosine"] = "linear"


@dataclass(frozen=True)
class Outer:
    """Settings of every type that ours have."""

    name: str
    out: Path
    count: int = 1
    rate: float = 5e-5
    limit: int | None = None
    share: float | None = None
    other: Path | None = None
    loud: bool = False
    inner: Inner = field(default_factory=Inner)


FULL = Outer("n", Path("a/b"), 3, 1e-4, 7, 0.5, Path("c"), True, Inner(2.0, "cosine"))
LEAST = {"name": "n", "out": "o"}


@pytest.mark.parametrize("record", [FULL, Outer("n", Path("o"))])
def test_a_record_comes_back_from_yaml(record):
    assert from_mapping(Outer, yaml.safe_load(yaml.safe_dump(to_mapping(record))), "f") == record


def test_what_is_left_out_has_its_default():
    assert from_mapping(Outer, LEAST, "f") == Outer("n", Path("o"))
    assert from_mapping(Outer, {**LEAST, "inner": {"rate": 1}}, "f").inner == Inner(1.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-5", 5e-5), ("5.0e-5", 5e-5), ("1", 1.0), ("3E-4", 3e-4), ("'1e3'", 1000.0), (".inf", float("inf"))],
)
def test_a_rate_may_be_written_as_people_write_it(text, value, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: n\nout: o\nrate: {text}\n")
    found = from_mapping(Outer, read_settings(path), str(path)).rate
    assert found == value and type(found) is float


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"nane": 1}, "f: 'nane' is not a setting; did you mean name?"),
        ({"zzz": 1}, "f: 'zzz' is not a setting; known are name, out, count, rate, limit"),
        ({7: 1}, "f: 7 is not a setting"),
        ({}, "f: name, out are missing"),
        ({"name": "n"}, "f: out is missing"),
        ({**LEAST, "count": "3"}, "f: count: is '3', where int is wanted"),
        ({**LEAST, "count": 3.0}, "f: count: is 3.0, where int is wanted"),
        ({**LEAST, "count": True}, "f: count: is True, where int is wanted"),
        ({**LEAST, "count": None}, "f: count: is None, where int is wanted"),
        ({**LEAST, "rate": "fast"}, "f: rate: is 'fast', where float is wanted"),
        ({**LEAST, "rate": False}, "f: rate: is False, where float is wanted"),
        ({**LEAST, "loud": 1}, "f: loud: is 1, where bool is wanted"),
        ({**LEAST, "out": 1}, "f: out: is 1, where Path is wanted"),
        ({**LEAST, "name": ["n"]}, r"f: name: is ['n'], where str is wanted"),
        ({**LEAST, "inner": 3}, "f: inner: has to be a mapping of setting: value"),
        ({**LEAST, "inner": {"kind": "cosin"}}, "f: inner: kind: is 'cosin'; it can be linear, cosine"),
        ({**LEAST, "inner": {"kind": ["linear"]}}, "f: inner: kind: is ['linear']; it can be linear, cosine"),
        ({**LEAST, "inner": {"rat": 1}}, "f: inner: 'rat' is not a setting; did you mean rate?"),
        (["name"], "f: has to be a mapping of setting: value"),
    ],
)
def test_what_is_no_setting_is_refused(content, message):
    with pytest.raises(SettingsError) as caught:
        from_mapping(Outer, content, "f")
    assert message in str(caught.value)


def test_hyphens_in_a_file_are_underscores(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("max-length: 5\nbatch_size: 2\n")
    assert read_settings(path) == {"max_length": 5, "batch_size": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not YAML: .*line 2"),
        ("- a", "has to be a mapping"),
        ("just text", "has to be a mapping"),
        ("# x", "has to be"),
    ],
)
def test_a_file_without_settings_is_refused(text, message, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"{text}\n")
    with pytest.raises(SettingsError, match=rf"run\.yaml: {message}"):
        read_settings(path)


@pytest.mark.parametrize("second", ["max_length: 6", "max-length: 6"])
def test_a_name_that_is_given_twice_is_refused(second, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"a: {{max_length: 1}}\nmax_length: 5\n{second}\n")
    with pytest.raises(SettingsError, match=r"run\.yaml: .* is given twice"):
        read_settings(path)


@pytest.mark.parametrize("text", ["a: 2001-99-99", "a: " + "[" * 2000 + "]" * 2000])
def test_what_yaml_cannot_read_is_one_clear_error(text, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"run\.yaml: is not YAML"):
        read_settings(path)


def test_names_inside_may_differ_by_a_hyphen(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("rows: {roberta-base: 1, roberta_base: 2, 1: a, '1': b}\n")
    assert read_settings(path) == {"rows": {"roberta-base": 1, "roberta_base": 2, 1: "a", "1": "b"}}


def test_a_merged_mapping_may_be_overridden(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\n")
    assert read_settings(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": {"x": 3, "y": 4}}


def test_a_misspelt_name_has_a_nearest_one_or_all():
    assert nearest("lerning_rate", ["learning_rate", "epochs"]) == "; did you mean learning_rate?"
    assert nearest("xyz", ["learning_rate", "epochs"]) == "; known are learning_rate, epochs"
