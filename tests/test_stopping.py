from __future__ import annotations

import os
import signal
import threading

import pytest

from dokhae import stopping
from dokhae.stopping import ASKING, TERMINATING, Request, answer, hearing, interrupted_by_signals

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.fixture(autouse=True)
def handlers():
    """What this process does at signals, whatever who started it has set; as it was before when a test ends."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ASKING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raise_all(*numbers):
    for number in numbers:
        signal.raise_signal(number)


def test_all_that_asks_is_heard_and_given_back():
    heard = []
    with hearing(lambda number, frame: heard.append(number)):
        raise_all(INT, HUP, TERM)
    assert heard == [INT, HUP, TERM]
    assert {signal.getsignal(number) for number in ASKING} == {signal.SIG_DFL}


def test_signals_are_given_back_after_an_error_too():
    with pytest.raises(ValueError, match="x"), hearing(lambda number, frame: None):
        raise ValueError("x")
    assert {signal.getsignal(number) for number in ASKING} == {signal.SIG_DFL}


def test_under_nohup_a_closed_terminal_is_not_heard():
    signal.signal(HUP, signal.SIG_IGN)
    heard = []
    with hearing(lambda number, frame: heard.append(number)) as hear:
        hear()
        raise_all(HUP, TERM)
    assert heard == [TERM]
    assert signal.getsignal(HUP) is signal.SIG_IGN


def test_a_handler_that_took_the_place_is_replaced_in_the_block_and_not_after_it():
    heard = []
    with hearing(lambda number, frame: heard.append(number)) as hear:
        signal.signal(TERM, signal.SIG_IGN)
        hear()
        raise_all(TERM)
    hear()
    assert heard == [TERM]
    assert signal.getsignal(TERM) is signal.SIG_DFL


def test_another_thread_hears_nothing():
    found = []

    def work():
        with hearing(lambda number, frame: None) as hear:
            hear()
            found.append(signal.getsignal(TERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


@pytest.mark.parametrize(
    ("numbers", "at_once"),
    [
        ([INT], False),
        ([INT, INT], True),
        ([INT, TERM], True),
        ([HUP, HUP, HUP], False),  # of a shell and the kernel
        ([TERM, HUP], False),  # of a session that ends
        ([HUP, TERM], False),  # the same where both were waiting: the lower number comes first
        ([HUP, TERM, TERM], True),
    ],
)
def test_a_closed_terminal_is_never_once_more(numbers, at_once):
    request = Request()
    assert not request.asked
    assert [request.hear(number) for number in numbers] == [True] + [False] * (len(numbers) - 1)
    assert (request.asked, request.at_once) == (True, at_once)


@pytest.mark.parametrize("number", TERMINATING)
def test_what_terminates_is_as_ctrl_c(number):
    with pytest.raises(KeyboardInterrupt), interrupted_by_signals():
        raise_all(number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_closed_terminal_does_not_interrupt_the_cleaning():
    cleaned = []
    with pytest.raises(KeyboardInterrupt), interrupted_by_signals():
        try:
            raise_all(HUP)
        finally:
            raise_all(HUP)
            cleaned.append(True)
    assert cleaned == [True]


def test_an_answer_that_nobody_can_read_is_no_error(capfd, monkeypatch):
    answer("stopping")
    assert capfd.readouterr().err == "\nstopping\n"
    reader, writer = os.pipe()
    os.close(reader)
    write = os.write
    monkeypatch.setattr(stopping.os, "write", lambda descriptor, text: write(writer, text))
    answer("stopping")
    os.close(writer)
