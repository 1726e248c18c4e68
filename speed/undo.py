"""dokhae without one of its levers, in the process of one turn: the product has no switches for a benchmark's sake."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# glibc's heap keeps what is freed, and takes it from the system in large pages
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


@contextlib.contextmanager
def undone(names: Sequence[str]) -> Iterator[None]:
    """The product without some of UNDO's levers."""
    with contextlib.ExitStack() as stack:
        for name in names:
            for replacement in UNDO[name]():
                stack.enter_context(replacement)
        yield


def without_packing() -> list[contextlib.AbstractContextManager[None]]:
    """Every model is found unfit for it, so its batches are padded to their longest window."""
    from dokhae.model import packing

    return [replaced(packing.pack, lambda *given, **options: False)]


def without_cheap_dropout() -> list[contextlib.AbstractContextManager[None]]:
    """The dropout modules that torch has, and its masks in attention."""
    from dokhae.model import dropout

    return [replaced(dropout.replace_dropout, lambda model: None), replaced(dropout.drop, dropout.drop_one_by_one)]


def without_fused_optimizer() -> list[contextlib.AbstractContextManager[None]]:
    """AdamW in torch's loop over the weights."""
    from dokhae.training import optimizers

    def make(*given: Any) -> Any:  # noqa: ANN401
        optimizer = original(*given)
        for group in optimizer.param_groups:
            group["fused"] = False
        return optimizer

    original = optimizers.make_optimizer
    return [replaced(original, make)]


def without_lowered_layers() -> list[contextlib.AbstractContextManager[None]]:
    """Mixed precision operator by operator."""
    from dokhae.model import lowered

    return [replaced(lowered.lower_layers, lambda *given, **options: [])]


def without_blocks() -> list[contextlib.AbstractContextManager[None]]:
    """Layers as their modules have them, operator by operator."""
    from dokhae.model import fused

    return [replaced(fused.fuse, lambda layer: [])]


UNDO = {
    "packing": without_packing,
    "dropout": without_cheap_dropout,
    "fused": without_fused_optimizer,
    "lowered": without_lowered_layers,
    "blocks": without_blocks,
}


@contextlib.contextmanager
def replaced(original: Callable[..., Any], other: Callable[..., Any]) -> Iterator[None]:
    """Another function under the name of one of dokhae's, wherever it has been imported to."""
    import dokhae.training.fit  # noqa: F401 - whoever imports it has to be there

    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "dokhae"]
    places = [(module, name) for module in modules for name, value in vars(module).items() if value is original]
    assert places, f"{original.__qualname__}: nobody in dokhae has it"
    for module, name in places:
        setattr(module, name, other)
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, original)
