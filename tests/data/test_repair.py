import json
import os
import unicodedata

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from pyarrow import parquet

from data.building import ANN, CONTEXT, SEOUL, faulty_files, question, squad, write
from dokhae.data import check_answers, read_examples, read_korquad2, repair_file, repair_misplaced
from dokhae.errors import DataError, SettingsError
from dokhae.types import Answer, Example

MISPLACED, NOWHERE, EMPTY = (
    {"text": "Ann", "answer_start": 3},
    {"text": "Bob", "answer_start": 3},
    {"text": "", "answer_start": 3},
)


@pytest.fixture
def repair(tmp_path):
    """What is left of some content: (the mended content, the counts of the changes, the diff)."""

    def run(content, **options):
        source, out = write(tmp_path / "file.json", content), tmp_path / "out.json"
        before = source.read_bytes()
        found = repair_file(source, out, **options)
        assert source.read_bytes() == before
        check_answers(read_examples(out), str(out))
        diff = (tmp_path / "out.json.diff.txt").read_text("utf-8").removeprefix(f"{tmp_path}/")
        return json.loads(out.read_text("utf-8")), found.counts, diff

    return run


def questions_of(content):
    return [question for article in content["data"] for page in article["paragraphs"] for question in page["qas"]]


def first_answer(content):
    return questions_of(content)[0]["answers"][0]


def test_a_file_without_faults_stays_as_it_is(repair):
    content = squad(question(), question("q2", "수도는?", (SEOUL,), note="kept"), licence="kept")
    assert repair(content) == (
        content,
        {},
        repair_header(2) + "\nnothing was to be mended\n",
    )


def repair_header(kept):
    return f"file.json, mended: {kept} questions; what was there (-), what is there now (+), 【where it stands】\n"


def test_a_real_file_stays_as_it_is(shared, tmp_path):
    source = shared("squad-2.0/dev.json")
    assert repair_file(source, tmp_path / "out.json").counts == {}
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == json.loads(source.read_text("utf-8"))


def test_korquad_has_three_answers_with_white_space(shared, tmp_path):
    source = shared("korquad-1.0/train.json")
    found = repair_file(source, tmp_path / "out.json")
    assert found.counts == {"white space at the ends taken away": 3}
    before, after = read_examples(source), read_examples(tmp_path / "out.json")
    changed = [(one.answers[0], other.answers[0]) for one, other in zip(before, after, strict=True) if one != other]
    assert changed == [(one, Answer(one.text.rstrip(), one.start)) for one, _ in changed]
    assert len(changed) == 3


def test_an_offset_is_moved_to_where_the_text_is(repair):
    content, counts, diff = repair(squad(question(answers=(MISPLACED | {"note": "kept"},))))
    assert first_answer(content) == {"text": "Ann", "answer_start": 16, "note": "kept"}
    assert counts == {"offset moved": 1}
    assert diff == repair_header(1) + (
        "\n[1] question q1, answers[0]: offset moved\n"
        "      - 'Ann' (NFC and NFD, 3 characters) at 3\n"
        "      + 'Ann' (NFC and NFD, 3 characters) at 16\n"
        "      it is at 16\n"
        "      서울은 대한민국의 수도이다. 【Ann】 sang in Ulm.\n"
        "\ncounts\n       1  offset moved\n"
    )


def test_what_is_not_seen_gets_a_sign(repair):
    content = squad(question("q\n1", answers=(MISPLACED,)), context="a\tb\r\n\u200b\x1b Ann")
    diff = repair(content)[2]
    assert "question q⏎1, answers[0]" in diff
    assert "      a⇥b␍⏎·· 【Ann】\n" in diff
    assert "\x1b" not in diff


def test_the_nearest_of_several_places_is_said_to_be_one_of_them(repair):
    content, _, diff = repair(squad(question(answers=({"text": "in", "answer_start": 2},)), context="Ann in in Ulm"))
    assert first_answer(content)["answer_start"] == 4
    assert "it is at 4 (and at 1 more places)" in diff


def test_a_whole_file_of_byte_offsets(repair, shared):
    content = json.loads(shared("korquad-1.0/dev.json").read_text("utf-8"))
    right = [question["answers"][0]["answer_start"] for question in questions_of(content)]
    for article in content["data"]:
        for page in article["paragraphs"]:
            for one in page["qas"]:
                answer = one["answers"][0]
                answer["answer_start"] = len(page["context"][: answer["answer_start"]].encode())
    mended, counts, _ = repair(content)
    assert [one["answers"][0]["answer_start"] for one in questions_of(mended)] == right
    assert counts == {"offset moved": sum(start > 0 for start in right)}


def test_the_answer_takes_the_unicode_form_of_its_context(repair):
    decomposed = unicodedata.normalize("NFD", "수도")
    content, counts, diff = repair(squad(question(answers=({"text": decomposed, "answer_start": 10},))))
    assert first_answer(content) == {"text": "수도", "answer_start": 10}
    assert counts == {"text as the context has it (Unicode form)": 1}
    assert f"- {decomposed!r} (NFD, 4 characters) at 10\n      + '수도' (NFC, 2 characters) at 10\n" in diff


def test_the_answer_takes_the_line_ends_of_its_context(repair):
    content, counts, _ = repair(
        squad(question(answers=({"text": "b\nc", "answer_start": 2},)), context="a\r\nb\r\nc d")
    )
    assert first_answer(content) == {"text": "b\r\nc", "answer_start": 3}
    assert counts == {"text as the context has it (line ends)": 1, "offset moved": 1}


@pytest.mark.parametrize(("text", "start"), [(" Ann ", 15), ("Ann ", 16), ("\nAnn", 15), (" Ann\n", 3)])
def test_white_space_at_the_ends_is_taken_away(repair, text, start):
    content, counts, _ = repair(squad(question(answers=({"text": text, "answer_start": start},))))
    assert first_answer(content) == {"text": "Ann", "answer_start": 16}
    moved = {"offset moved": 1} if start == 3 else {}
    assert counts == {"white space at the ends taken away": 1} | moved


def test_an_answer_of_white_space_stays(repair):
    content, counts, _ = repair(squad(question(answers=({"text": " ", "answer_start": 15},))))
    assert (first_answer(content)["text"], counts) == (" ", {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Bob", "the text is nowhere in the context"),
        ("ANN", "it is at 16 as 'Ann' (NFC and NFD)"),
        ("Ann\u200b sang", "it is at 16 as 'Ann sang' (NFC and NFD)"),
        ("Ann  sang", "it is at 16 as 'Ann sang' (NFC and NFD)"),
        ("", "it has no text"),
    ],
)
def test_what_is_not_certain_is_left_out_and_listed(repair, text, why):
    wrong = {"text": text, "answer_start": 16}
    content, counts, diff = repair(squad(question(answers=(wrong, ANN)), question("q2", "Why?", (wrong,))))
    assert [one["id"] for one in questions_of(content)] == ["q1"]
    assert questions_of(content)[0]["answers"] == [ANN]
    assert counts == {"answer left out": 1, "question left out": 1}
    assert f"[1] question q1, answers[0]: answer left out\n      - {text!r}" in diff
    assert f"at 16\n      {why}\n" in diff
    assert f"[2] question q2: question left out\n      no answer is left: {text!r} ({why})\n" in diff


def test_a_question_without_answers_stays_and_its_flag_too(repair):
    content = squad(question(), question("q2", "Why?", (), is_impossible=True, plausible_answers=[NOWHERE]))
    assert repair(content)[0] == content


def test_an_impossible_question_keeps_its_answers_unread(repair):
    content = squad(question(), question("q2", "Why?", (NOWHERE,), is_impossible=True))
    assert repair(content)[:2] == (content, {})


def test_unanswerable_questions_are_left_out_for_a_benchmark_that_has_none(repair):
    content, counts, diff = repair(squad(question(), question("q2", "Why?", ())), has_null=False)
    assert [one["id"] for one in questions_of(content)] == ["q1"]
    assert counts == {"question left out": 1}
    assert "question q2: question left out\n      it has no answer, which the benchmark does not know\n" in diff


def test_repeats_are_left_out_after_mending(repair):
    content, counts, diff = repair(
        squad(question(), question(answers=(MISPLACED,)), question(text="수도는?", answers=(SEOUL,)))
    )
    assert questions_of(content) == [question()]
    assert counts == {"question left out": 2}
    assert "it is given before, id and all\n" in diff
    assert "it is given before, with other content\n" in diff


def test_a_repeat_is_one_of_the_mended_question(repair):
    content, counts, diff = repair(squad(question(answers=(MISPLACED,)), question()))
    assert questions_of(content) == [question()]
    assert counts == {"offset moved": 1, "question left out": 1}
    assert "it is given before, id and all\n" in diff


def test_an_id_is_free_where_its_first_question_is_left_out(repair):
    content, _, _ = repair(squad(question(answers=(NOWHERE,)), question(text="Who?")))
    assert [one["question"] for one in questions_of(content)] == ["Who?"]


def test_what_cannot_be_read_is_left_out_and_listed(repair):
    content, counts, diff = repair(
        squad(
            question(),
            question("q2", 5),
            "text",
            question("q3", "?", None),
            question("q4", "\ud800"),
            question("q5", "5?"),
        )
    )
    assert [one["id"] for one in questions_of(content)] == ["q1", "q5"]
    assert counts == {"question left out": 4}
    assert "qas[1]: question left out\n      question q2: 'question' must be text, found the int 5\n" in diff
    assert "question q3: question left out\n      it has no field 'answers'\n" in diff


def test_half_characters_elsewhere_are_kept(repair):
    content = squad(question(note="\ud800"))
    assert repair(content)[0] == content


def test_other_articles_and_paragraphs_stay(repair):
    content = squad(question(answers=(NOWHERE,)), note="kept")
    content["data"] += [
        {"title": "u", "paragraphs": [{"context": "No questions.", "qas": [], "source": 7}], "url": "x"}
    ]
    content["data"] += squad(question("q2"))["data"]
    mended, _, _ = repair(content)
    content["data"][0]["paragraphs"][0]["qas"] = []
    assert mended == content


def test_rows_keep_their_shape_and_their_other_fields(tmp_path):
    row = {"id": "1", "question": "Who?", "context": CONTEXT, "note": 1}
    wrong = {"text": ["Ann", "Bob", "Ulm"], "answer_start": [3, 3, 28], "by": ["x", "y", "z"], "of": "three"}
    right = {"text": ["Ann", "Ulm"], "answer_start": [16, 28], "by": ["x", "z"], "of": "three"}
    flat = {"id": 2, "question": "Who?", "context": CONTEXT, "answer_text": " Ann", "answer_start": 15}
    rows = [row | {"answers": wrong}, flat]
    mended = [row | {"answers": right}, flat | {"answer_text": "Ann", "answer_start": 16}]
    for name, content, expected in (
        ("a.json", rows, mended),
        ("b.json", {"v": 1, "data": rows}, {"v": 1, "data": mended}),
    ):
        repair_file(write(tmp_path / name, content), tmp_path / f"out-{name}")
        assert json.loads((tmp_path / f"out-{name}").read_text("utf-8")) == expected
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(each) + "\n\n" for each in rows))
    repair_file(tmp_path / "c.jsonl", tmp_path / "out.jsonl")
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()] == mended


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_tables_keep_their_other_columns(tmp_path, suffix, mark):
    header = ["id", "note", "question", "context", "answer", "answer_start", "is_impossible"]
    first, second = ["007", "x", "Who?", "Ann sang", "Ann ", "0.0", ""], ["8", "", "Why?", "Ann sang", "", "", "True"]
    (tmp_path / f"a{suffix}").write_text("".join(mark.join(line) + "\n" for line in (header, first, second)))
    repair_file(tmp_path / f"a{suffix}", tmp_path / f"out{suffix}")
    cells = [line.split(mark) for line in (tmp_path / f"out{suffix}").read_text().replace('"', "").splitlines()]
    assert cells == [header, [*first[:4], "Ann", "0", ""], [*second[:6], "true"]]


def test_parquet_keeps_its_columns_and_their_types(tmp_path):
    text, offsets = pyarrow.string(), pyarrow.list_(pyarrow.int32())
    answers = pyarrow.struct([("text", pyarrow.list_(text)), ("answer_start", offsets)])
    columns = {"note": pyarrow.int8(), "id": pyarrow.int64(), "question": text, "context": text, "answers": answers}
    schema = pyarrow.schema(columns, metadata={"kept": "yes"})
    rows = [
        {"note": 1, "id": 1, "question": "Who?", "context": "Ann", "answers": {"text": ["Ann"], "answer_start": [2]}},
        {"note": 2, "id": 2, "question": "Who?", "context": "Ann", "answers": {"text": ["Bob"], "answer_start": [2]}},
        {"note": 3, "id": 3, "question": "Who?", "context": "Ann", "answers": {"text": [], "answer_start": []}},
    ]
    source = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), source)
    found = repair_file(source, tmp_path / "out.parquet")
    assert found.counts == {"offset moved": 1, "question left out": 1}
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(parquet.read_schema(source), check_metadata=True)
    rows[0]["answers"]["answer_start"] = [0]
    assert table.to_pylist() == [rows[0], rows[2]]


def test_korquad_2_keeps_its_shape(tmp_path):
    document = {"title": "t", "url": "u", "context": "<p>독해</p>", "raw_html": "<html>", "qas": [
        {"id": "1", "question": "?", "answer": {"text": "독해", "answer_start": 0, "html_answer_start": 9}},
        {"id": "2", "question": "?", "answer": {"text": "없다", "answer_start": 0, "html_answer_start": 9}},
    ]}  # fmt: skip
    repair_file(write(tmp_path / "a.json", {"version": "2.1", "data": [document]}), tmp_path / "out.json")
    document["qas"] = [
        {"id": "1", "question": "?", "answer": {"text": "독해", "answer_start": 3, "html_answer_start": 9}}
    ]
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == {"version": "2.1", "data": [document]}
    assert read_korquad2(tmp_path / "out.json")[0].answers == (Answer("독해", 3),)


def test_nothing_is_written_where_no_question_stays(tmp_path):
    source = write(tmp_path / "a.json", squad(question(answers=(NOWHERE,))))
    with pytest.raises(DataError, match="a.json: no question can be kept, so .*out.json is not written"):
        repair_file(source, tmp_path / "out.json")
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_source_and_what_is_there_are_never_written(tmp_path):
    source = write(tmp_path / "a.json", squad(question(answers=(MISPLACED,))))
    (tmp_path / "link.json").symlink_to(source)
    (tmp_path / "there.json").write_text("mine")
    (tmp_path / "new.json.diff.txt").write_text("mine")
    refusals = {
        "a.json": "a.json: is the file that is read; name another one to write",
        "link.json": "link.json: is the file that is read; name another one to write",
        "there.json": "there.json: is there already; name another file, or remove it first",
        "new.json": "new.json.diff.txt: is there already; name another file, or remove it first",
        "new.csv": "new.csv: a mended copy has the format of its source; name a .json file",
    }
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    for name, message in refusals.items():
        with pytest.raises(SettingsError, match=message):
            repair_file(source, tmp_path / name)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=faulty_files)
def test_training_takes_every_mended_copy_and_a_second_repair_changes_nothing(tmp_path, content):
    source, out, again = write(tmp_path / "a.json", content), tmp_path / "out.json", tmp_path / "again.json"
    for path in (out, again):
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.diff.txt").unlink(missing_ok=True)
    repair = repair_file(source, out)
    examples = read_examples(out)
    check_answers(examples, str(out))
    assert len(examples) == repair.kept == len({example.id for example in examples})
    assert repair_file(out, again).counts == {}
    assert json.loads(again.read_text("utf-8")) == json.loads(out.read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "start", "after"),
    [
        ("Ann", 3, Answer("Ann", 5)),  # passes over the white space at the start
        (" Ann ", 3, Answer("Ann", 5)),
        ("Ann lives", 5, Answer("Ann lives", 5)),
        ("Seoul", 13, Answer("Seoul", 18)),  # counts runs of white space as one
    ],
)
def test_answers_that_are_off_by_spaces_are_moved_and_counted(text, start, after):
    example = Example("q1", "?", "  \n  Ann lives in Seoul.", (Answer(text, start),))
    examples, *counts = repair_misplaced([example])
    assert (examples[0].answers, counts) == ((after,), [int(start != after.start), 0, 0])
    check_answers(examples, "mended")


def test_an_answer_that_is_nowhere_is_left_out_and_counted_and_an_example_without_any_left():
    rows = [
        Example("q1", "?", "Ann lives in Seoul.", (Answer("Ann", 1),)),
        Example("q2", "?", "Ann lives in Seoul.", (Answer("Ann", 0), Answer("Bob", 0))),
        Example("q3", "?", "Ann lives in Seoul.", (Answer("", 0),)),
        Example("q4", "?", "Ann lives in Seoul."),
    ]
    examples, *counts = repair_misplaced(rows)
    ann = (Answer("Ann", 0),)
    assert [(example.id, example.answers) for example in examples] == [("q1", ann), ("q2", ann), ("q4", ())]
    assert counts == [1, 1, 1]
