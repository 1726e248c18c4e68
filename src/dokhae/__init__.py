"""dokhae (독해): extractive question answering, Korean and English.

>>> import dokhae
>>> dokhae.train(dokhae.TrainConfig(benchmark="korquad-1.0", model="klue/roberta-base", train="train.json",
...                                 dev="dev.json", out="runs/klue"))
>>> dokhae.evaluate("dev.json", "runs/klue/predictions.json", benchmark="korquad-1.0")
>>> reader = dokhae.Reader.load("runs/klue")
>>> reader(question="수도는 어디인가?", context="서울은 대한민국의 수도이다.").text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dokhae.data import examples_from, write_examples
    from dokhae.errors import DokhaeError
    from dokhae.evaluation import evaluate
    from dokhae.model.bert import BertForQuestionAnswering, BertForSequenceClassification, BertModel, load
    from dokhae.reader import Reader
    from dokhae.training import TrainConfig, evaluate_run, reproduce, resume, train
    from dokhae.types import Answer, Candidate, Example, Prediction

__version__ = "0.1.0.dev1"

__all__ = [
    "Answer",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertModel",
    "Candidate",
    "DokhaeError",
    "Example",
    "Prediction",
    "Reader",
    "TrainConfig",
    "evaluate",
    "evaluate_run",
    "examples_from",
    "load",
    "reproduce",
    "resume",
    "train",
    "write_examples",
]

_HOMES = {
    "Answer": "types",
    "BertForQuestionAnswering": "model.bert",
    "BertForSequenceClassification": "model.bert",
    "BertModel": "model.bert",
    "Candidate": "types",
    "DokhaeError": "errors",
    "Example": "types",
    "Prediction": "types",
    "Reader": "reader",
    "TrainConfig": "training",
    "evaluate": "evaluation",
    "evaluate_run": "training",
    "examples_from": "data",
    "load": "model.bert",
    "reproduce": "training",
    "resume": "training",
    "train": "training",
    "write_examples": "data",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: `import dokhae` stays instant
    if name not in _HOMES:
        raise AttributeError(f"module 'dokhae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dokhae.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
