"""Evaluation: arms, fidelity, memorisation, and the corrected tests that lead to the verdict."""

from gansynth.evaluation.stage import evaluate, evaluate_arm, evaluate_fidelity
from gansynth.evaluation.summary import summarise

__all__ = ["evaluate", "evaluate_arm", "evaluate_fidelity", "summarise"]
