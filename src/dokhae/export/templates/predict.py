"""python predict.py INPUT OUTPUT: answer the questions of a file (KorQuAD 2.x: a folder), as leaderboards ask for it.

It stands in a bundle of `dokhae pack`, beside its model and dokhae's sources. What comes behind OUTPUT goes to
`dokhae predict`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
USAGE = "usage: python predict.py INPUT OUTPUT [OPTIONS OF dokhae predict]\n"
# of launchers: a bundle is one process, whoever else was started beside it
LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def main(arguments: list[str]) -> int:
    """Run `dokhae predict` with the model of the bundle; returns its exit code."""
    given, rest = arguments[:2], arguments[2:]
    if len(given) < 2 or any(word.startswith("-") for word in given) or (rest and not rest[0].startswith("-")):
        sys.stderr.write(USAGE)
        return 2
    os.environ.update(OFFLINE)  # read when the libraries are imported
    for name in LAUNCHERS:
        os.environ.pop(name, None)
    sys.dont_write_bytecode = True  # a bundle may be read-only
    sys.path.insert(0, str(HERE))
    from dokhae.cli import main as dokhae

    benchmark = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))["benchmark"]
    model = str(HERE / "model")
    return dokhae(["predict", given[0], "--model", model, "--out", given[1], "--benchmark", benchmark, *rest])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
