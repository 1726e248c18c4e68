"""Published tables as files: <source>.yaml holds the defaults of one and its rows; each row is one training.

>>> from dokhae import recipes, train
>>> train(recipes.config_of(recipes.find("kor-squad-pl/korquad-1.0/koelectra-base-v3"), out="runs/koelectra"))
"""

from dokhae.recipes.families import FAMILY, families
from dokhae.recipes.listing import chosen, settings_file
from dokhae.recipes.reading import Published, Row, Scores, defaults, find, full_name, read_source, rows, sources
from dokhae.recipes.reproduced import Reproduced, reproduced
from dokhae.recipes.using import (
    changes,
    config_of,
    data_files,
    planned,
    refuse_missing_data,
    refuse_unmet,
    settings_of,
    still_needed,
)

__all__ = [
    "FAMILY",
    "Published",
    "Reproduced",
    "Row",
    "Scores",
    "changes",
    "chosen",
    "config_of",
    "data_files",
    "defaults",
    "families",
    "find",
    "full_name",
    "planned",
    "read_source",
    "refuse_missing_data",
    "refuse_unmet",
    "reproduced",
    "rows",
    "settings_file",
    "settings_of",
    "sources",
    "still_needed",
]
