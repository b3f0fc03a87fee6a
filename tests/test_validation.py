"""Choices by inner validation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from shapes import draw_shapes
from sklearn.metrics import log_loss

from gansynth.classifiers import Diet
from gansynth.study import Study
from gansynth.training.teacher import fit_teacher
from gansynth.validation import calibrated_log_loss, choose


def predictions(sharpness: float, seed: int = 0, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [rows // 2, rows // 3, rows // 6])
    logits = random.normal(size=(rows, 3)) + 1.5 * np.eye(3)[labels]
    odds = np.exp(sharpness * logits)
    return labels, (odds / odds.sum(1, keepdims=True)).astype(np.float32)


def test_the_calibrated_loss_is_the_smallest_class_balanced_log_loss_over_all_temperatures() -> None:
    labels, probabilities = predictions(3.0)
    weights = 1 / np.bincount(labels)[labels]

    def at(log_temperature: np.ndarray) -> float:
        scaled = probabilities.astype(np.float64) ** (1 / np.exp(log_temperature[0]))
        return log_loss(labels, scaled / scaled.sum(1, keepdims=True), sample_weight=weights)

    expected = minimize(at, [0.0], method="Nelder-Mead").fun
    assert calibrated_log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-5)


def test_confidence_is_no_merit_and_no_fault() -> None:
    losses = [calibrated_log_loss(*predictions(sharpness)) for sharpness in (0.3, 1.0, 4.0)]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-3)
    labels, _ = predictions(1)
    assert calibrated_log_loss(labels, np.full((60, 3), 1 / 3, np.float32)) == pytest.approx(np.log(3))
    certain = np.eye(3, dtype=np.float32)[labels]
    assert calibrated_log_loss(labels, certain) < 0.01
    assert np.isfinite(calibrated_log_loss(labels, np.roll(certain, 1, axis=1)))


def test_the_better_candidate_is_chosen_and_the_first_of_equals(tiny_study: Study) -> None:
    real, other = draw_shapes(12), draw_shapes(12)
    other.labels[:] = np.random.default_rng(0).permutation(other.labels)
    sources = {"nonsense": other, "sense": real, "the same": real}
    evaluation = tiny_study.evaluation.model_copy(update={"inner_steps": 40})
    study = tiny_study.model_copy(update={"evaluation": evaluation})
    seen_rows = []

    def diet_of(candidate: str, seen: np.ndarray) -> Diet:
        seen_rows.append(seen.sum())
        return Diet(sources[candidate].take(seen))

    chosen, losses = choose(study, real, np.arange(36), 0, list(sources), diet_of, {}, calibrated_log_loss)
    assert chosen == "sense"
    assert losses["sense"] == losses["the same"] < losses["nonsense"]
    assert seen_rows == [18] * 6
    assert choose(study, real, np.arange(36), 0, ["only"], diet_of, {}, calibrated_log_loss) == ("only", {})


def test_a_loss_that_is_known_is_not_measured_again(tiny_study: Study) -> None:
    real = draw_shapes(12)
    measured = []

    def diet_of(candidate: str, seen: np.ndarray) -> Diet:
        measured.append(candidate)
        return Diet(real.take(seen))

    chosen, losses = choose(
        tiny_study, real, np.arange(36), 0, ["new", "known"], diet_of, {"known": -1.0}, calibrated_log_loss
    )
    assert (chosen, losses["known"]) == ("known", -1)
    assert set(measured) == {"new"}


def test_the_policy_that_destroys_what_matters_is_not_chosen(tiny_study: Study) -> None:
    # the class is which side is bright, so flips make the classes alike
    samples = draw_shapes(20)
    samples = samples.take(samples.labels < 2)
    samples.values[:] = 20
    samples.values[:20, :, 8:] = 200
    samples.values[20:, :, :8] = 200
    evaluation = tiny_study.evaluation.model_copy(update={"inner_steps": 40})
    modality = tiny_study.modality.model_copy(update={"classical": ("affine+flip", "affine")})
    study = tiny_study.model_copy(update={"evaluation": evaluation, "modality": modality})
    teacher = fit_teacher(study, samples, np.arange(len(samples)), 0)
    assert teacher.policy == "affine"
    assert teacher.losses["affine"] < 0.3 < teacher.losses["affine+flip"]
