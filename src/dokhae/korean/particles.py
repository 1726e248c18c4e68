"""Particles and the copula, which are glued to nouns, as a plain list: where they may begin, without any analyser."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.korean.texts import Codes, code_points

# Postpositions of case, and those that add a shade of meaning.
POSTPOSITIONS = """
이 가 께서 을 를 의 에 에게 에게서 께 한테 한테서 에서 더러 으로 로 으로서 로서 으로써 로써 와 과 랑 이랑 하고
은 는 도 만 까지 부터 마저 조차 밖에 뿐 마다 이나 라도 이라도 이야 든지 이든지 나마 이나마 보다 처럼 만큼
"""

# The copula 이다 and what it becomes. Its forms that begin as verbs end (다, 고, 며, ...) are not here: they would cut
# every verb, a fifth more tokens, for one answer in two thousand.
COPULA = """
이다 이고 이며 이면 이자 이지만 이지 이기 이므로 이던 이니 이니까 이거나 이라 이라고 이라는 이라며 이라면 이라서 이란
이어서 이었다 이었고 이었던 이었으며 이었으나 이었는데 이었지만 이었기 이었음 이었을 이었다가 라 라고 라는 라며 란
인 인데 입니다 였다 였고 였던 였으며 였으나 였는데 였지만 였기 였음 였을
"""

PARTICLES = frozenset(f"{POSTPOSITIONS} {COPULA}".split())
LONGEST = max(map(len, PARTICLES))
AT_MOST = 6  # particles that follow one another; no noun has more


def ends_in_particles(word: str) -> tuple[int, ...]:
    """The places in a word of Hangul, ascending, from which on it is nothing but particles; never 0.

    >>> ends_in_particles("서울에서는")
    (2, 4)
    """
    found = particle_starts(code_points(word), np.array([len(word)]))
    return tuple((np.flatnonzero(found[1:]) + 1).tolist())


def particle_starts(codes: Codes, ends: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each character whether nothing but particles begins with it and goes on to one of the ends.

    codes: (character,). ends: places behind the last character of a word.
    """
    tree = _tree()
    size = len(codes)
    syllables = np.zeros(size + LONGEST, dtype=np.int16)
    syllables[:size] = tree.numbers.take(codes.astype(np.int64) - tree.first, mode="clip")
    places = np.flatnonzero(syllables)  # where a particle can begin at all
    node = np.full(len(places), tree.root, dtype=np.int16)
    particles = []  # of each length, where one of them begins
    for length in range(LONGEST):  # from every place at once, down the tree
        node = tree.next[node, syllables[places + length]]
        particles.append(places[tree.ends[node]])
    reached = np.zeros(size + 1, dtype=bool)
    reached[ends] = True
    found = np.zeros(size, dtype=bool)
    for _ in range(AT_MOST):
        new = [starts[reached[starts + length]] for length, starts in enumerate(particles, start=1)]
        before = np.count_nonzero(found)
        found[np.concatenate(new)] = True
        if np.count_nonzero(found) == before:
            break
        reached[:size] |= found
    return found


class _Tree(NamedTuple):
    """The particles as a tree of syllables. Syllable 0 is any other character, node 0 the dead end."""

    first: int  # the code point of the first entry of `numbers`, which is for all that are not between
    numbers: NDArray[np.int16]  # (code point - first,) its number; the last entry is for all behind
    next: NDArray[np.int16]  # (node, syllable)
    ends: NDArray[np.bool_]  # (node,) whether a particle ends there
    root: int


@functools.cache
def _tree() -> _Tree:
    every = sorted({*"".join(PARTICLES)})
    syllables = {syllable: number for number, syllable in enumerate(every, start=1)}
    first = ord(every[0]) - 1
    numbers = np.zeros(ord(every[-1]) - first + 2, dtype=np.int16)
    for syllable, number in syllables.items():
        numbers[ord(syllable) - first] = number
    nodes = {"": 1}
    for particle in sorted(PARTICLES):
        for length in range(1, len(particle) + 1):
            nodes.setdefault(particle[:length], len(nodes) + 1)
    following = np.zeros((len(nodes) + 1, len(syllables) + 1), dtype=np.int16)
    ends = np.zeros(len(nodes) + 1, dtype=bool)
    for prefix, node in nodes.items():
        ends[node] = prefix in PARTICLES
        if prefix:
            following[nodes[prefix[:-1]], syllables[prefix[-1]]] = node
    return _Tree(first, numbers, following, ends, nodes[""])
