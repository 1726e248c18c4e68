"""`python -I watched.py REPORT predict.py ...`: run a script, and write down from where it has imported what.

Run as a file by itself, by the interpreter under test: the standard library is all that it may import.
"""

import json
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    report, *sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        Path(report).write_text(json.dumps(files), encoding="utf-8")
