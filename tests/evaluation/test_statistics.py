from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from gansynth.arms import ARMS
from gansynth.errors import EvaluationError
from gansynth.evaluation.statistics import assumed_correlation, compare_arms, corrected_t_test, holm
from gansynth.evaluation.verdict import decide, doubts, recommend
from gansynth.results import Comparison, Verdict
from gansynth.splits import Shared

CORRELATION, N_TEST, ALPHA, SMALLEST_GAIN = 0.2, 250, 0.05, 0.03


def arms(spread: float = 0.01, repetitions: int = 8, **means: float) -> dict[str, np.ndarray]:
    """Values with the given means and independent noise; `gan_classical` stands for `gan+classical`."""
    random = np.random.default_rng(7)
    values = {}
    for arm, mean in means.items():
        noise = random.normal(size=repetitions)
        values[arm.replace("_", "+")] = mean + spread * (noise - noise.mean())
    return values


def compare(values: dict[str, np.ndarray]) -> list[Comparison]:
    return compare_arms(values, CORRELATION, N_TEST, ALPHA, SMALLEST_GAIN)


def judge(values: dict[str, np.ndarray]) -> Verdict:
    return decide(compare(values), values, "balanced_accuracy", ALPHA)


def recommended(values: dict[str, np.ndarray]) -> str:
    return recommend(compare(values), values, ALPHA)


def simulate_null(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Differences in accuracy of two equally good classifiers: shape (datasets, repetitions).

    Each classifier is a threshold halfway between the class means of one of two features that are equally telling.

    Args:
        train: Which rows each repetition trains on, bool of shape (datasets, repetitions, rows).
        test: Which rows it is tested on.
    """
    datasets, _, rows = train.shape
    random = np.random.default_rng(1)
    labels = np.tile([0, 1], rows // 2)
    features = random.normal(size=(datasets, 2, 1, rows)) + labels
    accuracies = []
    for feature in (features[:, 0], features[:, 1]):
        ones, zeros = train * labels, train * (1 - labels)
        high = (ones * feature).sum(2, keepdims=True) / ones.sum(2, keepdims=True)
        low = (zeros * feature).sum(2, keepdims=True) / zeros.sum(2, keepdims=True)
        predicted = (feature > (high + low) / 2) ^ (high < low)
        accuracies.append(((predicted == labels) & test).sum(2) / test.sum(2))
    return accuracies[0] - accuracies[1]


def shuffled_places(datasets: int, repetitions: int, rows: int) -> np.ndarray:
    return np.random.default_rng(0).permuted(np.ones((datasets, repetitions, 1), int) * np.arange(rows), axis=2)


def share_found(differences: np.ndarray, correlation: float, test_rows: int) -> float:
    """How often the test finds a difference that is not there."""
    return float(np.mean([corrected_t_test(row, correlation, test_rows, ALPHA).p_value < ALPHA for row in differences]))


def test_the_corrected_test_keeps_its_level_where_the_naive_one_finds_gains_that_are_not_there() -> None:
    place = shuffled_places(datasets=800, repetitions=20, rows=100)
    differences = simulate_null(train=place >= 20, test=place < 20)
    correlation = assumed_correlation(Shared(rows=1, test=0.2), n_train=80, n_test=20)
    assert correlation == 0.2
    assert 0.01 < share_found(differences, correlation, 20) <= 0.08
    assert share_found(differences, 0, 20) > 0.25


@pytest.mark.parametrize(("rows", "train_rows", "test_rows"), [(600, 20, 60), (300, 20, 60), (400, 60, 40)])
def test_draws_that_share_few_rows_need_less_correction_and_the_test_still_keeps_its_level(
    rows: int, train_rows: int, test_rows: int
) -> None:
    place = shuffled_places(1000, 5, rows)
    test = place < test_rows
    differences = simulate_null(train=~test & (place < test_rows + train_rows), test=test)
    shared = Shared(rows=(train_rows + test_rows) / rows, test=test_rows / rows)
    correlation = assumed_correlation(shared, train_rows, test_rows)
    assert correlation < test_rows / (train_rows + test_rows)
    nadeau_bengio = share_found(differences, test_rows / (train_rows + test_rows), test_rows)
    assert nadeau_bengio < share_found(differences, correlation, test_rows) <= 0.065


def test_a_test_part_of_the_sources_own_keeps_the_level_too() -> None:
    # 200 training and 100 test rows are set apart; repetitions draw four fifths of those and half of these
    train = np.concatenate([shuffled_places(1000, 5, 200) < 160, np.zeros((1000, 5, 100), bool)], axis=2)
    test = np.concatenate([np.zeros((1000, 5, 200), bool), shuffled_places(1000, 5, 100) < 50], axis=2)
    correlation = assumed_correlation(Shared(rows=0.8, test=0.5), n_train=160, n_test=50)
    assert correlation == 0.5
    differences = simulate_null(train, test)
    assert share_found(differences, 0, 50) > 0.1
    assert share_found(differences, correlation, 50) <= 0.065


def test_repetitions_that_share_all_rows_tell_nothing() -> None:
    assert assumed_correlation(Shared(rows=1, test=1), n_train=1000, n_test=100) == 1
    test = corrected_t_test(np.array([0.1, 0.11, 0.1]), 1, 100, ALPHA)
    assert (test.ci_low, test.ci_high, test.p_value) == (-1, 1, 1)


def test_without_overlap_it_is_the_paired_t_test() -> None:
    random = np.random.default_rng(3)
    first, second = random.normal(0.7, 0.1, 9), random.normal(0.6, 0.1, 9)
    test = corrected_t_test(first - second, correlation=0, n_test=10**6, alpha=0.1)
    expected = stats.ttest_rel(first, second)
    interval = expected.confidence_interval(0.9)
    assert test == pytest.approx((np.mean(first - second), interval.low, interval.high, expected.pvalue))


def test_the_interval_excludes_zero_exactly_if_the_p_value_is_below_alpha() -> None:
    for alpha in (0.01, 0.05, 0.2):
        for seed in range(20):
            test = corrected_t_test(np.random.default_rng(seed).normal(0.6, 1, 6), 1 / 3, 50, alpha)
            assert (test.p_value < alpha) == (test.ci_low > 0 or test.ci_high < 0)


def test_differences_without_spread() -> None:
    assert corrected_t_test(np.zeros(5), 0.2, 20, ALPHA) == (0, 0, 0, 1)
    # one more row of ten recognised, twice, is luck; of 2,000 rows 200 more, five times, are not
    assert corrected_t_test(np.full(2, 0.1), 0.2, 10, ALPHA).p_value > ALPHA
    test = corrected_t_test(np.full(5, 0.1), 2 / 3, 2000, ALPHA)
    assert test.p_value < 1e-6
    assert test.ci_low == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(EvaluationError, match=r"evaluation\.repetitions.* 2, not 1"):
        corrected_t_test(np.ones(1), 0.2, 20, ALPHA)


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    random = np.random.default_rng(0)
    for size in (1, 2, 3, 5):
        p_values = random.beta(0.4, 2, size).round(2)
        subsets = [list(subset) for count in range(1, size + 1) for subset in combinations(range(size), count)]
        closed = [
            max(min(1, len(subset) * p_values[subset].min()) for subset in subsets if index in subset)
            for index in range(size)
        ]
        np.testing.assert_allclose(holm(p_values), closed)
    # hand-worked: 4 x 0.005; 3 x 0.01; 2 x 0.03; the largest is lifted to the one before it
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_which_arms_are_compared_and_in_which_families() -> None:
    values = arms(real=0.6, oversampled=0.62, classical=0.7, gan=0.68, gan_classical=0.7, shuffled=0.5)
    comparisons = {(row.arm, row.against): row for row in compare(values)}
    assert list(comparisons) == [
        *[(arm, "real") for arm in ("oversampled", "classical", "gan", "gan+classical", "shuffled")],
        *[(arm, against) for against in ("oversampled", "classical") for arm in ("gan", "gan+classical")],
    ]
    for family in (
        [("oversampled", "real"), ("classical", "real")],
        [("gan", "real"), ("gan+classical", "real")],
        [("shuffled", "real")],
        [("gan", "classical"), ("gan+classical", "classical")],
    ):
        raw = [comparisons[pair].p_value for pair in family]
        assert [comparisons[pair].p_holm for pair in family] == pytest.approx(holm(raw).tolist())
    assert comparisons["shuffled", "real"].verdict == "harms"


def test_no_pair_is_compared_twice_and_few_arms_suffice() -> None:
    pairs = [
        (row.arm, row.against) for row in compare(arms(real=0.7, oversampled=0.6, classical=0.5, gan_classical=0.8))
    ]
    assert pairs == [
        *[(arm, "real") for arm in ("oversampled", "classical", "gan+classical")],
        *[("gan+classical", against) for against in ("oversampled", "classical")],
    ]
    values = arms(real=0.7, gan=0.8)
    assert [(row.arm, row.against) for row in compare(values)] == [("gan", "real")]
    assert judge(values).best_without_gan == "real"
    assert recommended(values) == "gan"


def test_the_words_of_a_comparison() -> None:
    values = arms(real=0.6, gan=0.7)
    assert compare(values)[0].verdict == "helps"
    assert compare(arms(real=0.7, gan=0.6))[0].verdict == "harms"
    assert compare(arms(real=0.7, gan=0.705))[0].verdict == "no evidence"
    assert compare(arms(spread=0.1, real=0.7, gan=0.72))[0].verdict == "underpowered"


def test_the_word_follows_the_p_value_after_holm() -> None:
    comparisons = compare(arms(spread=0.015, real=0.7, gan=0.717, gan_classical=0.7))
    row = next(row for row in comparisons if row.arm == "gan")
    assert row.p_value < ALPHA < row.p_holm
    assert row.verdict == "no evidence"


def test_the_negative_control_is_no_rival() -> None:
    values = arms(real=0.6, gan=0.7, shuffled=0.8)
    verdict = judge(values)
    assert (verdict.best_without_gan, verdict.best_with_gan) == ("real", "gan")
    assert recommended(values) == "gan"


def test_a_control_is_beaten_one_sided() -> None:
    values = arms(spread=0.015, real=0.5, oversampled=0.7, gan=0.72)
    row = next(row for row in compare(values) if row.against == "oversampled")
    assert row.p_value / 2 < ALPHA < row.p_value
    assert judge(values).against_real == "helps"


def test_a_gain_over_real_and_none_over_classical() -> None:
    values = arms(real=0.63, oversampled=0.66, classical=0.75, gan=0.72, gan_classical=0.757)
    comparisons = {(row.arm, row.against): row for row in compare(values)}
    over_real, over_classical = comparisons["gan", "real"], comparisons["gan+classical", "classical"]
    verdict = judge(values)
    assert (verdict.against_real, verdict.against_best_without_gan) == ("helps", "no evidence")
    assert (verdict.best_without_gan, verdict.best_with_gan) == ("classical", "gan+classical")
    assert verdict.arms["real"] in verdict.sentence.split(".")[0]
    assert verdict.arms["classical"] in ("gan", "gan+classical")
    assert verdict.sentence == (
        "GAN augmentation helps: gan gains 9.0 points of balanced accuracy over real data alone (95 % interval"
        f" {100 * over_real.ci_low:.1f} to {100 * over_real.ci_high:.1f}). Against the best arm without a GAN,"
        " classical, there is no evidence of a gain: gan+classical +0.7 points"
        f" ({100 * over_classical.ci_low:.1f} to {100 * over_classical.ci_high:.1f})."
    )
    assert recommended(values) == "classical"


def test_an_underpowered_comparison_says_what_it_could_not_have_seen() -> None:
    values = arms(spread=0.05, real=0.63, oversampled=0.6, gan=0.65)
    row = compare(values)[1]
    verdict = judge(values)
    assert verdict.against_real == verdict.against_best_without_gan == "underpowered"
    assert verdict.sentence.startswith("This run is too small to tell whether GAN augmentation helps: gan gains 2.0 ")
    assert f"could not have detected a gain below {100 * (row.ci_high - row.gain):.1f} points" in verdict.sentence
    assert verdict.sentence.endswith("No arm without a GAN does better than real data alone.")
    assert recommended(values) == "real"


def test_two_repetitions_that_disagree_could_not_have_detected_anything() -> None:
    # a bound at the end of the scale is cut off there, which must not pass for a narrower interval
    verdict = judge({"real": np.array([0.6, 0.6]), "gan": np.array([0.7, 0.1])})
    assert verdict.against_real == "underpowered"
    assert "could not have detected any gain" in verdict.sentence


def test_a_gan_that_beats_every_rival_is_recommended() -> None:
    values = arms(real=0.6, oversampled=0.62, classical=0.7, gan=0.66, gan_classical=0.78)
    verdict = judge(values)
    assert verdict.against_real == verdict.against_best_without_gan == "helps"
    assert "classical, there is a gain: gan+classical +8.0 points" in verdict.sentence
    assert recommended(values) == "gan+classical"


def test_a_gain_that_resampling_gives_as_well_is_not_the_gans() -> None:
    values = arms(real=0.6, oversampled=0.68, gan=0.681)
    assert compare(values)[1].verdict == "helps"
    verdict = judge(values)
    assert verdict.against_real == "no evidence"
    assert "; over oversampled, its control without a GAN, it is +0.1 (" in verdict.sentence
    noisy = values | {"oversampled": 0.6 + 10 * (values["oversampled"] - 0.6)}
    noisy["oversampled"] += 0.681 - noisy["oversampled"].mean()
    assert judge(noisy).against_real == "underpowered"


def test_a_gain_that_copies_of_real_rows_give_as_well_is_not_the_gans() -> None:
    values = arms(real=0.6, copies=0.681, smote=0.61, gan=0.681)
    values |= {"copies+smote": values["copies"] + 0.001, "gan+smote": values["gan"] + 0.001}
    controls = {arm: {row.against for row in compare(values) if row.arm == arm} for arm in ("gan", "gan+smote")}
    assert controls == {"gan": {"real", "copies", "copies+smote"}, "gan+smote": {"real", "smote", "copies+smote"}}
    assert judge(values).against_real in ("no evidence", "underpowered")


def test_a_gain_without_a_synthetic_sample_is_not_the_gans() -> None:
    values = arms(real=0.6, softened=0.6, copies=0.6, gan=0.7)
    assert judge(values).against_real == "helps"
    doubted = doubts({arm: ARMS["table"][arm] for arm in values}, {"gan": [0.0, 0.0]})
    verdict = decide(compare(values), values, "balanced_accuracy", ALPHA, doubted)
    assert verdict.against_real == verdict.against_best_without_gan == "no evidence"
    assert verdict.sentence.startswith("There is no evidence that GAN augmentation helps: gan gains 10.0 points of")
    assert "; without a single synthetic sample, for inner validation chose none in any repetition." in verdict.sentence
    assert recommend(compare(values), values, ALPHA, doubted) == "real"


def test_a_gain_whose_controls_were_not_compared_is_not_known_to_be_the_gans() -> None:
    values = arms(real=0.6, softened=0.61, gan=0.7)
    compared = {arm: ARMS["table"][arm] for arm in values}
    verdict = decide(compare(values), values, "balanced_accuracy", ALPHA, doubts(compared, {"gan": [0.5, 0.0]}))
    assert verdict.against_real == verdict.against_best_without_gan == "underpowered"
    assert verdict.sentence.startswith("This run cannot tell whether GAN augmentation helps: gan gains 10.0 points of")
    assert "; whether by the GAN is not known, for evaluation.arms lacks copies." in verdict.sentence
    # what is no gain is none, whatever was compared
    worse = arms(real=0.6, softened=0.61, gan=0.5)
    assert decide(compare(worse), worse, "accuracy", ALPHA, doubts(compared, {})).against_real == "harms"
    assert not doubts(ARMS["table"], {"gan": [0.5], "gan+smote": [0.5]})


def test_equal_scores_are_no_sharp_answer() -> None:
    values = {arm: np.full(3, 0.5) for arm in ("real", "threshold", "gan")}
    assert [row.verdict for row in compare(values)] == ["no evidence", "underpowered", "underpowered"]
    verdict = judge(values)
    assert verdict.against_real == "underpowered"
    assert "could not have detected any gain" in verdict.sentence


def test_a_gain_that_classical_augmentation_gives_as_well_is_not_the_gans() -> None:
    # what copies of real rows in place of synthetic ones look like
    values = arms(real=0.6, oversampled=0.62, classical=0.75, gan=0.62, gan_classical=0.75)
    assert {row.arm: row.verdict for row in compare(values) if row.against == "real"}["gan+classical"] == "helps"
    assert judge(values).against_real == "no evidence"
    assert recommended(values) == "classical"


def test_harm_is_called_harm_only_if_every_gan_harms() -> None:
    verdict = judge(arms(real=0.7, classical=0.71, gan=0.6, gan_classical=0.62))
    assert verdict.against_real == verdict.against_best_without_gan == "harms"
    assert verdict.sentence.startswith("GAN augmentation harms: gan+classical loses 8.0 points of balanced accuracy")
    assert judge(arms(real=0.7, classical=0.705, gan=0.6, gan_classical=0.706)).against_real == "no evidence"


def test_the_verdict_on_equal_arms_is_helps_no_more_often_than_alpha() -> None:
    random = np.random.default_rng(0)
    names = ("real", "oversampled", "classical", "gan", "gan+classical")
    helped = []
    for _ in range(200):
        values = dict(zip(names, random.normal(0.7, 0.02, (5, 5)), strict=True))
        comparisons = compare_arms(values, 0, 1000, ALPHA, SMALLEST_GAIN)
        verdict = decide(comparisons, values, "accuracy", ALPHA)
        helped.append("helps" in {verdict.against_real, verdict.against_best_without_gan})
    assert 0 < np.mean(helped) <= ALPHA


def test_a_verdict_needs_real_and_a_gan() -> None:
    with pytest.raises(EvaluationError, match=r"evaluation\.arms: no arm 'real'"):
        compare(arms(classical=0.7, gan=0.7))
    values = arms(real=0.6, classical=0.7)
    with pytest.raises(EvaluationError, match=r"evaluation\.arms: .* add 'gan' beside 'real'"):
        judge(values)
    assert recommended(values) == "classical"
