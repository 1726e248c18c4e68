"""GLUE's rows, on files in its exact layouts and on real MRPC, and tasks of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from dokhae.data import labels_of, read_texts
from dokhae.errors import DataError, SettingsError
from dokhae.tasks.glue import TASKS, custom_task, find_task, names, read, score, submission_name
from dokhae.types import LabelledText

MNLI = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse"
LABELLED = {  # header and first lines of the files with labels; tabs as |
    "cola": "gj04|1||The pond froze solid.\ngj04|0|*|They drank the pub.\n",
    "sst-2": "sentence|label\nunflinchingly bleak and desperate |0\nit 's charming . |1\n",
    "mrpc": 'Quality|#1 ID|#2 ID|#1 String|#2 String\n1|70|71|He said " no .|" No , " he said .\n0|8|9|One .|Two .\n',
    "sts-b": "index|genre|filename|year|old_index|source1|source2|sentence1|sentence2|score\n"
    "0|main-captions|MSRvid|2012test|0001|none|none|A plane is taking off.|An air plane is taking off.|5.000\n",
    "qqp": "id|qid1|qid2|question1|question2|is_duplicate\n9|1|2|Is it?|Isn't it?|1\n4|3|5|Who?|Why?|0\n",
    "mnli": MNLI.replace(" ", "|") + "|sentence1|sentence2|label1|gold_label\n"
    "0|3|3n|government|( a )|( b )|(ROOT a)|(ROOT b)|Skimming has two sides.|It has.|neutral|entailment\n",
    "qnli": "index|question|sentence|label\n0|When did it begin?|It began late.|entailment\n",
    "rte": "index|sentence1|sentence2|label\n0|None was found.|It was found.|not_entailment\n",
    "wnli": "index|sentence1|sentence2|label\n0|I stuck a pin through a carrot.|It has a hole.|1\n",
}
FIRST = {
    "cola": LabelledText("0", "The pond froze solid.", None, "1"),
    "sst-2": LabelledText("0", "unflinchingly bleak and desperate ", None, "0"),
    "mrpc": LabelledText("0", 'He said " no .', '" No , " he said .', "1"),
    "sts-b": LabelledText("0", "A plane is taking off.", "An air plane is taking off.", 5.0),
    "qqp": LabelledText("0", "Is it?", "Isn't it?", "1"),
    "mnli": LabelledText("0", "Skimming has two sides.", "It has.", "entailment"),
    "qnli": LabelledText("0", "When did it begin?", "It began late.", "entailment"),
    "rte": LabelledText("0", "None was found.", "It was found.", "not_entailment"),
    "wnli": LabelledText("0", "I stuck a pin through a carrot.", "It has a hole.", "1"),
}
TESTS = {  # the files without labels
    "cola": "index|sentence\n7|It rained.\n",
    "sst-2": "index|sentence\n7|It rained.\n",
    "mrpc": "index|#1 ID|#2 ID|#1 String|#2 String\n7|108|109|It rained.|Rain fell.\n",
    "sts-b": "index|genre|filename|year|old_index|source1|source2|sentence1|sentence2\n"
    "7|main-captions|MSRvid|2012test|0024|none|none|It rained.|Rain fell.\n",
    "qqp": "id|question1|question2\n7|It rained.|Rain fell.\n",
    "mnli": MNLI.replace(" ", "|") + "|sentence1|sentence2\n7|3|3|travel|( a )|( b )|a|b|It rained.|Rain fell.\n",
    "qnli": "index|question|sentence\n7|It rained.|Rain fell.\n",
    "rte": "index|sentence1|sentence2\n7|It rained.|Rain fell.\n",
    "wnli": "index|sentence1|sentence2\n7|It rained.|Rain fell.\n",
}


def write(path, table):
    path.write_text(table.replace("|", "\t"), encoding="utf-8")
    return path


@pytest.fixture
def written(tmp_path):
    return lambda table: write(tmp_path / "file.tsv", table)


def test_the_nine_tasks():
    assert names() == ["cola", "sst-2", "mrpc", "sts-b", "qqp", "mnli", "qnli", "rte", "wnli"]
    assert [task.title for task in TASKS if task.is_regression] == ["STS-B"]


@pytest.mark.parametrize("name", LABELLED)
def test_files_with_labels_are_read_in_glues_layout(written, name):
    assert read(find_task(name), written(LABELLED[name]), labelled=True)[0] == FIRST[name]


@pytest.mark.parametrize("name", TESTS)
def test_test_files_are_read_with_their_index(written, name):
    second = None if name in ("cola", "sst-2") else "Rain fell."
    texts = [LabelledText("7", "It rained.", second, None)]
    assert read(find_task(name), written(TESTS[name]), labelled=False) == texts


@pytest.mark.parametrize("name", LABELLED)
def test_files_with_labels_can_be_read_without_them(written, name):
    texts = read(find_task(name), written(LABELLED[name]), labelled=False)
    assert (texts[0].first, texts[0].second, texts[0].label) == (FIRST[name].first, FIRST[name].second, None)


def test_rows_with_labels_have_the_same_ids_with_and_without_them(written):
    path = written("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n201359\t1\t2\tWhy?\tHow?\t0\n")
    task = find_task("qqp")
    assert [read(task, path, labelled=labelled)[0].id for labelled in (True, False)] == ["0", "0"]


@pytest.mark.parametrize("name", TESTS)
def test_a_test_file_has_no_labels(written, name):
    message = "has the header of CoLA's test files" if name == "cola" else "file.tsv: has no column"
    with pytest.raises(DataError, match=message):
        read(find_task(name), written(TESTS[name]), labelled=True)


@pytest.mark.parametrize("spelling", ["SST-2", "sst2", "Sst_2"])
def test_names_are_found_whatever_their_case_and_hyphens(spelling):
    assert find_task(spelling).name == "sst-2"


def test_near_names_are_proposed():
    with pytest.raises(SettingsError, match=r"task 'mprc' is not known; did you mean mrpc\? known are cola, sst-2,"):
        find_task("mprc")


def test_an_unknown_label_names_its_row_and_the_nearest(written):
    path = written(LABELLED["rte"] + "1|One.|Two.|not-entailment\n")
    message = (
        r"line 3: the label 'not-entailment' is not known; did you mean not_entailment\? \(known are entailment, no"
    )
    with pytest.raises(DataError, match=message):
        read(find_task("rte"), path, labelled=True)


def test_broken_questions_of_qqp_are_named_or_left_out(written, caplog):
    path = written(LABELLED["qqp"] + '6|7|8|"|Was he real?|0\n"|Is there evidence?|0\n1|2|3|How can I?||0\n')
    with pytest.raises(DataError, match="line 5: has 3 cells but the header has 6; mend the row or drop it"):
        read(find_task("qqp"), path, labelled=True)
    assert len(read(find_task("qqp"), path, labelled=True, skip_ragged=True)) == 3
    assert "left out 2 rows that are ragged or have an empty text; 3 remain" in caplog.text


def test_real_mrpc(shared):
    task = find_task("mrpc")
    train, dev = (read(task, shared(f"mrpc/{part}.tsv"), labelled=True) for part in ("train", "dev"))
    assert (len(train), len(dev), labels_of(train)) == (3659, 407, task.labels)
    assert train[0].second.startswith('Referring to him as only " the witness " , Amrozi')
    gold = np.array([task.labels.index(text.label) for text in dev])
    majority = score(task, gold, np.ones_like(gold))
    assert majority == pytest.approx({"accuracy": 70.27027, "f1": 82.53968, "score": 76.40498}, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("cola", {"matthews": 100 / 5**0.5, "score": 100 / 5**0.5}),
        ("rte", {"accuracy": 200 / 3, "score": 200 / 3}),
        ("qqp", {"accuracy": 200 / 3, "f1": 75.0, "score": (200 / 3 + 75) / 2}),
    ],
)
def test_classes_are_scored_as_glue_does(name, scores):
    gold, predicted = np.array([1, 1, 0, 1, 0, 0]), np.array([1, 1, 1, 1, 0, 1])
    assert score(find_task(name), gold, predicted) == pytest.approx(scores)


def test_numbers_are_scored_by_both_correlations():
    scores = score(find_task("sts-b"), np.array([0.0, 1.0, 5.0]), np.array([1.0, 1.5, 9.0]))
    assert list(scores) == ["pearson", "spearman", "score"]
    assert scores["spearman"] == 100.0
    assert scores["score"] == (scores["pearson"] + 100.0) / 2


def test_submissions_are_what_glue_takes():
    assert submission_name(find_task("sst-2")) == "SST-2.tsv"
    assert submission_name(find_task("mnli"), "glue/MNLI/test_mismatched.tsv") == "MNLI-mm.tsv"
    assert submission_name(find_task("mnli"), "glue/MNLI/test_matched.tsv") == "MNLI-m.tsv"


def test_a_task_of_ones_own(tmp_path):
    path = write(tmp_path / "file.tsv", "no|text|mood\nx|Hooray.|glad\ny|Alas.|sad\n")
    found = labels_of(read_texts(path, custom_task("text", None, "mood", ("a", "b")).columns, labelled=True))
    task = custom_task("text", None, "mood", found, id="no")
    assert read(task, path, labelled=True) == [
        LabelledText("x", "Hooray.", None, "glad"), LabelledText("y", "Alas.", None, "sad"),
    ]  # fmt: skip
    assert [text.label for text in read(task, path, labelled=False)] == [None, None]
    assert score(task, np.array([0, 1]), np.array([0, 0])) == pytest.approx(
        {"accuracy": 50.0, "macro_f1": 100 / 3, "score": 125 / 3}
    )
    with pytest.raises(SettingsError, match="GLUE takes no predictions"):
        submission_name(task)


@pytest.mark.parametrize(
    ("labels", "is_regression", "message"),
    [
        ((), False, "either classes are given, or a number"),
        (("a", "b", "a"), False, "a class is given twice"),
        (("a", "b"), True, "either classes are given, or a number"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(labels, is_regression, message):
    with pytest.raises(SettingsError, match=message):
        custom_task("a", None, "y", labels, is_regression)
