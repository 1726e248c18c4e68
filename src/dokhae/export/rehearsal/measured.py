"""`python measured.py REPORT COMMAND ...`: run a command; its exit code, seconds and peak memory (bytes) as JSON.

The peak that the system tells of a process begins with that of whoever started it, so this, which is small, starts it.
Run as a file by itself: the standard library is all that it may import.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def measured(command: list[str]) -> dict[str, float | int | None]:
    """Run a command to its end. Its peak is that of its largest process, None where the system does not say."""
    begun = time.monotonic()
    process, peak = subprocess.Popen(command), None
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"code": process.wait(), "seconds": time.monotonic() - begun, "peak": peak}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measured(sys.argv[2:])), encoding="utf-8")
