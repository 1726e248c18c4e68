"""Many numbers as text with six decimals, by tables in numpy: what `json` does takes ten times as long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MILLION, THOUSAND = 10**6, 1000


def _words(texts: list[str]) -> NDArray[np.uint32]:
    """Texts of up to four characters as a word each, filled up with zeros in front."""
    return np.frombuffer("".join(text.rjust(4, "\0") for text in texts).encode(), dtype=np.uint32)


THREE = [f"{number:03d}" for number in range(THOUSAND)]
WHOLE = _words([f"{sign}{number}" for sign in ("", "-") for number in range(THOUSAND)])  # before the point
FIRST, LAST = _words([f".{digits}" for digits in THREE]), _words([f"{digits}," for digits in THREE])
LAST_OF_ROW = _words([f"{digits}\n" for digits in THREE])


def six_decimals(rows: NDArray[np.float32]) -> list[str]:
    """Each row of finite numbers, (row, column), as `0.250000,-1.500000`.

    Rounded as Python's round(value, 6) does, to the nearest and half to even: times a million a float32 is exact.
    """
    millionths = np.rint(np.abs(rows).astype(np.float64) * MILLION)
    if millionths.max(initial=0) >= THOUSAND * MILLION:  # no model that is in use has such states
        return [",".join(f"{round(value, 6):.6f}" for value in row) for row in rows.tolist()]
    thousandths, last = _split(millionths.astype(np.int64))
    whole, first = _split(thousandths)
    words = np.empty((*rows.shape, 3), dtype=np.uint32)
    words[..., 0] = WHOLE[whole + THOUSAND * (rows < 0)]
    words[..., 1] = FIRST[first]
    words[..., 2] = LAST[last]
    words[:, -1, 2] = LAST_OF_ROW[last[:, -1]]
    return words.tobytes().translate(None, b"\0").decode("ascii").split("\n")[:-1]


def _split(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Thousands and rests."""
    thousands = numbers // THOUSAND
    return thousands, numbers - thousands * THOUSAND
