"""MLflow and Weights & Biases are told what metrics.csv is told. `make slow` installs them; offline, into files."""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec

import pytest
from lightning.pytorch.loggers.logger import DummyLogger

import dokhae
from dokhae.errors import MissingExtra, TrainingError
from dokhae.training import TrackConfig, trackers
from dokhae.training.checkpoints import Interrupted
from dokhae.training.trackers import Tracked
from tiny_models import make_model
from training.small import FEW, config, write_squad
from training.test_resume import train_and_stop

TRACKERS = ("mlflow", "wandb")
by_name = pytest.mark.parametrize("name", TRACKERS)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Two epochs of two steps, told to a tracker; everything that it writes goes into the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")

    def of(name):
        return config(model, data, tmp_path / "run", epochs=2, track=TrackConfig(**{name: True}, project="mine"))

    return of


@by_name
def test_a_tracker_that_is_not_installed_names_its_extra_before_anything_else(name, settings):
    if find_spec(name) is not None:
        pytest.skip("it is installed here")
    with pytest.raises(MissingExtra, match=rf"--track\.{name} needs .*pip install 'dokhae\[{name}\]'"):
        dokhae.train(settings(name), show=False)
    assert not settings(name).out.exists()


class Gone(DummyLogger):
    """A tracker whose server takes so many metrics, and then no more."""

    def __init__(self, takes, error=None):
        super().__init__()
        self.takes, self.error, self.asked = takes, error or OSError("the server is gone\nmore of it"), 0

    def log_metrics(self, metrics, step=None):
        self.asked += 1
        if self.asked > self.takes:
            raise self.error


@pytest.mark.parametrize("takes", [0, 2])
def test_a_tracker_that_is_gone_is_told_once_and_the_training_goes_on(takes, settings, monkeypatch, caplog):
    server = Gone(takes)
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", ("MLflow", "MLFLOW_TRACKING_URI", lambda *_: server))
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    caplog.set_level("WARNING", logger="dokhae")
    dokhae.train(settings("mlflow"), show=False)
    assert server.asked == takes + 1
    out = settings("mlflow").out
    assert [record.getMessage() for record in caplog.records if "MLflow" in record.getMessage()] == [
        "MLflow cannot be told any more of this run, which goes on: the server is gone; "
        f"all metrics are in {out / 'metrics.csv'}"
    ]
    assert json.loads((out / "run.json").read_text())["status"] == "finished"
    assert (out / "metrics.csv").read_text().count("\n") > 3


def test_a_tracker_in_the_middle_of_being_told_does_not_swallow_ctrl_c(tmp_path):
    tracker = Tracked("MLflow", Gone(0, Interrupted("stopped at once")), tmp_path)
    with pytest.raises(Interrupted):
        tracker.log_metrics({"loss": 1.0}, 1)


def told_mlflow(out):
    """Settings, and steps of the dev F1, that MLflow knows of the one run."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("mine")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.run_id for run in runs] == [json.loads((out / "trackers.json").read_text())["mlflow"]]
    steps = [metric.step for metric in client.get_metric_history(runs[0].info.run_id, "dev_f1")]
    return runs[0].data.params, sorted(steps)


def records(content):
    """The records in a file of W&B: LevelDB's log format after 7 bytes; a record may be cut at blocks of 32 KiB."""
    at, record = 7, b""
    while at + 7 <= len(content):
        length, kind = struct.unpack_from("<HB", content, at + 4)
        if kind == 0 or at % 32768 > 32761:  # the rest of the block is empty
            at += 32768 - at % 32768
            continue
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield record
            record = b""


def told_wandb(out):
    """The same of W&B's offline files: one folder for each start, of one run."""
    from wandb.proto import wandb_internal_pb2

    number = json.loads((out / "trackers.json").read_text())["wandb"]
    settings, steps = {}, []
    for file in sorted(out.glob("wandb/offline-run-*/*.wandb")):
        assert file.name == f"run-{number}.wandb"
        for content in records(file.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(content)
            settings |= {item.key: json.loads(item.value_json) for item in record.config.update}
            row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            steps += [row["trainer/global_step"]] if "dev_f1" in row else []
    return settings, steps


@pytest.mark.slow
@by_name
def test_a_resumed_run_goes_on_under_its_old_number(name, settings, monkeypatch):
    pytest.importorskip(name)
    dokhae.resume(train_and_stop(settings(name), 3, monkeypatch), show=False)
    told, steps = {"mlflow": told_mlflow, "wandb": told_wandb}[name](settings(name).out)
    assert float(told["learning_rate"]) == 5e-5
    assert len(steps) == 2


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_is_one_error(settings, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrainingError, match="MLflow cannot be told of this run: .*; see MLFLOW_TRACKING_URI"):
        dokhae.train(settings("mlflow"), show=False)


@pytest.mark.slow
def test_a_store_that_goes_away_ends_no_training(settings, tmp_path, caplog):
    pytest.importorskip("mlflow")
    told = []

    def lose(step, scores):
        told.append(step)
        (tmp_path / "mlruns").rename(tmp_path / "away")
        (tmp_path / "mlruns").touch()

    caplog.set_level("WARNING", logger="dokhae")
    dokhae.train(settings("mlflow"), show=False, watch=lambda *given: None if told else lose(*given))
    assert told and caplog.text.count("MLflow cannot be told any more of this run, which goes on") == 1
