import numpy as np
import pytest
from scipy import stats

from gansynth.checkpoints import TrainedModel
from gansynth.generation.sampler import Candidates, Sampler, latents
from gansynth.sections import GenerationConfig

JUDGED = GenerationConfig(filters=("discriminator",))


def drawn(sampler: Sampler, batch: int, count: int = 256) -> Candidates:
    return Candidates.concatenate(
        [sampler.draw(1, start, min(start + batch, count)) for start in range(0, count, batch)]
    )


def test_latents_are_independent_standard_normals() -> None:
    sample = np.concatenate([latents(0, label, 0, 2000, 32) for label in (0, 1)], axis=1)
    assert stats.kstest(sample.ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(sample.T) - np.eye(64)).max() < 0.12
    assert len(np.unique(sample)) > 0.99 * sample.size


@pytest.mark.parametrize("latent_dim", [1, 64, 66])
def test_a_latent_depends_on_nothing_but_seed_class_and_number(latent_dim: int) -> None:
    whole = latents(3, 1, 0, 300, latent_dim)
    assert np.array_equal(whole[7:8], latents(3, 1, 7, 8, latent_dim))
    assert np.array_equal(whole[100:], latents(3, 1, 100, 300, latent_dim))
    assert not np.array_equal(whole, latents(4, 1, 0, 300, latent_dim))
    assert not np.array_equal(whole, latents(3, 2, 0, 300, latent_dim))


@pytest.mark.parametrize("batch", [1, 7])
def test_samples_and_scores_are_the_same_in_any_portions(model: TrainedModel, batch: int) -> None:
    sampler = Sampler(model, 11, JUDGED)
    sampler.pass_size = 32
    count = 64 if batch == 1 else 256
    whole, portions = drawn(sampler, 256).take(slice(0, count)), drawn(sampler, batch, count)
    assert whole.values.dtype == np.uint8
    assert whole.values.std() > 1
    for name in ("indices", "values", "probabilities", "logits"):
        assert np.array_equal(getattr(whole, name), getattr(portions, name)), name


def test_samples_and_scores_are_the_same_on_any_number_of_threads(model: TrainedModel) -> None:
    alone, together = (Sampler(model, 11, JUDGED, threads) for threads in (1, 3))
    one, other = (sampler.draw(1, 5, 300) for sampler in (alone, together))
    for name in ("indices", "values", "probabilities", "logits"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_scores_are_those_of_the_teacher_and_of_the_label(model: TrainedModel) -> None:
    candidates = Sampler(model, 0, GenerationConfig()).draw(2, 5, 25)
    assert candidates.indices.tolist() == list(range(5, 25))
    expected = model.teacher.probabilities(candidates.values)
    np.testing.assert_allclose(candidates.probabilities, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(candidates.agreement, candidates.probabilities[:, 2])
    assert candidates.logits is None  # nobody asked for them
