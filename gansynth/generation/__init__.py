"""Samples of a trained generator: how many, which are kept, and how they are written."""

from gansynth.generation.stage import export, generate, generate_repetition

__all__ = ["export", "generate", "generate_repetition"]
