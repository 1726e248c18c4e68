"""What the turns gave, as rows with their verdicts, tables and results files."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from speed.costs import matrix_rate, product_weights, training_operations
from speed.report import Row, publish, table
from speed.shared import encoder_folder, machine_name

from dokhae.data import read_examples, sample_path
from dokhae.errors import DokhaeError, ModelError, SettingsError
from dokhae.model.devices import onednn_takes
from speed import gpu, gpu_step, inference, levers, render, report, training, turns, works


@pytest.fixture(scope="module")
def minilm() -> Path:
    try:
        return encoder_folder()
    except ModelError as error:
        pytest.skip(str(error))


def turn(rate, others=0.01, **more):
    """A turn of four steps of 16 windows at so many windows a second."""
    return {"seconds": [16 / rate] * 4, "windows": 16, "others_share": others, "peak_mib": 900.0, **more}


BOTH = ("bf16", "fp32")
DRAWN = {"lengths": [[100, 200]] * 4}


def test_training_is_compared_with_the_plain_way_and_with_the_matrix_rate():
    found = {
        training.PLAIN: [turn(2.0, tokens=150.0), turn(2.5, tokens=150.0)],
        "dokhae, bf16": [turn(16.0), turn(18.0, others=0.2)],
        "dokhae, fp32": [turn(9.0), turn(9.0)],
        "matrix": [{"best": 4e11, "others_share": 0.0}] * 2,
    }
    plain, fast, slow, share = training.rows_of(found, 12e9, DRAWN)
    assert plain.value["median"] == pytest.approx(2.25) and plain.ratio is None
    assert fast.ratio["median"] == pytest.approx(17 / 2.25) and fast.ratio["least"] == pytest.approx(18 / 2.5)
    assert fast.fault() == "training, dokhae, bf16: disturbed, others used 20% of the processor; measure again"
    assert slow.fault() == "training, dokhae, fp32: 4, 4.5 is required"
    assert share.value["median"] == pytest.approx(51.0) and share.fault() is None
    assert (share.required, share.aim) == (48.0, 60.0)


def test_steps_that_are_not_those_whose_tokens_are_counted_are_an_error():
    with pytest.raises(DokhaeError, match="4 steps were timed instead of 3"):
        training.check(turn(1.0), {"lengths": [[1]] * 3})


def test_the_operations_of_minilm_are_those_that_were_counted_by_hand(minilm):
    from transformers import AutoConfig

    layer = 4 * 384 * 384 + 2 * 384 * 1536
    assert product_weights(AutoConfig.from_pretrained(str(minilm))) == 6 * layer + 2 * 384
    assert training_operations(minilm, [176] * 10) / 1760 == pytest.approx(68.6e6, rel=0.002)


def test_the_matrix_rate_is_the_best_of_the_sizes():
    found = matrix_rate(sizes=[32, 64])
    assert found["best"] == max(found["rates"]["32"], found["rates"]["64"]) > 1e6


def test_each_lever_is_measured_alone_and_removed():
    known = levers.states(2, BOTH)
    assert known["bf16 alone"] == (levers.Setting(frozenset({"bf16"}), 2), "none")
    assert known["without bf16"][0].on == set(levers.LEVERS) - {"bf16"} and known["without bf16"][1] == "all"
    assert {name for name in known if name.endswith(" alone")} == {f"{name} alone" for name in levers.LEVERS.values()}
    assert list(levers.chosen(["without bf16"], known)) == ["all", "without bf16"]
    assert list(levers.chosen([], known)) == list(known)
    assert not any("bf16" in name or "bf16" in state.on for name, (state, _) in levers.states(2, ("fp32",)).items())
    with pytest.raises(SettingsError, match="'without bf' is no row"):
        list(levers.chosen(["without bf"], known))


def test_a_state_of_the_levers_is_what_its_process_is_told():
    told = training.Training("model", "data")
    every = levers.states(2, BOTH)["all"][0].turn(told)
    assert every.given["training"]["precision"] == "bf16" and every.given["extras"] == {"config": {}, "undo": []}
    assert every.variables["MALLOC_MMAP_MAX_"] == "0" and every.variables["OMP_NUM_THREADS"] == "2"
    none = levers.states(2, BOTH)["none"][0].turn(told)
    assert none.given["training"]["precision"] == "fp32" and none.variables == {"OMP_NUM_THREADS": "2"}
    assert none.given["extras"]["undo"] == ["packing", "dropout", "fused"]
    several = levers.states(2, BOTH)["2 processes of 1 thread"][0].turn(told)
    assert several.given["extras"]["config"] == {"devices": 2} and several.variables["OMP_NUM_THREADS"] == "1"


def test_windows_of_all_processes_count():
    found = {"all": [turn(10.0)], "2 processes of 1 thread": [turn(8.0)]}
    row = levers.row("2 processes of 1 thread", found, levers.states(2, BOTH))
    assert row.value["median"] == pytest.approx(16.0) and row.ratio["median"] == pytest.approx(1.6)


def spread(median):
    return {"median": median, "least": median, "most": median}


def test_an_upper_bound_is_kept_from_below():
    row = Row("memory", spread(8.0), "GiB", required=7.5, at_most=True)
    assert row.fault() == "memory: 8, at most 7.5 is required"
    assert replace(row, value=spread(7.0)).fault() is None
    assert "| at most 7.5 |" in row.line()


def test_results_are_written_and_rendered_unless_others_disturbed_them(tmp_path, capsys):
    rows = [Row("a", spread(2.0), "s", "b", spread(3.0), required=2.5, details={"peak MiB": 812.25})]
    out, results = tmp_path / "results" / "a-processor" / "training.json", tmp_path / "results"
    out.parent.mkdir(parents=True)
    assert publish([replace(rows[0], others_share=0.3)], {}, 0.0, out) == 1
    assert not out.exists() and "DISTURBED" in capsys.readouterr().out
    assert publish(rows, {"seed": 0}, 0.0, out) == 0
    assert json.loads(out.read_text())["rows"][0]["ratio"] == spread(3.0)
    text = render.page("before\n<!-- training -->\nold\n<!-- end -->\n<!-- gpu -->\n<!-- end -->\nafter\n", results)
    assert table(rows) in text and "| a | 2 s | b | 3 | 2.5 | peak MiB 812.2 | 0% |" in text
    assert "old" not in text and text.startswith("before\n") and text.endswith("after\n")
    assert "<!-- gpu -->\nNot measured yet: `make speed-gpu`.\n<!-- end -->" in text
    assert render.page(text, results) == text
    other = results / "b-processor" / "training.json"
    other.parent.mkdir()
    other.write_text(out.read_text().replace('"name": "a"', '"name": "c"'))
    assert re.search(r"\| a \|.*\| c \|", render.page(text, results), re.DOTALL)


@pytest.mark.parametrize(
    ("described", "name"),
    [
        ("AMD EPYC (avx2, avx512f, avx512_bf16)", "amd-epyc-bf16"),
        ("Intel(R) Xeon(R) Processor (avx2, avx512f)", "intel-xeon"),
        ("Intel(R) Core(TM) i7-1165G7 CPU @ 2.80GHz (avx2)", "intel-core-i7-1165g7"),
        ("AMD EPYC 9R14 96-Core Processor (avx2, avx512f, avx512_bf16)", "amd-epyc-9r14-96-core-bf16"),
    ],
)
def test_results_are_kept_by_processor(described, name):
    assert machine_name(described) == name


def test_a_row_that_misses_what_is_required_is_written_and_ends_with_status_1(tmp_path, capsys):
    assert publish([Row("a", spread(2.0), "s", required=3.0)], {}, 0.0, tmp_path / "a.json") == 1
    assert (tmp_path / "a.json").exists() and capsys.readouterr().err == "error: a: 2, 3 is required\n"


def test_the_page_holds_the_results_as_they_are():
    texts = [path.read_text(encoding="utf-8") for path in render.PAGES]
    assert [render.page(text) for text in texts] == texts, "python -m speed.render"
    assert set(re.findall(r"<!-- (\w+) -->", "".join(texts))) - {"end"} == set(render.COMMANDS)


@pytest.mark.slow
def test_a_side_answers_in_a_process_of_its_own(tiny_bert):
    examples = [one for one in read_examples(sample_path("dev")) if one.answers][:6]
    with inference.side(Path(sys.executable), 1, "dokhae", str(tiny_bert), "fp32") as side:
        said = side(examples, examples[:2])
        again = side(examples[:1], [])
    assert len(said["texts"]) == 6 and len(said["each"]) == 2 and min(said["each"]) > 0
    assert again["texts"] == said["texts"][:1]
    assert all(text in one.context for one, text in zip(examples, said["texts"], strict=True))


def test_a_side_that_cannot_begin_is_an_error(capfd):
    with (
        inference.side(Path(sys.executable), 1, "dokhae", "no-such/model/here", "fp32") as side,
        pytest.raises(DokhaeError, match="speed.answering dokhae no-such/model/here fp32: ended"),
    ):
        side([], [])
    assert "there is no such model folder" in capfd.readouterr().err


def test_the_pipeline_is_named_where_its_environment_is_missing(tmp_path):
    with pytest.raises(DokhaeError, match=r"make it with `make \.venv-transformers4"):
        inference.run(inference.Arguments(model=tmp_path, pipeline=tmp_path / "python"))


def test_inference_is_compared_by_rate_and_by_time():
    found = {
        inference.OTHER: [{"rate": 20.0, "p50": 50.0, "f1": 60.0}, {"rate": 25.0, "p50": 40.0, "f1": 62.0}],
        "bf16": [{"rate": 60.0, "p50": 20.0, "f1": 60.0}, {"rate": 50.0, "p50": 25.0, "f1": 62.0}],
    }
    many, one = inference.rows_of("bf16", found, 0.02)
    assert many.ratio == {"median": 55 / 22.5, "least": 2.0, "most": 3.0} and many.fault() is None
    assert many.details == {"F1 of these questions": 61.0}
    assert one.ratio["median"] == 45 / 22.5 and one.required is None
    change = inference.change({"fp32": 60.0, "bf16": 59.8}, 1834, 0.0)
    assert change.fault() == "dokhae: change of F1 from fp32 to bf16: 0.2, at most 0.1 is required"


@pytest.mark.slow
def test_the_memory_of_a_prediction_is_told_apart(tiny_bert, tmp_path):
    from speed.long_windows import articles

    answered = [one for one in read_examples(sample_path("dev")) if one.answers]
    data = tmp_path / "dev.json"
    data.write_text(json.dumps({"version": "1.1", "data": articles(answered)}))
    found = works.memory(str(tiny_bert), 300, str(data))
    assert found["peak_mib"] > found["beyond_mib"] > 50
    assert found["beyond_mib"] == found["peak_mib"] - found["examples_mib"]


def test_repeated_questions_are_others():
    examples = read_examples(sample_path("dev"))[:5]
    found = works.repeated(examples, 12)
    assert len(found) == len({one.id for one in found}) == 12
    assert len({(one.question, one.context) for one in found}) == 12
    assert all(one.context[a.start : a.end] == a.text for one in found for a in one.answers)


@pytest.mark.parametrize("command", [gpu, gpu_step])
def test_without_a_gpu_nothing_is_measured(command, monkeypatch, capsys):
    from speed.command import run_command

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", [command.__name__])
    with pytest.raises(SystemExit) as ended:
        run_command(command.Arguments, command.run, command.__doc__)
    assert ended.value.code == 2 and capsys.readouterr().err.startswith("error: there is no GPU here")


def test_a_step_is_taken_apart(shared, tmp_path, minilm, capsys):
    told = gpu_step.Arguments(model="tiny", batch=16, device="cpu", made=tmp_path)
    shared("squad-1.1/train.json")
    assert gpu_step.run(told) == 0
    assert re.fullmatch(r"[\d.]+ ms a step, \d+ windows/s, \d+ tokens\n", capsys.readouterr().out)


def test_kernels_are_listed_by_kind():
    def event(name, milliseconds, device="CUDA"):
        return SimpleNamespace(
            name=name, self_device_time_total=1000 * milliseconds, device_type=SimpleNamespace(name=device)
        )

    events = [event("nvjet_sm90", 6.0), event("nvjet_sm90", 2.0), event("flash_bwd_cutlass", 3.0), event("_join", 1.0),
              event("aten::mm", 9.0, "CPU")]  # fmt: skip
    assert gpu_step.listed(events, 2, 2).splitlines() == [
        "6.0 ms worked in 2.0 kernels", "matrix products: 4.0", "attention: 1.5", "the rest: 0.5",
        "   4.000    1.0 x nvjet_sm90", "   1.500    0.5 x flash_bwd_cutlass",
    ]  # fmt: skip


def test_what_was_measured_on_a_gpu_stays_where_other_rows_fail(tmp_path, monkeypatch, capsys):
    def measured(arguments, limit):
        return [report.Row(f"row {limit}", turns.summary([1.0]), "s")]

    def disturbed(arguments, limit):
        return [report.Row("row of a noisy hour", turns.summary([1.0]), "s", others_share=0.5)]

    def failing(arguments, limit):
        assert written()["settings"]["missing"] == ["second", "third", "fourth"]  # already
        raise turns.TurnFailed("speed.sides:dokhae ended with status 1")

    def written():
        return json.loads((tmp_path / "gpu.json").read_text())

    told = gpu.Arguments(device="cpu", out=tmp_path / "gpu.json")
    monkeypatch.setattr(gpu, "take", lambda *_: {"best": 1e12, "device": "a GPU"})
    rows = [("first", measured), ("second", failing), ("third", disturbed), ("fourth", measured)]
    monkeypatch.setattr(gpu, "jobs", lambda _: rows)
    assert gpu.run(told) == 1
    assert len(written()["rows"]) == 2 and written()["settings"]["missing"] == ["second", "third"]
    said = capsys.readouterr().err
    assert "error: second: speed.sides:dokhae ended with status 1\n" in said
    assert "error: row of a noisy hour: disturbed, others used 50% of the processor; measure again\n" in said
    monkeypatch.setattr(gpu, "jobs", lambda _: [("first", measured)])
    assert gpu.run(told) == 0 and written()["settings"]["missing"] == []


@pytest.mark.slow  # some twelve processes
def test_the_gpu_rows_run_on_a_cpu_with_a_tiny_model(shared, tmp_path, monkeypatch, minilm):
    monkeypatch.setattr(turns, "TRIES", 1)
    shared("squad-1.1/train.json")
    fast = "bf16" if onednn_takes(torch.bfloat16) else "fp32"  # else the matrix products would take half an hour
    told = gpu.Arguments(
        precision=fast,
        rows=("training", "levers", "prediction", "offload"), device="cpu", models=("tiny",), lengths=(384,), turns=1,
        batches=(4, 8), lever_model="tiny", warm_up=2, plain_warm_up=2, steps=4, predicted="tiny", questions=40,
        offloaded="tiny", accumulate=2, cache=tmp_path / "turns", made=tmp_path / "made", out=tmp_path / "gpu.json",
    )  # fmt: skip
    monkeypatch.setattr(report, "MOST_OF_OTHERS", 1.0)  # other tests run beside this one
    assert gpu.run(told) == 0
    names = [row["name"] for row in json.loads(told.out.read_text())["rows"]]
    small, large = (f"training tiny, 384, {count} windows" for count in (4, 8))
    ours = ("dokhae", "dokhae, compiled")
    assert names == [
        *(f"{small}: {side}" for side in dict.fromkeys((*ours, f"plain, {fast}", "plain, fp32"))),
        *(f"{small}: {side}: share of the matrix rate" for side in ours),
        *(f"{large}: {side}" for side in (*ours, f"plain, {fast}")),
        *(f"{large}: {side}: share of the matrix rate" for side in ours),
        *(f"tiny, 384, 4 windows: {lever}" for lever in gpu.LEVERS), "prediction of 40 questions, tiny",
        "tiny, 24 windows a step, optimizer on the device", "tiny, 24 windows a step, optimizer offloaded",
    ]  # fmt: skip
