import numpy as np
import pytest

from gansynth.errors import StudyError
from gansynth.generation.plan import class_counts, split_by_weight
from gansynth.samples import Indices
from gansynth.sections import GenerationConfig

TRAINING = np.array([200, 10, 45])


@pytest.mark.parametrize(
    ("plan", "amount", "expected"),
    [
        ("absolute", 400, [400, 400, 400]),
        ("ratio", 1.5, [300, 15, 68]),
        ("balance", 1, [0, 190, 155]),
        ("balance", 2, [0, 380, 310]),
    ],
)
def test_each_plan_counts_samples_per_class(plan: str, amount: float, expected: list[int]) -> None:
    counts = class_counts(GenerationConfig(plan=plan, amount=amount), TRAINING)
    assert counts.tolist() == expected


@pytest.mark.parametrize(
    ("plan", "training"), [("balance", np.array([20, 20])), ("ratio", np.array([1, 1])), ("absolute", np.array([9, 9]))]
)
def test_a_plan_for_no_samples_is_refused_in_one_line(plan: str, training: Indices) -> None:
    settings = GenerationConfig(plan=plan, amount=0.3)
    with pytest.raises(StudyError, match="asks for no samples") as caught:
        class_counts(settings, training)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [1, 7, 5000])
def test_a_total_is_divided_evenly(count: int) -> None:
    counts = split_by_weight(count, np.ones(3))
    assert counts.sum() == count
    assert counts.max() - counts.min() <= 1
