"""`python -m speed`."""

from speed.run import main

main()
