"""TensorFlow without its own notices: about the processor, oneDNN, and graphics cards that it has not found."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What is said while it is imported, before it knows the level.
NOTICE = re.compile(rb"WARNING: All log messages before absl|I\d{4} ")


def import_quietly() -> None:
    """Import TensorFlow where it is installed. Its errors are still told; who has set its level is told everything.

    oneDNN stays on: its sums of float32 are closer to PyTorch's than those without it.
    """
    if LEVEL in os.environ:
        return
    os.environ[LEVEL] = "2"
    sys.stderr.flush()
    own = os.dup(2)  # the C++ part writes to the descriptor, not to sys.stderr
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            with contextlib.suppress(ImportError):
                import tensorflow  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
        finally:
            os.dup2(own, 2)
            os.close(own)
        said.seek(0)
        os.write(2, b"".join(line for line in said if not NOTICE.match(line)))
