"""Prefect flows over gansynth's stages, and the command line."""
