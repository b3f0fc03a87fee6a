"""Training: the adversarial loop, its moving average and its resumable state."""

from gansynth.training.stage import train, train_repetition

__all__ = ["train", "train_repetition"]
