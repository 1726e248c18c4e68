"""Writes the vocabulary of the demo's encoder: python tools/make_vocabulary.py FILE"""

from __future__ import annotations

import sys
from pathlib import Path

from sample.vocabulary import vocabulary

if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(vocabulary()) + "\n", encoding="utf-8", newline="\n")
