"""Blocks of a layer as one function: what they say and learn, their dropout, and the kernels of a GPU.

With Triton at hand, `TRITON_INTERPRET=1 pytest -m gpu tests/model/test_fused.py` goes through the kernels on a CPU.
"""

from __future__ import annotations

import copy
import os

import pytest
import torch
from torch import nn

from dokhae.model import block_functions, plain_kernels
from dokhae.model.block_functions import ThreefoldFunction
from dokhae.model.fused import FeedForward, Residual, Threefold, fuse
from dokhae.model.layers import layers_of
from dokhae.model.loading import load_model, locate
from dokhae.model.lowered import lower_layers
from rows import YES, encoded, inputs, loss_of, windows
from tiny_models import make_model

BF16 = torch.bfloat16
BERTS = {"bert", "bert-uncased", "electra", "electra-uncased", "klue-roberta", "roberta", "xlm-roberta"}
ON_GPU = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
SIZES = [(1000, 1024), (77, 768), (5, 48), (1, 4096)]


def made(folder, family="bert"):
    return load_model(locate(make_model(family, folder / family, layers=2)))


def layer_of(folder):
    """A layer in evaluation, its biases and normalisations other than at the start of a training."""
    layer = layers_of(made(folder))[0].eval()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())) / 5)
    return layer


def learned(answer, module, *given):
    """What a block says of states, and the gradients of its weights and of what it was given."""
    given = [one.clone().requires_grad_() for one in given]
    said = answer(*given)
    loss_of(said).backward()
    weights = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
    module.zero_grad()
    return {"said": said.detach(), **{str(number): one.grad for number, one in enumerate(given)}, **weights}


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, one in wanted.items():
        torch.testing.assert_close(
            found[name], one, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("family", YES)
def test_the_layers_of_bert_and_its_like_have_blocks(family, tmp_path):
    kinds = [FeedForward, Threefold, Residual] if family in BERTS else []
    for layer in layers_of(made(tmp_path, family).eval()):
        assert [type(block) for block in fuse(layer)] == kinds


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_blocks_say_and_learn_what_their_modules_do(rate, tmp_path, monkeypatch):
    layer = layer_of(tmp_path).train()
    states, before = torch.randn(2, 1, 9, 32, generator=torch.Generator().manual_seed(0))
    masks = []

    def drop(values, p, training, inplace=False):
        """Torch's dropout by the block's own random numbers."""
        masks.append(dropped_by(plain_kernels.drop_of(p), *values.shape[1:]))
        return values * masks[-1]

    for block, module in ((Residual, layer.attention.output), (FeedForward, layer)):
        given = (states, before) if block is Residual else (states,)
        for part in module.modules():
            if isinstance(part, nn.Dropout):
                part.p = rate
        torch.manual_seed(5)
        found = learned(lambda *told, block=block, module=module: block.answer(module, *told), module, *given)
        with monkeypatch.context() as patch:
            if rate:
                patch.setattr(nn.functional, "dropout", drop)
            torch.manual_seed(5)
            same(found, learned(getattr(module, block.method), module, *given))
    assert len(masks) == (2 if rate else 0)


def dropped_by(drop, tokens, size):
    """What dropout does to ones, drawn as a block draws it."""
    seed = torch.empty((), dtype=torch.int64).random_()
    ones, zeros = torch.ones(tokens, size), torch.zeros(tokens, size)
    return plain_kernels.drop_add_norm(ones, zeros, ones[0], zeros[0], seed, drop, 1.0)[1]


def test_query_key_and_value_are_worked_out_together_and_nothing_of_it_stays(tmp_path):
    attention = layer_of(tmp_path).attention.self.to(BF16)
    states, other = torch.randn(2, 1, 9, 32, generator=torch.Generator().manual_seed(0)).to(BF16)
    parts = [attention.query, attention.key, attention.value]
    wanted = [learned(part, attention, states) for part in parts]
    together = Threefold(attention)
    given = states.clone().requires_grad_()
    query, key, value = (part(given) for part in parts)
    assert not together.kept
    for found, one in zip((query, key, value), wanted, strict=True):
        torch.testing.assert_close(found, one["said"])
    sum(loss_of(one) for one in (query, key, value)).backward()
    torch.testing.assert_close(given.grad.float(), sum(one["0"].float() for one in wanted), rtol=0.02, atol=1e-3)
    for name, weight in attention.named_parameters():
        torch.testing.assert_close(weight.grad, next(one[name] for one in wanted if name in one), rtol=0.02, atol=1e-3)
    attention.query(states)
    torch.testing.assert_close(attention.key(other), nn.functional.linear(other, parts[1].weight, parts[1].bias))
    together.take_out()
    assert not any("forward" in vars(part) for part in parts)


@pytest.mark.parametrize("added", ["the same", "others"])
def test_states_that_attention_reads_and_adds_have_one_gradient(added, tmp_path, monkeypatch):
    """What is added has its gradient first, and the product's is put on top of it: none is summed apart."""
    attention = layer_of(tmp_path).attention.to(BF16)
    given = torch.randn(2, 1, 9, 32, generator=torch.Generator().manual_seed(0)).to(BF16)
    calls, back = [], ThreefoldFunction.backward

    def attend(module, states, other):
        said = module.self.query(states) * module.self.key(states).sigmoid() + module.self.value(states)
        return module.output(said, states if added == "the same" else other)

    wanted = learned(lambda *told: attend(attention, *told), attention, *given)
    spy = staticmethod(lambda ctx, *told: calls.append(told[3] is not None) or back(ctx, *told))
    monkeypatch.setattr(ThreefoldFunction, "backward", spy)
    threefold, residual = fuse(attention)
    found = learned(lambda *told: attend(attention, *told), attention, *given)
    assert calls == [added == "the same"]
    assert residual.threefold is threefold and not threefold.kept
    assert found.keys() == wanted.keys()
    for name, one in wanted.items():
        if one is not None:  # the others, where they are not added
            torch.testing.assert_close(found[name].float(), one.float(), rtol=0.05, atol=0.02, msg=name)


@pytest.mark.parametrize("size", [32, 16])
def test_of_states_that_only_one_part_reads_there_is_a_gradient(size, tmp_path):
    attention = layer_of(tmp_path).attention.self
    if size != 32:
        attention.query, attention.key, attention.value = (nn.Linear(32, size) for _ in range(3))
    attention.to(BF16)
    states = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(0)).to(BF16)
    wanted = learned(attention.query, attention, states)
    Threefold(attention)
    found = learned(attention.query, attention, states)
    torch.testing.assert_close(found["0"], wanted["0"], rtol=0.02, atol=1e-3)
    assert not any(found[f"{part}.{name}"].any() for part in ("key", "value") for name in ("weight", "bias"))


def test_of_a_pass_that_breaks_off_nothing_stays(tmp_path, monkeypatch):
    model = made(tmp_path).train()
    lowered = lower_layers(model, BF16)
    threefold = next(block for block in lowered[1].blocks if isinstance(block, Threefold))

    def full(*given, **options):
        assert threefold.kept
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(lowered[1].layer.attention.output, "forward", full)
    with pytest.raises(torch.OutOfMemoryError):
        encoded(model, inputs(model, windows("bert", 9, 20)), BF16)
    assert not threefold.kept


def test_an_evaluation_is_the_modules_own(tmp_path):
    layer = layer_of(tmp_path)
    plain = copy.deepcopy(layer)
    blocks = fuse(layer)
    states = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(layer.to(BF16)(states.to(BF16)), plain.to(BF16)(states.to(BF16)))
    for block in blocks:
        block.take_out()
    assert not {"forward", "feed_forward_chunk"} & {name for module in layer.modules() for name in vars(module)}


class Halved(nn.Linear):
    """Of a library that puts something on models."""

    def forward(self, states):
        return super().forward(states) / 2


def has_hook(layer):
    layer.output.dense.register_forward_hook(lambda module, given, said: said / 2)


def has_a_hook_that_only_looks(layer):
    layer.intermediate.register_forward_hook(lambda module, given, said: None)


def has_a_method_of_its_own(layer):
    layer.feed_forward_chunk = layer.feed_forward_chunk


def has_a_part_with_a_method_of_its_own(layer):
    layer.output.dropout.forward = layer.output.dropout.forward


def has_another_class(layer):
    layer.output.dense = Halved(64, 32)


def has_no_bias(layer):
    layer.output.dense.bias = None


def has_another_activation(layer):
    layer.intermediate.intermediate_act_fn = nn.ReLU()


@pytest.mark.parametrize(
    "change",
    [
        has_hook,
        has_a_hook_that_only_looks,
        has_a_method_of_its_own,
        has_a_part_with_a_method_of_its_own,
        has_another_class,
        has_no_bias,
        has_another_activation,
    ],
)
def test_what_was_put_on_a_module_keeps_it_from_being_a_block(change, tmp_path):
    layer = layer_of(tmp_path)
    change(layer)
    assert FeedForward not in [type(block) for block in fuse(layer)]


@pytest.mark.parametrize("takes_more", [False, True])
def test_a_module_that_says_something_else_is_no_block(takes_more, tmp_path, monkeypatch):
    layer = layer_of(tmp_path)
    chunk = type(layer).feed_forward_chunk

    def other(self, states, *more):
        if takes_more:
            (scale,) = more
        return chunk(self, states) + 0.1

    monkeypatch.setattr(type(layer), "feed_forward_chunk", other)
    # the second half is one all the same: what it is made of says what it says
    assert [type(block) for block in fuse(layer)] == [Threefold, Residual, Residual]


def test_where_kernels_fail_layers_learn_in_16_bits_without_them(tmp_path, monkeypatch, caplog):
    def fail(*given):
        raise RuntimeError("no kernel for this GPU")

    monkeypatch.setattr(plain_kernels, "gelu_back", fail)  # as a compiler would, on the way back
    model = made(tmp_path).train()
    with caplog.at_level("INFO", logger="dokhae"):
        lowered = lower_layers(model, BF16)
    assert "training: without blocks that are one function each: no kernel for this GPU" in caplog.text
    assert len(lowered) == 2 and not any(layer.blocks for layer in lowered)
    loss_of(encoded(model, inputs(model, windows("bert", 9, 20)), BF16)).backward()


def test_without_fusing_there_are_no_blocks(tmp_path):
    assert not any(layer.blocks for layer in lower_layers(made(tmp_path), BF16, fuses=False))


def test_weights_that_lie_end_to_end_are_joined_without_a_copy():
    whole = torch.arange(24.0)
    parts = whole[:12].view(3, 4), whole[12:].view(3, 4)
    found = block_functions.joined(parts)
    assert torch.equal(found, whole.view(6, 4)) and found.data_ptr() == whole.data_ptr()
    for other in ((parts[1], parts[0]), (parts[0], parts[1].clone()), (parts[0].t(), parts[1].t())):
        assert torch.equal(block_functions.joined(other), torch.cat(other))


def test_random_numbers_are_those_of_philox():
    """Of 7 rounds. Source: Random123, kat_vectors (Salmon et al. 2011)."""
    drawn = plain_kernels._drawn(torch.empty(1, 4), torch.tensor(0))
    assert drawn.tolist() == [[one & 0x7FFFFFFF for one in (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)]]


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_drops_its_share_of_each_row_and_column_one_by_one(rate):
    torch.manual_seed(0)
    kept = torch.stack([dropped_by(plain_kernels.drop_of(rate), 128, 96) for _ in range(100)]) > 0
    spread = (rate * (1 - rate)) ** 0.5
    for axes, count in (((0, 1), 12_800), ((0, 2), 9_600), ((1, 2), 12_288)):
        assert (kept.float().mean(axes) - (1 - rate)).abs().max() < 4.5 * spread / count**0.5
    centred = kept.float() - (1 - rate)
    for token, number in ((0, 1), (0, 4), (1, 0), (1, 1), (2, 3)):
        pairs = centred[:, token:, number:] * centred[:, : 128 - token, : 96 - number]
        assert abs(float(pairs.mean())) < 4.5 * spread**2 / pairs.numel() ** 0.5


@pytest.mark.parametrize(("rate", "mean"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_of_nothing_and_of_everything(rate, mean):
    assert bool((dropped_by(plain_kernels.drop_of(rate), 7, 33) == mean).all())


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(ON_GPU, BF16)


def alike(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        tolerance = 0.01 * float(other.abs().max()) + 1e-4  # the mean of a row may be next to nothing
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=tolerance)


@pytest.mark.gpu
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize(("tokens", "size"), SIZES)
def test_a_gpu_drops_adds_and_normalises_as_torch_does(tokens, size, rate):
    from dokhae.model import gpu_kernels

    drop, seed = plain_kernels.drop_of(rate), torch.tensor(2**40 + 5, device=ON_GPU)
    values, before, change = (random(tokens, size, seed=number) for number in range(3))
    weight, bias = random(size, seed=3), random(size, seed=4)
    told = values, before, weight, bias, seed, drop, 1e-12
    wanted = plain_kernels.drop_add_norm(*told)
    alike(gpu_kernels.drop_add_norm(*told), wanted)
    back = change, *wanted[1:], weight, seed, drop
    alike(gpu_kernels.drop_add_norm_back(*back), plain_kernels.drop_add_norm_back(*back))


@pytest.mark.gpu
@pytest.mark.parametrize(("tokens", "size"), SIZES)
def test_a_gpu_has_gelus_gradient_and_joins_and_sums_as_torch_does(tokens, size):
    from dokhae.model import gpu_kernels

    change, values, other = (random(tokens, size, seed=number) * 3 for number in range(3))
    alike(gpu_kernels.gelu_back(change, values), plain_kernels.gelu_back(change, values))
    alike(gpu_kernels.join(change, values, other), plain_kernels.join(change, values, other))
