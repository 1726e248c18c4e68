"""GluonNLP's scripts for SQuAD."""

from __future__ import annotations

from dokhae.compat.gluonnlp.commands import HOROVODRUN, MPIRUN, NLP_DATA, SQUAD2
from dokhae.compat.gluonnlp.squad import RUN_SQUAD
from dokhae.compat.table import Script

SCRIPTS: tuple[Script, ...] = (RUN_SQUAD, NLP_DATA, HOROVODRUN, MPIRUN, *SQUAD2)
