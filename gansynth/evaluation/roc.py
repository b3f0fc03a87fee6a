"""How well scores tell members from non-members: ROC curves with bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gansynth.privacy import Estimate

Floats = npt.NDArray[np.float64]

FALSE_POSITIVE_RATE = 0.01
DRAWS = 1000
PERCENTILES = (2.5, 97.5)


class Scores(NamedTuple):
    """What an attack says of the members (N,) and the non-members (M,) of one class; higher for members."""

    members: Floats
    non_members: Floats


def judge(classes: Sequence[Scores], random: np.random.Generator) -> tuple[Estimate, Estimate | None]:
    """Return the area under the ROC curve and the true-positive rate at a false-positive rate of 1 %.

    Each class has the same share of the non-members as of the members, by weights: which classes trained a generator
    shall not tell. The intervals are percentiles of a thousand draws of rows with replacement, within each class. With
    all members above all non-members, the interval has no width; it says nothing of other generators.

    Args:
        classes: The scores of at least one class, each with rows of both kinds.
        random: Draws the rows.

    Returns:
        Both; the second is None where a single non-member counts for more than 1 %.
    """
    scores = np.concatenate([np.concatenate(one) for one in classes])
    ranks = np.unique(scores, return_inverse=True)[1]
    is_member = np.concatenate([np.repeat([True, False], [len(one.members), len(one.non_members)]) for one in classes])
    shares = np.concatenate([_shares(one) for one in classes])
    found = _rates(ranks, is_member, shares)
    sizes = [len(part) for one in classes for part in one]
    draws = [_rates(ranks, is_member, shares * _redrawn(sizes, random)) for _ in range(DRAWS)]
    ends = np.percentile(draws, PERCENTILES, axis=0).T
    auc, tpr = (Estimate(value=value, low=low, high=high) for value, (low, high) in zip(found, ends, strict=True))
    others = shares[~is_member]
    return auc, tpr if others.max() <= (FALSE_POSITIVE_RATE + 1e-9) * others.sum() else None


def _rates(ranks: npt.NDArray[np.int64], is_member: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Return the AUC, where ties count half, and the largest true-positive rate with at most 1 % false positives."""
    members, others = (
        np.bincount(ranks[chosen], weights[chosen], minlength=ranks.max() + 1) for chosen in (is_member, ~is_member)
    )
    members, others = members / members.sum(), others / others.sum()
    below = np.cumsum(others) - others
    is_allowed = 1 - below <= FALSE_POSITIVE_RATE + 1e-9
    return float((members * (below + others / 2)).sum()), float(members[is_allowed].sum())


def _shares(one: Scores) -> Floats:
    """Return weights under which there are as many non-members of a class as members."""
    return np.repeat([1.0, len(one.members) / len(one.non_members)], [len(one.members), len(one.non_members)])


def _redrawn(sizes: Sequence[int], random: np.random.Generator) -> Floats:
    """Return how often each row is drawn when as many rows of each group are drawn with replacement."""
    return np.concatenate([np.bincount(random.integers(size, size=size), minlength=size) for size in sizes]).astype(
        np.float64
    )
