"""Does it learn? A small encoder from nothing, on generated pages, scored on others. `python -m speed.pages_trained`.

Pages are those of speed/pages.py, small ones: about one person, country, film or company each, with invented names. The
vocabulary is that of the training pages. The encoder is a ModernBERT of a million weights. It reads windows of 128
tokens first, which teach it where facts stand, then of 320, which hold whole tables and lists, and at last all of them:
one of two lists of a page often has a window to itself, and only windows without the answer tell it from the other.
Checkpoints are chosen on dev pages; the scores are those of test pages, small ones, and ones of the lengths of KorQuAD
2.1. Small pages have two paragraphs, tables and lists each to choose from. What is in --out is not trained again.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dokhae import benchmarks
from dokhae.files import read_json
from dokhae.report.page_kinds import by_kind
from dokhae.training.config import OptimizerConfig, TrainConfig
from speed.command import run_command
from speed.epoch import single
from speed.pages import Size, write_pages
from speed.report import Row, publish
from speed.shared import FOLDER, results_file

KORQUAD = benchmarks.find("korquad-2.1")
PARTS = {"train": 0, "dev": 100_000, "test": 200_000, "real": 300_000}  # number of the first page
ENTRIES = 3000  # of the vocabulary
SHORT, LONG = 70.0, 70.0  # exact match of short answers, F1 of long ones, required


@dataclass(frozen=True, slots=True)
class Arguments:
    """How much is trained, and where it goes."""

    train_pages: int = 3000
    dev_pages: int = 100
    test_pages: int = 300
    real_pages: int = 150  # of real size, for a second test
    seed: int = 1
    out: Path = FOLDER / ".cache" / "pages_trained"  # pages, vocabulary and runs
    results: Path = results_file("pages_trained")


def run(arguments: Arguments) -> int:
    """Make pages, train in stages, score the test pages, print and write."""
    import dokhae
    from dokhae.training import runs

    begun = time.perf_counter()
    for part, first in PARTS.items():
        if not (arguments.out / part).exists():
            size: Size = "real" if part == "real" else "small"
            write_pages(arguments.out / part, getattr(arguments, f"{part}_pages"), arguments.seed, size, first)
    encoder = untrained(arguments.out)
    stages = settings(arguments, encoder)
    for config in stages:
        if not runs.finished(config.out):
            dokhae.train(config, show=True)
    made = rows("pages of real size", scores(stages[-1].out, arguments.out / "real"), SHORT, LONG)
    made += rows("small pages", scores(stages[-1].out, arguments.out / "test"))
    told = [{name: value for name, value in asdict(config).items() if name in TOLD} for config in stages]
    dev = [read_json(config.out / "scores.json")["scores"] for config in stages]
    facts = {name: value for name, value in asdict(arguments).items() if name not in ("out", "results")}
    facts |= {"stages": told, "dev after each stage": dev}
    return publish(made, facts, begun, arguments.results)


TOLD = ("max_length", "overlap", "lead", "epochs", "batch_size", "learning_rate", "null_windows", "korean_split")


def settings(arguments: Arguments, encoder: Path) -> list[TrainConfig]:
    """The stages; each goes on with the model of the one before it."""
    folder = arguments.out

    def stage(model: Path, name: str, **own: Any) -> TrainConfig:  # noqa: ANN401
        return TrainConfig(
            benchmark=KORQUAD.name, model=str(model), train=folder / "train", dev=folder / "dev", out=folder / name,
            korean_split="particles", precision="fp32", device="cpu", seed=arguments.seed,
            optimizer=OptimizerConfig(warmup=0.05), **own,
        )  # fmt: skip

    return [
        stage(encoder, "windows-128", max_length=128, overlap=48, lead=12, batch_size=32, learning_rate=2e-3,
              null_windows=0.25, epochs=4),
        stage(folder / "windows-128", "windows-320", max_length=320, overlap=128, lead=16, batch_size=16,
              learning_rate=5e-4, null_windows=0.5, epochs=1),
        stage(folder / "windows-320", "all-windows", max_length=320, overlap=128, lead=16, batch_size=16,
              learning_rate=5e-4, epochs=0.8),
    ]  # fmt: skip


def untrained(folder: Path) -> Path:
    """A small ModernBERT with random weights, and a WordPiece vocabulary of the training pages."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizer, ModernBertConfig, ModernBertForQuestionAnswering

    from dokhae.model.saving import save_model
    from dokhae.pages.text import PageConfig, page_text

    if (folder / "encoder").exists():
        return folder / "encoder"
    examples = KORQUAD.read(folder / "train", True)
    pages = dict.fromkeys(example.context for example in examples)
    made = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    texts = [page_text(page, PageConfig()).text for page in pages] + [example.question for example in examples]
    made.train_from_iterator(texts, vocab_size=ENTRIES, min_frequency=2, show_progress=False)
    (vocabulary,) = made.save_model(str(folder))
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=False, strip_accents=False)
    torch.manual_seed(0)
    model = ModernBertForQuestionAnswering(
        ModernBertConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=4,
            num_attention_heads=4, max_position_embeddings=512, global_attn_every_n_layers=2, local_attention=32,
            pad_token_id=tokenizer.pad_token_id, cls_token_id=tokenizer.cls_token_id,
            sep_token_id=tokenizer.sep_token_id, bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
        )
    )  # fmt: skip
    save_model(folder / "encoder", model, tokenizer)
    return folder / "encoder"


def scores(run_folder: Path, pages: Path) -> list[tuple[str, int, float, float]]:
    """Kind, questions, exact match and F1 of the run's reader on other pages, as `dokhae predict` answers."""
    import dokhae

    reader = dokhae.Reader.load(run_folder, "cpu")
    examples = KORQUAD.read(pages, True)
    texts = {prediction.id: prediction.text for prediction in reader.predict_each(examples)}
    whole = dokhae.evaluate(pages, texts, KORQUAD.name)
    kinds = [(one.kind, one.questions, one.exact_match, one.f1) for one in by_kind(examples, texts, KORQUAD.rule)]
    return [("all", len(examples), float(whole["exact_match"]), float(whole["f1"])), *kinds]


def rows(
    pages: str, scored: list[tuple[str, int, float, float]], short: float | None = None, long: float | None = None
) -> list[Row]:
    """Exact match of each kind of answer, of long ones F1; short and long: what is required of these two."""
    made = []
    for kind, questions, exact, f1 in scored:
        name, count = f"{pages}: {kind}", {"questions": questions}
        if kind == "long":
            made.append(Row(name, single(f1), "F1", required=long, details={"EM": exact} | count))
        else:
            required = short if kind == "short" else None
            made.append(Row(name, single(exact), "EM", required=required, details={"F1": f1} | count))
    return made


if __name__ == "__main__":
    sys.stderr.write("three trainings, half an hour on two cores\n")
    run_command(Arguments, run, __doc__)
