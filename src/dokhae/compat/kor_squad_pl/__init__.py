"""KorSQuAD-pl: a Lightning trainer for KorQuAD and SQuAD over many encoders."""

from __future__ import annotations

from dokhae.compat.kor_squad_pl.downloads import KORQUAD, SQUAD
from dokhae.compat.kor_squad_pl.run_qa import RUN_QA
from dokhae.compat.kor_squad_pl.scores import EVALUATE
from dokhae.compat.table import Script

SCRIPTS: tuple[Script, ...] = (RUN_QA, KORQUAD, SQUAD, EVALUATE)
