"""Which arm is better, by how much, and how sure that is: the corrected test and the verdict that follows from it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from gansynth.arms import Arm, has_gan
from gansynth.errors import EvaluationError
from gansynth.results import Comparison, Verdict, VerdictWord
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


class Doubt(NamedTuple):
    """Why a gain of an arm with a GAN is not credited to the GAN.

    Attributes:
        word: The most that is said of it where it would have helped.
        reason: For the end of a sentence on its gain.
        always: Whether that is said of any gain, not only of one that would have helped.
    """

    word: VerdictWord
    reason: str
    always: bool


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


def doubts(arms: Mapping[str, Arm], shares: Mapping[str, Sequence[float]]) -> dict[str, Doubt]:
    """Return why arms with a GAN are not credited with their gains, for those of which that is known beforehand.

    Args:
        arms: The arms that were compared.
        shares: Of those with synthetic samples, the share of these that was chosen in each repetition.
    """
    found: dict[str, Doubt] = {}
    for name in filter(has_gan, arms):
        missing = [control for control in arms[name].controls if control not in arms]
        if not any(shares.get(name, [1.0])):
            reason = "without a single synthetic sample, for inner validation chose none in any repetition"
            found[name] = Doubt("no evidence", reason, always=True)
        elif missing:
            reason = f"whether by the GAN is not known, for evaluation.arms lacks {' and '.join(missing)}"
            found[name] = Doubt("underpowered", reason, always=False)
    return found


def decide(
    comparisons: Sequence[Comparison],
    values: Values,
    metric: str,
    alpha: float,
    doubted: Mapping[str, Doubt] = MappingProxyType({}),
) -> Verdict:
    """Draw the verdict on GAN augmentation from the comparisons of `compare_arms`.

    An arm is credited with `helps` only if it also beats each of its controls in the one-sided corrected test at
    `alpha`. Otherwise its gain is what resampling or classical augmentation gives without a GAN, and the word is
    `underpowered` if the comparison with the control that it beats least is, else `no evidence`. Over the arms with
    a GAN the verdict is `helps` if one of them helps, `harms` if all of them harm, `underpowered` if one of them is,
    and else `no evidence`. The sentence speaks of the arm with the highest mean among those with the verdict's word.
    An arm that is `doubted`, as `doubts` says, is credited with no more than its doubt allows.

    Raises:
        EvaluationError: There is no arm with a GAN.
    """
    with_gan = [arm for arm in values if has_gan(arm)]
    if not with_gan:
        raise EvaluationError("evaluation.arms: no arm with a GAN to judge; add 'gan' beside 'real'")
    best = best_without_gan(values)
    obstacles = _obstacles(comparisons, values, alpha)
    verdicts: dict[str, VerdictWord] = {}
    speakers: dict[str, str] = {}
    sentences = []
    for against in dict.fromkeys((REAL, best)):
        rows = {row.arm: row for row in comparisons if row.against == against and row.arm in with_gan}
        words = {arm: _credit(row, obstacles[arm], doubted.get(arm)) for arm, row in rows.items()}
        word = verdicts[against] = _summarise(words.values())
        speaker = speakers[against] = _best(values, [arm for arm in words if words[arm] == word])
        row, doubt = rows[speaker], doubted.get(speaker)
        caveat = f"; {doubt.reason}" if doubt and _bears(doubt, row) else _caveat(row, word, obstacles[speaker])
        opening = UNKNOWN if word == "underpowered" and doubt and _bears(doubt, row) else _OPENINGS[word]
        answer = f"{opening}: {_over_real(row, metric, alpha)}" if against == REAL else _against_best(row, word)
        sentences.append(f"{answer}{caveat}.")
    if best == REAL:
        sentences.append("No arm without a GAN does better than real data alone.")
    return Verdict(
        against_real=verdicts[REAL],
        against_best_without_gan=verdicts[best],
        arms=speakers,
        best_without_gan=best,
        best_with_gan=_best(values, with_gan),
        sentence=" ".join(sentences),
    )


def recommend(
    comparisons: Sequence[Comparison],
    values: Values,
    alpha: float,
    doubted: Mapping[str, Doubt] = MappingProxyType({}),
) -> str:
    """Return the arm to use: the best without a GAN, unless a GAN is credited with helping against that one.

    Among several such arms the highest mean wins. A GAN is never recommended without evidence, for it is the dearest
    arm; between arms without a GAN the higher mean decides.
    """
    best = best_without_gan(values)
    obstacles = _obstacles(comparisons, values, alpha)
    rows = [row for row in comparisons if row.against == best and has_gan(row.arm)]
    helping = [row.arm for row in rows if _credit(row, obstacles[row.arm], doubted.get(row.arm)) == "helps"]
    return _best(values, helping or [best])


def best_without_gan(values: Values) -> str:
    """Return the arm without a GAN that has the highest mean; of equal ones the first."""
    return _best(values, [arm for arm in values if not has_gan(arm) and arm != SHUFFLED])


def _best(values: Values, arms: Sequence[str]) -> str:
    return max(arms, key=lambda arm: float(values[arm].mean()))


def _controls(values: Values, arm: str) -> list[str]:
    others = [part for part in arm.split("+") if part != "gan"]
    without, copies = "+".join(others), "+".join([COPIES, *others])
    return [control for control in (OVERSAMPLED, THRESHOLD, SOFTENED, without, copies) if control in values]


def _pairs(values: Values) -> list[tuple[str, str]]:
    pairs = [(arm, REAL) for arm in values if arm != REAL]
    for arm in filter(has_gan, values):
        pairs += [(arm, against) for against in (*_controls(values, arm), best_without_gan(values))]
    arms = list(values)
    return sorted(dict.fromkeys(pairs), key=lambda pair: arms.index(pair[1]))


def verdict_word(test: CorrectedTest, p_holm: float, alpha: float, smallest_gain: float) -> VerdictWord:
    """Return the word for a test, by its p-value after Holm's correction."""
    if p_holm < alpha:
        return "helps" if test.gain > 0 else "harms"
    return "underpowered" if test.ci_high - test.gain > smallest_gain else "no evidence"


def _obstacles(comparisons: Sequence[Comparison], values: Values, alpha: float) -> dict[str, Comparison | None]:
    """Return, for each arm with a GAN, its comparison with the control that it beats least; None if it beats all."""
    obstacles: dict[str, Comparison | None] = {}
    for arm in filter(has_gan, values):
        controls = _controls(values, arm)
        unbeaten = [
            row
            for row in comparisons
            if row.arm == arm and row.against in controls and (row.gain <= 0 or row.p_value / 2 >= alpha)
        ]
        obstacles[arm] = min(unbeaten, key=lambda row: row.gain, default=None)
    return obstacles


def _credit(row: Comparison, obstacle: Comparison | None, doubt: Doubt | None) -> VerdictWord:
    if doubt is not None and row.verdict == "helps":
        return doubt.word
    if row.verdict != "helps" or obstacle is None:
        return row.verdict
    return "underpowered" if obstacle.verdict == "underpowered" else "no evidence"


def _summarise(words: Iterable[VerdictWord]) -> VerdictWord:
    found = set(words)
    if "helps" in found:
        return "helps"
    if found == {"harms"}:
        return "harms"
    return "underpowered" if "underpowered" in found else "no evidence"


_OPENINGS: dict[VerdictWord, str] = {
    "helps": "GAN augmentation helps",
    "harms": "GAN augmentation harms",
    "no evidence": "There is no evidence that GAN augmentation helps",
    "underpowered": "This run is too small to tell whether GAN augmentation helps",
}
UNKNOWN = "This run cannot tell whether GAN augmentation helps"
_ANSWERS: dict[VerdictWord, str] = {
    "helps": "there is a gain",
    "harms": "there is a loss",
    "no evidence": "there is no evidence of a gain",
    "underpowered": "there is no evidence of a gain",
}


def _bears(doubt: Doubt, row: Comparison) -> bool:
    return doubt.always or row.verdict == "helps"


def _over_real(row: Comparison, metric: str, alpha: float) -> str:
    points = f"{100 * abs(row.gain):.1f} points of {metric.replace('_', ' ').replace('f1', 'F1')}"
    change = f"gains {points} over" if row.gain >= 0 else f"loses {points} against"
    return f"{row.arm} {change} real data alone ({100 * (1 - alpha):g} % interval {_interval(row)})"


def _against_best(row: Comparison, word: VerdictWord) -> str:
    gain = f"{row.arm} {100 * row.gain:+z.1f} points ({_interval(row)})"
    return f"Against the best arm without a GAN, {row.against}, {_ANSWERS[word]}: {gain}"


def _caveat(row: Comparison, word: VerdictWord, obstacle: Comparison | None) -> str:
    caveat = ""
    if row.verdict == "helps" and obstacle is not None:
        row = obstacle
        caveat = f"; over {row.against}, its control without a GAN, it is {100 * row.gain:+z.1f} ({_interval(row)})"
    if word == "underpowered":
        # a bound at the end of the scale was cut off there: the other one tells how wide the interval is
        half = max(row.ci_high - row.gain, row.gain - row.ci_low)
        known = row.ci_high - row.ci_low < 2 and 0 < half < 1
        small = f"a gain below {100 * half:.1f} points" if known else "any gain"
        caveat += f"; this run could not have detected {small}"
    return caveat


def _interval(row: Comparison) -> str:
    return f"{100 * row.ci_low:z.1f} to {100 * row.ci_high:z.1f}"
