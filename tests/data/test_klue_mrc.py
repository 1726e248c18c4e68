"""KLUE-MRC's files, official and as the hub has them: SQuAD's form with guid for id and plausible answers."""

import json

import pyarrow
import pytest
from pyarrow import parquet

from data.building import write
from dokhae.data import audit_file, check_answers, examples_from, read_examples, repair_file
from dokhae.errors import DataError
from dokhae.types import Answer, Example

CONTEXT = "느티나무 마을의 장은 1931년에 처음 섰다."
ASKED, YEARS = "장이 처음 선 해는?", [{"text": "1931년", "answer_start": 12}, {"text": "1931", "answer_start": 12}]
CLOSED = "장이 문을 닫은 해는?"
QUESTIONS = [
    {"question": ASKED, "answers": YEARS, "question_type": 1, "is_impossible": False, "guid": "k_1"},
    {"question": CLOSED, "answers": [], "plausible_answers": YEARS, "question_type": 3, "is_impossible": True,
     "guid": "k_2"},
]  # fmt: skip
PAGES = [{"context": CONTEXT, "qas": QUESTIONS}]
FILE = {
    "version": "v1.1",
    "data": [{"title": "느티나무 장", "paragraphs": PAGES, "news_category": "사회", "source": "hankyung"}],
}
EXAMPLES = [
    Example("k_1", ASKED, CONTEXT, (Answer("1931년", 12), Answer("1931", 12)), "느티나무 장"),
    Example("k_2", CLOSED, CONTEXT, (), "느티나무 장"),
]
COLUMNS = {"text": ["1931년", "1931"], "answer_start": [12, 12]}
ROWS = [  # the hub writes plausible answers among the answers
    {"guid": "k_1", "title": "느티나무 장", "context": CONTEXT, "news_category": "사회", "source": "hankyung",
     "question": ASKED, "answers": COLUMNS, "is_impossible": False, "question_type": 1},
    {"guid": "k_2", "title": "느티나무 장", "context": CONTEXT, "news_category": "사회", "source": "hankyung",
     "question": CLOSED, "answers": COLUMNS, "is_impossible": True, "question_type": 3},
]  # fmt: skip


def test_the_official_form_is_read(tmp_path):
    examples = read_examples(write(tmp_path / "klue-mrc-v1.1_dev.json", FILE))
    assert examples == EXAMPLES
    check_answers(examples, "file")


def test_the_forms_of_the_hub_are_read(tmp_path):
    assert examples_from(ROWS) == EXAMPLES
    assert read_examples(write(tmp_path / "rows.json", ROWS)) == EXAMPLES
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    assert read_examples(lines) == EXAMPLES
    table = pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "rows.parquet")
    assert read_examples(tmp_path / "rows.parquet") == examples_from(table) == EXAMPLES


def test_a_csv_table_may_call_its_ids_guid(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"guid,question,context,answer,answer_start\nk_1,{ASKED},{CONTEXT},1931년,12\n", "utf-8")
    assert read_examples(path)[0] == Example("k_1", ASKED, CONTEXT, (Answer("1931년", 12),))


def test_of_two_ids_the_one_called_id_counts():
    assert examples_from([ROWS[0] | {"id": "q1"}])[0].id == "q1"
    assert examples_from([ROWS[0] | {"id": None}])[0].id == "k_1"


@pytest.mark.parametrize(
    ("guid", "message"),
    [("", "'guid' is empty"), (1.5, "'guid' must be text, found the float 1.5"), (None, "the field 'id' is missing")],
)
def test_a_wrong_guid_is_named(guid, message):
    with pytest.raises(DataError, match=f"list: row 1: {message}"):
        examples_from([ROWS[0] | {"guid": guid}])


def test_a_table_without_any_id_is_refused(tmp_path):
    parquet.write_table(pyarrow.table({"question": [ASKED], "context": [CONTEXT]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="has no column id; give each column its name"):
        read_examples(tmp_path / "rows.parquet")


def test_an_audit_finds_nothing_but_the_hubs_plausible_answers(tmp_path):
    for content, names in ((FILE, []), (ROWS, ["contradicted_flags"])):
        found = audit_file(write(tmp_path / "dev.json", content))
        assert (found.counts.answerable, found.counts.unanswerable) == (1, 1)
        assert [finding.name for finding in found.findings if finding.cases] == names
        assert not found.refused


def test_a_mended_copy_keeps_every_other_field(tmp_path):
    content = json.loads(json.dumps(FILE))
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = 3
    out = tmp_path / "mended.json"
    assert repair_file(write(tmp_path / "dev.json", content), out).counts == {"offset moved": 1}
    assert json.loads(out.read_text("utf-8")) == FILE
