"""python check_cuda.py: whether PyTorch sees a GPU here. It always ends well, for it only tells."""

from __future__ import annotations

import platform
import sys


def main() -> None:
    """Say the versions and the GPUs, a line each."""
    lines = [f"Python Version: {platform.python_version()}"]
    try:
        import torch

        count = torch.cuda.device_count()
        lines += [f"PyTorch Version: {torch.__version__}", f"CUDA Version: {torch.version.cuda}"]
        lines += [f"CUDA Available: {torch.cuda.is_available()}", f"Device Count: {count}"]
        lines += [f"Device Name: {torch.cuda.get_device_name(number)}" for number in range(count)]
    except Exception as error:  # no PyTorch, or a driver that fails
        lines.append(f"CUDA Available: False ({type(error).__name__}: {error})")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
