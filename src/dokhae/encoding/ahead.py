"""A map that works one item ahead of who takes the results, in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """`map(make, items)` that makes the next one in a thread while the caller works with this one.

    The items are taken in the caller's thread, in order, one ahead; what `make` raises comes when its result would.
    The thread ends with the iterator, also with one that is closed before its end.
    """
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming: deque[Future[Made]] = deque()
        for item in items:
            coming.append(pool.submit(make, item))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
