"""Whether synthetic samples tell which rows trained their generator: a membership-inference attack, carried out.

It is that of van Breugel et al. 2023 (DOMIAS, arXiv 2302.12580). The attacker has synthetic samples and other rows of
the same origin, but not the generator. A row where synthetic samples lie denser than those others is taken for one that
trained it, a member.

How the attacker looks at rows is fitted on what an attacker has. The teacher's embedding is not used: it has learnt the
members, and would tell them from other rows whatever the generator does.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

from gansynth.evaluation.attacker import View, without_detail
from gansynth.evaluation.roc import Scores, judge
from gansynth.privacy import LEAST_ROWS, Attack, Privacy
from gansynth.samples import Indices, Samples
from gansynth.seeding import numpy_generator
from gansynth.splits import inner_folds

Floats = npt.NDArray[np.float64]

FOLDS = 5
MOST_PER_CLASS = 1000
BANDWIDTHS = 0.05 * 2 ** np.arange(0, 5.5, 0.5)
"""Those tried, in standard deviations of a component over all classes: from single rows told apart to all as one."""
OUTLYING_SHARE = 0.1
FREEDOM = 10.0


def attack_membership(
    training: Samples, held_out: Samples, held_out_groups: Indices, synthetic: Samples, seed: int
) -> Privacy:
    """Attack a generator by its samples, and say how well members are told from non-members of their class.

    Held-out rows are dealt into five folds, duplicates kept together. Those of a fold are scored as non-members, beside
    a fifth of the members, by an attacker whose reference are the other four folds. So each row is scored once, by rows
    that it is not among, and a generator that has only learnt how rows are distributed leads to equal scores of both.
    Of each class, up to a thousand rows of each kind take part, drawn at random.

    Args:
        training: The members: rows that trained the generator.
        held_out: Rows of the same origin that it never saw.
        held_out_groups: (N,), where rows that are duplicates share a number.
        synthetic: The generator's samples.
        seed: Root of the random draws.
    """
    random = numpy_generator(seed, "membership")
    chosen = [_few_of_each_class(part.labels, random) for part in (training, held_out, synthetic)]
    members, others, made = (
        without_detail(part.take(rows)) for part, rows in zip((training, held_out, synthetic), chosen, strict=True)
    )
    member_folds = inner_folds(members.labels, np.arange(len(members)), FOLDS, random)
    folds = inner_folds(others.labels, held_out_groups[chosen[1]], FOLDS, random)
    least = np.min([part.counts for part in (members, others, made)], axis=0)
    scored: dict[int, list[_Scored]] = {int(label): [] for label in np.flatnonzero(least >= LEAST_ROWS)}
    for fold in range(FOLDS if scored else 0):
        reference = others.take(folds != fold)
        view = View(reference, made, random)
        seen = members.take(member_folds == fold), others.take(folds == fold), reference, made
        for label, of_label in scored.items():
            of_label.append(_score(view, [part.take(part.labels == label) for part in seen]))
    by_class = {name: _unjudged(members, others, made, label) for label, name in enumerate(training.class_names)}
    judged = {training.class_names[label]: _Scored.joined(of_label) for label, of_label in scored.items()}
    random = numpy_generator(seed, "membership", "bootstrap")
    by_class |= {name: _judged([one], random) for name, one in judged.items()}
    return Privacy(overall=_judged(list(judged.values()), random), by_class=by_class)


def density_ratio(rows: Floats, synthetic: Floats, reference: Floats) -> Floats:
    """Return the logarithm of the density of synthetic samples over that of reference rows, at each row: (N,).

    Both densities use one bandwidth, fitted to the synthetic samples: a narrow one if these crowd around single rows.

    Args:
        rows: (N, D).
        synthetic: (M, D), M at least 2.
        reference: (R, D), R at least 1.
    """
    width = fit_bandwidth(synthetic)
    return log_density(rows, synthetic, width) - log_density(rows, reference, width)


def log_density(rows: Floats, points: Floats, width: float, freedom: float = FREEDOM) -> Floats:
    """Return the logarithm of a kernel estimate of the density of points (M, D) at rows (N, D): (N,).

    The kernel is Student's t with `freedom` degrees of freedom. Near a point it is like the Gaussian one of the paper,
    to which it comes with ever more freedom. Farther away, two such densities differ by the ratio of distances instead
    of the difference of their squares, by which rows that lie far out would stand out whether or not they are members.
    """
    exponents = _kernels(cdist(rows, points, "sqeuclidean"), width, points.shape[1], freedom)
    densities: Floats = logsumexp(exponents, axis=1) - np.log(len(points))
    return densities


def fit_bandwidth(points: Floats) -> float:
    """Return the bandwidth under which each of the points (M, D), M at least 2, is most likely by all others.

    The tenth that fits worst is left out, for else a single outlier could demand a wide kernel.
    """
    kept = len(points) - int(OUTLYING_SHARE * len(points))
    squared = cdist(points, points, "sqeuclidean")
    np.fill_diagonal(squared, np.inf)
    fits = []
    for width in BANDWIDTHS:
        likelihood = logsumexp(_kernels(squared, width, points.shape[1], FREEDOM), axis=1)
        fits.append(np.sort(likelihood)[-kept:].mean())
    return float(BANDWIDTHS[int(np.argmax(fits))])


def _kernels(squared: Floats, width: float, dimensions: int, freedom: float) -> Floats:
    """Return the logarithms of the kernels at points of these squared distances."""
    constant = gammaln((freedom + dimensions) / 2) - gammaln(freedom / 2) - dimensions / 2 * np.log(np.pi * freedom)
    tails = np.log1p(squared / (freedom * width**2))
    kernels: Floats = constant - dimensions * np.log(width) - (freedom + dimensions) / 2 * tails
    return kernels


class _Scored(NamedTuple):
    """The scores of members and non-members of a class, and how many rows and samples they were scored by."""

    members: Floats
    non_members: Floats
    reference: int
    synthetic: int

    @classmethod
    def joined(cls, parts: "list[_Scored]") -> "_Scored":
        members, non_members = (np.concatenate(scores) for scores in list(zip(*parts, strict=True))[:2])
        return cls(members, non_members, min(part.reference for part in parts), parts[0].synthetic)


def _score(view: View, parts: list[Samples]) -> _Scored:
    """Score members and non-members of one class, which come first, by reference rows and synthetic samples."""
    members, non_members, reference, synthetic = (view.points(part) for part in parts)
    scores = density_ratio(np.concatenate([members, non_members]), synthetic, reference)
    return _Scored(scores[: len(members)], scores[len(members) :], len(reference), len(synthetic))


def _judged(scored: list[_Scored], random: np.random.Generator) -> Attack:
    """Judge the scores of one class, or of several together."""
    auc, tpr = judge([Scores(one.members, one.non_members) for one in scored], random) if scored else (None, None)
    return Attack(
        members=sum(len(one.members) for one in scored),
        non_members=sum(len(one.non_members) for one in scored),
        reference=sum(one.reference for one in scored),
        synthetic=sum(one.synthetic for one in scored),
        auc=auc,
        tpr=tpr,
    )


def _unjudged(members: Samples, others: Samples, made: Samples, label: int) -> Attack:
    """Return how many rows there are of a class that has too few of them."""
    counts = {"members": members, "non_members": others, "synthetic": made}
    return Attack(**{name: int(part.counts[label]) for name, part in counts.items()}, reference=0, auc=None, tpr=None)


def _few_of_each_class(labels: Indices, random: np.random.Generator) -> Indices:
    """Draw up to a thousand rows of each class, in their order."""
    drawn = [random.permutation(np.flatnonzero(labels == label))[:MOST_PER_CLASS] for label in np.unique(labels)]
    return np.sort(np.concatenate(drawn)).astype(np.int64)
