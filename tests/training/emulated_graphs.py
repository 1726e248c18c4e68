"""CUDA graphs on a CPU: what is recorded is each operator with its very tensors, and played they are given again.

So what a recording gets wrong shows as on a GPU: an argument that was not given anew, a number of the host's that went
in as it was, a result that is read before anything was played (it is no number until then), a value asked for.
Attention goes by the bounds of the windows, as flash attention does.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dokhae.model import attention

ROOM = 1 << 40
SETTINGS = []  # what the allocator of memory was told


class OnGpu(torch.Tensor):
    """A tensor that says so."""

    is_cuda = property(lambda self: True)


class Graph:
    """torch.cuda.CUDAGraph."""

    def __init__(self):
        self.told = []  # (operator, arguments, named ones, what it made that is not part of an argument)

    def replay(self):
        with torch.no_grad():
            for *_, made in self.told:
                for one in made:
                    one.fill_(float("nan") if one.is_floating_point() else 1)
            for func, args, kwargs, made in self.told:
                found = new(func(*args, **kwargs), args, kwargs)
                for one, value in zip(made, found, strict=True):
                    one.copy_(value)


def tensors(values):
    return [one for one in tree_leaves(values) if isinstance(one, torch.Tensor)]


def new(found, args, kwargs):
    """Of what an operator returns, what lies in memory of its own."""
    given = {one.untyped_storage().data_ptr() for one in tensors([args, kwargs])}
    return [one for one in tensors(found) if one.untyped_storage().data_ptr() not in given]


class Capture(TorchDispatchMode):
    """torch.cuda.graph."""

    now = None  # the one that goes on

    def __init__(self, graph, pool, capture_error_mode):
        super().__init__()
        self.graph = graph

    def __enter__(self):
        Capture.now, self.drawn = self, torch.get_rng_state()
        return super().__enter__()

    def __exit__(self, *error):
        Capture.now = None
        if error[0] is None:  # else the random numbers are left somewhere
            torch.set_rng_state(self.drawn)
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        # a GPU works nothing out meanwhile: what is new holds no numbers yet, and what was there before stays
        before = [(one, one.clone()) for one in tensors([args, kwargs])] if func._schema.is_mutable else []
        found = func(*args, **kwargs)
        for one, held in before:
            one.copy_(held)
        self.graph.told.append((func, args, kwargs, new(found, args, kwargs)))
        return found


class Generator:
    """A GPU's generator of random numbers, which here is the CPU's; an offset is the state that it has got to."""

    def __init__(self, device="cuda"):
        self.offset = None

    def initial_seed(self):
        return 0

    def manual_seed(self, seed):
        return self

    def get_offset(self):
        return torch.get_rng_state()

    def set_offset(self, offset):
        self.offset = offset

    def graphsafe_get_state(self):
        return self.offset

    def graphsafe_set_state(self, state):
        torch.set_rng_state(state)


def by_bounds(rows, seams, dropout, scale, reach):
    """Attention of windows end to end that asks the host for nothing but how many tokens there are, and in a window."""
    place, bounds = torch.arange(len(rows[0])), seams.bounds.as_subclass(torch.Tensor)
    window = torch.bucketize(place, bounds[1:], right=True)
    beyond = place - bounds[window] >= seams.longest  # where flash attention does not come
    apart = window[:, None] != window
    if reach is not None:
        apart = apart | ((place[:, None] - place).abs() >= reach)
    query, key, value = (row.transpose(0, 1) for row in rows)
    scores = (query @ key.transpose(1, 2) * scale).masked_fill(apart, float("-inf"))
    made = (torch.nn.functional.dropout(scores.softmax(-1), dropout) @ value).transpose(0, 1)
    return made.masked_fill(beyond[:, None, None], float("nan"))


def emulate(monkeypatch):
    """Until the test ends."""
    seams_of = attention.Seams.of

    def on_gpu(lengths, device, *padding):
        seams = seams_of(lengths, device, *padding)
        return replace(seams, bounds=seams.bounds.as_subclass(OnGpu))

    for name, stand_in in {
        "CUDAGraph": Graph,
        "graph": Capture,
        "graph_pool_handle": object,
        "is_current_stream_capturing": lambda: Capture.now is not None,
        "memory_allocated": lambda: 0,
        "mem_get_info": lambda: (ROOM, ROOM),
        "empty_cache": lambda: None,
        "current_device": lambda: 0,
        "current_stream": lambda: None,
        "set_stream": lambda stream: None,
        "default_generators": [Generator()],
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch._C, "_accelerator_setAllocatorSettings", SETTINGS.append)
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch, "autocast", without_a_gpu(torch.autocast))
    monkeypatch.setattr(attention.Seams, "of", on_gpu)
    monkeypatch.setattr(attention, "_on_cpu", by_bounds)
    return SimpleNamespace(device="cpu", tolerance=0)


def without_a_gpu(autocast):
    """torch.autocast, which warns where there is no GPU."""

    def made(device, *told, **options):
        return contextlib.nullcontext() if device == "cuda" else autocast(device, *told, **options)

    return made
