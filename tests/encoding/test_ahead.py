from __future__ import annotations

import threading
import time

import pytest

from dokhae.encoding.ahead import ahead


def workers() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_it_is_map(count):
    assert list(ahead(lambda number: number * number, iter(range(count)))) == [number**2 for number in range(count)]
    assert workers() == 0


def test_the_next_is_made_while_this_one_is_worked_with():
    begun = {number: threading.Event() for number in range(3)}

    def make(number):
        begun[number].set()
        return number

    made = ahead(make, range(3))
    assert next(made) == 0 and begun[1].wait(10)
    assert not begun[2].is_set()
    assert next(made) == 1 and begun[2].wait(10)


def test_items_are_taken_by_the_caller_one_ahead():
    taken = []

    def items():
        for number in range(4):
            taken.append((number, threading.current_thread()))
            yield number

    for number in ahead(str, items()):
        assert len(taken) == min(int(number) + 2, 4)
    assert {thread for _, thread in taken} == {threading.current_thread()}


def test_an_error_comes_where_its_result_would():
    def make(number):
        if number == 2:
            raise ValueError("two")
        return number

    made = ahead(make, range(5))
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(made)
    assert workers() == 0


def test_the_thread_ends_when_the_caller_stops():
    made = ahead(lambda number: time.sleep(0.01) or number, iter(int, 1))
    assert next(made) == 0 and workers() == 1
    made.close()
    assert workers() == 0


def test_the_thread_ends_when_the_caller_fails():
    with pytest.raises(KeyError):
        for _ in ahead(str, range(5)):
            raise KeyError
    assert workers() == 0
