"""Steps of training as a GPU would be given them, on a machine without one: torch's fake tensors hold no numbers.

Run by test_fake_gpu.py, under a torch that takes fake_gpu.cpp for a GPU. Prints what each case came to, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from dokhae.model.attention import Seams, attend
from dokhae.model.dropout import replace_dropout
from dokhae.model.loading import load_model, locate
from dokhae.model.lowered import lower_layers
from dokhae.model.padding import to_tensor
from dokhae.model.span import span_logits, span_loss
from rows import LENGTHS, inputs, windows
from tiny_models import make_model

aten = torch.ops.aten
FAMILIES = ("bert", "electra", "roberta", "albert", "distilbert", "modernbert", "mobilebert")  # the last is padded
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}
HOPPER, TURING = (9, 0), (7, 5)  # an H100's and a T4's compute capability
FLASH = {aten._flash_attention_forward.default, torch.ops.torch_attn._varlen_attn.default}


class Wait(Exception):
    """The host would wait for the GPU."""


class Gpu(TorchDispatchMode):
    """What a GPU minds and fake tensors do not; which operators it was given.

    FakeTensorMode itself raises where the host asks for a value (DataDependentOutputException), where it would have to
    know how many there are (DynamicOutputShapeException), and where an operator is given tensors of two devices.
    """

    def __init__(self, capability=HOPPER, records=False):
        super().__init__()
        torch.cuda.is_current_stream_capturing = lambda: records
        self.given, self.pinned = Counter(), []
        torch.cuda.get_device_capability = lambda *_: capability

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.given[func] += 1
        if func is aten._pin_memory.default:  # which FakeTensorMode does not know
            self.pinned.append(args[0].clone())
            return self.pinned[-1]
        if func is aten._to_copy.default and kwargs.get("device") is not None:
            self._copied(args[0], torch.device(kwargs["device"]), kwargs.get("non_blocking"))
        if func is aten.copy_.default:
            self._copied(args[1], args[0].device, args[2] if len(args) > 2 else kwargs.get("non_blocking"))
        if func in FLASH:
            self._attended(*args[:5])
        return func(*args, **kwargs)

    def _copied(self, source, device, non_blocking):
        if source.device.type == device.type:
            return
        if not (non_blocking and any(source is one for one in self.pinned)):
            raise Wait(f"a copy of {tuple(source.shape)} from {source.device.type} to {device.type}")

    def _attended(self, query, key, value, first, last):
        """As pytorch's flash_api.cpp checks it."""
        dtypes = {query.dtype, key.dtype, value.dtype}
        assert dtypes in ({torch.bfloat16}, {torch.float16}), dtypes
        assert torch.cuda.get_device_capability() >= (8, 0), "flash attention on a GPU that has none"
        assert query.shape[-1] % 8 == 0 and query.shape[-1] <= 256, f"heads of {query.shape[-1]}"
        assert query.shape == key.shape == value.shape and query.ndim == 3
        assert all(one.stride(-1) == 1 for one in (query, key, value))
        assert all(one.dtype == torch.int32 and one.is_contiguous() and one.is_cuda for one in (first, last))


@contextlib.contextmanager
def autocast(dtype):
    """torch.autocast("cuda"), which looks for a GPU."""
    torch.set_autocast_enabled("cuda", dtype is not None)
    torch.set_autocast_dtype("cuda", dtype or torch.float16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)


def outcome(work, *told, **more):
    """What some work returns, or the error that it ends with."""
    try:
        return work(*told, **more)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def described(tensor):
    return [list(tensor.shape), str(tensor.dtype).removeprefix("torch."), str(tensor.device)]


def attention(dtype, dropout, reach, size, capability=HOPPER, records=False):
    """Forward and backward."""
    lengths = [40, 40, 1, 200, 7]
    with FakeTensorMode(), Gpu(capability, records) as gpu:
        heads = [torch.randn(1, 4, sum(lengths), size, dtype=dtype, device="cuda", requires_grad=True) for _ in "qkv"]
        seams = Seams.of(lengths, "cuda")
        made = attend(None, *heads, None, dropout=dropout, sliding_window=reach, seams=seams)[0]
        made.float().square().sum().backward()
    return {
        "made": described(made),
        "gradients": [described(one.grad) for one in heads],
        "flash": sum(gpu.given[one] for one in FLASH),
    }


def step(model, batch, precision, spoilt=None):
    """One of training: logits, loss, gradients, clipping, the optimizer. spoilt: does something to the loss."""
    fake = FakeTensorMode()
    with fake:
        model._apply(lambda weight: fake.from_tensor(weight).to("cuda"))
    with fake, Gpu() as gpu:
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        with autocast(PRECISIONS[precision]):
            logits = span_logits(model, batch, "cuda")
            lengths = to_tensor(batch.lengths, "cuda")
            loss = span_loss(*logits, lengths, *[to_tensor(batch.lengths.cumsum() - 1, "cuda")] * 2)
            if spoilt is not None:
                spoilt(loss)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    named = list(model.named_parameters())
    return {
        "logits": [described(one) for one in logits],
        "loss": described(loss),
        "weights": {name: described(weight) for name, weight in named},
        "gradients": {
            name: weight.grad is not None and described(weight.grad) for name, weight in model.named_parameters()
        },
        "flash": sum(gpu.given[one] for one in FLASH),
    }


def main():
    found = {}
    for name, dropout, reach in product(PRECISIONS, (0.0, 0.1), (None, 16)):
        dtype = PRECISIONS[name] or torch.float32
        found[f"attention {name} {dropout} {reach}"] = outcome(attention, dtype, dropout, reach, 64)
    found["heads of 26"] = outcome(attention, torch.bfloat16, 0.1, None, 26)
    found["an older GPU"] = outcome(attention, torch.float16, 0.1, None, 64, TURING)
    found["recorded"] = outcome(attention, torch.bfloat16, 0.1, None, 64, records=True)
    found["recorded without flash attention"] = outcome(attention, torch.float32, 0.1, None, 64, records=True)
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            source = locate(make_model(family, Path(folder) / family, layers=2))
            for precision in PRECISIONS if family == "bert" else ("bf16",):
                model = load_model(source).train()
                replace_dropout(model)
                if precision == "bf16":  # asked on the CPU, as long as there are numbers
                    assert bool(lower_layers(model, PRECISIONS[precision])) == (family not in ("albert", "mobilebert"))
                batch = inputs(model, windows(family, *LENGTHS))
                found[f"{family} {precision}"] = outcome(step, model, batch, precision)
        spoilers = {
            "a value": lambda loss: float(loss.detach()),
            "a copy": lambda loss: loss.detach().cpu(),
            "a count": lambda loss: loss.reshape(1).nonzero(),
            "pageable": lambda loss: torch.ones(3).to("cuda"),
            "two devices": lambda loss: loss.reshape(1) + torch.ones(1),
        }
        for name, spoilt in spoilers.items():
            model = load_model(locate(Path(folder) / "bert")).train()
            batch = inputs(model, windows("bert", *LENGTHS))
            found[name] = outcome(step, model, batch, "bf16", spoilt)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
