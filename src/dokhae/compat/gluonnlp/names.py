"""GluonNLP's names of encoders -> what the hub calls them, and the rows of its published table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dokhae.errors import SettingsError
from dokhae.records import nearest

if TYPE_CHECKING:
    from dokhae.recipes import Row

TABLE = "gluonnlp/squad-2.0/"
# name there -> row of recipes/gluonnlp.yaml, which has the hub's name and the settings
ROWS = {
    "google_albert_base_v2": "albert-base-v2",
    "google_albert_large_v2": "albert-large-v2",
    "google_albert_xlarge_v2": "albert-xlarge-v2",
    "google_albert_xxlarge_v2": "albert-xxlarge-v2",
    "google_en_uncased_bert_base": "bert-base-uncased",
    "google_en_uncased_bert_large": "bert-large-uncased",
    "google_en_uncased_bert_wwm_large": "bert-large-uncased-whole-word-masking",
    "google_electra_small": "electra-small",
    "google_electra_base": "electra-base",
    "google_electra_large": "electra-large",
    "google_uncased_mobilebert": "mobilebert",
    "fairseq_roberta_large": "roberta-large",
    "gluon_en_cased_bert_base_v1": "gluonnlp-bert-base-cased-v1",
}
# its other encoders; None: only in MXNet's format
OTHERS = {
    "google_en_cased_bert_base": "google-bert/bert-base-cased",
    "google_en_cased_bert_large": "google-bert/bert-large-cased",
    "google_en_cased_bert_wwm_large": "google-bert/bert-large-cased-whole-word-masking",
    "google_multi_cased_bert_base": "google-bert/bert-base-multilingual-cased",
    "google_zh_bert_base": "google-bert/bert-base-chinese",
    "fairseq_roberta_base": "FacebookAI/roberta-base",
    "fairseq_xlmr_base": "FacebookAI/xlm-roberta-base",
    "fairseq_xlmr_large": "FacebookAI/xlm-roberta-large",
    "gluon_electra_small_owt": None,
}


def row_of(name: str) -> Row:
    """The published row of an encoder by GluonNLP's name; some have rows in float16 alone."""
    from dokhae.recipes import rows

    names = (TABLE + ROWS[name], f"{TABLE}{ROWS[name]}-fp16")
    return next(row for row in rows() if row.name in names)


def hub_name(name: str) -> str:
    """What the hub calls an encoder; a folder of that name, here, comes first, and the hub's own names stay.

    Raises SettingsError with the nearest name for one that is not known, and for one that is only in MXNet's format.
    """
    if Path(name).expanduser().is_dir() or "/" in name:
        return name
    if name not in ROWS and name not in OTHERS:
        raise SettingsError(f"--model_name: {name!r} is not known{nearest(name, [*ROWS, *OTHERS])}")
    found = row_of(name).model if name in ROWS else OTHERS[name]
    if found is None:
        raise SettingsError(f"--model_name: {name} is GluonNLP's own, in MXNet's format, which cannot be read here; "
                            f"put an encoder into a folder {name}, or name another one")  # fmt: skip
    return found
