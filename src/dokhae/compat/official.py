"""The official evaluation scripts: the same words on stdout, from `dokhae evaluate`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dokhae.compat import road
from dokhae.compat.table import Flag, Given, Script, bare

log = logging.getLogger("dokhae")
SOURCE = "official"
FILES = (
    Flag("data", note="the first argument of dokhae evaluate", required=True),
    Flag("predictions", note="the second argument of dokhae evaluate", required=True),
)
WITH_NULL = (
    *FILES,
    Flag("--out-file", note="--out", also=("-o",)),
    Flag("--na-prob-file", note="--na_probs", also=("-n",)),
    Flag("--na-prob-thresh", float, 1.0, note="--na_prob_thresh, with --na-prob-file", also=("-t",)),
    Flag("--out-image-dir", note="--out_image_dir, with --na-prob-file", also=("-p",)),
    Flag("--verbose", bare, gone="it changed nothing there either", also=("-v",)),
)


def scorer(benchmark: str) -> Callable[[Given], None]:
    """What scores two files by a benchmark's rule."""

    def run(given: Given) -> None:
        road.run("evaluate", given["data"], given["predictions"], settings={"benchmark": benchmark})

    return run


def evaluate_2(given: Given) -> None:
    """SQuAD 2.0's rule, with the script's options: those about null scores changed nothing without these."""
    settings = {"benchmark": "squad-2.0", "out": given["out_file"]}
    if given["na_prob_file"] is not None:
        settings |= {
            "na_probs": given["na_prob_file"],
            "na_prob_thresh": given["na_prob_thresh"],
            "out_image_dir": given["out_image_dir"],
        }
    else:
        for name in {"na_prob_thresh", "out_image_dir"} & given.typed:
            log.info("--%s: changes nothing without --na-prob-file", name.replace("_", "-"))
    road.run("evaluate", given["data"], given["predictions"], settings=settings)


SCRIPTS: tuple[Script, ...] = (
    Script(SOURCE, "evaluate-v1.0.py", "KorQuAD 1.0's official scores", FILES, scorer("korquad-1.0")),
    Script(SOURCE, "evaluate-v1.1.py", "SQuAD 1.1's official scores", FILES, scorer("squad-1.1")),
    Script(SOURCE, "evaluate-v2.0.py", "SQuAD 2.0's official scores", WITH_NULL, evaluate_2),
    Script(SOURCE, "evaluate-korquad_2.0.py", "KorQuAD 2.x's official scores", FILES, scorer("korquad-2.1")),
)
