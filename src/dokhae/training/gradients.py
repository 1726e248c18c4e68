"""The mean of gradients over processes on CPUs: of a large embedding, only the rows that some process has used.

A step uses a few thousand tokens. All other rows of that gradient, half of all gradients of a MiniLM and two thirds of
an XLM-R's, are 0 in every process. Networks between CPUs are slow enough for that to pay; between GPUs it is not tried.
"""

# without annotations from __future__: torch reads those of a hook

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import GradBucket
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

LARGE = 1 << 20  # elements of an embedding, from which on its rows are told apart


class UsedRows(pl.Callback):
    """Has DDP take the mean of gradients that way. Lightning's own option for such hooks is for GPUs alone."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the first gradient."""
        model = trainer.strategy.model
        assert isinstance(model, nn.parallel.DistributedDataParallel)
        large = large_embeddings(model)
        if large:
            model.register_comm_hook(large, mean_gradients)


def large_embeddings(model: nn.Module) -> frozenset[int]:
    """The `id` of each weight whose gradient has rows of zeros, and enough of them."""
    weights = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    return frozenset(id(weight) for weight in weights if weight.numel() >= LARGE)


def mean_gradients(embeddings: frozenset[int], bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """A hook of DDP: the mean of a bucket's gradients over all processes, in place, as DDP's own.

    embeddings: as large_embeddings has them. Source: torch's "DDP communication hooks".
    """
    gradients = bucket.gradients()
    large = [id(weight) in embeddings for weight in bucket.parameters()]
    if not any(large):
        return allreduce_hook(dist.group.WORLD, bucket)  # type: ignore[arg-type]
    rows = [_used(gradient) if is_large else None for gradient, is_large in zip(gradients, large, strict=True)]
    parts = [each if used is None else each[used] for each, used in zip(gradients, rows, strict=True)]
    sent = torch.cat([part.flatten() for part in parts]).div_(dist.get_world_size())
    dist.all_reduce(sent)
    for gradient, used, mean in zip(gradients, rows, torch.split(sent, [part.numel() for part in parts]), strict=True):
        if used is None:
            gradient.copy_(mean.view_as(gradient))
        else:
            gradient.index_copy_(0, used, mean.view(len(used), gradient.shape[1]))
    done: torch.futures.Future[Tensor] = torch.futures.Future()
    done.set_result(bucket.buffer())
    return done


def _used(gradient: Tensor) -> Tensor:
    """The numbers of the rows that are not 0 in some process; the same in each of them. gradient: (row, column)."""
    bits = gradient.view(torch.int32)  # a row of zeros is one whose largest and smallest are: the fastest way to see it
    used = ((bits.amax(1) != 0) | (bits.amin(1) != 0)).to(torch.uint8)
    dist.all_reduce(used, dist.ReduceOp.MAX)
    return used.nonzero()[:, 0]
