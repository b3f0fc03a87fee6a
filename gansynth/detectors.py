"""Rates samples by a trained model: how unlike the rows of one class, called normal, they are.

GANs have been used so on transactions and scans since AnoGAN (Schlegl 2017, arXiv 1703.05921). Instead of searching for
a latent, which takes a descent per sample, the discriminator is asked, as in EGBAD (Zenati 2018, arXiv 1802.06222).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.covariance import LedoitWolf

from gansynth.checkpoints import TrainedModel
from gansynth.classifiers import INFERENCE_BATCH
from gansynth.errors import StudyError
from gansynth.samples import Samples, Values

Floats = npt.NDArray[np.float64]


PARTS = 10
"""In how many parts the normal training rows are measured against the others."""


class Ratings(NamedTuple):
    """What a detector says of N samples; each of shape (N,).

    Attributes:
        score: How anomalous a sample is: the mean of the two parts below, each in interquartile ranges of the normal
            training rows from their median. Higher is more anomalous; normal rows lie around 0.
        critic: How far the discriminator's logit, given the normal class, is from the median of the normal training
            rows, to either side.
        distance: Mahalanobis distance to the normal training rows in the discriminator's feature space.
        tail_share: Share of the normal training rows that score at least as high, the sample itself counted among
            them: above 0, up to 1. Each of these rows is measured against the others, but the discriminator has learnt
            from all of them, so new normal rows fall below a more often than a says: the fewer training rows there
            are, the more often.
    """

    score: Floats
    critic: Floats
    distance: Floats
    tail_share: Floats


def find_normal(class_names: tuple[str, ...], name: str, setting: str) -> int:
    """Return the label of the class that is called normal.

    Raises:
        StudyError: There is no such class; `setting` is where its name was given.
    """
    if name not in class_names:
        raise StudyError(f"{setting}: no class is called {name!r}; there are {', '.join(class_names[:20])}")
    return class_names.index(name)


class Detector:
    """Rates samples by a model's discriminator, fitted on normal training rows only.

    Two things are asked. How the discriminator's logit differs from what normal rows get: to either side, for losses
    that compare samples of one class leave open what it is away from them. And how far the features lie from those of
    normal rows, by the Mahalanobis distance with the shrunk covariance of Ledoit and Wolf (2004).
    """

    def __init__(self, model: TrainedModel, normal: Samples, label: int) -> None:
        """Fit on normal training rows of a model, at least two; `label` is that of their class."""
        self.model, self.label = model, label
        logits, features = self._look(normal.values)
        self.level = float(np.median(logits))
        self.covariance = LedoitWolf().fit(features)
        parts = self._parts(logits, _distances(self.covariance, features))
        self.middles = np.median(parts, axis=0)
        low, high = np.percentile(parts, (25, 75), axis=0)
        self.spreads = np.where(high > low, high - low, 1.0)
        self.known = np.sort(self._scores(self._parts(logits, _distances_to_others(features))))

    def rate(self, values: Values) -> Ratings:
        """Rate stored samples, of shape (N, ...)."""
        logits, features = self._look(values)
        parts = self._parts(logits, _distances(self.covariance, features))
        scores = self._scores(parts)
        above = len(self.known) - np.searchsorted(self.known, scores, side="left")
        return Ratings(scores, parts[:, 0], parts[:, 1], (above + 1) / (len(self.known) + 1))

    def _parts(self, logits: Floats, distances: Floats) -> Floats:
        """Return critic and distance, (N, 2)."""
        return np.stack([np.abs(logits - self.level), distances], axis=1)

    def _scores(self, parts: Floats) -> Floats:
        scores: Floats = ((parts - self.middles) / self.spreads).mean(axis=1)
        return scores

    @torch.no_grad()
    def _look(self, values: Values) -> tuple[Floats, Floats]:
        """Return the discriminator's logits (N,), given the normal class, and features (N, D)."""
        discriminator = self.model.discriminator
        logits, features = [], []
        for start in range(0, max(len(values), 1), INFERENCE_BATCH):
            held = self.model.codec.hold(values[start : start + INFERENCE_BATCH]).to(self.model.device)
            seen = discriminator.embed(self.model.codec.inputs(held))
            labels = torch.full((len(seen),), self.label, device=seen.device)
            logits.append(discriminator.judge(seen, labels).double().cpu().numpy())
            features.append(seen.double().cpu().numpy())
        return np.concatenate(logits), np.concatenate(features)


def _distances(covariance: LedoitWolf, features: Floats) -> Floats:
    """Return the Mahalanobis distance (N,) of features (N, D)."""
    squared = covariance.mahalanobis(features) if len(features) else np.zeros(0)
    distances: Floats = np.sqrt(np.maximum(squared, 0))
    return distances


def _distances_to_others(features: Floats) -> Floats:
    """Return the distance (N,) of each row by a covariance that is fitted without it, for its own is too near."""
    distances = np.empty(len(features))
    # of neighbouring rows each lies in another part, should their order mean something
    part_of = np.arange(len(features)) % min(PARTS, len(features))
    for part in np.unique(part_of):
        held = part_of == part
        distances[held] = _distances(LedoitWolf().fit(features[~held]), features[held])
    return distances
