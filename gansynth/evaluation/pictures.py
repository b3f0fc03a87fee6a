"""Samples that the report shows: drawn at random, as PNG bytes."""

from collections.abc import Mapping
from typing import Any

from gansynth.evaluation.memorisation import Pair
from gansynth.modalities import MODALITIES
from gansynth.samples import Samples
from gansynth.seeding import numpy_generator
from gansynth.study import Study

GRID_SAMPLES = 8
BLINDED_PAIRS = 30


def grid(study: Study, parts: Mapping[str, Samples], repetition: int) -> list[dict[str, Any]]:
    """Draw a few training rows and synthetic samples of every class: rows of class_name, kind and image."""
    random = numpy_generator(study.seed, "grid", repetition)
    rows = []
    for label in range(len(parts["training"].class_names)):
        for kind, part in (("real", "training"), ("synthetic", "synthetic")):
            members = random.permutation((parts[part].labels == label).nonzero()[0])[:GRID_SAMPLES]
            rows += [_row(study, kind, parts[part], member) for member in members]
    return rows


def blinded(study: Study, parts: Mapping[str, Samples], repetition: int) -> list[dict[str, Any]]:
    """Draw images for people to judge, in random order: rows of class_name, kind and image.

    Real and synthetic ones come in pairs of one class, so neither their number nor their class tells them apart; the
    real ones are held out, so the generator has not seen them.
    """
    random = numpy_generator(study.seed, "blinded", repetition)
    real, synthetic = parts["held_out"], parts["synthetic"]
    left = {label: random.permutation((synthetic.labels == label).nonzero()[0]).tolist() for label in set(real.labels)}
    rows: list[dict[str, Any]] = []
    for member in random.permutation(len(real)):
        if len(rows) < 2 * BLINDED_PAIRS and left[real.labels[member]]:
            partner = left[real.labels[member]].pop()
            rows += [_row(study, "real", real, member), _row(study, "synthetic", synthetic, partner)]
    return [rows[place] for place in random.permutation(len(rows))]


def pairs(study: Study, found: list[Pair], parts: Mapping[str, Samples]) -> list[dict[str, Any]]:
    """Return the closest pairs: rows of class_name, both distances, and the two images."""
    draw = MODALITIES[study.modality.kind].draw
    if draw is None:
        return []
    synthetic, training = parts["synthetic"], parts["training"]
    return [
        {
            "class_name": synthetic.class_names[synthetic.labels[pair.synthetic]],
            "distance": pair.distance,
            "held_out_distance": pair.held_out_distance,
            "synthetic": draw(synthetic.values[pair.synthetic]),
            "training": draw(training.values[pair.training]),
        }
        for pair in found
    ]


def _row(study: Study, kind: str, samples: Samples, member: int) -> dict[str, Any]:
    draw = MODALITIES[study.modality.kind].draw
    image = draw(samples.values[member]) if draw else None
    return {"class_name": samples.class_names[samples.labels[member]], "kind": kind, "image": image}
