"""Which arm is better, by how much, and how sure that is: the corrected test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from gansynth.arms import has_gan
from gansynth.errors import EvaluationError
from gansynth.results import Comparison, VerdictWord
from gansynth.splits import Shared

Floats = npt.NDArray[np.float64]
Values = Mapping[str, Floats]
"""The metric of each arm in each of the J repetitions: shape (J,), 0 to 1."""

REAL = "real"
OVERSAMPLED = "oversampled"
THRESHOLD = "threshold"
SOFTENED = "softened"
COPIES = "copies"
SHUFFLED = "shuffled"


class CorrectedTest(NamedTuple):
    """Mean difference, its confidence interval and its two-sided p-value."""

    gain: float
    ci_low: float
    ci_high: float
    p_value: float


def assumed_correlation(shared: Shared, n_train: int, n_test: int) -> float:
    """Return the correlation between the differences of two repetitions that the test allows for, 0 to 1.

    It is the larger of what Nadeau and Bengio assume ("Inference for the Generalization Error", Machine Learning 52,
    2003), n_test / (n_train + n_test), and of the share of test rows in common; for splits of one pool these are the
    same in expectation. But it need not be more than the share of rows in common at all: a statistic of independent
    rows is no more correlated between two draws than that, since each term of its Hoeffding decomposition is common by
    that share or less. Repetitions that draw a few rows from many share far fewer than Nadeau and Bengio assume.
    """
    return min(shared.rows, max(shared.test, n_test / (n_train + n_test)))


def corrected_t_test(differences: Floats, correlation: float, n_test: int, alpha: float) -> CorrectedTest:
    """Test paired differences over overlapping splits: t = mean / sqrt((1/J + rho / (1 - rho)) * variance).

    Repetitions share rows, so their differences are correlated and the usual paired t-test finds far too much. The
    additional rho / (1 - rho) makes up for it; with the correlation rho of Nadeau and Bengio it is n_test / n_train.
    J - 1 degrees of freedom.

    Differences that are all 0 give p = 1 and the interval [0, 0]. Otherwise the standard deviation is taken to be at
    least that of rounding to one test row, 1 / (n_test * sqrt(12)), so that equal gains in a few repetitions on a
    few test rows do not pass for certainty.

    Args:
        differences: float of shape (J,), one per repetition.
        correlation: Correlation of two repetitions' differences, 0 to 1, from `assumed_correlation`.
        n_test: Test rows of a repetition.
        alpha: Level in 0 to 1; the interval covers 1 - alpha.

    Raises:
        EvaluationError: There are fewer than two repetitions.
    """
    repetitions = len(differences)
    if repetitions < 2:
        raise EvaluationError(f"evaluation.repetitions: the test needs at least 2, not {repetitions}")
    if not differences.any():
        return CorrectedTest(gain=0.0, ci_low=0.0, ci_high=0.0, p_value=1.0)
    gain = float(differences.mean())
    if correlation >= 1:  # repetitions that share all their rows say nothing of others
        return CorrectedTest(gain=gain, ci_low=-1.0, ci_high=1.0, p_value=1.0)
    deviation = max(float(differences.std(ddof=1)), 1 / (n_test * np.sqrt(12)))
    error = deviation * np.sqrt(1 / repetitions + correlation / (1 - correlation))
    half = float(error * stats.t.ppf(1 - alpha / 2, repetitions - 1))
    p_value = float(2 * stats.t.sf(abs(gain) / error, repetitions - 1))
    return CorrectedTest(gain, gain - half, gain + half, p_value)


def holm(p_values: npt.ArrayLike) -> Floats:
    """Adjust the p-values of one family, shape (M,), for multiple testing (Holm 1979); the order is kept."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def compare_arms(
    values: Values, correlation: float, n_test: int, alpha: float, smallest_gain: float
) -> list[Comparison]:
    """Compare every arm with `real`, and every arm with a GAN with what it has to beat as well.

    An arm with a GAN is also compared with its controls, which are `oversampled` (mere resampling), `threshold` (mere
    tuning), `softened` (mere teaching), the same arm with `copies` in place of the GAN (more rows of any kind) and the
    same arm without the GAN (`classical` for `gan+classical`), and with the best arm without a GAN. That one is chosen
    by its mean on the same scores, which favours it.

    Holm's correction is made among the comparisons with the same arm: the arms with a GAN, which carry the claim, are
    one family, those without one are another, and `shuffled`, the negative control, stands alone.

    A comparison `helps` or `harms` if the corrected p-value is below `alpha`; otherwise it is `underpowered` if the
    interval reaches further than `smallest_gain` to either side of the gain, or if an arm with a GAN has the other
    arm's scores exactly, which tells that neither has learnt or nothing was left to gain; else there is `no evidence`.

    Args:
        values: The metric per arm and repetition, higher is better.
        correlation: Correlation of two repetitions' differences, from `assumed_correlation`.
        n_test: Test rows of a repetition.
        alpha: Level of the tests.
        smallest_gain: Smallest gain of the metric worth having.

    Raises:
        EvaluationError: `real` is not among the arms, or there are fewer than two repetitions.
    """
    if REAL not in values:
        raise EvaluationError(f"evaluation.arms: no arm {REAL!r} to compare with; add it")
    tests = {
        (arm, against): corrected_t_test(values[arm] - values[against], correlation, n_test, alpha)
        for arm, against in _pairs(values)
    }
    families: dict[tuple[str, bool, bool], list[tuple[str, str]]] = defaultdict(list)
    for arm, against in tests:
        families[against, has_gan(arm), arm == SHUFFLED].append((arm, against))
    p_holm: dict[tuple[str, str], float] = {}
    for family in families.values():
        p_holm |= zip(family, holm([tests[pair].p_value for pair in family]).tolist(), strict=True)
    return [
        Comparison(
            arm=arm,
            against=against,
            gain=test.gain,
            ci_low=max(test.ci_low, -1),  # no metric leaves 0 to 1, so no gain leaves -1 to 1
            ci_high=min(test.ci_high, 1),
            p_value=test.p_value,
            p_holm=p_holm[arm, against],
            verdict="underpowered"
            if has_gan(arm) and np.array_equal(values[arm], values[against])
            else verdict_word(test, p_holm[arm, against], alpha, smallest_gain),
        )
        for (arm, against), test in tests.items()
    ]


def best_without_gan(values: Values) -> str:
    """Return the best of the arms without a GAN."""
    return best_arm(values, [arm for arm in values if not has_gan(arm) and arm != SHUFFLED])


def best_arm(values: Values, arms: Sequence[str]) -> str:
    """Return the arm that has the highest mean; of equal ones the first."""
    return max(arms, key=lambda arm: float(values[arm].mean()))


def controls_of(values: Values, arm: str) -> list[str]:
    """Return those of the arms that an arm with a GAN has to beat."""
    others = [part for part in arm.split("+") if part != "gan"]
    without, copies = "+".join(others), "+".join([COPIES, *others])
    return [control for control in (OVERSAMPLED, THRESHOLD, SOFTENED, without, copies) if control in values]


def _pairs(values: Values) -> list[tuple[str, str]]:
    pairs = [(arm, REAL) for arm in values if arm != REAL]
    for arm in filter(has_gan, values):
        pairs += [(arm, against) for against in (*controls_of(values, arm), best_without_gan(values))]
    arms = list(values)
    return sorted(dict.fromkeys(pairs), key=lambda pair: arms.index(pair[1]))


def verdict_word(test: CorrectedTest, p_holm: float, alpha: float, smallest_gain: float) -> VerdictWord:
    """Return the word for a test, by its p-value after Holm's correction."""
    if p_holm < alpha:
        return "helps" if test.gain > 0 else "harms"
    return "underpowered" if test.ci_high - test.gain > smallest_gain else "no evidence"
