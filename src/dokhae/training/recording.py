"""An encoder's passes in training on a GPU, recorded as CUDA graphs by the size of the batch, and played again.

A GPU works off a pass in less time than the host takes to tell it the two thousand kernels one by one; a recorded pass
is told at once. (torch.cuda.make_graphed_callables does it for one size.)
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from dokhae.model.attention import Seams
from dokhae.model.lowered import Lowered

log = logging.getLogger("dokhae")
MOST = 64  # sizes that are recorded: each keeps some tens of MiB
# variables with a user's own settings of its memory
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


class Recorder:
    """Stands in an encoder's forward until it is taken out.

    A batch of a size that is met for the first time is run as ever, which lets be made what is made only once; the
    second one is recorded. The numbers are the same, those of dropout too. Gradients lie in the same memory from step
    to step, and nothing hears of them but the weights' own `grad`, so DDP cannot work with it.
    """

    def __init__(self, encoder: nn.Module, adds: bool, lowered: Sequence[Lowered] = ()) -> None:
        """adds: gradients are added to those of the batches before it. lowered: what stands in for its layers."""
        self.encoder, self.adds, self.lowered = encoder, adds, lowered
        self.run = encoder.forward
        # of each size that was met. A number: bytes that its first pass left for the way back; None: there is no room
        self.sizes: dict[Any, Recording | int | None] = {}
        self.gradients: dict[nn.Parameter, Tensor] = {}
        self.pool: Any = None
        self.most = self.held = 0  # the most such bytes of any pass, and of a recorded one
        self.failed = False
        encoder.forward = self.forward

    def take_out(self) -> None:
        """Leave the encoder as it was, and give up the memory."""
        self._give_up()
        vars(self.encoder).pop("forward", None)  # the class has its own

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as transformers calls an encoder
        """The encoder's output. Of a recorded one only the last hidden state has a gradient."""
        seams = options.get("seams")
        learns = self.encoder.training and torch.is_grad_enabled()
        if self.failed or not learns or seams is None or not seams.bounds.is_cuda:
            return self.run(*args, **options)
        given = [*args, *options.values()]
        size = (tuple(options), tuple(map(described, given)))
        known = self.sizes.get(size)
        if isinstance(known, int):
            known = self.sizes[size] = self._record(known, args, options)
        if known is not None:
            return known.play(given)
        output, left = self._run(args, options)
        self.sizes.setdefault(size, left)
        return output

    def _run(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, int]:
        """The output as ever, and the bytes it leaves; where memory ends and recordings hold some, without them."""
        before, drawn = torch.cuda.memory_allocated(), _Drawn()
        try:
            with _casting_anew():  # as it is recorded, so that nothing is compiled anew then
                output = self.run(*args, **options)
            left = torch.cuda.memory_allocated() - before
            self.most = max(self.most, left)
            return output, left
        except torch.OutOfMemoryError:
            if self.pool is None:
                raise
        self._fail("there is too little memory beside it")  # out here, for the error holds what the pass had made
        drawn.restore()
        return self.run(*args, **options), 0

    def _record(self, left: int, args: tuple[Any, ...], options: dict[str, Any]) -> Recording | None:
        """None where there is no room for it, or where it fails, and then nothing is recorded any more."""
        drawn, stream = _Drawn(), torch.cuda.current_stream()
        try:
            if not self._has_room(left):
                return None
            recording = Recording(self, args, options)
            self.held = max(self.held, left)
            return recording
        except Exception as error:  # whatever a model does that cannot be recorded
            reason = str(error.__context__ or error).partition("\n")[0]
        # a recording that breaks off is left neither by its stream, nor by the allocator, nor by the random numbers
        torch.cuda.set_stream(stream)
        with contextlib.suppress(Exception):  # it has been left
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), self.pool)
        self._fail(reason)
        drawn.restore()
        return None

    def _has_room(self, left: int) -> bool:
        """Whether a recorded pass that leaves so much has room beside one that is not. Recorded ones share theirs."""
        weights = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        # where they lie from step to step, and what they are worked out in, which the recordings share
        gradients = 0 if self.gradients else 2 * sum(weight.nbytes for weight in weights)
        needed = max(left - self.held, 0) + self.most + gradients
        if torch.cuda.mem_get_info()[0] < needed:
            torch.cuda.empty_cache()
        recordings = sum(isinstance(one, Recording) for one in self.sizes.values())
        if recordings >= MOST or torch.cuda.mem_get_info()[0] < needed:
            return False
        if self.pool is None:
            _let_segments_grow()
            self.pool = torch.cuda.graph_pool_handle()
            self.gradients = {weight: torch.zeros_like(weight) for weight in weights}
        return True

    @contextlib.contextmanager
    def written_there(self) -> Iterator[None]:
        """Gradients of layers are written to where they are to lie, unless they are added to others."""
        for layer in self.lowered:
            layer.memory = {} if self.adds else self.gradients
        try:
            yield
        finally:
            for layer in self.lowered:
                layer.memory = {}

    def _fail(self, reason: str) -> None:
        """Record nothing any more."""
        log.info("training: without CUDA graphs, for the encoder cannot be recorded: %s", reason)
        self.failed = True
        self._give_up()

    def _give_up(self) -> None:
        """The memory that is held. Gradients that weights have stay theirs."""
        self.sizes.clear()
        self.gradients.clear()
        if self.pool is not None:
            self.pool = None
            torch.cuda.empty_cache()


class Recording:
    """Forward and backward pass for one size.

    Those of all sizes share their memory: each backward pass is played before the next forward pass.
    """

    def __init__(self, recorder: Recorder, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.given = [_copied(one) for one in [*args, *options.values()]]
        given = self.given[: len(args)], dict(zip(options, self.given[len(args) :], strict=True))
        weights = list(recorder.gradients)
        self.ahead, self.back, self.adds = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph(), recorder.adds
        with _casting_anew(), torch.cuda.graph(self.ahead, recorder.pool, capture_error_mode="thread_local"):
            output = recorder.run(*given[0], **given[1])
        states = output.last_hidden_state
        self.change = torch.empty_like(states)
        # autograd goes back without mixed precision
        with (
            torch.autocast("cuda", enabled=False),
            recorder.written_there(),
            torch.cuda.graph(self.back, recorder.pool, capture_error_mode="thread_local"),
        ):
            made = torch.autograd.grad(states, weights, self.change, allow_unused=True)
            found = {weight: one for weight, one in zip(weights, made, strict=True) if one is not None}
            kept = {weight: recorder.gradients[weight] for weight in found}
            elsewhere = [weight for weight in found if found[weight].data_ptr() != kept[weight].data_ptr()]
            if elsewhere:  # not where all that learn are in layers
                put = torch._foreach_add_ if self.adds else torch._foreach_copy_
                put([kept[weight] for weight in elsewhere], [found[weight] for weight in elsewhere])
        self.gradients = kept
        self.output = type(output)(**{name: _detached(one) for name, one in output.items()})
        self.states = states.detach()
        self.start = torch.zeros((), device=states.device, requires_grad=True)

    def play(self, given: list[Any]) -> Any:  # noqa: ANN401 - a ModelOutput of transformers
        """The encoder's output for what it is given now."""
        for own, one in zip(self.given, given, strict=True):
            if isinstance(one, Seams):
                own.bounds.copy_(one.bounds, non_blocking=True)
            elif isinstance(one, Tensor):
                own.copy_(one, non_blocking=True)
        states = cast(Tensor, _Played.apply(self.start, self))  # type: ignore[no-untyped-call]
        return type(self.output)(**{**self.output, "last_hidden_state": states})

    def play_back(self, change: Tensor) -> None:
        """Set the weights' gradients, or add to them."""
        self.change.copy_(change)
        if self.adds:
            fresh = [kept for weight, kept in self.gradients.items() if weight.grad is None]
            if fresh:
                torch._foreach_zero_(fresh)
            for weight, kept in self.gradients.items():
                if weight.grad is not None and weight.grad is not kept:
                    kept.copy_(weight.grad)
        self.back.replay()
        for weight, kept in self.gradients.items():
            if not self.adds and weight.grad is not None:  # the head uses it too
                kept.add_(weight.grad)
            weight.grad = kept


class _Played(torch.autograd.Function):
    """The last hidden state of a recorded pass. `start` is there for autograd to come back."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, recording: Recording) -> Tensor:  # noqa: ANN401
        ctx.recording = recording
        recording.ahead.replay()
        states: Tensor = recording.states.view_as(recording.states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:  # noqa: ANN401
        ctx.recording.play_back(gradients[0])
        return None, None


class _Drawn:
    """How far the random numbers of the GPU have got."""

    def __init__(self) -> None:
        self.generator = torch.cuda.default_generators[torch.cuda.current_device()]
        self.seed, self.offset = self.generator.initial_seed(), self.generator.get_offset()

    def restore(self) -> None:
        """Go back there, out of a recording that broke off too."""
        fresh = torch.Generator("cuda").manual_seed(self.seed)
        fresh.set_offset(self.offset)
        self.generator.graphsafe_set_state(fresh.graphsafe_get_state())


def _let_segments_grow() -> None:
    """Let the GPU's memory be taken in segments that grow, unless the user has settings of his own for it.

    Recordings share theirs, and each size of a batch divides it otherwise: in segments of fixed sizes, torch's default,
    what is free comes to lie in pieces that are too small for the next. It stays so for the process.
    """
    if not any(os.environ.get(name) for name in ALLOCATOR):
        with contextlib.suppress(RuntimeError):  # an allocator that does not know it
            torch._C._accelerator_setAllocatorSettings("expandable_segments:True")


def described(one: Any) -> Any:  # noqa: ANN401
    """What of an argument is part of a recording, and not given anew."""
    if isinstance(one, Seams):
        return len(one.lengths), one.longest, one.bounds.shape
    return (one.shape, one.dtype) if isinstance(one, Tensor) else one


def _copied(one: Any) -> Any:  # noqa: ANN401
    """An argument in memory of its own."""
    if isinstance(one, Seams):
        return replace(one, bounds=one.bounds.clone())
    return one.clone() if isinstance(one, Tensor) else one


def _detached(one: Any) -> Any:  # noqa: ANN401
    return one.detach() if isinstance(one, Tensor) else None


def _casting_anew() -> contextlib.AbstractContextManager[Any]:
    """Mixed precision as it is, but what it casts is not kept: it would be of a step, and lie in a recording."""
    return torch.autocast(
        "cuda",
        dtype=torch.get_autocast_dtype("cuda"),
        enabled=torch.is_autocast_enabled("cuda"),
        cache_enabled=False,
    )
