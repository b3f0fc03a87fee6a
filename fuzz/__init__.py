"""Fuzzing of what reads bytes from outside; see `python -m fuzz --help`."""
