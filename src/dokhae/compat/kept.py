"""What a run folder keeps is not lost by a second command line that names the same --output_dir."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from dokhae.compat import road
from dokhae.errors import SettingsError
from dokhae.files import read_json, refuse_full_folder, sha256


def refuse_run(out: Path, verb: str = "dokhae train") -> None:
    """SettingsError where a training's --output_dir is not empty; under a launcher it may be a restart of its own."""
    if road.launched():
        return
    if is_trained(out):
        raise SettingsError(f"--output_dir {out}: has a run already; name another one")
    refuse_begun(out, f"--output_dir {out}", verb)
    try:
        refuse_full_folder(out)
    except SettingsError:
        raise SettingsError(f"--output_dir {out}: is not an empty folder; name another one") from None


def refuse_begun(out: Path, name: str, verb: str = "dokhae train") -> None:
    """SettingsError where a training in a folder has begun and not ended; `name` begins the message."""
    if (out / "config.yaml").exists() and not is_trained(out):
        raise SettingsError(f"{name}: its training has not ended; go on with: {verb} --resume {shlex.quote(str(out))}")


def encoder_folder(out: Path) -> Path:
    """Where an encoder that is made for a training goes: beside its --output_dir, which has to be empty."""
    out = out if out.name else out.absolute()
    return out.with_name(f"{out.name}-encoder")


def is_trained(run: Path) -> bool:
    """Whether a folder has a model to answer with, as a run has it."""
    return (run / "model" / "config.json").exists()


def refuse_other_answers(out: Path, benchmark: str, data: Path, advice: str, otherwise: Collection[str] = ()) -> None:
    """SettingsError where the run in --output_dir has answers of its training that other ones would replace.

    Others are those to another data file, or found in another way, by these options. advice: how to name the run as a
    model while the answers go elsewhere.
    """
    scores = read_json(out / "scores.json") if (out / "scores.json").exists() else None
    if scores and otherwise:
        raise SettingsError(f"--output_dir {out}: has its training's answers, which those with {min(otherwise)} would "
                            f"replace; name another one, and {advice}")  # fmt: skip
    if scores and (scores["benchmark"], scores["sha256"]) != (benchmark, sha256(data)):
        raise SettingsError(f"--output_dir {out}: has its training's answers to {scores['data']}; name another one, "
                            f"and {advice}")  # fmt: skip
