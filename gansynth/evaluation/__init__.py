"""Evaluation: arms, fidelity, similarity, privacy, anomalies, and the corrected tests that lead to the verdict."""

from gansynth.evaluation.anomaly import evaluate_anomaly
from gansynth.evaluation.stage import evaluate, evaluate_arm, evaluate_arms, evaluate_fidelity, together
from gansynth.evaluation.summary import summarise
from gansynth.evaluation.training_set import compose_training_set

__all__ = [
    "compose_training_set",
    "evaluate",
    "evaluate_anomaly",
    "evaluate_arm",
    "evaluate_arms",
    "evaluate_fidelity",
    "summarise",
    "together",
]
