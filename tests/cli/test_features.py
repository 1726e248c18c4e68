"""dokhae features: the file, what is said, and that nothing is left where something is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from safetensors.numpy import load_file

from tiny_models import make_model

TEXT = "서울은 대한민국의 수도이다.\nWhen was it launched? ||| In 1704 the Early Otter was launched at Korustead.\na\n"


@pytest.fixture
def lines(write):
    return write("lines.txt", TEXT)


def test_every_line_has_its_features(dokhae, lines, tiny_bert, tmp_path):
    out = tmp_path / "new" / "features.jsonl"
    outcome = dokhae("features", lines, "--model", tiny_bert, "--layers", "-1", "--max_length", 16, "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines()[-2:] == [
        "1 of 3 lines are longer than 16 tokens and were cut",
        f"wrote {out}: 3 lines, layers -1",
    ]
    found = list(map(json.loads, out.read_text(encoding="utf-8").splitlines()))
    assert [line["linex_index"] for line in found] == [0, 1, 2]
    assert [token["token"] for token in found[0]["features"]][:3] == ["[CLS]", "서울", "##은"]
    assert [len(line["features"]) for line in found][1:] == [16, 3]
    assert [layer["index"] for layer in found[0]["features"][0]["layers"]] == [-1]


def test_lines_may_be_pooled_in_every_layer(dokhae, lines, tiny_bert, tmp_path):
    out = tmp_path / "features.safetensors"
    assert dokhae("features", lines, "--model", tiny_bert, "--layers=-1", "--pooling", "mean", "--out", out).code == 0
    assert load_file(out)["states"].shape == (3, 1, 32)


def test_an_empty_line_is_named_and_nothing_is_written(refusal, write, tiny_bert, tmp_path):
    path, out = write("lines.txt", "a\n\nb\n"), tmp_path / "new" / "f.jsonl"
    line = refusal("features", path, "--model", tiny_bert, "--layers=-1", "--out", out)
    assert line == f"{path}: line 2 is empty, and its tokens would be none; take it out"
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("f.json", (), "f.json: features are written as .jsonl, .parquet or .safetensors; give the file one of these"),
        ("f.jsonl", (), "layer -2 is not in {model}, which has 1: 0 to 0 from the first one on, or -1 to -1"),
        ("f.jsonl", ("--layers", "last"), "layers is 'last'; it has to be numbers with commas, such as -1,-2"),
        ("f.jsonl", ("--layers=-1", "--max_length", 129), "max_length is 129, but the positions of {model} end at 128"),
        ("f.jsonl", ("--layers=-1", "--morphemes", "kiwi"), "does not read morphemes; leave out --morphemes"),
    ],
)
def test_what_cannot_be_met_is_refused(refusal, lines, tiny_bert, tmp_path, name, options, message):
    out = tmp_path / "new" / name
    said = refusal("features", lines, "--model", tiny_bert, "--out", out, *options)
    assert message.format(model=tiny_bert) in said
    assert not out.parent.exists()


def test_the_texts_themselves_are_not_written_over(refusal, write, tiny_bert):
    path = write("lines.jsonl", TEXT)
    assert "writing there would replace the text file" in refusal("features", path, "--model", tiny_bert, "--out", path)


def test_a_model_that_breaks_in_the_middle_leaves_nothing(refusal, lines, tmp_path):
    import torch
    import transformers

    folder = make_model("bert", tmp_path / "bert")
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    with torch.no_grad():
        model.bert.encoder.layer[0].output.dense.weight.fill_(float("nan"))
    model.save_pretrained(folder)
    (tmp_path / "out").mkdir()
    for suffix in ("jsonl", "parquet", "safetensors"):
        line = refusal("features", lines, "--model", folder, "--layers=-1", "--out", tmp_path / "out" / f"f.{suffix}")
        assert "in the lines 1 to 3 there are states that are not finite" in line
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "safetensors"])
def test_memory_hardly_grows_with_the_lines(tiny_bert, tmp_path, suffix):
    peaks = []
    for count in (5_000, 50_000):
        path = tmp_path / f"{count}.txt"
        path.write_text("".join(f"{number} {'the town of Korustead ' * (number % 9)}\n" for number in range(count)))
        code = (
            "import resource, sys; from dokhae.cli import main; code = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
        )
        words = ("features", path, "--model", tiny_bert, "--layers=-1", "--out", tmp_path / f"f.{suffix}")
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=500, check=True
        )
        peaks.append(int(re.findall(r"\d+", done.stdout)[-1]) / 1024)
    assert peaks[1] - peaks[0] < 60  # MiB; the states of 45,000 more lines are 90 MB, and as text 250 MB
