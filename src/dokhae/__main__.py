"""`python -m dokhae` is the command `dokhae`."""

import sys

from dokhae.cli import main

if __name__ == "__main__":
    sys.exit(main())
