"""KorQuAD with ETRI's morpheme BERT on many GPUs (korbert-mecab-multigpu)."""

from __future__ import annotations

from dokhae.compat.etri.trainer import MULTIGPU, SHELL, WITHOUT_RECORDS
from dokhae.compat.table import Script

SCRIPTS: tuple[Script, ...] = (MULTIGPU, WITHOUT_RECORDS, SHELL)
