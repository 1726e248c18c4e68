from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokhae.korean.particles import AT_MOST, PARTICLES, ends_in_particles, particle_starts
from dokhae.korean.texts import code_points

SYLLABLES = sorted({*"".join(PARTICLES)} | set("서울나라가힣"))


@pytest.mark.parametrize(
    ("word", "places"),
    [
        ("서울은", (2,)),
        ("서울에서는", (2, 4)),
        ("서울이었다", (2,)),
        ("학교에서도", (2, 4)),
        ("사람들에게까지", (3, 5)),
        ("아이가", (1, 2)),  # 이가 may be two particles: which, the model decides
        ("서울", ()),
        ("은", ()),  # a word is not all particles
        ("", ()),
        ("갔다", ()),  # verbs stay whole
        ("BTS는", (3,)),
    ],
)
def test_where_particles_may_begin(word, places):
    assert ends_in_particles(word) == places


def plain(word):
    """The same, written as it is said."""
    reached = {len(word)}
    found = set()
    for _ in range(AT_MOST):
        found |= {start for start in range(len(word)) for end in reached if word[start:end] in PARTICLES}
        reached |= found
    return tuple(sorted(found - {0}))


@settings(deadline=None, max_examples=120)
@given(
    st.one_of(
        st.text(st.sampled_from(SYLLABLES), max_size=12), st.lists(st.sampled_from(sorted(PARTICLES))).map("".join)
    )
)
def test_the_tree_finds_what_the_definition_says(word):
    assert ends_in_particles(word) == plain(word)


def test_words_of_one_text_do_not_see_one_another():
    text = "서울은 에서 서울에서"
    ends = np.array([3, 6, 11])
    assert np.flatnonzero(particle_starts(code_points(text), ends)).tolist() == [2, 4, 9]


def test_a_very_long_run_of_particles_takes_no_longer_than_others():
    assert len(ends_in_particles("은" * 100_000)) == AT_MOST
