from __future__ import annotations

import os

import pytest

from dokhae import progress
from dokhae.progress import clock, give_up, say, track


@pytest.fixture
def wait(monkeypatch):
    """`wait(seconds)`: time passes."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_lines_have_the_label_the_count_and_the_time_left(capsys, wait):
    with track("predict", 100, unit=" windows") as update:
        update(0)
        wait(20)
        update(10, "loss 0.5")
        wait(5)
        update(15)  # too early for another line
        wait(15)
        update(20)
        wait(160)
        update(100)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "predict: 10/100 windows  3:00 left  loss 0.5",
        "predict: 20/100 windows  2:40 left",
        "predict: 100/100 windows  3:20",
    ]


def test_what_was_done_before_does_not_count(capsys, wait):
    with track("train", 100) as update:
        update(50)  # a resumed run
        wait(20)
        update(60)
    assert capsys.readouterr().err == "train: 60/100  1:20 left\n"


def test_news_have_a_line_at_once(capsys, wait):
    with track("train", 100) as update:
        update(0)
        wait(2)
        update(50, "dev EM 80.00", news=True)
        wait(1)
        update(60, "dev EM 80.00")
    assert capsys.readouterr().err == "train: 50/100  0:02 left  dev EM 80.00\n"


def test_bytes_are_shown_in_megabytes(capsys, wait):
    with track("train.json", 30_288_272, unit=progress.BYTES) as update:
        update(10_000_000)
        wait(20)
        update(20_000_000)
    assert capsys.readouterr().err == "train.json: 20.0/30.3 MB  0:21 left\n"


def test_a_first_step_that_takes_long_has_no_estimate(capsys, wait):
    with track("predict", 1000) as update:
        wait(20)
        update(32)
        wait(20)
        update(64)
    assert capsys.readouterr().err == f"predict: 32/1000\npredict: 64/1000  {clock(20 / 32 * 936)} left\n"


def test_what_is_soon_done_says_nothing(capsys, wait):
    with track("predict", 10) as update:
        wait(5)
        update(5)
        update(10)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("total", "show"), [(10, False), (0, True)])
def test_nothing_is_shown_where_nothing_is_wanted_or_to_be_done(capsys, wait, total, show):
    with track("predict", total, show) as update:
        update(0)
        wait(100)
        update(total)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    with track("predict", 10, unit=" windows") as update:
        update(10, "loss 0.5")
    shown = capsys.readouterr().err
    assert "predict" in shown
    assert "10/10 windows" in shown
    assert "loss 0.5" in shown


def test_a_bar_shows_bytes_in_megabytes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    with track("train.json", 30_288_272, unit=progress.BYTES) as update:
        update(20_000_000)
    assert "20.0/30.3 MB" in capsys.readouterr().err


@pytest.fixture
def unread():
    """A stream that nobody reads any more, as after `| head`, or `| tee` that the same Ctrl-C has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        yield stream


def test_lines_that_nobody_reads_are_no_error(unread, wait, monkeypatch):
    monkeypatch.setattr("sys.stderr", unread)
    with track("predict", 100) as update:
        for done in (10, 20, 30):
            wait(20)
            update(done)
    os.write(unread.fileno(), b"nothing fails here any more")


def test_a_process_without_streams_says_nothing(monkeypatch, wait):
    monkeypatch.setattr("sys.stderr", None)
    with track("predict", 100) as update:
        update(10)
        wait(20)
        update(100)


def test_a_full_disk_below_stderr_is_no_error_and_stays_what_is_written_to(monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stderr", full)
        say("lost\n")
        with pytest.raises(OSError, match="No space"):  # with room again, what is said later will be there
            os.write(full.fileno(), b"more")
        give_up(full.fileno())  # or closing it fails


def test_a_bar_on_a_terminal_that_is_closed_is_no_error(monkeypatch):
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        with track("train", 100) as update:
            update(10)
            shown = b""
            while b"train" not in shown:  # it may be written in pieces
                shown += os.read(master, 1000)
            os.close(master)
            with pytest.raises(OSError, match="Input/output error"):
                os.write(slave, b"x")
            update(100, "the end")
