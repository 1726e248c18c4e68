"""Do the fixes for Korean pay in training? A small encoder without and with each, the same seeds on all sides.

`python -m speed.korean_trained --data sample` fine-tunes the packaged encoder, given another vocabulary, on the Korean
half of the packaged sample; `--data korquad` trains one from nothing on the shared KorQuAD split. Each trains what its
results file does not hold yet, and prints the comparison: differences by the paired bootstrap over articles.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dokhae import benchmarks, metrics
from dokhae.files import read_json, write_json, write_text
from dokhae.korean.splitting import Split
from dokhae.report.bootstrap import Difference, paired_bootstrap
from dokhae.types import Example
from speed.command import run_command
from speed.shared import FOLDER, RESULTS, shared_file, surroundings

KORQUAD = benchmarks.find("korquad-1.0")
SIZES = {"layers": 4, "hidden_size": 128, "heads": 4}  # of both encoders
SPLITS: tuple[Split, ...] = ("none", "particles", "kiwi")
FIXES = ("none", "trim", "particles", "kiwi")
CLAIMED = 20.0  # exact match from which on a difference may be read as one


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is trained, and where it is written."""

    data: Literal["sample", "korquad"] = "sample"
    vocabularies: tuple[str, ...] = (
        "bert-base-multilingual-cased", "koelectra-v1", "koelectra-v2-enliple", "kr-bert-char",
    )  # fmt: skip
    seeds: tuple[int, ...] = (0, 1, 2)
    splits: tuple[Split, ...] = SPLITS
    epochs: float | None = None  # None: 4 for the sample, 3 for korquad
    shared: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    results: Path | None = None  # None: speed/results/korean-DATA.json
    cache: Path = FOLDER / ".cache" / "korean"  # what each question scored

    @property
    def file(self) -> Path:
        """Where the results are."""
        return self.results or RESULTS / f"korean-{self.data}.json"

    def settings(self) -> dict[str, Any]:
        """What every training is told."""
        short = self.data == "sample"
        return {
            "epochs": self.epochs or (4 if short else 3), "learning_rate": 5e-4, "batch_size": 16,
            "max_length": 192 if short else 384, "step": 96 if short else 128, "max_question_length": 48,
            "precision": "fp32",
        }  # fmt: skip


def run(arguments: Arguments) -> int:
    """Train what is missing, write each result at once, print the comparison."""
    known = read_json(arguments.file)["trainings"] if arguments.file.exists() else []
    parts = parts_of(arguments)
    for vocabulary in arguments.vocabularies:
        for seed in arguments.seeds:
            for split in arguments.splits:
                key = {"vocabulary": vocabulary, "seed": seed, "split": split, "settings": arguments.settings()}
                if not any(key.items() <= row.items() and cached(arguments, row).exists() for row in known):
                    row = key | train(arguments, key, parts) | {"surroundings": surroundings()}
                    known = [each for each in known if not key.items() <= each.items()] + [row]
                    write_json(arguments.file, {"trainings": known, "comparison": []})
    kept = [row for row in known if row["settings"] == arguments.settings()]
    lines = list(compared(arguments, kept, parts[1]))
    write_json(arguments.file, {"trainings": known, "comparison": lines})
    text = table(lines)
    write_text(arguments.file.with_suffix(".md"), text)
    sys.stdout.write(text)
    return 0


def parts_of(arguments: Arguments) -> tuple[list[Example], list[Example]]:
    """The questions that are trained on, and those that are scored, all with an answer."""
    if arguments.data == "korquad":
        train, test = (
            KORQUAD.read(shared_file(f"korquad-1.0/{part}.json", arguments.shared), True) for part in ("train", "dev")
        )
        return train, test
    from dokhae.data import read_examples, sample_path

    return korean(read_examples(sample_path("train"))), korean(read_examples(sample_path("test")))


def korean(examples: Iterable[Example]) -> list[Example]:
    """The Korean questions that have an answer."""
    return [one for one in examples if one.answers and any("가" <= letter <= "힣" for letter in one.question)]


def train(arguments: Arguments, key: dict[str, Any], parts: tuple[list[Example], list[Example]]) -> dict[str, Any]:
    """One training; its scores with and, where words stay whole, without the trim."""
    import dokhae

    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary = shared_file(f"vocab/{key['vocabulary']}.txt", arguments.shared)
        make = packaged_with if arguments.data == "sample" else untrained_with
        encoder = make(vocabulary, [one.context for part in parts for one in part], folder, key["seed"])
        file = in_squad_form(parts[0], folder / "train.json")
        told = dokhae.TrainConfig(
            benchmark=KORQUAD.name, model=str(encoder), train=file, out=folder / "run", seed=key["seed"], device="cpu",
            korean_split=key["split"], **key["settings"],
        )  # fmt: skip
        dokhae.train(told, show=False)
        reader = dokhae.Reader.load(folder / "run", "cpu")
        readers = {key["split"]: reader}
        if key["split"] == "none":
            readers["trim"] = reader.with_korean_trim("kiwi")
        found = {fix: scored(one, parts[1]) for fix, one in readers.items()}
    row = {
        "scores": {fix: {name: statistics.mean(values) for name, values in each.items()} for fix, each in found.items()}
    }
    write_json(cached(arguments, key), found)
    return row | {"seconds": round(time.perf_counter() - begun), "threads": os.environ.get("OMP_NUM_THREADS", "all")}


def scored(reader: Any, examples: Sequence[Example]) -> dict[str, list[float]]:  # noqa: ANN401 - a dokhae.Reader
    """Exact match and F1 of every question, 0 to 100, by KorQuAD 1.0's rule."""
    texts = {one.id: one.text for one in reader.predict(examples)}
    scores = metrics.score_each(examples, texts, KORQUAD.rule)
    return {name: [100.0 * scores[one.id][place] for one in examples] for place, name in enumerate(("em", "f1"))}


def cached(arguments: Arguments, row: dict[str, Any]) -> Path:
    """Where the scores of single questions are kept."""
    return arguments.cache / f"{arguments.data}-{row['vocabulary']}-{row['split']}-{row['seed']}.json"


def in_squad_form(examples: Sequence[Example], path: Path) -> Path:
    """The examples as a file, one paragraph for each question."""
    paragraphs = [
        {"context": one.context, "qas": [{"id": one.id, "question": one.question, "answers": [
            {"text": answer.text, "answer_start": answer.start} for answer in one.answers]}]}
        for one in examples
    ]  # fmt: skip
    write_json(path, {"version": "KorQuAD_v1.0", "data": [{"title": "", "paragraphs": paragraphs}]})
    return path


def untrained_with(vocabulary: Path, contexts: Sequence[str], folder: Path, seed: int) -> Path:
    """An encoder that has learnt nothing, with the part of a vocabulary that the texts need."""
    from dokhae.model.scratch import new_encoder

    return new_encoder(folder / "encoder", needed(vocabulary, contexts, folder), **SIZES, max_length=512, seed=seed)


def packaged_with(vocabulary: Path, contexts: Sequence[str], folder: Path, seed: int) -> Path:
    """The packaged encoder, with another vocabulary: each entry begins as the mean of its pieces in the old one."""
    import torch
    from transformers import AutoTokenizer, BertForQuestionAnswering, BertTokenizer

    from dokhae.data import sample_path
    from dokhae.model.saving import save_model

    old = AutoTokenizer.from_pretrained(sample_path("encoder"))
    torch.manual_seed(seed)
    model = BertForQuestionAnswering.from_pretrained(sample_path("encoder"), dtype=torch.float32)
    new = BertTokenizer(vocab=str(needed(vocabulary, contexts, folder)), do_lower_case=False)
    table, unknown = model.get_input_embeddings().weight.detach(), old.unk_token_id
    rows = []
    for entry in new.convert_ids_to_tokens(range(len(new))):
        pieces = [old.convert_tokens_to_ids(entry)]
        if pieces == [unknown]:  # taken apart as the beginning of a word, or as what follows one
            text, marked = entry.removeprefix("##"), entry.startswith("##")
            pieces = old(f"가{text}" if marked else text, add_special_tokens=False)["input_ids"][int(marked) :] or [
                unknown
            ]
        rows.append(table[pieces].mean(dim=0))
    model.resize_token_embeddings(len(new))
    model.get_input_embeddings().weight.data.copy_(torch.stack(rows))
    model.config.pad_token_id = new.pad_token_id
    save_model(folder / "encoder", model, new)
    return folder / "encoder"


def needed(vocabulary: Path, contexts: Sequence[str], folder: Path) -> Path:
    """The entries that any of the splits makes of the texts, in their order; longest match finds the same."""
    from transformers import BertTokenizer

    from dokhae.encoding.korean import tokenizer_of

    fast = BertTokenizer(vocab=str(vocabulary), do_lower_case=False)
    used = {*range(200)} | {fast.unk_token_id, fast.cls_token_id, fast.sep_token_id, fast.pad_token_id}
    for split in SPLITS:
        for text in tokenizer_of(fast, korean_split=split).tokenize(list(dict.fromkeys(contexts))):
            used.update(text.ids.tolist())
    every = {entry for number in used for entry in fast.convert_ids_to_tokens([number])}
    single = {entry for entry in fast.get_vocab() if len(entry.removeprefix("##")) == 1}  # for questions
    kept = [entry for entry, _ in sorted(fast.get_vocab().items(), key=lambda pair: pair[1]) if entry in every | single]
    path = folder / "vocab.txt"
    write_text(path, "\n".join(kept) + "\n")
    return path


def compared(arguments: Arguments, rows: Sequence[dict[str, Any]], test: Sequence[Example]) -> Iterable[dict[str, Any]]:
    """Each vocabulary's fixes: mean scores over the seeds, and the difference from whole words without a trim."""
    groups = [one.title or one.context for one in test]
    for vocabulary in arguments.vocabularies:
        by_fix: dict[str, list[dict[str, list[float]]]] = {}
        for row in rows:
            if row["vocabulary"] == vocabulary:
                for fix, found in read_json(cached(arguments, row)).items():
                    by_fix.setdefault(fix, []).append(found)
        for fix in (one for one in FIXES if one in by_fix):
            means = {name: [statistics.mean(each) for each in zip(*(found[name] for found in by_fix[fix]), strict=True)]
                     for name in ("em", "f1")}  # fmt: skip
            line = {"vocabulary": vocabulary, "fix": fix, "seeds": len(by_fix[fix]), "questions": len(test)}
            line |= {name: statistics.mean(values) for name, values in means.items()}
            line["em_by_seed"] = [statistics.mean(found["em"]) for found in by_fix[fix]]
            if fix == "none":
                before = means
            else:
                line |= {f"{name}_gain": asdict(paired_bootstrap(means[name], before[name], groups)) for name in means}
            yield line


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The comparison in markdown."""
    text = ["| vocabulary | fix | seeds | EM | by seed | F1 | EM gained (95%) | F1 gained (95%) |"]
    text.append("|---" * 8 + "|")
    for one in lines:
        seeds = ", ".join(f"{value:.1f}" for value in one["em_by_seed"])
        gains = [Difference(**one[name]).in_words() if name in one else "" for name in ("em_gain", "f1_gain")]
        cells = (one["vocabulary"], one["fix"], one["seeds"], f"{one['em']:.2f}", seeds, f"{one['f1']:.2f}", *gains)
        text.append(f"| {' | '.join(map(str, cells))} |")
    if any(one["em"] < CLAIMED for one in lines):
        text += [
            "",
            f"Exact match below {CLAIMED:g}: such an encoder cannot read, so nothing follows from its differences.",
        ]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
