"""The names of variables: every weight of transformers is reached by one of them, in all three schemes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints_on_the_spot import DECODERS, electra_variables, tiny, variables_of
from dokhae.model.variables import (
    ALBERT,
    BERT,
    DISCRIMINATOR,
    GENERATOR,
    GENERATOR_APART,
    is_transposed,
    reason_to_leave_out,
    scheme_of,
    weight_name,
)

MODELS = {
    "bert": (BERT, "Bert", "ForPreTraining"),
    "bert-squad": (BERT, "Bert", "ForQuestionAnswering"),
    "bert-labels": (BERT, "Bert", "ForSequenceClassification"),
    "albert": (ALBERT, "Albert", "ForPreTraining"),
    "albert-squad": (ALBERT, "Albert", "ForQuestionAnswering"),
    "electra": (DISCRIMINATOR, "Electra", "ForPreTraining"),
    "generator": (GENERATOR_APART, "Electra", "ForMaskedLM"),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_is_reached_once_and_nothing_else(name):
    scheme, family, ending = MODELS[name]
    model = tiny(family, ending)
    variables = variables_of(model, "generator" if name == "generator" else "")
    reached = [weight_name(variable, scheme) for variable in variables]
    assert sorted(reached) == sorted(one for one in model.state_dict() if not one.endswith(DECODERS))
    shapes = {weight_name(variable, scheme): value.shape for variable, value in variables.items()}
    for variable in variables:
        own = tuple(model.state_dict()[weight_name(variable, scheme)].shape)
        assert own == (shapes[weight_name(variable, scheme)][::-1] if is_transposed(variable) else
                       shapes[weight_name(variable, scheme)])  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("bert/embeddings/word_embeddings", "bert.embeddings.word_embeddings.weight"),
        ("bert/embeddings/LayerNorm/beta", "bert.embeddings.LayerNorm.bias"),
        ("bert/encoder/layer_11/attention/output/LayerNorm/gamma",
            "bert.encoder.layer.11.attention.output.LayerNorm.weight"),
        ("bert/encoder/layer_11/output/dense/kernel", "bert.encoder.layer.11.output.dense.weight"),
        ("bert/pooler/dense/bias", "bert.pooler.dense.bias"),
        ("cls/predictions/transform/dense/kernel", "cls.predictions.transform.dense.weight"),
        ("cls/predictions/output_bias", "cls.predictions.bias"),
        ("cls/seq_relationship/output_weights", "cls.seq_relationship.weight"),
        ("cls/squad/output_weights", "qa_outputs.weight"),
        ("output_bias", "classifier.bias"),
        ("bert/pooler/dense/kernel/adam_m", None),
        ("bert/encoder/layer_1/crf/kernel", None),
        ("global_step", None),
        ("bert", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_names_of_berts_variables(variable, name):
    assert weight_name(variable) == name


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("bert/encoder/transformer/group_0/inner_group_0/attention_1/self/key/kernel", "attention.key.weight"),
        ("bert/encoder/transformer/group_0/inner_group_0/LayerNorm/beta", "attention.LayerNorm.bias"),
        ("bert/encoder/transformer/group_0/inner_group_0/LayerNorm_1/gamma", "full_layer_layer_norm.weight"),
        ("bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/kernel", "ffn.weight"),
        ("bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/output/dense/bias", "ffn_output.bias"),
    ],
)
def test_the_names_of_alberts_shared_layer(variable, name):
    assert weight_name(variable, ALBERT) == f"albert.encoder.albert_layer_groups.0.albert_layers.0.{name}"


def test_the_halves_of_electra_leave_each_other_out():
    shared = "electra/embeddings/word_embeddings"
    assert weight_name(shared, DISCRIMINATOR) == weight_name(shared, GENERATOR)
    assert weight_name(shared, GENERATOR_APART) is None
    assert reason_to_leave_out(shared, GENERATOR_APART) == "the discriminator"
    assert reason_to_leave_out("generator/embeddings_project/kernel", DISCRIMINATOR) == "the generator"
    assert reason_to_leave_out("generator_predictions/output_bias", DISCRIMINATOR) == "the generator"
    assert reason_to_leave_out("task_specific/squad/dense/kernel", DISCRIMINATOR) is None


def test_the_scheme_is_told_by_the_variables():
    assert scheme_of(variables_of(tiny("Bert"))) is BERT
    assert scheme_of(variables_of(tiny("Albert"))) is ALBERT
    assert scheme_of(electra_variables()) is DISCRIMINATOR
    assert scheme_of(electra_variables(), generator=True) is GENERATOR
    assert scheme_of(electra_variables(apart=True), generator=True) is GENERATOR_APART
    assert scheme_of(["model/wte", "global_step"]) is None


SLOTS = ("adam_m", "adam_v", "Adam", "Adam_1", "AdamWeightDecayOptimizer_1", "LAMBOptimizer", "lamb_v", "m", "accum")


@given(st.sampled_from(sorted(variables_of(tiny("Bert")))), st.sampled_from(SLOTS))
def test_a_slot_is_left_out_and_its_variable_is_not(variable, slot):
    assert reason_to_leave_out(variable, BERT) is None
    assert weight_name(f"{variable}/{slot}") is None
    assert reason_to_leave_out(f"{variable}/{slot}", BERT) == "slots of the optimizer"


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("global_step", "counters of the training"),
        ("beta1_power", "counters of the training"),
        ("training/beta2_power_1", "counters of the training"),
        ("accum_steps", "counters of the training"),
        ("current_loss_scale", "the scale of the loss"),
        ("signal_early_stopping/STOP", None),
        ("bert/embeddings/word_embeddings/ExponentialMovingAverage", None),
    ],
)
def test_what_a_training_keeps_is_named(variable, reason):
    assert reason_to_leave_out(variable, BERT) == reason
