"""A training step on a GPU, as far as a machine without one can follow it: shapes, types, devices, and no waiting.

The step is really given to torch's road for CUDA, with tensors that hold no numbers (fake_gpu.py). What it comes to in
numbers is the matter of test_packing_gpu.py, on a machine with a GPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rows import LENGTHS

HERE, TORCH = Path(__file__).parent, Path(torch.__file__).parent
LAYERS, TOKENS = 2, sum(LENGTHS)
STEPS = ["bert bf16", "bert fp16", "bert fp32"] + [
    f"{family} bf16" for family in ("electra", "roberta", "albert", "distilbert", "modernbert", "mobilebert")
]

pytestmark = [
    pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has a CUDA road of its own"),
    pytest.mark.skipif(sys.platform != "linux" or shutil.which("g++") is None, reason="needs g++ and Linux's loader"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each case of fake_gpu.py came to."""
    library = tmp_path_factory.mktemp("gpu") / "fake_gpu.so"
    where = [f"-I{TORCH / 'include'}", f"-L{TORCH / 'lib'}", f"-Wl,-rpath,{TORCH / 'lib'}"]
    source = [str(HERE / "fake_gpu.cpp"), "-o", str(library), "-lc10", "-ltorch_cpu"]
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", *where, *source], check=True, timeout=120)
    done = subprocess.run(
        [sys.executable, str(HERE / "fake_gpu.py")],
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", STEPS)
def test_a_step_is_on_the_gpu_in_the_right_types_and_nothing_in_it_waits(found, case):
    step = found[case]
    assert "error" not in step, step["error"]
    assert step["logits"] == [[[TOKENS], "float32", "cuda:0"]] * 2
    assert step["loss"] == [[], "float32", "cuda:0"]
    assert step["gradients"] == step["weights"]
    assert all(weight[1:] == ["float32", "cuda:0"] for weight in step["weights"].values())
    packed, mixed = not case.startswith("mobilebert"), not case.endswith("fp32")
    assert step["flash"] == (LAYERS if packed and mixed else 0)


@pytest.mark.parametrize("reach", [None, 16])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp16", "float16"), ("fp32", "float32")])
def test_attention_of_windows_end_to_end(found, precision, dtype, dropout, reach):
    attention = found[f"attention {precision} {dropout} {reach}"]
    assert "error" not in attention, attention["error"]
    assert attention["made"] == [[1, 288, 4, 64], dtype, "cuda:0"]
    assert attention["gradients"] == [[[1, 4, 288, 64], dtype, "cuda:0"]] * 3
    assert attention["flash"] == (precision != "fp32")


@pytest.mark.parametrize("case", ["heads of 26", "an older GPU"])
def test_what_flash_attention_does_not_take_goes_another_way(found, case):
    assert "error" not in found[case], found[case]["error"]
    assert found[case]["flash"] == 0


def test_what_goes_by_the_lengths_of_windows_is_not_recorded(found):
    """The windows of another batch would be taken for these."""
    assert found["recorded"]["flash"] == 1
    assert (
        "without flash attention, a pass is that of windows of these"
        in found["recorded without flash attention"]["error"]
    )


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("a value", "DataDependentOutputException: aten._local_scalar_dense.default"),
        ("a count", "DynamicOutputShapeException: aten.nonzero.default"),
        ("a copy", "Wait: a copy of () from cuda to cpu"),
        ("pageable", "Wait: a copy of (3,) from cpu to cuda"),
        ("two devices", "FakeTensorDeviceMismatchError: Expected all tensors to be on the same device"),
    ],
)
def test_what_waits_or_lies_elsewhere_would_be_found(found, case, error):
    assert found[case]["error"].startswith(error)
