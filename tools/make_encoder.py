"""Makes the packaged encoder: an untrained BERT learns to find things in invented passages.

    python tools/make_encoder.py --work FOLDER [--threads 2]

The text is the generator's (tools/sample), with names that no split of the sample uses. Each passage comes with two
questions that it answers and one that it does not; the model points at the span, as in reading comprehension. It learns
in two stages: from hard text, half of its questions statements with a gap, [MASK]; then from text like the sample's.
Training is dokhae's own, so it can be interrupted and started again with the same command. The span head is thrown
away; the encoder is written to src/dokhae/data/sample/encoder in half precision, with the logs of its training.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from sample.names import Draw
from sample.passages import (
    EASY,
    HARD,
    Difficulty,
    Wording,
    answerable,
    gap,
    in_squad_form,
    passages,
    question,
    unanswerable,
)
from sample.vocabulary import vocabulary

from dokhae.files import write_json, write_text
from dokhae.model.saving import save_model
from dokhae.model.scratch import new_encoder
from dokhae.training.config import OptimizerConfig

ENCODER = Path(__file__).resolve().parent.parent / "src" / "dokhae" / "data" / "sample" / "encoder"
SEED = 20261121
SIZES = {"layers": 4, "hidden_size": 128, "heads": 4, "max_length": 256}
DEV = 300  # passages


@dataclass(frozen=True)
class Stage:
    """A part of the training: one epoch of text that no other has."""

    name: str
    passages: int
    difficulty: Difficulty
    wordings: tuple[Wording, Wording]  # of the questions that the passage answers; the third is worded as one of them
    learning_rate: float


STAGES = (
    Stage("hard", 130_000, HARD, (gap, question), 1e-3),
    Stage("easy", 70_000, EASY, (question, question), 5e-4),
)


def write_examples(path: Path, seed: int, stage: Stage, count: int) -> None:
    """Passages with questions, as a SQuAD file."""
    draw = Draw(seed)
    articles = []
    for number, passage in enumerate(islice(passages(draw, "encoder", stage.difficulty), count)):
        asked = answerable(draw, passage, stage.wordings)
        asked.append(unanswerable(draw, passage, "encoder", stage.difficulty, draw.choose(stage.wordings)))
        articles.append(in_squad_form(passage, asked, str(number)))
    write_json(path, {"version": "dokhae-encoder-2", "data": articles})


def train(work: Path, stages: Sequence[Stage]) -> Path:
    """From nothing to the folder of a model; goes on where it was interrupted."""
    import dokhae

    model, draft = work / "untrained", work / "unprepared"
    if not model.exists():
        shutil.rmtree(draft, ignore_errors=True)
        write_text(work / "vocab.txt", "\n".join(vocabulary()) + "\n")
        new_encoder(draft, work / "vocab.txt", **SIZES)
        prepare(draft)
        draft.rename(model)
    for number, stage in enumerate(stages):
        run = work / stage.name / "run"
        if (run / "config.yaml").exists():
            dokhae.resume(run)
        else:
            write_examples(work / stage.name / "train.json", SEED + 2 * number, stage, stage.passages)
            write_examples(work / stage.name / "dev.json", SEED + 2 * number + 1, stage, DEV)
            dokhae.train(config(work / stage.name, stage, model))
        model = run / "model"
    return model


def config(folder: Path, stage: Stage, model: Path) -> Any:  # noqa: ANN401 - a TrainConfig
    """How a stage is trained."""
    import dokhae

    return dokhae.TrainConfig(
        benchmark="squad-2.0",
        model=str(model),
        train=folder / "train.json",
        dev=folder / "dev.json",
        out=folder / "run",
        epochs=1,
        batch_size=16,
        learning_rate=stage.learning_rate,
        max_length=SIZES["max_length"],
        step=64,
        seed=SEED,
        device="cpu",
        null_threshold=0.0,
        checkpoint_every=1000,
        optimizer=OptimizerConfig(warmup=0.02),
    )


def prepare(folder: Path) -> None:
    """Make an untrained encoder quick to learn: no dropout (no example is seen twice), and attention near the identity.

    Queries and keys of a head begin so that a token attends to its like, values and outputs near the negative of the
    identity, positions as sinusoids: so the names of a question are sooner found in a passage.
    Source: Trockman & Kolter 2023, Mimetic Initialization of Self-Attention Layers.
    """
    import torch
    from transformers import AutoTokenizer, BertForQuestionAnswering

    torch.manual_seed(SEED)
    model = BertForQuestionAnswering.from_pretrained(
        folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, dtype=torch.float32
    )
    width, heads = model.config.hidden_size, model.config.num_attention_heads
    size = width // heads
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            attention, output = layer.attention.self, layer.attention.output.dense
            for rows in torch.arange(width).split(size):
                attention.query.weight[rows], attention.key.weight[rows] = factors(noise(width, 0.7, 0.7), size)
            attention.value.weight[:], outputs = factors(noise(width, 0.4, -0.4), width)
            output.weight[:] = outputs.T
        angles = torch.arange(model.config.max_position_embeddings)[:, None] * 10_000.0 ** -(
            torch.arange(0, width, 2) / width
        )
        waves = torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
        model.bert.embeddings.position_embeddings.weight[:] = model.config.initializer_range * waves
    save_model(folder, model, AutoTokenizer.from_pretrained(folder))


def noise(width: int, spread: float, diagonal: float) -> Any:  # noqa: ANN401 - a tensor
    """A random matrix with something on its diagonal, (width, width)."""
    import torch

    return spread * torch.randn(width, width) / width**0.5 + diagonal * torch.eye(width)


def factors(matrix: Any, rank: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Two matrices, (rank, width), whose product, the first transposed times the second, is nearest to a square one."""
    import torch

    left, values, right = torch.linalg.svd(matrix)
    root = values[:rank].sqrt()
    return (left[:, :rank] * root).T, (right[:rank].T * root).T


def pack(work: Path, model: Path, folder: Path) -> None:
    """The encoder without its head, in half precision, with its tokenizer and the logs of its training."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    encoder = AutoModel.from_pretrained(model, dtype=torch.float16, add_pooling_layer=False)
    encoder.config.hidden_dropout_prob = 0.1
    save_model(folder, encoder, AutoTokenizer.from_pretrained(model))
    for stage in STAGES:
        shutil.copy(work / stage.name / "run" / "metrics.csv", folder / f"training-{stage.name}.csv")


def main() -> None:
    """Read the command line; train, then pack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the text and the runs")
    parser.add_argument("--out", type=Path, default=ENCODER, help="folder to write to (default: the packaged encoder)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the passages, for a trial (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stages = [replace(stage, passages=int(stage.passages * args.share)) for stage in STAGES]
    pack(args.work, train(args.work, stages), args.out)


if __name__ == "__main__":
    main()
