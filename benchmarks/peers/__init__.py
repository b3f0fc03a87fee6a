"""gansynth's tables beside CTGAN 0.12.1, which has an environment of its own: see `python -m benchmarks.peers -h`."""
