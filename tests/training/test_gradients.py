"""The mean of gradients over processes: what DDP's own is, with only the used rows of large embeddings sent."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dokhae.training import gradients
from dokhae.training.gradients import LARGE, large_embeddings, mean_gradients
from training.world import results, run

WIDTH = 512
WORDS = LARGE // WIDTH  # the fewest that are told apart
TOKENS = ([[3, 7, 7, 0]], [[7, WORDS - 1]], [[0, 5], [5, 11]])  # of each process


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(8, WIDTH)
        self.layer = nn.Linear(WIDTH, 4)

    def forward(self, tokens):
        states = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.layer(states).square().mean()


def used_rows(gradient):
    """(Row, column) -> the numbers of its rows that are not 0, and what they hold."""
    rows = gradient.any(1).nonzero()[:, 0]
    return rows.tolist(), gradient[rows].numpy()


def gradients_of(rank, hooked, batches, factor=1.0):
    """The used rows of all gradients of a process after these batches; how many numbers were sent for the last one."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = DistributedDataParallel(Encoder(), gradient_as_bucket_view=True)
    if hooked:
        model.register_comm_hook(large_embeddings(model), mean_gradients)
    sent = watch_what_is_sent()
    model(torch.tensor([[rank]])).backward()  # after its first gradients DDP changes its buckets
    model.zero_grad()
    sent.clear()
    for batch in batches[:-1]:
        with model.no_sync():
            model(torch.tensor(batch[rank])).backward()
    (factor * model(torch.tensor(batches[-1][rank]))).backward()
    found = [used_rows(weight.grad.view(len(weight), -1)) for weight in model.parameters()]
    del model  # before its group: torch would hang now and then
    dist.destroy_process_group()
    return found, sum(sent)


def watch_what_is_sent():
    sent, send = [], dist.all_reduce

    def all_reduce(tensor, *more, **options):
        sent.append(tensor.numel())
        return send(tensor, *more, **options)

    dist.all_reduce = all_reduce
    return sent


def both_ways(processes, *batches, factor=1.0):
    """What the processes have without the hook, and with it: gradients, and numbers sent."""
    plain, hooked = (results(run(processes, gradients_of, way, batches, factor)) for way in (False, True))
    return [found for found, _ in plain], [found for found, _ in hooked], [sent for _, sent in hooked]


def same(ones, others):
    pairs = zip(ones, others, strict=True)
    return all(one[0] == other[0] and one[1].tobytes() == other[1].tobytes() for one, other in pairs)


def test_two_processes_have_the_gradients_that_they_have_without_it():
    plain, hooked, sent = both_ways(2, TOKENS)
    assert all(same(ours, plain[0]) for ours in hooked)
    used = hooked[0][0][0]
    assert used == [0, 3, 7, WORDS - 1]
    assert sent == [WORDS + len(used) * WIDTH + 8 * WIDTH + 4 * WIDTH + 4] * 2  # the last are places and layer


def test_three_processes_have_them_but_for_the_order_of_their_sums():
    plain, hooked, _ = both_ways(3, TOKENS)
    assert all(same(ours, hooked[0]) for ours in hooked)
    for (rows, ours), (others, theirs) in zip(hooked[0], plain[0], strict=True):
        assert rows == others
        assert abs(ours - theirs).max() <= 1e-6 * abs(theirs).max()


def test_rows_of_all_batches_since_the_last_step_are_summed():
    plain, hooked, _ = both_ways(2, ([[1]], [[2]]), ([[4]], [[4]]), TOKENS)
    assert all(same(ours, plain[0]) for ours in hooked)
    assert hooked[1][0][0] == [0, 1, 2, 3, 4, 7, WORDS - 1]


def test_an_embedding_may_have_no_used_row_at_all():
    """As in the first step of a head of zeros."""
    plain, hooked, _ = both_ways(2, TOKENS, factor=0.0)
    assert all(same(ours, plain[0]) for ours in hooked)
    assert hooked[1][0][0] == []


@pytest.mark.parametrize("value", [-1e-45, float("nan"), float("-inf"), 3e38])
def test_a_row_of_one_small_or_broken_number_is_used(value, monkeypatch):
    monkeypatch.setattr(gradients.dist, "all_reduce", lambda *_: None)
    gradient = torch.zeros(5, 3)
    gradient[3, 1] = value
    assert gradients._used(gradient).tolist() == [3]


def test_an_embedding_is_large_by_its_elements():
    model = Encoder()
    assert large_embeddings(model) == {id(model.words.weight)}
    assert large_embeddings(nn.ModuleList([nn.Linear(2048, 2048), nn.Embedding(WORDS - 1, WIDTH)])) == set()
