"""Evaluation: arms, fidelity, similarity, privacy, anomalies, and the corrected tests that lead to the verdict."""

from gansynth.evaluation.anomaly import evaluate_anomaly
from gansynth.evaluation.stage import evaluate, evaluate_arm, evaluate_fidelity
from gansynth.evaluation.summary import summarise

__all__ = ["evaluate", "evaluate_anomaly", "evaluate_arm", "evaluate_fidelity", "summarise"]
