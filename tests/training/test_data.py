"""The loader of training windows: every window once an epoch, and a memory of how far it is."""

from __future__ import annotations

import numpy as np

from dokhae.training.data import TrainingBatches

LENGTHS = np.arange(10, 60)


def taken(batches):
    return [windows.tolist() for windows in batches]


def test_an_epoch_holds_every_window_once_in_an_order_of_its_own():
    batches = TrainingBatches(LENGTHS, 8, seed=1)
    first, second = taken(batches), taken(batches)
    assert len(first) == len(batches) == 7
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(50))
    assert first != second


def test_a_loader_that_stopped_goes_on_with_the_next_batch():
    whole = TrainingBatches(LENGTHS, 8, seed=1)
    expected = taken(whole) + taken(whole)

    stopped = TrainingBatches(LENGTHS, 8, seed=1)
    seen = []
    for windows in stopped:
        seen.append(windows.tolist())
        if len(seen) == 3:
            break
    resumed = TrainingBatches(LENGTHS, 8, seed=1)
    resumed.load_state_dict(stopped.state_dict())
    assert seen + taken(resumed) + taken(resumed) == expected


def test_a_loader_that_ended_an_epoch_goes_on_with_the_next():
    whole = TrainingBatches(LENGTHS, 8, seed=1)
    taken(whole)
    resumed = TrainingBatches(LENGTHS, 8, seed=1)
    resumed.load_state_dict(whole.state_dict())
    assert taken(resumed) == taken(whole)
