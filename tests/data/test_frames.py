import subprocess
import sys
from pathlib import Path

import datasets
import numpy
import pandas
import pyarrow
import pytest
from hypothesis import given, settings

import dokhae
from data.strategies import lists_of_examples
from dokhae.data import examples_from, read_examples, write_examples
from dokhae.data.writing import row_of
from dokhae.errors import DataError
from dokhae.types import Answer, Example

EXAMPLES = [
    Example("q1", "Who sang?", "Ann sang.", (Answer("Ann", 0), Answer("sang", 4)), "Song"),
    Example("02", "누가 울었나?", "보라는 울었다.", (Answer("보라", 0),), "노래"),
    Example("3.0", "Why?", "Nobody knows.", ()),
]
ROWS = [row_of(example) for example in EXAMPLES]
FLAT = {"id": ["1", "2"], "question": ["Who?", "Why?"], "context": ["Ann sang.", "Bob left."]}


class LikePolars:
    """What a polars frame has and this needs; iterating over one gives columns."""

    columns = list(ROWS[0])

    def to_dicts(self):
        return ROWS

    def __iter__(self):
        raise AssertionError("columns are not rows")


def hub_split():
    features = datasets.Features({
        "id": datasets.Value("string"), "title": datasets.Value("string"), "context": datasets.Value("string"),
        "question": datasets.Value("string"),
        "answers": datasets.Sequence({"text": datasets.Value("string"), "answer_start": datasets.Value("int32")}),
    })  # fmt: skip
    return datasets.Dataset.from_list(ROWS, features=features)


MAKERS = {
    "list": lambda: ROWS,
    "generator": lambda: (row for row in ROWS),
    "columns": lambda: {name: [row[name] for row in ROWS] for name in ROWS[0]},
    "pandas": lambda: pandas.DataFrame(ROWS),
    "pandas of objects": lambda: pandas.DataFrame(ROWS, dtype=object, index=[7, 7, 7]),
    "pandas of arrow": lambda: pandas.DataFrame(ROWS).convert_dtypes(dtype_backend="pyarrow"),
    "arrow": lambda: pyarrow.Table.from_pylist(ROWS),
    "polars": LikePolars,
    "split": hub_split,
    "slice of a split": lambda: hub_split()[:],
    "split of numpy": lambda: hub_split().with_format("numpy"),
    "split of pandas": lambda: hub_split().with_format("pandas"),
    "split of torch": lambda: hub_split().with_format("torch"),
    "stream": lambda: hub_split().to_iterable_dataset(),
    "split to pandas": lambda: hub_split().to_pandas(),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_table_gives_the_same_examples(kind):
    assert examples_from(MAKERS[kind]()) == EXAMPLES


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_what_pandas_reads_of_a_written_file_goes_in(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_examples(EXAMPLES, path)
    frame = {
        ".parquet": pandas.read_parquet,
        ".jsonl": lambda path: pandas.read_json(path, lines=True, dtype=False),
        ".csv": lambda path: pandas.read_csv(path, dtype={"id": str}),
    }[suffix](path)
    assert examples_from(frame) == EXAMPLES


def test_what_datasets_reads_of_a_written_file_goes_in(tmp_path):
    write_examples(EXAMPLES, tmp_path / "a.parquet")
    split = datasets.load_dataset("parquet", data_files=str(tmp_path / "a.parquet"), split="train",
                                  cache_dir=str(tmp_path / "cache"))  # fmt: skip
    assert examples_from(split) == EXAMPLES


def test_a_real_split_goes_in_and_out_again(tmp_path, shared):
    examples = read_examples(shared("squad-2.0/dev.json"))
    split = datasets.Dataset.from_list([row_of(example) for example in examples])
    write_examples(examples_from(split), tmp_path / "a.json")
    assert read_examples(tmp_path / "a.json") == examples


@settings(max_examples=60, deadline=None)
@given(examples=lists_of_examples())
def test_any_examples_pass_through_pandas_and_arrow(examples):
    rows = [row_of(example) for example in examples]
    assert examples_from(pandas.DataFrame(rows)) == examples
    assert examples_from(pyarrow.Table.from_pylist(rows).to_pandas()) == examples


@pytest.mark.parametrize("missing", [None, float("nan"), numpy.nan, pandas.NA, pandas.NaT])
def test_missing_values_of_every_kind_in_flat_columns(missing):
    frame = pandas.DataFrame(
        FLAT | {"answer": ["sang", missing], "answer_start": [4, missing], "title": [missing, "t"]}
    )
    assert examples_from(frame) == [
        Example("1", "Who?", "Ann sang.", (Answer("sang", 4),)),
        Example("2", "Why?", "Bob left.", (), "t"),
    ]


def test_a_column_with_empty_cells_holds_floats():
    frame = pandas.DataFrame(FLAT | {"answer": ["sang", None], "answer_start": [4, None]})
    assert frame["answer_start"].dtype == numpy.float64
    assert examples_from(frame)[0].answers == (Answer("sang", 4),)
    with pytest.raises(DataError, match="row 1, question 1: 'answer_start' must be .* found the float 4.5"):
        examples_from(frame.assign(answer_start=[4.5, None]))


def test_nan_in_plain_rows_is_missing_too():
    row = ROWS[0] | {"title": float("nan")}
    assert examples_from([row])[0].title == ""


@pytest.mark.parametrize("flag", [True, numpy.True_])
def test_flags_of_numpy(flag):
    row = ROWS[0] | {"is_impossible": flag}
    assert examples_from([row])[0].answers == ()
    assert examples_from(pandas.DataFrame([row]))[0].answers == ()


def test_whole_numbers_are_ids():
    assert [example.id for example in examples_from(pandas.DataFrame(FLAT | {"id": [7, 8]}), labelled=False)] == [
        "7",
        "8",
    ]
    assert examples_from([ROWS[0] | {"id": numpy.int64(9)}])[0].id == "9"


def test_answers_as_a_list_of_objects():
    answers = [{"text": "Ann", "answer_start": numpy.int32(0)}, {"text": "sang", "answer_start": numpy.int64(4)}]
    assert examples_from([ROWS[0] | {"answers": answers}]) == EXAMPLES[:1]
    assert examples_from([ROWS[0] | {"answers": numpy.array(answers, dtype=object)}]) == EXAMPLES[:1]


def test_without_labels_the_answers_may_be_missing():
    frame = pandas.DataFrame(FLAT)
    assert [example.answers for example in examples_from(frame, labelled=False)] == [(), ()]
    with pytest.raises(DataError, match="DataFrame: row 1, question 1: the field 'answers' .* is missing"):
        examples_from(frame)


FRAMES = [
    ({"id": ["1"], "Question": ["?"]}, "has no column question, context; .*'id', 'Question'"),
    ({0: ["1"]}, "has no column id, question, context; .*found '0'"),
    (FLAT | {"answers": [[], 5]}, "row 2, question 2: 'answers' must be .* found the int 5"),
    (FLAT | {"id": ["1", None], "answers": [[], []]}, "row 2: the field 'id' is missing"),
    (FLAT | {"id": ["1", "1"], "answers": [[], []]},
     "row 2, question 1: this id is given twice with different content .first at DataFrame: row 1, question 1."),
    (FLAT | {"answers": ["[]", "{'text': array(['a'])}"]}, "row 2: column answers: is not JSON"),
    ({"id": [], "question": [], "context": []}, "holds no questions"),
]  # fmt: skip
NO_ANSWERS = {"text": ["a"], "answer_start": []}
OTHERS = [
    ([ROWS[0], {"id": "x", "Question": 5}], "list: row 2, question x: the field 'question' is missing; .*'Question'"),
    ([ROWS[0], "text"], "list: row 2: must be a mapping with named fields, found an object .str."),
    ([EXAMPLES[0]], "list: row 1: must be a mapping with named fields, found an object .Example."),
    (pandas.Series(["a"]), "Series: row 1: must be a mapping with named fields, found an object .str."),
    ([ROWS[0] | {"answers": NO_ANSWERS}], "row 1, question q1: 'answers' has 1 texts but 0 offsets"),
    ([ROWS[0] | {"question": "\ud800"}], "list: row 1, question q1: 'question' holds a lone surrogate"),
    ([], "list: holds no questions"),
    ("train.json", "str: is no table; give a DataFrame, a split or a list of rows .read_examples reads files."),
    (Path("train.json"), "Path: is no table"),
    (5, "int: is no table"),
    (None, "NoneType: is no table"),
    ({"train": [], "validation": []}, "dict: has no column id, question or context; of several splits, give one"),
    (dict(ROWS[0]), "dict: column 'id' is the text 'q1', not a list; put a single row in a list"),
    (FLAT | {"answers": [[]]}, "dict: the columns have different lengths: .*'context': 2, 'answers': 1"),
]


@pytest.mark.parametrize(("columns", "message"), FRAMES)
def test_what_is_wrong_with_a_frame_is_said_with_the_row(columns, message):
    with pytest.raises(DataError, match=f"DataFrame: {message}"):
        examples_from(pandas.DataFrame(columns))


def test_a_column_given_twice_is_refused():
    frame = pandas.DataFrame([["1", "1", "?", "c"]], columns=["id", "id", "question", "context"])
    with pytest.raises(DataError, match="DataFrame: the column id is given twice"):
        examples_from(frame)


def test_one_split_of_several_is_asked_for():
    splits = datasets.DatasetDict({"train": hub_split()})
    with pytest.raises(DataError, match="DatasetDict: has no column .*; of several splits, give one .train."):
        examples_from(splits)


@pytest.mark.parametrize(("rows", "message"), OTHERS)
def test_what_is_wrong_is_said_with_the_row(rows, message):
    with pytest.raises(DataError, match=message):
        examples_from(rows)


def test_the_package_offers_both_ways():
    assert (dokhae.examples_from, dokhae.write_examples) == (examples_from, write_examples)


def test_neither_pandas_nor_datasets_is_imported():
    program = (
        "import sys; from dokhae.data import examples_from; "
        "examples_from([{'id': '1', 'question': '', 'context': '', 'answers': []}]); "
        "print(sorted({'pandas', 'datasets', 'numpy', 'pyarrow', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
