"""Attention within the windows of a row: what its definition says, however the windows are grouped."""

from __future__ import annotations

import itertools
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dokhae.model import written_out
from dokhae.model.attention import Seams, attend
from dokhae.model.written_out import groups

TOGETHER, APART = (8192, 800_000), (0, 800_000)  # all windows of a row, or equal ones alone
OFTEN = [
    (None, written_out.LONG, TOGETHER), (None, 5, TOGETHER), (None, 3, APART),
    (3, written_out.LONG, TOGETHER), (3, 3, TOGETHER), (3, 5, APART),
]  # fmt: skip


def heads(tokens, seed, dtype=torch.float64):
    return torch.randn(1, 2, tokens, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def by_definition(query, key, value, lengths, reach=None):
    """(1, token, head, size), window by window; behind the last one 0."""
    made, first = [], 0
    for length in lengths:
        q, k, v = (one[0, :, first : first + length] for one in (query, key, value))
        far = [[abs(one - other) >= (reach or length) for one in range(length)] for other in range(length)]
        scores = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).masked_fill(torch.tensor(far), float("-inf"))
        made.append((scores.softmax(-1) @ v).transpose(0, 1))
        first += length
    rest = query.shape[2] - first
    return torch.cat([*made, torch.zeros(rest, 2, 4, dtype=query.dtype)])[None]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=9),
    behind=st.integers(0, 3),
    reach=st.sampled_from([None, 1, 3, 30]),
    limits=st.sampled_from([(8192, 800_000), (0, 800_000), (100, 800_000), (8192, 1000), (0, 0)]),
    long=st.sampled_from([written_out.LONG, 20]),
)
def test_outputs_and_gradients_are_those_of_the_definition(lengths, behind, reach, limits, long):
    tokens = sum(lengths) + behind
    given_to = [heads(tokens, seed) for seed in range(3)]
    gradient = heads(tokens, 3).detach().transpose(1, 2)
    gradient[:, sum(lengths) :] = 0
    groups.cache_clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(written_out, "LONG", long)
        patched.setattr(written_out, "A_GROUP", limits[0])
        patched.setattr(written_out, "AT_ONCE_IN_CACHE", limits[1])
        found = attend(None, *given_to, None, sliding_window=reach, seams=Seams.of(lengths, "cpu"))[0]
        wanted = by_definition(*given_to, lengths, reach)
        torch.testing.assert_close(found, wanted)
        for one, other in zip(
            torch.autograd.grad(found, given_to, gradient),
            torch.autograd.grad(wanted, given_to, gradient),
            strict=True,
        ):
            torch.testing.assert_close(one, other)
    groups.cache_clear()


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=9),
    behind=st.integers(0, 3),
    reach=st.sampled_from([None, 1, 3, 30]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_answers_are_those_of_the_definition_too(lengths, behind, reach, dtype):
    with torch.no_grad():
        exact = [heads(sum(lengths) + behind, seed) for seed in range(3)]
        rows = [one.to(dtype) for one in exact]
        found = attend(None, *rows, None, sliding_window=reach, seams=Seams.of(lengths, "cpu"))[0]
        error = 1e-5 if dtype == torch.float32 else 0.04
        torch.testing.assert_close(found.double(), by_definition(*exact, lengths, reach), atol=error, rtol=error)


@given(
    lengths=st.lists(st.integers(1, 1500), min_size=1, max_size=40).map(tuple),
    most=st.sampled_from([0, 100_000, 800_000, 3_200_000]),
)
def test_groups_hold_every_window_once_and_pad_little(lengths, most):
    found = groups(lengths, 12, most)
    assert tuple(length for group in found for length in group.lengths) == lengths
    assert [group.first for group in found] == [
        sum(length for before in found[:number] for length in before.lengths) for number in range(len(found))
    ]
    padded = sum(len(group.lengths) * group.longest**2 for group in found)
    joined = sum(len(group.lengths) - 1 for group in found)
    assert padded <= sum(length**2 for length in lengths) + joined * written_out.A_GROUP
    for group in found:
        assert len(group.lengths) == 1 or 12 * len(group.lengths) * group.longest**2 <= most
        heads_at_once = [head for part in group.parts for head in range(12 * len(group.lengths))[part]]
        assert heads_at_once == list(range(12 * len(group.lengths)))


def test_a_batch_of_windows_of_nearly_one_length_is_few_groups():
    lengths = tuple(range(176, 192))
    assert len(groups(lengths, 12, written_out.AT_ONCE[torch.bfloat16])) <= 3
    assert len(groups(tuple(range(48, 64)), 12, written_out.AT_ONCE_IN_CACHE)) == 2


# long: of four windows, some are worked out twice
@pytest.mark.parametrize(
    ("reach", "long", "limits"),
    [
        pytest.param(*case, marks=[] if case in OFTEN else pytest.mark.slow)
        for case in itertools.product([None, 3], [written_out.LONG, 5, 3], [TOGETHER, APART])
    ],
)
def test_gradients_of_attention_with_dropout_are_those_of_its_definition(reach, long, limits, monkeypatch):
    monkeypatch.setattr(written_out, "LONG", long)
    monkeypatch.setattr(written_out, "A_GROUP", limits[0])
    groups.cache_clear()
    seams = Seams.of([5, 5, 1, 7], "cpu")

    def attended(query, key, value):
        torch.manual_seed(1)
        return attend(None, query, key, value, None, dropout=0.3, sliding_window=reach, seams=seams)[0]

    assert torch.autograd.gradcheck(attended, (heads(18, 0), heads(18, 1), heads(18, 2)))
    groups.cache_clear()


def test_attention_with_dropout_is_right_on_average():
    seams = Seams.of([6, 6, 9], "cpu")
    with torch.no_grad():
        query, key, value = heads(21, 0), heads(21, 1), heads(21, 2)
        exact = attend(None, query, key, value, None, seams=seams)[0]
        torch.manual_seed(0)
        drawn = [attend(None, query, key, value, None, dropout=0.1, seams=seams)[0] for _ in range(3000)]
    torch.testing.assert_close(torch.stack(drawn).mean(0), exact, atol=0.03, rtol=0)
    assert not torch.equal(drawn[0], drawn[1])


def test_of_attention_that_is_dropped_altogether_nothing_is_left():
    rows = [heads(9, seed).detach().requires_grad_() for seed in range(3)]
    found = attend(None, *rows, None, dropout=1.0, seams=Seams.of([4, 5], "cpu"))[0]
    assert not found.any()
    assert not any(one.any() for one in torch.autograd.grad(found.sum(), rows))


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("answers", [True, False])
def test_arrays_of_pairs_of_tokens_are_kept_for_gradients_alone_and_only_with_dropout(dropout, answers, monkeypatch):
    made, shares = [], written_out._shares

    def watched(*told):
        found = shares(*told)
        made.extend(weakref.ref(one) for one in found)
        return found

    monkeypatch.setattr(written_out, "_shares", watched)
    rows = [heads(9, seed).detach().requires_grad_(not answers) for seed in range(3)]
    found = attend(None, *rows, None, dropout=dropout, seams=Seams.of([9], "cpu"))[0]
    assert found.requires_grad != answers
    assert len(made) == 2 and sum(one() is not None for one in made) == (2 if dropout and not answers else 0)


@pytest.mark.parametrize("in_fp32", [(0, 1), (2,), (0, 1, 2)])
def test_under_autocast_what_a_model_left_in_fp32_is_cast(in_fp32):
    lengths = [5, 5, 1, 7]
    rows = [heads(18, seed).detach().to(torch.float32 if seed in in_fp32 else torch.bfloat16) for seed in range(3)]
    rows = [one.requires_grad_() for one in rows]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attend(None, *rows, None, dropout=0.1, seams=Seams.of(lengths, "cpu"))[0]
        plain = attend(None, *rows, None, seams=Seams.of(lengths, "cpu"))[0]
    assert found.dtype == torch.bfloat16
    wanted = by_definition(*(one.float() for one in rows), lengths)
    torch.testing.assert_close(plain.float(), wanted, atol=0.03, rtol=0.03)
    for one, gradient in zip(rows, torch.autograd.grad(found.float().sum(), rows), strict=True):
        assert gradient.dtype == one.dtype and gradient.isfinite().all() and gradient.any()


def test_there_is_no_second_derivative():
    rows = [heads(9, seed) for seed in range(3)]
    found = attend(None, *rows, None, seams=Seams.of([9], "cpu"))[0]
    (gradient,) = torch.autograd.grad((found**2).sum(), rows[2], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
