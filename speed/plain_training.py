"""Fine-tuning in the plain Hugging Face way: transformers' own Trainer over padded windows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dokhae.types import Example
from speed.plain_decoding import decode
from speed.plain_features import PlainSettings, load_tokenizer, to_dataset, training_features, validation_features

if TYPE_CHECKING:
    from speed.parity import ParitySettings


def fine_tune(
    model_folder: Path, train: Sequence[Example], dev: Sequence[Example], settings: ParitySettings, seed: int
) -> tuple[dict[str, str], int]:
    """The answers to `dev` of a model that was fine-tuned on `train`, and its optimizer steps."""
    from transformers import AutoModelForQuestionAnswering, Trainer, default_data_collator, set_seed

    plain = PlainSettings(settings.max_length, settings.overlap, settings.n_best, settings.max_answer_length)
    tokenizer = load_tokenizer(model_folder)
    train_set = training_features(to_dataset(train), tokenizer, plain)
    dev_rows = to_dataset(dev)
    dev_set = validation_features(dev_rows, tokenizer, plain)
    set_seed(seed)  # the span head is drawn from it
    model = AutoModelForQuestionAnswering.from_pretrained(str(model_folder), local_files_only=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=training_arguments(folder, settings, seed),
            train_dataset=train_set,
            data_collator=default_data_collator,
            processing_class=tokenizer,
        )
        steps = trainer.train().global_step
        logits = trainer.predict(dev_set.remove_columns(["example_id", "offset_mapping"])).predictions
    return decode(dev_rows, dev_set, logits[0], logits[1], plain)[0], steps


def training_arguments(folder: str, settings: ParitySettings, seed: int) -> Any:  # noqa: ANN401
    """Trainer's own defaults but for what both sides are told, and for what it would write."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=2 * settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,  # below 1: a share of all steps
        weight_decay=settings.weight_decay,
        adam_epsilon=settings.adam_epsilon,
        max_grad_norm=settings.clip,
        bf16=settings.precision == "bf16",
        use_cpu=True,
        seed=seed,
        save_strategy="no",
        report_to="none",
        logging_steps=10,
    )
