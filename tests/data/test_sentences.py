import csv
import json

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from dokhae.data import Columns, labels_of, read_texts
from dokhae.errors import DataError, SettingsError
from dokhae.types import LabelledText

PAIRS = Columns("a", "b", "y")
HEADER = "a\tb\ty\n"


def write(path, content):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def write_table(path, rows):
    """Rows of text in the form that the suffix names, their fields being columns."""
    names = list(rows[0])
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    elif path.suffix == ".json":
        write(path, json.dumps({"data": rows}))
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *(row.values() for row in rows)])
    else:
        write(path, "".join("\t".join(cells) + "\n" for cells in [names, *(row.values() for row in rows)]))
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".json", ".parquet"])
def test_every_form_gives_the_same_texts(tmp_path, suffix):
    rows = [
        {"y": "spam", "no": "q7", "b": '그는 "아니" 라고 했다.', "a": "Who, then?"},
        {"y": "ham", "no": "q3", "b": '" a lone quote', "a": " spaces stay "},
    ]
    path = write_table(tmp_path / f"file{suffix}", rows)
    assert read_texts(path, Columns("a", "b", "y", "no"), labelled=True) == [
        LabelledText("q7", "Who, then?", '그는 "아니" 라고 했다.', "spam"),
        LabelledText("q3", " spaces stay ", '" a lone quote', "ham"),
    ]
    assert read_texts(path, Columns("b"), labelled=False) == [
        LabelledText("0", '그는 "아니" 라고 했다.', None, None),
        LabelledText("1", '" a lone quote', None, None),
    ]


literal = st.text(st.characters(exclude_characters="\t\n\r\0", exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(rows=st.lists(st.tuples(literal, literal), min_size=1, max_size=5), end=st.sampled_from(["\n", "\r\n"]))
def test_cells_of_tsv_come_back_as_they_stand(tmp_path_factory, rows, end):
    lines = end.join(["x\ty", *map("\t".join, rows)])
    path = write(tmp_path_factory.getbasetemp() / "literal.tsv", "\ufeff" + lines + end + end)
    assert [(text.first, text.second) for text in read_texts(path, Columns("x", "y"), labelled=False)] == rows


def test_a_file_without_a_header_is_read_by_position(tmp_path):
    path = write(tmp_path / "file.tsv", "src\t1\t\tIt rained.\nsrc\t0\t*\tRained it.\n")
    texts = [LabelledText("0", "It rained.", None, "1"), LabelledText("1", "Rained it.", None, "0")]
    assert read_texts(path, Columns(first=3, label=1), labelled=True) == texts


def test_labels_are_classes_or_numbers(tmp_path):
    path = write(tmp_path / "file.tsv", "a\ty\nOne\t2.50\nTwo\t 3 \n")
    assert [text.label for text in read_texts(path, Columns("a", label="y"), labelled=True)] == ["2.50", "3"]
    assert [text.label for text in read_texts(path, Columns("a", label="y"), labelled=True, number=True)] == [2.5, 3.0]


def test_whole_numbers_and_flags_of_json_are_classes(tmp_path):
    path = tmp_path / "file.jsonl"
    rows = [{"a": "One", "y": 1}, {"a": "Two", "y": 2.0}, {"a": "Three", "y": True}]
    texts = read_texts(write_table(path, rows), Columns("a", label="y"), labelled=True)
    assert [text.label for text in texts] == ["1", "2", "true"]


def test_classes_are_in_the_order_of_numbers_or_of_text():
    assert labels_of(LabelledText("", "", None, label) for label in ["10", "2", "-1", "2", "1.5"]) == (
        "-1", "1.5", "2", "10",
    )  # fmt: skip
    assert labels_of(LabelledText("", "", None, label) for label in ["b", "10", "a", "2", None]) == (
        "10",
        "2",
        "a",
        "b",
    )


WRONG_TABLES = {
    "short.tsv": (HEADER + "One\tTwo\t1\nThree\t1\n", "line 3: has 2 cells but the header has 3; mend the row or drop"),
    "long.tsv": (HEADER + "One\tTwo\tThree\t1\n", "line 2: has 4 cells but the header has 3"),
    "short.csv": ("a,b,y\nOne,Two,1\n\nThree,1\n", "row 4: has 2 cells but the header has 3"),
    "empty-text.tsv": (HEADER + "One\t \t1\n", "line 2: the text in 'b' is empty"),
    "null.jsonl": ('{"a": "One", "b": null, "y": 1}', "line 1: the text in 'b' is empty"),
    "no-text.jsonl": ('{"a": "One", "b": 3, "y": 1}', "line 1: 'b' must be text, found the int 3"),
    "half.jsonl": ('{"a": "One", "b": "\\ud800", "y": 1}', "line 1: 'b' holds a lone surrogate"),
    "no-label.tsv": (HEADER + "One\tTwo\t\n", "line 2: has no label; give each row one"),
    "null-label.jsonl": ('{"a": "One", "b": "Two", "y": null}', "line 1: has no label"),
    "fraction.jsonl": ('{"a": "One", "b": "Two", "y": 0.5}', "line 1: the label has to be text or a whole number"),
    "column.tsv": ("a\tbb\ty\nOne\tTwo\t1\n", r"has no column 'b'; did you mean bb\? \(found 'a', 'bb', 'y'\)"),
    "column.csv": ("One,Two,Three\n", r"has no column 'a' \(found 'One', 'Two', 'Three'\)"),
    "column.json": ('[{"a": "One", "y": 1}]', r"row 1: has no column 'b' \(found 'a', 'y'\)"),
    "twice.tsv": ("a\tb\tb\ty\n", "the column 'b' is given twice"),
    "quoted.tsv": ('"a"\t"b"\t"y"\n', "has no column 'a'; cells of .tsv are taken as they stand: save it as .csv"),
    "header.tsv": (HEADER, "holds no texts; is it the right file?"),
    "object.json": ('{"rows": []}', 'must be a list of rows, or {"data": .*, found an object with the fields'),
    "list.json": ("[[]]", "row 1: must be an object with named fields, found a list of 0"),
    "blank.tsv": ("\n\n", "is empty"),
    "nul.tsv": (HEADER + "One\0\tTwo\t1\n", "line 2 holds NUL bytes"),
    "korean.tsv": ("질문\t답\n".encode("cp949"), "line 1 is not UTF-8; convert the file"),
    "file.txt": ("a", "the suffix '.txt' is not known; the known ones are .tsv, .csv, .jsonl, .json, .parquet"),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_says_what_is_wrong(tmp_path, name):
    content, message = WRONG_TABLES[name]
    with pytest.raises(DataError, match=f"{name}: {message}"):
        read_texts(write(tmp_path / name, content), PAIRS, labelled=True)


def test_a_column_that_parquet_lacks_is_named(tmp_path):
    path = write_table(tmp_path / "file.parquet", [{"a": "One", "by": "Two", "y": "1"}])
    with pytest.raises(DataError, match=r"file.parquet: has no column 'b'; did you mean by\? \(found 'a', 'by', 'y'\)"):
        read_texts(path, PAIRS, labelled=True)


@pytest.mark.parametrize("cell", ["four", "nan", "inf", "1,5"])
def test_a_number_that_is_none_is_refused(tmp_path, cell):
    path = write(tmp_path / "file.tsv", f"{HEADER}One\tTwo\t{cell}\n")
    with pytest.raises(DataError, match=f"line 2: the label has to be a number, found the text '{cell}'"):
        read_texts(path, PAIRS, labelled=True, number=True)


def test_an_unknown_label_is_refused_with_the_nearest_and_the_known_ones(tmp_path):
    path = write(tmp_path / "file.tsv", f"{HEADER}One\tTwo\tham\nOne\tTwo\tSpan\n")
    message = r"line 3: the label 'Span' is not known; did you mean spam\? \(known are ham, spam\)"
    with pytest.raises(DataError, match=message):
        read_texts(path, PAIRS, labelled=True, known=("ham", "spam"))
    assert len(read_texts(path, PAIRS, labelled=False, known=("ham", "spam"))) == 2


@pytest.mark.parametrize(
    ("ids", "message"), [("7 7", "line 3: the id '7' is given twice"), (" 7", "line 2: the id must")]
)
def test_an_id_column_has_to_name_each_row(tmp_path, ids, message):
    first, _, second = ids.partition(" ")
    path = write(tmp_path / "file.tsv", f"a\tno\nOne\t{first}\nTwo\t{second}\n")
    with pytest.raises(DataError, match=message):
        read_texts(path, Columns("a", id="no"), labelled=False)


def test_broken_rows_can_be_left_out_and_are_counted(tmp_path, caplog):
    path = write(tmp_path / "file.tsv", f'{HEADER}One\tTwo\t1\n"Three\n\tFour\t0\nFive\tSix\t0\n')
    with pytest.raises(DataError, match="line 3: has 1 cells"):
        read_texts(path, PAIRS, labelled=True)
    kept = [LabelledText("0", "One", "Two", "1"), LabelledText("3", "Five", "Six", "0")]
    assert read_texts(path, PAIRS, labelled=True, skip_ragged=True) == kept
    assert "file.tsv: left out 2 rows that are ragged or have an empty text; 2 remain" in caplog.text


def test_a_tsv_whose_cells_are_mostly_quoted_is_told_of(tmp_path, caplog):
    (tmp_path / "d.tsv").write_text("text\n" + '"no"\n' * 2 + "yes\n", encoding="utf-8")
    read_texts(tmp_path / "d.tsv", Columns("text"), labelled=False)
    assert "2 of 4 lines hold cells that look quoted" not in caplog.text  # the header is a line too
    (tmp_path / "d.tsv").write_text("text\n" + '"no"\n' * 3 + "yes\n", encoding="utf-8")
    read_texts(tmp_path / "d.tsv", Columns("text"), labelled=False)
    assert "3 of 5 lines hold cells that look quoted as in CSV" in caplog.text


@pytest.mark.parametrize(("quoted", "told"), [(1, False), (2, True)])
def test_a_tsv_quoted_as_csv_is_told_where_many_cells_look_so(tmp_path, caplog, quoted, told):
    cells = ['"He said ""no""."'] * quoted + ['He said "no".', "no", '"no"'] * 50
    path = write(tmp_path / "file.tsv", "a\n" + "\n".join(cells))
    assert read_texts(path, Columns("a"), labelled=False)[0].first == '"He said ""no""."'
    assert (f"{quoted} of {len(cells) + 1} lines hold cells that look quoted as in CSV" in caplog.text) is told


def test_positions_need_cells(tmp_path):
    with pytest.raises(DataError, match="file.tsv: has 2 columns but 'first' is the 4th"):
        read_texts(write(tmp_path / "file.tsv", "index\tsentence\n"), Columns(3, label=1), labelled=True)
    with pytest.raises(DataError, match="file.jsonl: its columns are told by position"):
        read_texts(write(tmp_path / "file.jsonl", '{"a": "One"}'), Columns(0), labelled=False)


def test_labels_need_a_column(tmp_path):
    with pytest.raises(SettingsError, match="labels are needed; name the column that holds them"):
        read_texts(write(tmp_path / "file.tsv", "a\nOne\n"), Columns("a"), labelled=True)
