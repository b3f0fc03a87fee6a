from collections import Counter
from itertools import pairwise

from shapes import draw_shapes

from gansynth.evaluation.pictures import blinded
from gansynth.modalities.image.storage import encode_png
from gansynth.samples import Samples
from gansynth.sections import SourceConfig
from gansynth.study import Study

STUDY = Study(name="shapes", source=SourceConfig(path="."))


def pngs(samples: Samples) -> set[bytes]:
    return {encode_png(image) for image in samples.values}


def test_blinded_images_are_held_out_or_synthetic_as_many_of_each_class_and_in_mixed_order() -> None:
    parts = {name: draw_shapes(40, seed=seed) for seed, name in enumerate(("training", "held_out", "synthetic"))}
    rows = blinded(STUDY, parts, 0)
    assert len(rows) == 60
    assert {row["image"] for row in rows if row["kind"] == "real"} <= pngs(parts["held_out"])
    assert {row["image"] for row in rows if row["kind"] == "synthetic"} <= pngs(parts["synthetic"])
    assert len({row["image"] for row in rows}) == 60
    classes = [Counter(row["class_name"] for row in rows if row["kind"] == kind) for kind in ("real", "synthetic")]
    assert classes[0] == classes[1]
    kinds = [row["kind"] for row in rows]
    assert 15 < sum(first != second for first, second in pairwise(kinds)) < 45
    assert [row["image"] for row in rows] == [row["image"] for row in blinded(STUDY, parts, 0)]


def test_a_class_without_synthetic_samples_is_not_asked_about() -> None:
    held_out, synthetic = draw_shapes(10), draw_shapes(6, seed=1)
    rows = blinded(STUDY, {"held_out": held_out, "synthetic": synthetic.take(synthetic.labels != 1)}, 0)
    assert Counter(row["class_name"] for row in rows) == {"bar": 12, "frame": 12}
