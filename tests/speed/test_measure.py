from __future__ import annotations

import subprocess
import sys
import time

import pytest
from speed.measure import Comparison, Measured, Others, Times, measure
from speed.run import as_line, as_markdown, as_record, find_fault


def comparison(**changes):
    settings = {
        "name": "sleeping",
        "size": 3,
        "unit": "naps",
        "other": "the slow way",
        "run_other": lambda: time.sleep(0.03) or 1,
        "run_dokhae": lambda: time.sleep(0.01) or 1,
        "check": lambda theirs, ours: f"{theirs} and {ours}",
        "repeats": 3,
    }
    return Comparison(**settings | changes)


def measured(ratio=5.0, others_share=0.01, **changes):
    times = Times([ratio, 2 * ratio, ratio / 2], [ratio] * 3), Times([1.0] * 3, [1.0] * 3)
    return Measured(comparison(**changes), *times, "the same", others_share)


def test_both_sides_run_in_turns_and_the_first_turn_does_not_count():
    turns = []
    found = measure(
        comparison(run_other=lambda: turns.append("other"), run_dokhae=lambda: turns.append("dokhae"), repeats=2)
    )
    assert turns == ["other", "dokhae"] * 3
    assert len(found.other.wall) == len(found.dokhae.wall) == 2


def test_the_ratio_is_that_of_the_medians():
    found = measure(comparison())
    assert found.ratio > 1.0 and found.equal == "1 and 1"
    assert measured().ratio == 5.0 and measured().ratios == [5.0, 10.0, 2.5] and measured().cpu_ratio == 5.0


@pytest.mark.slow
def test_what_comes_before_each_run_is_not_timed_and_what_comes_after_all_comes_once():
    calls = []
    found = measure(
        comparison(
            before=lambda: time.sleep(0.2) or calls.append("before"), after=lambda: calls.append("after"), repeats=1
        )
    )
    assert calls == ["before"] * 4 + ["after"]
    assert max(found.dokhae.wall) < 0.2


def test_outputs_that_differ_end_the_measurement():
    def refuse(theirs, ours):
        raise AssertionError("they differ")

    with pytest.raises(AssertionError, match="they differ"):
        measure(comparison(check=refuse))


@pytest.mark.slow
def test_the_work_of_others_counts_and_ones_own_does_not():
    busy = "import time\nend = time.perf_counter() + 3\nwhile time.perf_counter() < end: pass"
    others = Others()
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        pass
    alone = others.share()
    with subprocess.Popen([sys.executable, "-c", busy]) as other:
        time.sleep(0.3)
        others = Others()
        time.sleep(0.7)
        disturbed = others.share()
        other.kill()
    assert 0.0 <= alone <= 1.0 and 0.05 < disturbed <= 1.0  # at least part of a core, on whatever machine


def test_a_row_that_was_disturbed_or_is_too_slow_is_no_success():
    assert find_fault(measured(required=4.5)) is None and find_fault(measured()) is None
    assert find_fault(measured(required=6.0)) == "sleeping: 5.00 times as fast, 6 are required"
    assert "disturbed, others used 11% of the processor" in find_fault(measured(others_share=0.11))


def test_the_table_says_how_fast_how_sure_and_on_what():
    report = {"date": "2026-11-21", "seconds": 9, "settings": {"overlap": 128}, "surroundings": {"cores": 2}}
    text = as_markdown([measured(required=4.5, aim=6.0), measured(others_share=0.5)], report)
    assert "| sleeping | the slow way | 5.00 (2.50 to 10.00) | 4.5, 6 | 5.000, 1.000 | 5.00 | 1% |" in text
    assert as_line(measured(others_share=0.5)).endswith("| 50% DISTURBED |")
    assert "- sleeping, 3 naps: the same." in text and "- cores: 2" in text
    assert as_record(measured())["ratios"] == [5.0, 10.0, 2.5]
