import csv
import io
import json
import sys

import pyarrow
import pytest
from pyarrow import parquet

from dokhae.data import read_examples
from dokhae.errors import DataError, MissingExtra
from dokhae.types import Answer, Example

EXAMPLES = [
    Example(
        "q1", "누가 노래했나?", "안나는 노래했다. 보라도, 안나도.", (Answer("안나", 0), Answer("안나", 14)), "노래"
    ),
    Example("q2", 'Who said "no",\nand why?', 'Ann\tsaid "no",\r\n\u2028then left \U0001f600 Bob.', (), "Song"),
    Example("q3", "Where?", "In Ulm.", (Answer("Ulm", 3),)),
]
ROW = {"id": "q1", "question": "Who?", "context": "Ann sings.", "answers": [{"text": "Ann", "answer_start": 0}]}


def hub_row(example):
    answers = {
        "text": [answer.text for answer in example.answers],
        "answer_start": [answer.start for answer in example.answers],
    }
    return plain_fields(example) | {"answers": answers}


def squad_row(example):
    answers = [{"text": answer.text, "answer_start": answer.start} for answer in example.answers]
    return plain_fields(example) | {"answers": answers}


def plain_fields(example):
    return {"id": example.id, "question": example.question, "context": example.context, "title": example.title}


def changed(**changes):
    """ROW with other fields; a change to None leaves the field out."""
    return {name: value for name, value in (ROW | changes).items() if value is not None}


def write_rows(path, rows):
    """The rows in the form that the suffix names; what is not text is written as JSON in CSV and TSV."""
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8", newline="")
    elif path.suffix == ".json":
        path.write_text(json.dumps({"data": rows}), "utf-8")
    else:
        path.write_text(separated(rows, "," if path.suffix == ".csv" else "\t"), "utf-8", newline="")
    return path


def separated(rows, delimiter):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in row.values()])
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("form", [hub_row, squad_row])
def test_every_form_gives_the_same_examples(tmp_path, suffix, form):
    path = write_rows(tmp_path / f"file{suffix}", [form(example) for example in EXAMPLES])
    assert read_examples(path) == EXAMPLES


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv", ".parquet"])
def test_a_real_file_survives_every_form(tmp_path, shared, suffix):
    examples = read_examples(shared("squad-2.0/dev.json"))[:300]
    path = write_rows(tmp_path / f"file{suffix}", [hub_row(example) for example in examples])
    assert read_examples(path) == examples


@pytest.mark.parametrize("name", ["answer", "answer_text"])
def test_flat_columns(tmp_path, name):
    path = tmp_path / "file.csv"
    path.write_text(f"id,question,context,{name},answer_start\n1,Who?,Ann sings.,sings,4\n2,Where?,Ann sings.,,\n")
    assert [example.answers for example in read_examples(path)] == [(Answer("sings", 4),), ()]
    rows = [{"id": "1", "question": "", "context": "", name: "sings", "answer_start": 4}]
    rows.append({"id": "2", "question": "", "context": "", name: None, "answer_start": None})
    for suffix in (".jsonl", ".parquet"):
        examples = read_examples(write_rows(tmp_path / f"flat{suffix}", rows))
        assert [example.answers for example in examples] == [(Answer("sings", 4),), ()]


def test_pandas_writes_offsets_with_a_point_where_some_are_missing(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("id,question,context,answer,answer_start\n1,Who?,Ann sings.,sings,4.0\n")
    assert read_examples(path)[0].answers == (Answer("sings", 4),)


def test_a_top_level_list_of_rows(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps([ROW]))
    assert read_examples(path) == [Example("q1", "Who?", "Ann sings.", (Answer("Ann", 0),))]


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path):
    (tmp_path / "file.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n")
    (tmp_path / "file.csv").write_bytes(b"\xef\xbb\xbfid,question,context,answers\r\n\r\n1,Who?,Ann,[]\r\n")
    assert len(read_examples(tmp_path / "file.jsonl")) == 1
    assert len(read_examples(tmp_path / "file.csv")) == 1


def test_a_context_of_300000_characters_fits_in_a_cell(tmp_path):
    limit = csv.field_size_limit()
    path = write_rows(tmp_path / "file.csv", [changed(context="가" * 300_000)])
    assert len(read_examples(path)[0].context) == 300_000
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv", ".parquet"])
def test_without_labels_the_answers_may_be_missing(tmp_path, suffix):
    path = write_rows(tmp_path / f"file{suffix}", [changed(answers=None)])
    assert read_examples(path, labelled=False)[0].answers == ()
    with pytest.raises(DataError, match="question q1: the field 'answers' .*is missing"):
        read_examples(path)


@pytest.mark.parametrize(("cell", "answers"), [("True", ()), ("false", (Answer("Ann", 0),)), ("", (Answer("Ann", 0),))])
def test_a_cell_may_say_that_a_question_is_impossible(tmp_path, cell, answers):
    path = write_rows(tmp_path / "file.csv", [changed(is_impossible=cell)])
    assert read_examples(path)[0].answers == answers


def test_a_whole_number_is_an_id_in_parquet_too(tmp_path):
    assert read_examples(write_rows(tmp_path / "file.parquet", [changed(id=7)]))[0].id == "7"


WRONG_ROWS = [
    ({"id": None}, "row 2: the field 'id' is missing"),
    ({"id": 1.5}, "row 2: 'id' must be text, found the float 1.5"),
    ({"context": None}, "row 2, question q1: the field 'context' is missing"),
    ({"question": 5}, "row 2, question q1: 'question' must be text, found the int 5"),
    ({"title": []}, "row 2, question q1: 'title' must be text, found a list of 0"),
    ({"answers": {"text": ["Ann"], "answer_start": []}}, "row 2, question q1: 'answers' has 1 texts but 0 offsets"),
    ({"answers": {"text": ["Ann"]}}, "row 2, question q1: answers: the field 'answer_start' is missing"),
    (
        {"answers": {"text": "Ann", "answer_start": 0}},
        "row 2, question q1: answers: 'text' must be a list, found the text 'Ann'",
    ),
    (
        {"answers": {"text": ["Ann"], "answer_start": ["0"]}},
        r"row 2, question q1: answers\[0\]: 'answer_start' must be a whole number",
    ),
    ({"answers": None, "answer": "Ann"}, "row 2, question q1: the field 'answer_start' is missing"),
    ({"answers": None, "answer": None, "answer_start": 3}, "row 2, question q1: the field 'answers' .*is missing"),
    ({"context": "\ud800"}, "row 2, question q1: 'context' holds a lone surrogate"),
    ({"question": "Other?"}, "row 2, question q1: this id is given twice .*first at .*row 1, question q1"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_ROWS)
def test_a_wrong_row_is_named(tmp_path, changes, message):
    rows = [ROW, changed(**changes)]
    (tmp_path / "file.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=f"file.json: {message}"):
        read_examples(tmp_path / "file.json")
    (tmp_path / "file.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=f"file.jsonl: {message.replace('row', 'line')}"):
        read_examples(tmp_path / "file.jsonl")


HEADER = b"id,question,context,answer,answer_start\n"
WRONG_FILES = {
    "empty.jsonl": (b" \n", "is empty"),
    "empty.csv": (b"", "is empty"),
    "empty.parquet": (b"", "is not Parquet, or is damaged"),
    "text.jsonl": (b"{}x\n", "line 1: is not JSON"),
    "cut.jsonl": (
        json.dumps(ROW).encode() + b'\n{"id": ',
        "line 2: stops in the middle: it is cut off, fetch it again .column 8",
    ),
    "null.jsonl": (
        b'{"id": 1, "question": null}',
        "line 1, question 1: the field 'question' is missing; found the fields 'id'$",
    ),
    "list.jsonl": (b"[1]\n", "line 1: must be an object with named fields, found a list of 1"),
    "cp949.jsonl": (json.dumps(ROW).encode() + b"\n" + "가".encode("cp949"), "line 2 is not UTF-8; convert .*iconv"),
    "utf16.jsonl": (json.dumps(ROW).encode("utf-16"), "line 1 is not UTF-8; convert .*iconv -f utf-16 "),
    "cp949.csv": (HEADER + "1,가,나,다,0".encode("cp949"), "line 2 is not UTF-8"),
    "no_header.csv": (b"1,Who?,Ann sings.,Ann,0\n", "has no column id, question, context; .*found '1', 'Who\\?'"),
    "no_context.csv": (b"id,question,answer\n1,Who?,Ann\n", "has no column context"),
    "no_answers.csv": (b"id,question,context\n1,Who?,Ann\n", "row 2, question 1: the field 'answers' .*is missing"),
    "twice.csv": (b"id,question,context,context,answers\n", "the column context is given twice"),
    "header_only.csv": (HEADER, "holds no questions"),
    "short.csv": (HEADER + b"1,Who?,Ann\n", "row 2: has 3 cells but the header has 5"),
    "nul.csv": (HEADER + b"1,Who?,A\0n,A,0\n", "line 2 holds NUL bytes"),
    "quote.csv": (HEADER + b'1,Who?,"Ann,Ann,0\n', "line 2: cannot be read as a table: unexpected end of data"),
    "offset.csv": (
        HEADER + b"1,Who?,Ann,Ann,two\n",
        "row 2, question 1: 'answer_start' must be .*found the text 'two'",
    ),
    "negative.csv": (
        HEADER + b"1,Who?,Ann,Ann,-1\n",
        "row 2, question 1: 'answer_start' is -1, but character offsets count from 0",
    ),
    "huge.csv": (HEADER + b"1,Who?,Ann,Ann," + b"9" * 5000, "row 2, question 1: 'answer_start' must be a whole number"),
    "start.csv": (HEADER + b"1,Who?,Ann,Ann,\n", "row 2, question 1: the field 'answer_start' is missing"),
    "id.csv": (HEADER + b",Who?,Ann,Ann,0\n", "row 2: 'id' is empty"),
    "flag.csv": (
        b"id,question,context,is_impossible\n1,Who?,Ann,no\n",
        "row 2, question 1: 'is_impossible' must be true or false",
    ),
    "cell.csv": (b"id,question,context,answers\n1,Who?,Ann,{'text'\n", "row 2: column answers: is not JSON"),
    "cell.tsv": (b"id\tquestion\tcontext\tanswers\n1\tWho?\tAnn\t3\n", "row 2, question 1: 'answers' must be"),
    "text.parquet": (b"PAR1 but no more than that PAR1", "is not Parquet, or is damaged"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_says_what_is_wrong(tmp_path, name):
    content, message = WRONG_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: {message}"):
        read_examples(tmp_path / name)


def test_an_empty_text_with_an_offset_is_left_to_check_answers(tmp_path):
    (tmp_path / "file.csv").write_bytes(HEADER + b"1,Who?,Ann,,0\n")
    assert read_examples(tmp_path / "file.csv")[0].answers == (Answer("", 0),)


def test_half_a_parquet_file_is_damaged(tmp_path):
    path = write_rows(tmp_path / "file.parquet", [ROW] * 100)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="file.parquet: is not Parquet, or is damaged"):
        read_examples(path)


def test_text_in_parquet_that_is_not_utf_8_is_damage(tmp_path):
    broken = pyarrow.array([b"\xff\xfe"]).cast(pyarrow.binary()).view(pyarrow.string())
    columns = {"id": pyarrow.array(["1"]), "question": broken, "context": pyarrow.array(["Ann"])}
    parquet.write_table(pyarrow.table(columns), tmp_path / "file.parquet")
    with pytest.raises(DataError, match="file.parquet: is not Parquet, or is damaged: .*utf-8"):
        read_examples(tmp_path / "file.parquet", labelled=False)


def test_parquet_without_a_column_names_it(tmp_path):
    path = write_rows(tmp_path / "file.parquet", [{"id": "1", "question": "Who?"}])
    with pytest.raises(DataError, match="has no column context; give .*found 'id', 'question'"):
        read_examples(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = write_rows(tmp_path / "file.parquet", [ROW])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"reading Parquet needs .*dokhae\[data\]"):
        read_examples(path)
