"""Classifiers, committees and SMOTE on tables with nulls and categories."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import StandardScaler

from gansynth.classifiers import Diet, weighted_rows
from gansynth.errors import StudyError
from gansynth.modalities.table.estimators import ESTIMATORS, divided, fit_estimator
from gansynth.modalities.table.networks import check_classifier
from gansynth.modalities.table.oversampling import smote
from gansynth.modalities.table.teachers import Committee
from gansynth.samples import Column, Samples, Schema
from gansynth.splits import inner_folds

NUMBER, OTHER = Column("x", "numeric", "double"), Column("z", "numeric", "double")
TOWN = Column("town", "categorical", "string", ("Oslo", "Rome", "Kyiv"))
BIRTHPLACE = Column("birthplace", "categorical", "string", ("Oslo", "Rome", "Kyiv"))
LABEL = Column("y", "categorical", "string", ("no", "yes"))


def rows(count: int = 300, positives: int = 60, seed: int = 0) -> Samples:
    """Draw rows with nulls in all columns, of which the number tells the label."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) < positives).astype(np.int64)
    towns = random.integers(0, 3, (count, 2)).astype(float)
    cells = np.column_stack([random.normal(2 * labels, 1), towns])
    cells[random.random(cells.shape) < 0.05] = np.nan
    return Samples(cells, labels, ("no", "yes"), Schema((NUMBER, TOWN, BIRTHPLACE), LABEL))


def folds(samples: Samples, count: int = 5) -> np.ndarray:
    return inner_folds(samples.labels, np.arange(len(samples)), count, np.random.default_rng(0))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_take_nulls_categories_and_labels_in_part(name: str) -> None:
    train, test = rows(), rows(seed=1)
    one_hot = np.eye(2)[train.labels]
    hard = fit_estimator(name, train, one_hot, np.ones(len(train)), 0).probabilities(test.values)
    assert hard.shape == (300, 2)
    np.testing.assert_allclose(hard.sum(1), 1, rtol=1e-5)
    assert (hard.argmax(1) == test.labels).mean() > 0.8
    # half of every label unsure: the classifier is less sure, and still right
    soft = fit_estimator(name, train, (one_hot + 0.5) / 2, np.ones(len(train)), 0).probabilities(test.values)
    assert np.abs(soft - 0.5).mean() < np.abs(hard - 0.5).mean()


@pytest.mark.parametrize("name", [*ESTIMATORS, "sklearn.naive_bayes:GaussianNB"])
@pytest.mark.filterwarnings("error")
def test_a_number_that_a_fold_does_not_have_teaches_nothing(name: str) -> None:
    train, test = rows(), rows(seed=1)
    random = np.random.default_rng(0)
    schema = Schema((OTHER, *train.columns), LABEL)
    columns = [np.full(300, np.nan), random.normal(size=300)]
    gone, there = (
        Samples(np.column_stack([column, test.values]), test.labels, ("no", "yes"), schema) for column in columns
    )
    train = Samples(np.column_stack([columns[0], train.values]), train.labels, ("no", "yes"), schema)
    model = fit_estimator(name, train, train.one_hot, np.ones(300), 0)
    told = model.probabilities(gone.values)
    assert (told.argmax(1) == test.labels).mean() > 0.8
    np.testing.assert_array_equal(model.probabilities(there.values).argmax(1), told.argmax(1))


def test_whole_labels_of_weight_one_are_plain_scikit_learn() -> None:
    train, test = rows(400), rows(seed=1)
    ours = fit_estimator("hist_gradient_boosting", train, np.eye(2)[train.labels], np.ones(len(train)), 3)
    plain = HistGradientBoostingClassifier(categorical_features=[False, True, True], random_state=3)
    plain.fit(train.values, train.labels)
    np.testing.assert_allclose(ours.probabilities(test.values), plain.predict_proba(test.values), rtol=1e-5)


def test_boosted_trees_learn_from_few_rows_and_share_their_leaves_with_arms_that_add_rows() -> None:
    few, test = rows(30, 15), rows(300, 150, seed=1)
    alone = fit_estimator("hist_gradient_boosting", few, few.one_hot, np.ones(30), 0)
    assert (alone.probabilities(test.values).argmax(1) == test.labels).mean() > 0.7
    more = Samples.concatenate([few, rows(200, seed=2)])
    both = fit_estimator("hist_gradient_boosting", more, more.one_hot, np.ones(len(more)), 0, real=30)
    assert both.fitted.min_samples_leaf == alone.fitted.min_samples_leaf == 1


def test_a_label_in_parts_grows_the_trees_of_a_whole_one() -> None:
    """A row that comes twice, in parts of its weight, makes neither leaves smaller nor an early stop."""
    train, test = rows(6000, 600), rows(seed=1)
    whole = fit_estimator("hist_gradient_boosting", train, np.eye(2)[train.labels], np.ones(len(train)), 0)
    unsure = np.eye(2)[train.labels] * 0.99 + 0.005
    parts = fit_estimator("hist_gradient_boosting", train, unsure, np.ones(len(train)), 0)
    assert (whole.fitted.n_iter_, parts.fitted.n_iter_) == (100, 100)
    assert parts.fitted.min_samples_leaf == 2 * whole.fitted.min_samples_leaf
    assert np.abs(parts.probabilities(test.values) - whole.probabilities(test.values)).mean() < 0.03


def test_limits_of_a_classifier_of_ones_own_count_whole_rows_too() -> None:
    train = rows()
    name, targets = "sklearn.ensemble:RandomForestClassifier", np.full((300, 2), 0.5)
    forest = fit_estimator(name, train, targets, np.ones(300), 0).fitted[-1]
    assert (forest.min_samples_leaf, forest.min_samples_split) == (2, 4)  # each row is two lines; 1 and 2 by default


def test_of_many_classes_a_row_belongs_to_the_likeliest_three() -> None:
    targets = np.array([[0.4, 0.1, 0.3, 0.2, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.0, 1.0, 0.0]])
    row, label, weights = divided(targets, np.array([1.0, 1.0, 2.0]))
    assert list(zip(row.tolist(), label.tolist(), strict=True)) == [
        (0, 0), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (2, 3),
    ]  # fmt: skip
    np.testing.assert_allclose(np.bincount(row, weights), [1, 1, 2])
    np.testing.assert_allclose(weights[:3], np.array([0.4, 0.3, 0.2]) / 0.9)


def test_a_class_that_was_never_met_has_no_probability() -> None:
    train = rows()
    three = Samples(train.values, train.labels, ("no", "yes", "maybe"), train.schema)
    found = fit_estimator("logistic_regression", three, np.eye(3)[three.labels], np.ones(len(three)), 0)
    assert found.probabilities(three.values)[:, 2].max() == 0


def test_smote_is_that_of_imbalanced_learn_on_numbers() -> None:
    random = np.random.default_rng(0)
    labels = (np.arange(100) < 20).astype(np.int64)
    numbers = Samples(random.normal(size=(100, 2)), labels, ("no", "yes"), Schema((NUMBER, OTHER), LABEL))
    made = smote(numbers, 7)
    scaler = StandardScaler().fit(numbers.values)
    expected, expected_labels = SMOTE(random_state=7).fit_resample(scaler.transform(numbers.values), labels)
    np.testing.assert_allclose(made.values, scaler.inverse_transform(expected))
    np.testing.assert_array_equal(made.labels, expected_labels)


@pytest.mark.parametrize("columns", [(NUMBER, OTHER), (NUMBER, OTHER, TOWN)], ids=["SMOTE", "SMOTENC"])
def test_no_unit_decides_what_smote_takes_for_near(columns: tuple[Column, ...]) -> None:
    random = np.random.default_rng(0)
    labels = (np.arange(100) < 20).astype(np.int64)
    cells = np.column_stack([random.normal(size=(100, 2)), random.integers(0, 3, 100)])[:, : len(columns)]
    units = np.array([1.0, 1e12, 1.0])[: len(columns)]
    made, of_units = (
        smote(Samples(values, labels, ("no", "yes"), Schema(columns, LABEL)), 7) for values in (cells, cells * units)
    )
    np.testing.assert_allclose(of_units.values, made.values * units)


@pytest.mark.parametrize("positives", [1, 2, 60, 150])
def test_smote_lifts_every_class_and_leaves_real_rows_alone(positives: int) -> None:
    real = rows(positives=positives)
    made = smote(real, 0)
    assert made.counts.tolist() == [max(real.counts)] * 2
    np.testing.assert_array_equal(made.values[: len(real)], real.values)
    towns = made.values[len(real) :, 1:]
    assert set(towns[~np.isnan(towns)]) <= {0.0, 1.0, 2.0}


def test_a_class_of_one_row_keeps_smote_from_no_other_class() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 20, 1])
    numbers, whole = random.normal(size=121), random.integers(0, 1000, 121)
    schema = Schema((NUMBER, Column("whole", "integer", "int64")), LABEL)
    real = Samples(np.column_stack([numbers, whole]).astype(np.float64), labels, ("a", "b", "c"), schema)
    made = smote(real, 0)
    assert made.counts.tolist() == [100] * 3
    more, of = made.values[len(real) :], made.labels[len(real) :]
    assert not np.isin(more[of == 1, 0], numbers).any()
    np.testing.assert_array_equal(more[of == 2], np.tile(real.values[-1], (99, 1)))
    np.testing.assert_array_equal(more[:, 1], np.rint(more[:, 1]))


def test_a_committee_is_less_sure_of_rows_that_it_did_not_see() -> None:
    train, test = rows(), rows(seed=1)
    committee = Committee(train, folds(train), "hist_gradient_boosting", 0)
    said = committee.probabilities(test.values)
    np.testing.assert_allclose(said.sum(1), 1, rtol=1e-5)
    assert (said.argmax(1) == test.labels).mean() > 0.8
    own = np.arange(len(train)), train.labels
    assert committee.out_of_fold()[own].mean() < committee.probabilities(train.values)[own].mean()
    assert committee.surpassed <= ESTIMATORS.keys()


@pytest.mark.parametrize("student", ["hist_gradient_boosting", "logistic_regression"])
def test_what_is_taught_without_a_fold_does_not_depend_on_its_labels(student: str) -> None:
    train, test = rows(count=120, positives=40), rows(count=30, positives=10, seed=1)
    fold_of = folds(train, 3)
    held = fold_of == 1
    other = replace(train, labels=np.where(held, 1 - train.labels, train.labels))
    one, two = (Committee(samples, fold_of, student, 0) for samples in (train, other))
    np.testing.assert_array_equal(one.out_of_fold(1)[~held], two.out_of_fold(1)[~held])
    np.testing.assert_array_equal(one.probabilities(test.values, 1), two.probabilities(test.values, 1))
    assert (one.out_of_fold()[~held] != two.out_of_fold()[~held]).any()
    assert (one.probabilities(test.values) != two.probabilities(test.values)).any()


def test_a_class_that_only_one_fold_has_is_unknown_to_its_members() -> None:
    train = rows(count=60, positives=2)
    fold_of = np.where(train.labels == 1, 0, np.arange(len(train)) % 3)
    committee = Committee(train, fold_of, "hist_gradient_boosting", 0)
    assert (committee.out_of_fold()[:2] == [1, 0]).all()


@pytest.mark.parametrize("name", ["sklearn.ensemble:RandomForestClassifier", "sklearn.naive_bayes:GaussianNB"])
def test_a_classifier_of_ones_own_is_fitted_by_its_import_path(name: str) -> None:
    train, test = rows(), rows(seed=1)
    check_classifier(name, (4,), 2)
    fit = partial(fit_estimator, name, train, np.eye(2)[train.labels], np.ones(len(train)))
    found = fit(3).probabilities(test.values)
    assert (found.argmax(1) == test.labels).mean() > 0.8
    np.testing.assert_array_equal(found, fit(3).probabilities(test.values))
    if "Forest" in name:
        assert (found != fit(4).probabilities(test.values)).any()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no.such.module:Class", "cannot be imported"),
        ("sklearn.ensemble:Nothing", "cannot be imported"),
        (":", "cannot be imported"),
        ("os:abort", "no class that derives from sklearn"),
        ("sklearn.ensemble:VotingClassifier", "without arguments"),
        ("sklearn.svm:LinearSVC", "no predict_proba"),
        ("sklearn.neighbors:KNeighborsClassifier", "sample_weight"),
        ("forest", "package.module:Class"),
    ],
)
def test_a_classifier_that_cannot_be_used_is_refused_in_a_line(name: str, reason: str) -> None:
    with pytest.raises(StudyError, match=reason) as caught:
        check_classifier(name, (4,), 2)
    assert str(caught.value).startswith("evaluation.classifier: ")
    assert "\n" not in str(caught.value)


def test_a_classifier_in_a_folder_that_python_does_not_search_is_told_with_the_way() -> None:
    with pytest.raises(StudyError, match=r"no module 'elsewhere'; install it, or .* PYTHONPATH=FOLDER gansynth"):
        check_classifier("elsewhere.models:Mine", (4,), 2)


def test_a_module_that_a_classifier_misses_is_told_as_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy_module.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StudyError, match=r"cannot be imported \(ModuleNotFoundError: .*'no_such_library'\); mend it"):
        check_classifier("needy_module:Mine", (4,), 2)


@pytest.mark.parametrize(("in_proportion", "positives"), [(False, 0.5), (True, 0.2)])
def test_synthetic_rows_take_their_share_of_all_weight(in_proportion: bool, positives: float) -> None:
    real, made = rows(), rows(count=100, positives=50, seed=1)
    diet = Diet(real, balanced=False, synthetic=made, shares=np.full(2, 0.25, np.float32))
    taken = weighted_rows(diet, 0, in_proportion=in_proportion)
    assert taken.weights[:300].tolist() == [1] * 300
    of_made = taken.weights[300:]
    assert of_made.sum() / taken.weights.sum() == pytest.approx(0.25)
    assert of_made[made.labels == 1].sum() / of_made.sum() == pytest.approx(positives)


@pytest.mark.parametrize(
    "fault", ["1 / 0", "raise SystemExit(3)", "def broken(:", "raise RuntimeError('a\\nb' * 9999)"]
)
def test_a_classifier_whose_module_fails_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    (tmp_path / "failing_module.py").write_text(fault)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        StudyError, match=r"'failing_module:Mine' cannot be imported .*; mend it, or name another"
    ) as caught:
        check_classifier("failing_module:Mine", (4,), 2)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
