"""The predecessors' command lines: each script is a table of old option -> our setting, and runs on the one road."""
