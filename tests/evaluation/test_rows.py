import numpy as np
import pytest
from tables import SCHEMA, draw_rows

from gansynth.evaluation.fidelity import Embedded
from gansynth.evaluation.rows import PlainSpace, closest_rows, detection_auc
from gansynth.evaluation.similarity import closest_pairs, similarity
from gansynth.samples import Samples, Schema


def test_real_rows_are_not_told_from_real_ones_and_shifted_ones_are() -> None:
    real = draw_rows(300, 0)
    assert detection_auc(real, draw_rows(300, 1), 0) == pytest.approx(0.5, abs=0.08)
    shifted = draw_rows(300, 4)
    shifted.values[:, 0] += 40
    assert detection_auc(real, shifted, 0) > 0.98


def test_rows_whose_labels_fit_no_cell_are_detected() -> None:
    real, made = draw_rows(300, 0), draw_rows(300, 1)
    swapped = Samples(made.values, 1 - made.labels, made.class_names, made.schema)
    assert detection_auc(real, swapped, 0) > 0.8


def gower(row: np.ndarray, other: np.ndarray, training: np.ndarray) -> float:
    """The distance of two rows of customers, cell by cell."""
    apart = []
    for place, (mine, others) in enumerate(zip(row, other, strict=True)):
        if place in (2, 3):
            apart.append(float(mine != others and not (np.isnan(mine) and np.isnan(others))))
            continue
        column = training[:, place]
        low, high = np.nanpercentile(column, [5, 95])
        filled = [np.nanmedian(column) if np.isnan(cell) else cell for cell in (mine, others)]
        apart.append(abs(filled[0] - filled[1]) / (high - low) + (np.isnan(mine) != np.isnan(others)))
    return sum(apart) / len(apart)


def test_rows_are_as_far_apart_as_their_cells_are_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansynth.evaluation.rows.BLOCK_DISTANCES", 200)
    training, others = draw_rows(60, 0), draw_rows(30, 1)
    space = PlainSpace(training)
    blocks = list(space.distances(space.points(others), space.points(training)))
    assert len(blocks) > 1
    found = np.concatenate([block for _, block in blocks])
    expected = [[gower(row, other, training.values) for other in training.values] for row in others.values]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_columns_without_numbers_or_without_spread_tell_apart_what_they_can() -> None:
    training = draw_rows(20, 0)
    training.values[:, 0], training.values[:, 1] = 7, np.nan
    space = PlainSpace(training)
    (_, distances), *_ = space.distances(space.points(training), space.points(training))
    assert np.isfinite(distances).all()
    assert not np.diag(distances).any()
    made = draw_rows(20, 0)
    made.values[:, :2] = 9
    (_, distances), *_ = space.distances(space.points(made), space.points(training))
    # the number 2 units away, and 9 where all others are null
    assert distances[0, 0] >= (2 + 1) / 5


def test_planted_copies_are_the_closest_pairs_with_their_differing_cells_marked() -> None:
    training, held_out, made = draw_rows(80, 0), draw_rows(80, 1), draw_rows(80, 2)
    made.values[10], made.values[31] = training.values[4], training.values[7]
    made.values[31, 0] += 1
    space = PlainSpace(training)
    parts = [Embedded(space.points(rows), rows.labels) for rows in (training, held_out, made)]
    pairs = closest_pairs(*parts, count=5, distances=space.distances)
    assert [(pair.synthetic, pair.training) for pair in pairs[:2]] == [(10, 4), (31, 7)]
    assert pairs[0].distance == 0 < pairs[1].distance
    rows = closest_rows(pairs, training, made)
    assert len(rows) == 5 * 5
    assert not any(row["differs"] for row in rows[:5])
    assert [row["column"] for row in rows[5:10] if row["differs"]] == ["age"]
    assert [row["synthetic"] for row in rows[:5]] == [row["training"] for row in rows[:5]]
    age = int(training.values[7, 0])
    assert (rows[5]["synthetic"], rows[5]["training"], rows[5]["class_name"]) == (str(age + 1), str(age), "yes")


def test_a_table_of_copies_is_caught_without_an_embedding() -> None:
    training, held_out = draw_rows(80, 0), draw_rows(80, 1)
    space = PlainSpace(training)
    parts = [Embedded(space.points(rows), rows.labels) for rows in (training, held_out)]
    copied = similarity(*parts, parts[0], seed=0, distances=space.distances)
    assert copied.share_nearer_to_training > 0.9
    assert copied.near_copies == 80
    fresh = draw_rows(80, 2)
    new = similarity(*parts, Embedded(space.points(fresh), fresh.labels), seed=0, distances=space.distances)
    assert new.share_nearer_to_training == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("kept", [[0, 1, 4], [2, 3]])
def test_rows_of_numbers_alone_and_of_categories_alone_have_distances_too(kept: list[int]) -> None:
    rows = draw_rows(30, 0)
    columns = tuple(rows.columns[place] for place in kept)
    some = Samples(rows.values[:, kept], rows.labels, rows.class_names, Schema(columns, SCHEMA.label))
    space = PlainSpace(some)
    ((_, distances),) = space.distances(space.points(some), space.points(some))
    assert not np.diag(distances).any()
    assert distances.max() > 0.5
