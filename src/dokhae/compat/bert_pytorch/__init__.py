"""pytorch-pretrained-BERT: SQuAD, GLUE, feature extraction, TensorFlow checkpoints; versions 0.1 to 0.6."""

from __future__ import annotations

from dokhae.compat.bert_pytorch.classifier import RUN_CLASSIFIER
from dokhae.compat.bert_pytorch.converting import CONVERT, PACKAGE
from dokhae.compat.bert_pytorch.features import EXTRACT_FEATURES
from dokhae.compat.bert_pytorch.squad import RUN_SQUAD, RUN_SQUAD2

SCRIPTS = (RUN_SQUAD, RUN_SQUAD2, RUN_CLASSIFIER, EXTRACT_FEATURES, CONVERT, PACKAGE)
