import itertools
import json
import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings

from data.strategies import lists_of_examples
from dokhae.data import read_examples, write_examples
from dokhae.data.writing import check_form, check_target
from dokhae.errors import DataError, MissingExtra, SettingsError
from dokhae.types import Answer, Example

FORMATS = [("a.json", "squad"), ("b.json", "rows"), ("c.jsonl", None), ("d.csv", None), ("e.tsv", None),
           ("f.parquet", None)]  # fmt: skip
NAMES = [f"{name[2:]}-{form or 'rows'}" for name, form in FORMATS]
EXAMPLES = [
    Example("q1", "Who sang?", "Ann sang.", (Answer("Ann", 0), Answer("Ann sang", 0)), "Song"),
    Example("q2", "What did Ann do?", "Ann sang.", (Answer("sang", 4),), "Song"),
    Example("q3", "누가 울었나?", "보라는 울었다.", (Answer("보라", 0),), "Song"),
    Example("q4", "Who left?", "Bob left.", (Answer("Bob", 0),), "Other"),
]
UNANSWERABLE = Example("q5", "Who came?", "Bob left.", (), "Other")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(FORMATS, FORMATS)), ids=lambda row: row[0][2:])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(examples=lists_of_examples())
def test_every_pair_of_formats_brings_the_examples_back(tmp_path, first, second, examples):
    for name, form in (first, second):
        write_examples(examples, tmp_path / name, form)
        found = read_examples(tmp_path / name)
        assert found == examples
        examples = found


@pytest.mark.parametrize(("name", "form"), FORMATS, ids=NAMES)
@pytest.mark.parametrize("file", ["squad-2.0/dev.json", "korquad-1.0/dev.json"])
def test_real_files_come_back(tmp_path, shared, file, name, form):
    examples = read_examples(shared(file))
    write_examples(examples, tmp_path / name, form)
    assert read_examples(tmp_path / name) == examples


def test_neighbours_share_their_article_and_context(tmp_path):
    write_examples(EXAMPLES, tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [(article["title"], len(article["paragraphs"])) for article in content["data"]] == [
        ("Song", 2),
        ("Other", 1),
    ]
    assert [len(paragraph["qas"]) for paragraph in content["data"][0]["paragraphs"]] == [2, 1]
    assert content["data"][1]["paragraphs"][0] == {
        "context": "Bob left.",
        "qas": [{"id": "q4", "question": "Who left?", "answers": [{"text": "Bob", "answer_start": 0}]}],
    }


def test_the_order_stays_where_a_context_comes_again_later(tmp_path):
    mixed = [EXAMPLES[0], EXAMPLES[3], EXAMPLES[1]]
    write_examples(mixed, tmp_path / "a.json")
    assert [example.id for example in read_examples(tmp_path / "a.json")] == ["q1", "q4", "q2"]


def test_form_2_is_for_questions_without_an_answer(tmp_path):
    write_examples(EXAMPLES, tmp_path / "one.json")
    write_examples([*EXAMPLES, UNANSWERABLE], tmp_path / "two.json")
    one, two = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("one", "two"))
    assert (one["version"], two["version"]) == ("1.1", "v2.0")
    flags = [question.get("is_impossible") for question in questions_of(two)]
    assert flags == [False, False, False, False, True]
    assert all("is_impossible" not in question for question in questions_of(one))


def questions_of(content):
    return [question for article in content["data"] for page in article["paragraphs"] for question in page["qas"]]


def test_parquet_has_the_columns_of_the_hub(tmp_path):
    from pyarrow import parquet

    write_examples([*EXAMPLES, UNANSWERABLE], tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["id", "title", "context", "question", "answers"]
    assert str(table.schema.field("answers").type) == (
        "struct<text: list<element: string>, answer_start: list<element: int64>>"
    )
    assert table.column("answers").to_pylist()[0] == {"text": ["Ann", "Ann sang"], "answer_start": [0, 0]}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_of_text_cannot_hold_nul(tmp_path, suffix):
    with pytest.raises(DataError, match=f"question q9: has a NUL .* a {suffix} file cannot hold; write .json, .jsonl"):
        write_examples([*EXAMPLES, Example("q9", "Who?", "A\0B")], tmp_path / f"a{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet"])
def test_the_others_hold_nul(tmp_path, name):
    write_examples([Example("q9", "Who?\0", "A\0B", (Answer("\0", 1),))], tmp_path / name)
    assert read_examples(tmp_path / name) == [Example("q9", "Who?\0", "A\0B", (Answer("\0", 1),))]


REFUSED = [
    ([], "a.json: holds no questions"),
    ([EXAMPLES[0], Example("q1", "Other?", "Ann sang.")],
     "a.json: row 2, question q1: this id is given twice with different content"),
    ([Example("", "Who?", "Ann sang.")], "a.json: row 1: 'id' is empty; give every question its own id"),
    ([Example("q1", "Who?", "Ann", (Answer("Ann", -1),))], "question q1: .*'answer_start' is -1, but .* count from 0"),
    ([Example("q1", "Who\ud800?", "Ann")], "question q1: 'question' holds a lone surrogate"),
    ([Example("q\ud800", "Who?", "Ann")], "a.json: row 1: 'id' holds a lone surrogate"),
    ([Example("q1", None, "Ann")], "question q1: the field 'question' is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("examples", "message"), REFUSED)
@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_what_no_reader_takes_is_not_written(tmp_path, name, examples, message):
    (tmp_path / name).write_text("as it was")
    with pytest.raises(DataError, match=message.replace("a.json", name)):
        write_examples(examples, tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "as it was"


def test_parquet_has_a_largest_offset(tmp_path):
    huge = Example("q1", "Who?", "Ann", (Answer("Ann", 2**70),))
    with pytest.raises(DataError, match="an offset is larger than Parquet's largest number"):
        write_examples([huge], tmp_path / "a.parquet")
    write_examples([huge], tmp_path / "a.jsonl")
    assert read_examples(tmp_path / "a.jsonl") == [huge]


def test_identical_repeats_are_kept(tmp_path):
    write_examples([EXAMPLES[0], EXAMPLES[0]], tmp_path / "a.csv")
    assert read_examples(tmp_path / "a.csv") == [EXAMPLES[0], EXAMPLES[0]]


def test_a_generator_of_examples_is_enough(tmp_path):
    write_examples((example for example in EXAMPLES), str(tmp_path / "a.JSONL"))
    assert read_examples(tmp_path / "a.JSONL") == EXAMPLES


def test_unknown_suffixes_and_forms_are_refused(tmp_path):
    with pytest.raises(DataError, match="a.xml: the suffix '.xml' is not known; the known ones are .json, .jsonl"):
        write_examples(EXAMPLES, tmp_path / "a.xml")
    with pytest.raises(SettingsError, match="a.csv: only .json files have the form squad"):
        check_form(tmp_path / "a.csv", "squad")


def test_a_target_is_another_file_and_not_there_yet(tmp_path):
    source = tmp_path / "a.json"
    source.write_text("{}")
    (tmp_path / "link.json").symlink_to(source)
    (tmp_path / "nowhere.json").symlink_to(tmp_path / "gone.json")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    for name in ("a.json", "link.json"):
        for overwrite in (False, True):
            with pytest.raises(SettingsError, match=f"{name}: is the file that is read"):
                check_target(tmp_path / name, source, overwrite)
    for name in ("other.json", "nowhere.json", "loop.json"):
        with pytest.raises(SettingsError, match=f"{name}: is there already"):
            check_target(tmp_path / name, source)
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="folder.json: is a directory"):
            check_target(tmp_path / "folder.json", source, overwrite)
    check_target(tmp_path / "other.json", source, overwrite=True)
    check_target(tmp_path / "new.json", source)


def test_writing_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"writing Parquet needs .*dokhae\[data\]"):
        write_examples(EXAMPLES, tmp_path / "a.parquet")
    assert os.listdir(tmp_path) == []
