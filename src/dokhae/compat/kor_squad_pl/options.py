"""The options of run_qa.py in all its versions, and Lightning's, which it took and never used."""

from __future__ import annotations

from dokhae.compat.kor_squad_pl.names import KINDS
from dokhae.compat.table import Flag, bare, truth

OWN = (
    Flag("--model_type", note=f"the kind of model ({', '.join(KINDS)}); the model's own config.json says it"),
    Flag("--model_name_or_path", note="--model; short names are given the owners that the hub has for them now"),
    Flag("--text_reader", note="the first versions' name of a model: bert, kobert or koelectra"),
    Flag("--data_name", default="squad_v2.0", note="--benchmark, and ./data/NAME/{train,dev}.json"),
    Flag("--do_train", bare, note="dokhae train --out ./model/DATA/MODEL"),
    Flag("--do_eval", bare, note="the files that the training has written; alone: dokhae predict, dokhae evaluate"),
    Flag("--null_score_diff_threshold", float, 0.0, to="null_threshold"),
    Flag("--max_seq_length", int, 384, to="max_length"),
    Flag("--doc_stride", int, 128, to="step"),
    Flag("--max_query_length", int, 64, to="max_question_length"),
    Flag("--num_train_epochs", int, 3, to="epochs"),
    Flag("--batch_size", int, 32, to="batch_size"),
    Flag("--learning_rate", float, 3e-5, to="learning_rate"),
    Flag("--weight_decay", float, 0.01, to="optimizer.weight_decay"),
    Flag("--adam_epsilon", float, 1e-8, to="optimizer.adam_epsilon"),
    Flag("--n_best_size", int, 20, to="decoding.n_best"),
    Flag("--max_answer_length", int, 30, to="decoding.max_answer_length"),
    Flag("--seed", int, 42, to="seed"),
    Flag("--gpu_ids", default="0", note="--device and --devices", also=("--gpu_id",)),
    Flag("--do_lower_case", bare, gone="the model's own tokenizer knows whether it lower-cases"),
    Flag("--lang_id", int, 0, gone="it was for XLM alone, whose language embeddings are not used here"),
)

# what they do here; the old script passed none of them on
USED = (
    Flag("--gpus", note="as --gpu_ids, or how many"),
    Flag("--max_epochs", int, note="--epochs, without --num_train_epochs"),
    Flag("--max_steps", int, to="max_steps"),
    Flag("--accumulate_grad_batches", int, note="--optimizer.accumulate"),
    Flag("--gradient_clip_val", float, to="optimizer.clip"),
    Flag("--precision", note="--precision: 32, 16 or bf16", choices=("32", "16", "bf16", "64")),
)

UNUSED = "an option of Lightning that run_qa.py took and never used"
OTHERWISE = {
    "default_root_dir": "the run is in ./model/DATA/MODEL",
    "weights_save_path": "checkpoints are in ./model/DATA/MODEL/checkpoints",
    "resume_from_checkpoint": "an interrupted run goes on with: dokhae train --resume ./model/DATA/MODEL",
    "num_nodes": "several machines train under torchrun or SLURM (docs/cluster.md)",
    "accelerator": "--gpu_ids says how many processes there are",
    "distributed_backend": "--gpu_ids says how many processes there are",
}
VALUES = (
    "default_root_dir", "weights_save_path", "resume_from_checkpoint", "num_nodes", "accelerator",
    "distributed_backend", "process_position", "num_processes", "tpu_cores", "log_gpu_memory",
    "progress_bar_refresh_rate", "overfit_batches", "track_grad_norm", "check_val_every_n_epoch", "min_epochs",
    "min_steps", "max_time", "limit_train_batches", "limit_val_batches", "limit_test_batches",
    "limit_predict_batches", "val_check_interval", "flush_logs_every_n_steps", "log_every_n_steps",
    "weights_summary", "num_sanity_val_steps", "truncated_bptt_steps", "profiler", "plugins", "amp_backend",
    "amp_level", "gradient_clip_algorithm", "reload_dataloaders_every_n_epochs", "multiple_trainloader_mode",
)  # fmt: skip
SWITCHES = (
    "logger", "checkpoint_callback", "auto_select_gpus", "fast_dev_run", "sync_batchnorm", "benchmark",
    "deterministic", "reload_dataloaders_every_epoch", "auto_lr_find", "replace_sampler_ddp",
    "terminate_on_nan", "auto_scale_batch_size", "prepare_data_per_node", "automatic_optimization",
    "enable_pl_optimizer", "move_metrics_to_cpu", "stochastic_weight_avg",
)  # fmt: skip


def _gone(name: str) -> str:
    return f"{UNUSED}; {OTHERWISE[name]}" if name in OTHERWISE else UNUSED


OF_LIGHTNING = (
    *USED,
    *(Flag(f"--{name}", gone=_gone(name)) for name in VALUES),
    *(Flag(f"--{name}", truth, gone=_gone(name)) for name in SWITCHES),
)
OPTIONS = (*OWN, *OF_LIGHTNING)
