"""metrics.csv of a run that is killed and resumed."""

from __future__ import annotations

import os
from types import SimpleNamespace

import torch

from dokhae.training.logs import Progress, loggers


def rows(run):
    return (run / "metrics.csv").read_text(encoding="utf-8").splitlines()


def test_a_table_goes_on_where_it_was_also_after_a_kill_while_it_was_being_opened(tmp_path):
    table = loggers(tmp_path)[1]
    table.log_metrics({"loss": 1.0}, step=1)
    table.save()
    os.replace(tmp_path / "metrics.csv", tmp_path / "metrics.before.csv")  # killed just here
    again = loggers(tmp_path)[1]
    again.log_metrics({"loss": 0.5}, step=2)
    again.save()
    assert rows(tmp_path) == ["loss,step", "1.0,1", "0.5,2"]
    assert not (tmp_path / "metrics.before.csv").exists()


def test_a_table_takes_columns_that_it_had_not_before(tmp_path):
    for step, metrics in enumerate(({"loss": 1.0}, {"em": 50.0})):
        table = loggers(tmp_path)[1]
        table.log_metrics(metrics, step=step)
        table.save()
    assert rows(tmp_path) == ["em,loss,step", ",1.0,0", "50.0,,1"]


def test_the_loss_that_is_shown_is_a_batchs_however_many_make_a_step(capsys, monkeypatch):
    monkeypatch.setattr("dokhae.progress.SECONDS_BETWEEN_LINES", 0)
    progress = Progress(1, True, lambda scores: "")
    trainer = SimpleNamespace(accumulate_grad_batches=3, global_step=0, is_last_batch=False)
    progress.on_train_start(trainer, None)
    trainer.global_step = 1
    progress.on_train_batch_end(trainer, None, {"loss": torch.tensor(1.5)})  # a third of it, as Lightning has it
    assert "loss 4.500" in capsys.readouterr().err


def test_the_loss_beside_an_epochs_scores_is_that_of_its_last_batch(capsys):
    progress = Progress(10, True, lambda scores: "dev F1 50.00")
    trainer = SimpleNamespace(accumulate_grad_batches=1, global_step=0, is_last_batch=False, callback_metrics={})
    progress.on_train_start(trainer, None)
    for step in (1, 2, 3):
        trainer.global_step, trainer.is_last_batch = step, step == 3
        progress.on_train_batch_end(trainer, None, {"loss": torch.tensor(float(step))})
    progress.on_validation_end(trainer, None)
    assert "train: 3/10 steps" in (said := capsys.readouterr().err) and said.endswith("loss 3.000  dev F1 50.00\n")
