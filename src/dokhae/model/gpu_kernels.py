"""Kernels for a GPU, in Triton, of what lies between a layer's matrix products: each goes through memory once.

Imported only where Triton is. `plain_kernels` says in torch's own operators what each of them works out.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

COLUMNS = 64  # of a tile of which columns are summed
# counts of rows are not specialised, for Triton would compile anew for such as 16 divides, in the middle of a training


def drop_add_norm(
    values: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, seed: Tensor, drop: tuple[int, float], eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `plain_kernels.drop_add_norm`."""
    rows, size = values.shape
    normed, sums = torch.empty_like(values), torch.empty_like(values)
    means, scales = (torch.empty(rows, dtype=torch.float32, device=values.device) for _ in range(2))
    tile, block = 2, triton.next_power_of_2(size)
    _drop_add_norm[triton.cdiv(rows, tile),](
        values, residual, weight, bias, seed, normed, sums, means, scales, rows, eps, *drop,
        SIZE=size, BLOCK=block, ROWS=tile, DROPS=drop[0] > 0, num_warps=_warps(tile * block),
    )  # fmt: skip
    return normed, sums, means, scales


def drop_add_norm_back(
    change: Tensor,
    sums: Tensor,
    means: Tensor,
    scales: Tensor,
    weight: Tensor,
    seed: Tensor,
    drop: tuple[int, float],
) -> tuple[Tensor, Tensor, Tensor]:
    """As `plain_kernels.drop_add_norm_back`."""
    rows, size = change.shape
    of_sum = torch.empty_like(change)
    of_values = torch.empty_like(change) if drop[0] > 0 else of_sum
    tile, block = 2, triton.next_power_of_2(size)
    programs = min(triton.cdiv(rows, tile), 4 * _cores(change))
    parts = torch.empty(3, programs, size, dtype=torch.float32, device=change.device)
    _drop_add_norm_back[programs,](
        change, sums, means, scales, weight, seed, of_sum, of_values, parts, rows, *drop,
        SIZE=size, BLOCK=block, ROWS=tile, DROPS=drop[0] > 0, num_warps=_warps(tile * block),
    )  # fmt: skip
    return of_sum, of_values, _added_up(parts, change.dtype)


def gelu_back(change: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """As `plain_kernels.gelu_back`."""
    rows, size = change.shape
    made = torch.empty_like(change)
    groups = triton.cdiv(rows, 64)
    parts = torch.empty(1, groups, size, dtype=torch.float32, device=change.device)
    _gelu_back[triton.cdiv(size, COLUMNS), groups](
        change, values, made, parts, rows, SIZE=size, COLUMNS=COLUMNS, ROWS=64, num_warps=8
    )
    return made, _added_up(parts, change.dtype)[0]


def join(first: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
    """As `plain_kernels.join`."""
    rows, size = first.shape
    groups = triton.cdiv(rows, 128)
    made = torch.empty(rows, 3 * size, dtype=first.dtype, device=first.device)
    parts = torch.empty(3, groups, size, dtype=torch.float32, device=first.device)
    _join[triton.cdiv(size, COLUMNS), groups, 3](
        first, second, third, made, parts, rows, SIZE=size, COLUMNS=COLUMNS, ROWS=128, num_warps=8
    )
    return made, _added_up(parts, first.dtype)


def _added_up(parts: Tensor, dtype: torch.dtype) -> Tensor:
    """(count, group, size) -> (count, size)."""
    count, groups, size = parts.shape
    made = torch.empty(count, size, dtype=dtype, device=parts.device)
    _add_up[triton.cdiv(size, 32), count](parts, made, groups, SIZE=size, COLUMNS=32, ROWS=64, num_warps=4)
    return made


def _cores(on: Tensor) -> int:
    """Of a GPU, that work side by side."""
    return torch.cuda.get_device_properties(on.device).multi_processor_count if on.is_cuda else 2


def _warps(numbers: int) -> int:
    """That share a tile of so many numbers."""
    return min(max(numbers // 512, 1), 8)


@triton.jit
def _is_kept(seed, row, BLOCK: tl.constexpr, threshold):
    """Whether dropout keeps the elements of a row: by numbers of Philox with 7 rounds, four for each place of it."""
    place = row[:, None] * (BLOCK // 4) + tl.arange(0, BLOCK // 4)[None, :]
    one, two, three, four = tl.randint4x(seed, place, 7)
    drawn = tl.join(tl.join(one, three), tl.join(two, four)).reshape(row.shape[0], BLOCK)
    return (drawn & 0x7FFFFFFF).to(tl.int32) >= threshold


@triton.jit(do_not_specialize=["rows"])
def _drop_add_norm(
    values_at, residual_at, weight_at, bias_at, seed_at, normed_at, sums_at, means_at, scales_at, rows, eps,
    threshold, factor,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    row, column = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, BLOCK)
    place = row[:, None].to(tl.int64) * SIZE + column[None, :]
    there = (row < rows)[:, None] & (column < SIZE)[None, :]
    values = tl.load(values_at + place, there, 0.0).to(tl.float32)
    if DROPS:
        values = tl.where(_is_kept(tl.load(seed_at), row, BLOCK, threshold), values * factor, 0.0)
    values += tl.load(residual_at + place, there, 0.0).to(tl.float32)
    held = values.to(sums_at.dtype.element_ty)
    tl.store(sums_at + place, held, there)
    values = held.to(tl.float32)
    mean = tl.sum(values, 1) / SIZE
    apart = tl.where((column < SIZE)[None, :], values - mean[:, None], 0.0)
    scale = tl.rsqrt(tl.sum(apart * apart, 1) / SIZE + eps)
    weight = tl.load(weight_at + column, column < SIZE, 0.0).to(tl.float32)
    bias = tl.load(bias_at + column, column < SIZE, 0.0).to(tl.float32)
    normed = apart * scale[:, None] * weight[None, :] + bias[None, :]
    tl.store(normed_at + place, normed.to(normed_at.dtype.element_ty), there)
    tl.store(means_at + row, mean, row < rows)
    tl.store(scales_at + row, scale, row < rows)


@triton.jit(do_not_specialize=["rows"])
def _drop_add_norm_back(
    change_at, sums_at, means_at, scales_at, weight_at, seed_at, of_sum_at, of_values_at, parts_at, rows,
    threshold, factor,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    program, programs, column = tl.program_id(0), tl.num_programs(0), tl.arange(0, BLOCK)
    weight = tl.load(weight_at + column, column < SIZE, 0.0).to(tl.float32)
    of_values_bias = tl.zeros((ROWS, BLOCK), tl.float32)
    of_weight = tl.zeros((ROWS, BLOCK), tl.float32)
    of_bias = tl.zeros((ROWS, BLOCK), tl.float32)
    for first in range(program * ROWS, rows, programs * ROWS):
        row = first + tl.arange(0, ROWS)
        place = row[:, None].to(tl.int64) * SIZE + column[None, :]
        there = (row < rows)[:, None] & (column < SIZE)[None, :]
        change = tl.load(change_at + place, there, 0.0).to(tl.float32)
        sums = tl.load(sums_at + place, there, 0.0).to(tl.float32)
        mean = tl.load(means_at + row, row < rows, 0.0)
        scale = tl.load(scales_at + row, row < rows, 0.0)
        normal = tl.where(there, (sums - mean[:, None]) * scale[:, None], 0.0)
        of_weight += change * normal
        of_bias += change
        of_normal = change * weight[None, :]
        level = tl.sum(of_normal, 1) / SIZE
        along = tl.sum(of_normal * normal, 1) / SIZE
        of_sum = (of_normal - level[:, None] - normal * along[:, None]) * scale[:, None]
        tl.store(of_sum_at + place, of_sum.to(of_sum_at.dtype.element_ty), there)
        if DROPS:
            of_sum = tl.where(_is_kept(tl.load(seed_at), row, BLOCK, threshold), of_sum * factor, 0.0)
            tl.store(of_values_at + place, of_sum.to(of_values_at.dtype.element_ty), there)
        of_values_bias += of_sum
    part = parts_at + program * SIZE + column
    tl.store(part, tl.sum(of_values_bias, 0), column < SIZE)
    tl.store(part + programs * SIZE, tl.sum(of_weight, 0), column < SIZE)
    tl.store(part + 2 * programs * SIZE, tl.sum(of_bias, 0), column < SIZE)


@triton.jit(do_not_specialize=["rows"])
def _gelu_back(
    change_at, values_at, made_at, parts_at, rows, SIZE: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr
):  # fmt: skip
    group = tl.program_id(1)
    column, row = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS), group * ROWS + tl.arange(0, ROWS)
    place = row[:, None].to(tl.int64) * SIZE + column[None, :]
    there = (row < rows)[:, None] & (column < SIZE)[None, :]
    change = tl.load(change_at + place, there, 0.0).to(tl.float32)
    values = tl.load(values_at + place, there, 0.0).to(tl.float32)
    # the normal distribution by Abramowitz and Stegun, 7.1.26, within 1e-7: the exact one takes longer than the memory
    bell = tl.exp(-0.5 * values * values)
    near = 1.0 / (1.0 + 0.2316419 * tl.abs(values))
    tail = near * (1.061405429 * near - 1.453152027)
    tail = near * (near * (near * (tail + 1.421413741) - 0.284496736) + 0.254829592) * 0.5 * bell
    below = tl.where(values > 0.0, 1.0 - tail, tail)
    made = change * (below + values * bell * 0.3989422804014327)
    tl.store(made_at + place, made.to(made_at.dtype.element_ty), there)
    tl.store(parts_at + group * SIZE + column, tl.sum(made, 0), column < SIZE)


@triton.jit(do_not_specialize=["rows"])
def _join(
    first_at, second_at, third_at, made_at, parts_at, rows,
    SIZE: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    group, groups, which = tl.program_id(1), tl.num_programs(1), tl.program_id(2)
    column, row = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS), group * ROWS + tl.arange(0, ROWS)
    values_at = first_at
    if which == 1:
        values_at = second_at
    if which == 2:
        values_at = third_at
    place = row[:, None].to(tl.int64) * SIZE + column[None, :]
    there = (row < rows)[:, None] & (column < SIZE)[None, :]
    values = tl.load(values_at + place, there, 0.0)
    tl.store(made_at + row[:, None].to(tl.int64) * (3 * SIZE) + which * SIZE + column[None, :], values, there)
    tl.store(parts_at + (which * groups + group) * SIZE + column, tl.sum(values.to(tl.float32), 0), column < SIZE)


@triton.jit(do_not_specialize=["groups"])
def _add_up(parts_at, made_at, groups, SIZE: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr):
    which = tl.program_id(1)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for first in range(0, groups, ROWS):
        group = first + tl.arange(0, ROWS)
        there = (group < groups)[:, None] & (column < SIZE)[None, :]
        total += tl.load(parts_at + (which * groups + group)[:, None] * SIZE + column[None, :], there, 0.0)
    made = tl.sum(total, 0).to(made_at.dtype.element_ty)
    tl.store(made_at + which * SIZE + column, made, column < SIZE)
