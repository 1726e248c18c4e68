import json
import os
import statistics
import subprocess
import sys
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings

from data.building import ANN, CONTEXT, SEOUL, faulty_files, question, squad, write
from dokhae.data import audit_file, check_answers, read_examples, write_examples
from dokhae.data.audit.report import as_mapping
from dokhae.errors import DataError, SettingsError
from dokhae.types import Answer, Example


@pytest.fixture
def audit(tmp_path):
    """The mapping of an audit of some content."""

    def run(content, **options):
        return as_mapping(audit_file(write(tmp_path / "file.json", content), **options))

    return run


@pytest.fixture
def cases(audit):
    """name -> the cases of that finding, everything else that was found being empty."""

    def run(name, content, **options):
        found = audit(content, **options)["findings"]
        assert {each for each, finding in found.items() if finding["count"]} == {name}
        assert found[name]["count"] == len(found[name]["cases"]) == sum(found[name]["kinds"].values())
        return found[name]["cases"]

    return run


FILES = [f"{name}/{part}.json" for name in ("squad-1.1", "squad-2.0", "korquad-1.0") for part in ("train", "dev")]


@pytest.mark.parametrize("file", FILES)
def test_real_files_have_their_figures(shared, file):
    found = as_mapping(audit_file(shared(file)))
    content = json.loads(shared(file).read_text("utf-8"))
    pages = [page for article in content["data"] for page in article["paragraphs"] if page["qas"]]
    questions = [(question, page["context"]) for page in pages for question in page["qas"]]
    answers = [(answer, context) for question, context in questions for answer in question["answers"]]
    contexts = {page["context"] for page in pages}
    assert found["counts"]["titles"] == len({article["title"] for article in content["data"]})
    assert found["counts"]["contexts"] == len(contexts)
    assert found["counts"]["questions"] == len(questions)
    assert found["counts"]["answerable"] == sum(bool(question["answers"]) for question, _ in questions)
    assert found["counts"]["unanswerable"] == sum(not question["answers"] for question, _ in questions)
    assert (found["counts"]["unlabelled"], found["counts"]["unreadable"]) == (0, 0)
    assert found["counts"]["answers"] == len(answers)
    lengths = sorted(map(len, contexts))
    assert found["lengths"]["context"]["median"] == statistics.median(lengths)
    assert (found["lengths"]["context"]["least"], found["lengths"]["context"]["most"]) == (lengths[0], lengths[-1])
    # Nine of ten are at most as long, and one shorter length would not be enough.
    ninetieth = found["lengths"]["context"]["ninetieth"]
    assert (
        sum(length <= ninetieth for length in lengths)
        >= 0.9 * len(lengths)
        > sum(length < ninetieth for length in lengths)
    )
    composed = sum(unicodedata.normalize("NFC", text) == text for text in contexts)
    assert found["unicode_forms"]["context"]["NFC and NFD"] + found["unicode_forms"]["context"]["NFC"] == composed
    counts = {name: finding["count"] for name, finding in found["findings"].items()}
    asked = [(question["question"], context) for question, context in questions]
    outer = [answer for answer, _ in answers if answer["text"] != answer["text"].strip()]
    assert counts["misplaced_answers"] == counts["empty_answers"] == 0
    assert counts["conflicting_ids"] == counts["repeated_ids"] == 0
    assert counts["repeated_questions"] == len(asked) - len(set(asked))
    assert counts["spaced_answers"] == len(outer)
    assert found["training_refuses"] == []


@pytest.mark.parametrize("name", ["squad-1.1", "squad-2.0", "korquad-1.0"])
def test_real_dev_files_share_no_context_with_training(shared, name):
    found = as_mapping(audit_file(shared(f"{name}/dev.json"), shared(f"{name}/train.json")))["findings"]
    assert (found["shared_contexts"]["count"], found["shared_ids"]["count"]) == (0, 0)


def test_all_of_squad_1_is_in_squad_2(shared):
    one, two = shared("squad-1.1/dev.json"), shared("squad-2.0/dev.json")
    found = as_mapping(audit_file(two, one))["findings"]
    ids, others = ({example.id for example in read_examples(file)} for file in (one, two))
    contexts, other_contexts = ({example.context for example in read_examples(file)} for file in (one, two))
    assert found["shared_ids"]["kinds"] == {"for the same question": len(ids & others)}
    assert found["shared_contexts"]["kinds"] == {"exactly": len(contexts & other_contexts)}


def test_korquad_2_is_looked_through_too(shared):
    counts = audit_file(shared("korquad-2.1-sample/korquad2.1_train_sample.json")).counts
    assert (counts.questions, counts.answers, counts.titles) == (2, 2, 2)


def test_a_file_without_faults(audit):
    found = audit(squad(question(), question("q2", "수도는?", (SEOUL,)), question("q3", "Why?", ())))
    assert {name: finding["count"] for name, finding in found["findings"].items() if finding["count"]} == {}
    assert found["counts"] == {
        "titles": 1, "contexts": 1, "questions": 3, "answerable": 2, "unanswerable": 1, "unlabelled": 0,
        "unreadable": 0, "answers": 2, "answers_per_question": {1: 2},
    }  # fmt: skip
    assert found["lengths"]["answer"] == {"least": 2, "median": 2.5, "ninetieth": 3, "most": 3}
    assert found["unicode_forms"]["answer"] == {"NFC and NFD": 1, "NFC": 1, "NFD": 0, "neither": 0}


def test_a_file_without_answers_has_no_lengths_of_them(audit):
    assert audit(squad(question(answers=())))["lengths"]["answer"] is None


def test_a_misplaced_answer_says_where_it_is_and_why(cases):
    wrong = {"text": "Ann", "answer_start": len(CONTEXT[:16].encode())}
    (case,) = cases("misplaced_answers", squad(question(answers=(ANN, wrong))))
    assert case["found"] == "'Ann' at 40, where nothing stands; it is at 16: the offset counts UTF-8 bytes"
    assert case["kind"] == "the offset counts UTF-8 bytes"
    assert (case["id"], case["answer_number"], case["answer"], case["answer_start"]) == ("q1", 1, "Ann", 40)
    assert (case["found_at"], case["found_text"], case["other_places"]) == (16, "Ann", 0)


def test_an_answer_that_is_nowhere(cases):
    (case,) = cases("misplaced_answers", squad(question(answers=({"text": "Bob", "answer_start": 2},))))
    assert case["found"] == "'Bob' at 2, where '은 대' stands; the text is nowhere in the context"
    assert (case["found_at"], case["found_text"]) == (None, None)


def test_an_empty_answer(cases):
    empty = {"text": "", "answer_start": 3}
    found = cases("empty_answers", squad(question(answers=(empty,)), question("q2", "?", (ANN, empty))))
    assert [(case["id"], case["kind"]) for case in found] == [("q1", "alone"), ("q2", "beside others")]


def test_white_space_at_the_ends_of_answers(cases):
    texts = [("Ann ", 16), (" Ann", 15), (" ", 15)]
    questions = [
        question(f"q{start}{len(text)}", f"{start}{len(text)}?", ({"text": text, "answer_start": start},))
        for text, start in texts
    ]
    found = cases("spaced_answers", squad(*questions))
    assert [case["kind"] for case in found] == ["at the end", "at the start", "nothing else"]


def test_two_questions_without_an_answer_do_not_contradict_each_other(cases):
    (case,) = cases("repeated_questions", squad(question("q1", "Why?", ()), question("q2", "Why?", ())))
    assert case["kind"] == "with the same answer"


def test_an_id_for_two_questions(cases):
    (case,) = cases("conflicting_ids", squad(question(), question(text="수도는?", answers=(SEOUL,))))
    assert (case["kind"], case["differ"]) == ("other question, answers", ["question", "answers"])
    assert case["found"] == "'수도는?' after 'Who sang?': other question, answers"


def test_a_question_given_twice(cases):
    (case,) = cases("repeated_ids", squad(question(), question()))
    assert (case["id"], case["kind"]) == ("q1", "the same in everything")


def test_a_question_asked_twice(cases):
    found = cases(
        "repeated_questions",
        squad(question(), question("q2"), question("q3", answers=(SEOUL,)), question("q4", answers=())),
    )
    assert [(case["id"], case["kind"]) for case in found] == [
        ("q2", "with the same answer"),
        ("q3", "with contradicting answers"),
        ("q4", "with contradicting answers"),
    ]
    assert found[1]["found"] == "'Who sang?': 'Ann' (q1), '서울'"
    assert found[2]["found"] == "'Who sang?': 'Ann' (q1), no answer"


@pytest.mark.parametrize(("context", "kind"), [("", "empty"), (" \n", "nothing but white space")])
def test_an_empty_context(cases, context, kind):
    assert cases("empty_contexts", squad(question(answers=()), context=context))[0]["kind"] == kind


def test_an_empty_question(cases):
    assert cases("empty_questions", squad(question(text=" ")))[0]["kind"] == "nothing but white space"


def test_a_flag_against_the_answers(cases):
    found = cases(
        "contradicted_flags",
        squad(
            question("q1", "1?", (ANN,), is_impossible=True),
            question("q2", "2?", (), is_impossible=False),
            question("q3", "3?", (), is_impossible=True, plausible_answers=[ANN]),
            question("q4", "4?", (ANN,), is_impossible=False),
            question("q5", "5?", "what the reader does not look at", is_impossible=True),
        ),
    )
    assert [(case["id"], case["kind"]) for case in found] == [
        ("q1", "is_impossible beside answers"),
        ("q2", "possible without an answer"),
    ]
    assert found[0]["found"] == "is_impossible, but has the answers 'Ann'"


def test_odd_characters_are_named_once_a_context(cases):
    context = f"\ufeff{CONTEXT}\u200b\u200b\x07\ufffd"
    moved = {"text": "Ann", "answer_start": 17}
    found = cases(
        "odd_characters", squad(question(answers=(moved,)), question("q2", "Why?\u00ad", ()), context=context)
    )
    assert [(case["id"], case["kind"], case["text"], case["start"]) for case in found] == [
        ("q1", "U+FEFF ZERO WIDTH NO-BREAK SPACE", "context", 0),
        ("q1", "U+200B ZERO WIDTH SPACE", "context", 33),
        ("q1", "U+0007 control character", "context", 35),
        ("q1", "U+FFFD REPLACEMENT CHARACTER", "context", 36),
        ("q2", "U+00AD SOFT HYPHEN", "question", 4),
    ]


def test_questions_without_the_answers_field(cases):
    assert [case["id"] for case in cases("unlabelled", squad(question(), question("q2", "?", None)))] == ["q2"]


def test_questions_without_an_answer_for_a_benchmark_that_has_none(cases):
    content = squad(question(), question("q2", "Why?", ()))
    assert [case["id"] for case in cases("unanswerable", content, has_null=False)] == ["q2"]


UNREADABLE = [
    ({"id": None}, "data[0].paragraphs[0].qas[1]: the field 'id' is missing; found the fields 'question', 'answers'"),
    ({"id": ""}, "data[0].paragraphs[0].qas[1]: 'id' is empty; give every question its own id"),
    ({"text": 5}, "question q2: 'question' must be text, found the int 5"),
    ({"answers": ({"text": "Ann", "answer_start": "16"},)}, "question q2: answers[0]: 'answer_start' must be a whole"),
    ({"answers": ({"text": "Ann", "answer_start": -1},)}, "question q2: answers[0]: 'answer_start' is -1, but"),
    ({"text": "Who\ud800?"}, "question q2: 'question' holds a lone surrogate (\\ud800) at character 3"),
]


@pytest.mark.parametrize(("changes", "message"), UNREADABLE)
def test_a_question_that_cannot_be_read_is_listed_beside_the_others(cases, changes, message):
    (case,) = cases("unreadable", squad(question(), question(**({"id": "q2"} | changes))))
    assert case["found"].startswith(message)
    assert case["where"].endswith("file.json: data[0].paragraphs[0].qas[1]")


def test_a_question_that_is_no_object_is_listed(cases):
    (case,) = cases("unreadable", squad(question(), "Who?"))
    assert case["found"].endswith("must be an object with named fields, found the text 'Who?'")


def test_unreadable_questions_are_counted(audit):
    found = audit(squad(question(), question(5.5)))
    assert (found["counts"]["questions"], found["counts"]["unreadable"], found["counts"]["answerable"]) == (2, 1, 1)
    assert found["findings"]["unreadable"]["share"] == 0.5


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet", ".json"])
def test_every_format_is_looked_through(tmp_path, suffix):
    examples = [Example("q1", "Who?", CONTEXT, (Answer("Ann", 3),)), Example("q2", "Why?", CONTEXT)]
    write_examples(examples, tmp_path / f"file{suffix}", "rows")
    found = audit_file(tmp_path / f"file{suffix}")
    assert [finding.name for finding in found.findings if finding.cases] == ["misplaced_answers"]
    assert (found.counts.answerable, found.counts.unanswerable, found.counts.titles) == (1, 1, 0)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_wrong_row_is_listed_by_its_number(tmp_path, suffix):
    write_examples([Example("q1", "Who?", CONTEXT), Example("q2", "Why?", CONTEXT)], tmp_path / f"file{suffix}")
    text = (tmp_path / f"file{suffix}").read_text("utf-8").replace("q2", "")
    (tmp_path / f"file{suffix}").write_text(text, "utf-8")
    found = as_mapping(audit_file(tmp_path / f"file{suffix}"))["findings"]["unreadable"]["cases"]
    place = "line 2" if suffix == ".jsonl" else "row 3"
    assert found == [{"id": "", "where": f"{tmp_path / f'file{suffix}'}: {place}", "kind": "refused by the reader",
                      "found": f"{place}: 'id' is empty; give every question its own id"}]  # fmt: skip


def test_contexts_questions_and_ids_that_training_has_too(tmp_path):
    train = [
        Example("t1", "Who sang?", "Ann sang in Ulm."),
        Example("t2", "Where is Caf\u00e9 Bob?", "It is  in Bonn."),
        Example("t3", "Why?", "Nobody knows."),
    ]
    dev = [
        Example("d1", "Who sang?", "Ann sang in Ulm."),  # context and question
        Example("d2", "WHERE  is Cafe\u0301 Bob?", "IT is in Bonn."),  # both, but for case, white space and form
        Example("d3", "Where did Ann sing?", "Ann sang in Ulm."),  # the context once more
        Example("d4", "Why?", "Something else."),  # the question of another context
        Example("t3", "When?", "Something else."),
        Example("t1", "Who sang?", "Ann sang in Ulm."),
    ]
    write_examples(train, tmp_path / "train.json")
    write_examples(dev, tmp_path / "dev.jsonl")
    found = as_mapping(audit_file(tmp_path / "dev.jsonl", tmp_path / "train.json"))["findings"]
    assert [(case["id"], case["kind"], case["questions"], case["training_id"])
            for case in found["shared_contexts"]["cases"]] == [
        ("d1", "exactly", 3, "t1"),
        ("d2", "but for case, white space or Unicode form", 1, "t2"),
    ]  # fmt: skip
    assert found["shared_contexts"]["of"] == 3
    assert [(case["id"], case["kind"]) for case in found["shared_questions"]["cases"]] == [
        ("d1", "of the same context, exactly"),
        ("d2", "of the same context, but for case, white space or Unicode form"),
        ("d4", "of another context, exactly"),
        ("t1", "of the same context, exactly"),
    ]
    assert [(case["id"], case["kind"]) for case in found["shared_ids"]["cases"]] == [
        ("t3", "for another question"),
        ("t1", "for the same question"),
    ]


def test_a_file_is_not_compared_with_itself(tmp_path):
    path = write(tmp_path / "file.json", squad(question()))
    (tmp_path / "link.json").symlink_to(path)
    with pytest.raises(SettingsError, match="link.json: is the audited file itself; name the training file"):
        audit_file(path, tmp_path / "link.json")


def test_a_file_without_questions_is_refused(audit):
    with pytest.raises(DataError, match="file.json: holds no questions"):
        audit(squad())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=faulty_files)
def test_what_it_says_that_training_refuses_is_what_training_refuses(tmp_path, content):
    path = write(tmp_path / "file.json", content)
    found = audit_file(path)
    try:
        check_answers(read_examples(path), str(path))
        refused = False
    except DataError:
        refused = True
    assert bool(found.refused) is refused
    text = json.dumps(as_mapping(found), ensure_ascii=False).encode("utf-8", "backslashreplace")
    assert json.loads(text)["counts"]["questions"] == 4


@pytest.mark.slow
def test_twenty_thousand_misplaced_answers_take_seconds(tmp_path):
    wrong = {"text": "Ann", "answer_start": len(f"{CONTEXT} {CONTEXT[:16]}".encode())}
    pages = [
        {
            "context": f"{CONTEXT} {CONTEXT} {page} " * 8,
            "qas": [question(f"{page}-{each}", f"{each}?", (wrong,)) for each in range(5)],
        }
        for page in range(4_000)
    ]
    path = write(tmp_path / "file.json", {"data": [{"title": "t", "paragraphs": pages}]})
    begun = time.process_time()
    found = as_mapping(audit_file(path, write(tmp_path / "train.json", squad(question()))))
    assert time.process_time() - begun < 30  # about two; minutes where contexts are looked at question by question
    assert found["findings"]["misplaced_answers"]["kinds"] == {"the offset counts UTF-8 bytes": 20_000}
    assert found["findings"]["shared_questions"]["count"] == 0


def test_the_audit_imports_nothing_heavy(tmp_path):
    path = write(
        tmp_path / "file.json", squad(question(), question("q2", answers=({"text": "Ann", "answer_start": 3},)))
    )
    heavy = "{'numpy', 'pyarrow', 'torch', 'pandas', 'tokenizers', 'bs4', 'rich'}"
    program = (
        "import sys, pathlib; from dokhae.data import audit_file; audit_file(pathlib.Path(sys.argv[1])); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, env=os.environ)
    assert (done.stdout, done.stderr) == ("[]\n", "")
