"""Learning rates by layer, frozen layers, Adam without bias correction, clipping by the global norm."""

from __future__ import annotations

import copy

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from transformers import AutoConfig, AutoModelForQuestionAnswering

import dokhae
from dokhae.errors import SettingsError
from dokhae.training import OptimizerConfig
from dokhae.training.module import TrainingModule
from dokhae.training.optimizers import UncorrectedAdamW, make_optimizer, weight_depths
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
from training.test_resume import train_and_stop

SIZES = {
    "vocab_size": 50, "num_hidden_layers": 3, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip
FAMILIES = {
    "bert": {},
    "electra": {"embedding_size": 4},
    "roberta": {},
    "distilbert": {},
    "mobilebert": {"intra_bottleneck_size": 8, "embedding_size": 4},
    "deberta-v2": {"relative_attention": True, "position_buckets": 4, "conv_kernel_size": 3},
    "xlnet": {"d_head": 4},
    "big_bird": {},
    "longformer": {"attention_window": [4, 4, 4]},
    "modernbert": {},
}


def untrained(kind, **changes):
    return AutoModelForQuestionAnswering.from_config(
        AutoConfig.for_model(kind, **SIZES | FAMILIES.get(kind, {}) | changes)
    )


def settings(tmp_path, **optimizer):
    return config(tmp_path, tmp_path, tmp_path, learning_rate=1e-3, optimizer=OptimizerConfig(**optimizer))


def set_gradients(model, scale=1.0):
    for weight in model.parameters():
        weight.grad = scale * torch.randn(weight.shape)


def rates(model, optimizer):
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {names[id(weight)]: group["lr"] for group in optimizer.param_groups for weight in group["params"]}


def test_each_layer_learns_slower_than_the_one_above_it(tmp_path):
    model = untrained("bert")
    found = rates(model, make_optimizer(model, settings(tmp_path, layer_decay=0.8)))
    assert len(found) == len(list(model.parameters()))
    for name, rate in found.items():
        if "embeddings" in name:
            expected = 1e-3 * 0.8**5  # D = 3 layers + 2
        elif "layer." in name:
            expected = 1e-3 * 0.8 ** (5 - (int(name.split("layer.")[1][0]) + 1))
        else:
            expected = 1e-3
        assert rate == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("kind", ["bert", "xlnet", "mpnet", "modernbert"])
def test_biases_of_any_number_of_dimensions_and_normalisation_are_not_decayed(kind, tmp_path):
    """XLNet adds biases to its queries, (heads, size); MPNet has a table of them."""
    model = untrained(kind)
    names = {id(weight): name for name, weight in model.named_parameters()}
    decayed = {
        names[id(weight)]
        for group in make_optimizer(model, settings(tmp_path, weight_decay=0.1)).param_groups
        for weight in group["params"]
        if group["weight_decay"]
    }
    norms = {name for name, module in model.named_modules() if isinstance(module, torch.nn.LayerNorm)}
    spared = {name for name in names.values() if "bias" in name or name.rpartition(".")[0] in norms}
    assert decayed == set(names.values()) - spared


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_has_embeddings_at_the_bottom_its_layers_in_order_and_the_head_on_top(kind):
    model = untrained(kind)
    depths = weight_depths(model)
    assert set(depths) == {name for name, _ in model.named_parameters()}
    assert set(depths.values()) == {0, 1, 2, 3, 5}
    body = dict(model.named_modules())[model.base_model_prefix]
    head = {id(weight) for weight in model.parameters()} - {id(weight) for weight in body.parameters()}
    for name, weight in model.named_parameters():
        numbers = [int(part) for part in name.split(".") if part.isdecimal()]
        if numbers:  # the number of its layer
            assert depths[name] == numbers[0] + 1, name
        assert (depths[name] == 5) == (id(weight) in head), name
        assert depths[name] == 0 or "embedding" not in name.split(".")[-2], name
    assert depths[next(name for name in depths if "word_embedding" in name or "tok_embeddings" in name)] == 0


def test_what_comes_after_the_layers_learns_as_the_last_of_them():
    depths = weight_depths(untrained("modernbert"))
    assert (depths["model.final_norm.weight"], depths["head.dense.weight"]) == (3, 5)
    assert weight_depths(untrained("deberta-v2"))["deberta.encoder.rel_embeddings.weight"] == 0


@pytest.mark.parametrize("changes", [{"layer_decay": 0.8}, {"frozen_layers": 1}])
@pytest.mark.parametrize(
    ("kind", "sizes", "why"),
    [
        ("albert", {}, "share their weights, or cannot be told apart"),
        ("albert", {"inner_group_num": 3}, "share their weights, or cannot be told apart"),
        ("xlm", {"emb_dim": 8, "n_layers": 3, "n_heads": 2}, "are in 4 lists"),
        (
            "bart",
            {
                "d_model": 8,
                "encoder_layers": 3,
                "decoder_layers": 3,
                "encoder_attention_heads": 2,
                "decoder_attention_heads": 2,
            },
            "are in 2 lists",
        ),
        (
            "bart",
            {
                "d_model": 8,
                "encoder_layers": 3,
                "decoder_layers": 2,
                "encoder_attention_heads": 2,
                "decoder_attention_heads": 2,
            },
            "are in 2 lists",
        ),
    ],
)
def test_layers_that_cannot_be_told_apart_have_no_depth(kind, sizes, why, changes, tmp_path):
    with pytest.raises(SettingsError, match=rf"\w+ForQuestionAnswering\w*: its layers {why}"):
        make_optimizer(untrained(kind, **sizes), settings(tmp_path, **changes))


def test_frozen_layers_keep_their_weights_and_the_others_learn(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=3)
    frozen = OptimizerConfig(frozen_layers=2)
    dokhae.train(config(model, data, tmp_path / "run", epochs=1, optimizer=frozen), show=False)
    before = AutoModelForQuestionAnswering.from_pretrained(model).state_dict()
    for name, weight in weights(tmp_path / "run").items():
        still = "embeddings" in name or "layer.0." in name or "layer.1." in name
        # the attention's key bias has no gradient: softmax does not see it
        assert still == torch.equal(weight, before[name]) or name.endswith("key.bias"), name


def test_more_frozen_layers_than_there_are_is_an_error(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=3)
    frozen = config(model, data, tmp_path / "run", optimizer=OptimizerConfig(frozen_layers=4))
    with pytest.raises(SettingsError, match=r"optimizer\.frozen_layers is 4, but the encoder has 3 layers"):
        dokhae.train(frozen, show=False)
    assert not frozen.out.exists()


@pytest.mark.parametrize("fused", [True, False])
def test_adam_without_bias_correction_is_that_of_berts_own_code(fused):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(7, 3, dtype=torch.float64))
    rate, epsilon, decay = 1e-2, 1e-6, 0.1
    optimizer = UncorrectedAdamW([weight], lr=rate, eps=epsilon, weight_decay=decay, fused=fused)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    value, mean, square = weight.detach().clone(), torch.zeros_like(weight), torch.zeros_like(weight)
    for step in range(20):
        gradient = torch.randn(7, 3, dtype=torch.float64)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        value = value - rate / (step + 1) * (mean / (square.sqrt() + epsilon) + decay * value)
        weight.grad = gradient
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate / (step + 1), rel=1e-15)
        optimizer.step()
        schedule.step()
        assert torch.allclose(weight.detach(), value, rtol=1e-12, atol=1e-14)


def test_a_resumed_run_goes_on_with_the_steps_that_adam_has_taken(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=2)
    changes = {
        "batch_size": 2, "learning_rate": 1e-3, "epochs": 3,
        "optimizer": OptimizerConfig(no_bias_correction=True, layer_decay=0.7, frozen_layers=1, schedule="cosine"),
    }  # fmt: skip
    dokhae.train(config(model, data, tmp_path / "whole", **changes), show=False)
    train_and_stop(config(model, data, tmp_path / "stopped", **changes), 4, monkeypatch)
    dokhae.resume(tmp_path / "stopped", show=False)
    assert equal(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("clip", [0.01, 0.0])
def test_gradients_are_clipped_by_their_global_norm(clip, precision, tmp_path, monkeypatch):
    norms = {"before": [], "at the step": []}

    def measure(when, parameters):
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        norms[when].append(torch.nn.utils.get_total_norm(gradients).item())

    step = torch.optim.AdamW.step

    def measured_step(optimizer, closure):
        loss = closure()  # Lightning's: forward, backward and clipping
        measure("at the step", [weight for group in optimizer.param_groups for weight in group["params"]])
        return step(optimizer, lambda: loss)

    monkeypatch.setattr(torch.optim.AdamW, "step", measured_step)
    monkeypatch.setattr(
        TrainingModule, "on_before_optimizer_step", lambda module, _: measure("before", module.parameters())
    )
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    changes = {"epochs": 1, "precision": precision, "optimizer": OptimizerConfig(clip=clip)}
    dokhae.train(config(model, data, tmp_path / "run", **changes), show=False)
    assert len(norms["before"]) == 2
    assert min(norms["before"]) > 0.01
    assert norms["at the step"] == pytest.approx([0.01, 0.01] if clip else norms["before"], rel=1e-3)


def test_the_fused_step_is_that_of_plain_adamw(tmp_path):
    torch.manual_seed(0)
    model = untrained("bert")
    twin = copy.deepcopy(model)
    ours = make_optimizer(model, settings(tmp_path, weight_decay=0.1))
    decayed = [{"params": [weight], "weight_decay": 0.1 * (weight.ndim > 1)} for weight in twin.parameters()]
    plain = torch.optim.AdamW(decayed, lr=1e-3, eps=1e-8, foreach=False, fused=False)
    assert all(group["fused"] for group in ours.param_groups)
    for _ in range(10):
        set_gradients(model)
        for weight, other in zip(model.parameters(), twin.parameters(), strict=True):
            other.grad = weight.grad.clone()
        ours.step()
        plain.step()
    for weight, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("offload", [False, True])
def test_gradients_scaled_for_fp16_are_whole_again_before_they_are_clipped(offload, tmp_path):
    weights_after, norms = [], []
    for scale in (1.0, 1024.0):
        torch.manual_seed(0)
        model = untrained("bert")
        optimizer = make_optimizer(model, settings(tmp_path, offload=offload))
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.zeros(1))  # it makes its scale at first use
        set_gradients(model, scale)
        scaler.unscale_(optimizer)
        MixedPrecision("16-mixed", "cpu", scaler).clip_gradients(optimizer, clip_val=0.5)
        norms.append(torch.nn.utils.get_total_norm([weight.grad for weight in model.parameters()]).item())
        scaler.step(optimizer)
        scaler.update()
        weights_after.append(model.state_dict())
    assert norms == pytest.approx([0.5, 0.5], rel=1e-3)
    assert equal(*weights_after)


def test_a_step_whose_fp16_gradients_overflowed_is_left_out(tmp_path):
    model = untrained("bert")
    before = copy.deepcopy(model.state_dict())
    optimizer, scaler = make_optimizer(model, settings(tmp_path)), torch.amp.GradScaler("cpu")
    scaler.scale(torch.zeros(1))
    set_gradients(model, float("inf"))
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert equal(model.state_dict(), before)
