"""The downstream classifier: trained on real and synthetic samples alike, and applied.

It serves as every arm of the evaluation, as the teacher that filters and labels synthetic samples, and as the
embedding of fidelity metrics. All of them train with the same optimiser steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from gansynth.devices import make_fabric
from gansynth.drawing import RowsByClass
from gansynth.modalities import MODALITIES
from gansynth.modalities.base import Codec, EmbeddingNetwork
from gansynth.modalities.table.estimators import LINEAR, fit_estimator, is_estimator
from gansynth.modalities.table.networks import MLP
from gansynth.modalities.table.oversampling import smote
from gansynth.samples import Samples, Values
from gansynth.seeding import derive_seed, seeded_globally, torch_generator
from gansynth.study import Study

Floats = npt.NDArray[np.float32]

WARMUP_SHARE = 0.1
WEIGHT_DECAY = 0.01
INFERENCE_BATCH = 256


@dataclass(frozen=True)
class Diet:
    """What a classifier is trained on.

    Attributes:
        real: Real training samples.
        balanced: Draw every class equally often (random oversampling); else as often as it occurs.
        weighted: Let every class count equally much in the loss, however often it occurs.
        policy: Classical augmentation by this policy of the modality; None for none.
        synthetic: Synthetic samples, or None. Of images they need `balanced`: with it all classes take the same part of
            a batch, and those without synthetic samples fill theirs with real ones.
        synthetic_targets: (M, classes), the label probabilities of `synthetic`.
        shares: (classes,), how much of a class's part of a batch is synthetic, 0 to less than 1; of the rows of tables
            the mean counts, as how much of all weight is synthetic.
        real_targets: (N, classes), label probabilities of `real`; its labels, without them.
        teach: What gives rows that SMOTE makes their label probabilities; their labels, without it.
    """

    real: Samples
    balanced: bool = True
    weighted: bool = False
    policy: str | None = None
    synthetic: Samples | None = None
    synthetic_targets: Floats | None = None
    shares: Floats | None = None
    real_targets: Floats | None = None
    teach: Callable[[Values], Floats] | None = None


class Predictor(Protocol):
    """Whatever tells classes from stored samples."""

    def probabilities(self, values: Values) -> Floats:
        """Return class probabilities (N, classes)."""


@dataclass(frozen=True)
class Classifier:
    """A trained network. `values` are stored samples, e.g. uint8 images (N, height, width, channels)."""

    network: EmbeddingNetwork
    codec: Codec
    device: torch.device

    def probabilities(self, values: Values) -> Floats:
        """Return class probabilities (N, classes)."""
        return np.exp(self._apply(values, embed=False))

    def embed(self, values: Values) -> Floats:
        """Return features before the last layer (N, features)."""
        return self._apply(values, embed=True)

    @torch.no_grad()
    def _apply(self, values: Values, *, embed: bool) -> Floats:
        # rows of tables are so small that more of them at once are faster
        outputs, size = [], max(INFERENCE_BATCH, self.codec.pass_size)
        for start in range(0, len(values), size):
            batch = self.codec.inputs(self.codec.hold(values[start : start + size]).to(self.device))
            output = self.network.embed(batch) if embed else F.log_softmax(self.network(batch), 1)
            outputs.append(output.float().cpu())
        return torch.cat(outputs).numpy()


def fit_classifier(study: Study, diet: Diet, steps: int, repetition: int, *purpose: str | int) -> Predictor:
    """Train the study's classifier on a diet; a network, for a number of optimiser steps.

    All that is random depends on the study's seed, the repetition and the purpose, not on the diet, so arms that share
    a purpose are paired.
    """
    name = study.evaluation.classifier
    if study.modality.kind == "table" and is_estimator(name):
        taken = rows_taken(study, diet, repetition, *purpose)
        seed = _seed(study, repetition, *purpose) % 2**32
        return fit_estimator(name, taken.rows, taken.targets, taken.weights, seed, len(diet.real))
    return fit_network(study, name, diet, steps, repetition, *purpose)


def fit_network(study: Study, name: str, diet: Diet, steps: int, repetition: int, *purpose: str | int) -> Classifier:
    """Train a network on a diet for a number of optimiser steps, with randomness as in `fit_classifier`."""
    fabric = make_fabric(study.compute)
    modality, settings = MODALITIES[study.modality.kind], study.evaluation
    codec = modality.codec.fit(diet.real, study.modality)
    n_classes = len(diet.real.class_names)
    seed = _seed(study, repetition, *purpose)
    diet = _resampled(diet, seed % 2**32)
    with seeded_globally(seed, "weights"):
        network = modality.build_classifier(name, codec.shape, n_classes)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_learning_rate_share, steps=steps))
    random = torch_generator(seed, "batches", device=fabric.device)
    class_weights = torch.tensor(_class_weights(diet), device=fabric.device) if diet.weighted else None
    batches = Batches(diet, codec, fabric, settings.batch_size, random)
    trained, optimiser = fabric.setup(network, optimiser)
    trained.train()
    with seeded_globally(seed, "dropout", device=fabric.device):
        for _ in range(steps):
            images, targets = batches.draw()
            if diet.policy is not None:
                images, targets = modality.augment(images, targets, diet.policy, study.modality, random)
            loss = F.cross_entropy(trained(images), targets, class_weights)
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            schedule.step()
    return Classifier(network.eval().requires_grad_(False), codec, fabric.device)


def _seed(study: Study, repetition: int, *purpose: str | int) -> int:
    return derive_seed(study.seed, "classifier", repetition, *purpose)


class WeightedRows(NamedTuple):
    """A diet as rows of a table.

    Attributes:
        rows: The rows, N of them.
        targets: Their class probabilities, (N, K).
        weights: How much each counts, (N,).
        origins: Where each comes from, (N,): "real", "smote" or "synthetic".
    """

    rows: Samples
    targets: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    origins: npt.NDArray[np.str_]


def rows_taken(study: Study, diet: Diet, repetition: int, *purpose: str | int) -> WeightedRows:
    """Return what the study's classifier takes of a diet of rows of tables, with randomness as in `fit_classifier`."""
    seed = _seed(study, repetition, *purpose) % 2**32
    return weighted_rows(diet, seed, in_proportion=study.evaluation.classifier in LINEAR)


def weighted_rows(diet: Diet, seed: int, *, in_proportion: bool) -> WeightedRows:
    """Return what a diet of rows of tables is made of, for classifiers that take all of it at once.

    Args:
        diet: What a classifier is trained on.
        seed: Of rows that are repeated or made by SMOTE.
        in_proportion: Synthetic rows weigh as much of each class as real ones; else all weigh the same.
    """
    n_real, more_by = len(diet.real), "smote" if diet.policy == "smote" else "real"
    diet = _resampled(diet, seed)
    real = diet.real
    origins = np.repeat(["real", more_by], [n_real, len(real) - n_real])
    targets = (real.one_hot if diet.real_targets is None else diet.real_targets).astype(np.float64)
    weights = _class_weights(diet)[real.labels].astype(np.float64) if diet.weighted else np.ones(len(real))
    share = 0.0 if diet.shares is None else float(diet.shares.mean())
    if diet.synthetic is None or not len(diet.synthetic) or share == 0:
        return WeightedRows(real, targets, weights, origins)
    made = diet.synthetic
    more = made.one_hot if diet.synthetic_targets is None else diet.synthetic_targets
    each = np.ones(len(made))
    if in_proportion:  # linear classifiers rank worse where there are more rows of a class
        proportions = (diet.real.counts / made.counts.clip(min=1))[made.labels]
        each = proportions if proportions.any() else each
    each = each * (share / (1 - share) * weights.sum() / each.sum())
    return WeightedRows(
        Samples.concatenate([real, made]),
        np.concatenate([targets, more]),
        np.concatenate([weights, each]),
        np.concatenate([origins, np.repeat("synthetic", len(made))]),
    )


def _resampled(diet: Diet, seed: int) -> Diet:
    """Return a diet of rows of tables with its rows repeated or made by SMOTE, as it asks; of images, as it is."""
    if diet.real.modality == "image":
        return diet
    if diet.policy == "smote":
        rows = smote(diet.real, seed)
        made = rows.take(np.arange(len(diet.real), len(rows)))
        own = diet.real.one_hot if diet.real_targets is None else diet.real_targets
        more = diet.teach(made.values) if diet.teach and len(made) else made.one_hot
        return replace(diet, real=rows, real_targets=np.concatenate([own, more]), policy=None, balanced=False)
    if diet.balanced and diet.synthetic is None:
        return replace(diet, real=_oversampled(diet.real, seed), balanced=False)
    return diet


def _oversampled(rows: Samples, seed: int) -> Samples:
    """Repeat rows at random until every class is as large as the largest one."""
    random, most = np.random.default_rng(seed), int(rows.counts.max())
    repeated = [
        random.choice(np.flatnonzero(rows.labels == label), most - count)
        for label, count in enumerate(rows.counts)
        if count
    ]
    return rows.take(np.concatenate([np.arange(len(rows)), *repeated]))


def _class_weights(diet: Diet) -> Floats:
    """Return weights (classes,) with which all classes count equally much; their mean over the rows is 1."""
    counts = diet.real.counts
    met = counts > 0
    weights: Floats = np.where(met, len(diet.real) / (met.sum() * counts.clip(min=1)), 0).astype(np.float32)
    return weights


def _learning_rate_share(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: a linear rise, then half a cosine down to zero."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


class Batches:
    """Draws batches of network inputs and label probabilities from a diet held on the device."""

    def __init__(self, diet: Diet, codec: Codec, fabric: Fabric, size: int, random: torch.Generator) -> None:
        self.codec, self.size, self.random = codec, size, random
        self.real = _Pool(diet.real, diet.real_targets, codec, fabric.device)
        counts = torch.tensor(diet.real.counts, dtype=torch.float64, device=fabric.device)
        weights = torch.ones_like(counts) if diet.balanced else counts
        self.shares, self.synthetic_size = torch.zeros_like(counts), 0
        if diet.synthetic is not None and diet.shares is not None:
            self.synthetic = _Pool(diet.synthetic, diet.synthetic_targets, codec, fabric.device)
            wanted = torch.tensor(diet.shares).to(counts) * (self.synthetic.counts > 0)
            mean = float(wanted.mean())
            self.synthetic_size = min(round(size * mean), size - 1)
            if self.synthetic_size:  # the shares that whole samples can have, so that classes keep their parts
                self.shares = wanted * (self.synthetic_size / (size * mean))
        self.real_weights = weights * (1 - self.shares).clamp(min=0)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return the inputs and targets of a batch."""
        values, targets = self.real.draw(self.size - self.synthetic_size, self.real_weights, self.random)
        if self.synthetic_size:
            more_values, more_targets = self.synthetic.draw(self.synthetic_size, self.shares, self.random)
            values, targets = torch.cat([values, more_values]), torch.cat([targets, more_targets])
        return self.codec.inputs(values), targets


class _Pool:
    """Samples on the device, drawn with replacement."""

    def __init__(self, samples: Samples, targets: Floats | None, codec: Codec, device: torch.device) -> None:
        labels = torch.tensor(samples.labels)
        one_hot = F.one_hot(labels, len(samples.class_names)).float()
        self.values = codec.hold(samples.values).to(device)
        self.targets = (one_hot if targets is None else torch.tensor(targets)).to(device)
        self.by_class = RowsByClass(samples.labels, samples.counts, device)
        self.counts = self.by_class.counts

    def draw(self, count: int, weights: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw samples: first their classes, in proportion to the weights (classes,), then one of each class."""
        uniform = torch.rand(2, count, generator=random, device=self.values.device, dtype=torch.float64)
        weights = torch.where(self.counts > 0, weights, 0.0).cumsum(0)
        labels = torch.searchsorted(weights, uniform[0] * weights[-1], right=True).clamp(max=len(weights) - 1)
        rows = self.by_class.pick(labels, uniform[1])
        return self.values[rows], self.targets[rows]


def teacher_name(study: Study) -> str:
    """Return the name of the network that teaches: the study's classifier, if that is one."""
    name = study.evaluation.classifier
    return MLP if study.modality.kind == "table" else name
