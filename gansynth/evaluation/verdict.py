"""The verdict: what the tests of all arms say of the GAN, and which arm to use."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gansynth.arms import Arm, has_gan
from gansynth.errors import EvaluationError
from gansynth.evaluation.statistics import REAL, Values, best_arm, best_without_gan, controls_of
from gansynth.results import Comparison, Verdict, VerdictWord


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
        speaker = speakers[against] = best_arm(values, [arm for arm in words if words[arm] == word])
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
        best_with_gan=best_arm(values, with_gan),
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
    return best_arm(values, helping or [best])


def _obstacles(comparisons: Sequence[Comparison], values: Values, alpha: float) -> dict[str, Comparison | None]:
    """Return, for each arm with a GAN, its comparison with the control that it beats least; None if it beats all."""
    obstacles: dict[str, Comparison | None] = {}
    for arm in filter(has_gan, values):
        controls = controls_of(values, arm)
        unbeaten = [
            row
            for row in comparisons
            if row.arm == arm and row.against in controls and (row.gain <= 0 or row.p_value / 2 >= alpha)
        ]
        obstacles[arm] = min(unbeaten, key=lambda row: row.gain, default=None)
    return obstacles


def _credit(row: Comparison, obstacle: Comparison | None, doubt: Doubt | None) -> VerdictWord:
    if row.verdict != "helps":
        return row.verdict
    words = [doubt.word] if doubt else []
    if obstacle is not None:
        words.append("underpowered" if obstacle.verdict == "underpowered" else "no evidence")
    return ("no evidence" if "no evidence" in words else "underpowered") if words else "helps"


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
