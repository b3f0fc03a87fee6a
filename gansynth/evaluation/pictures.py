"""Samples that the report shows: drawn at random, as PNG bytes; none where samples are nothing to look at."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from gansynth.evaluation.similarity import Pair
from gansynth.modalities import MODALITIES
from gansynth.samples import Samples, Values
from gansynth.seeding import numpy_generator
from gansynth.study import Study

PICTURES = pa.schema([("class_name", pa.string()), ("kind", pa.string()), ("image", pa.binary())])
PAIRS = pa.schema(
    [
        ("class_name", pa.string()),
        ("distance", pa.float64()),
        ("held_out_distance", pa.float64()),
        ("synthetic", pa.binary()),
        ("training", pa.binary()),
    ]
)
GRID_SAMPLES = 8
BLINDED_PAIRS = 30


def grid(study: Study, parts: Mapping[str, Samples], repetition: int) -> list[dict[str, Any]]:
    """Draw a few training rows and synthetic samples of every class: rows of class_name, kind and image."""
    random = numpy_generator(study.seed, "grid", repetition)
    draw = MODALITIES[study.modality.kind].draw
    rows: list[dict[str, Any]] = []
    if draw is None:
        return rows
    for label in range(len(parts["training"].class_names)):
        for kind, part in (("real", "training"), ("synthetic", "synthetic")):
            members = random.permutation((parts[part].labels == label).nonzero()[0])[:GRID_SAMPLES]
            rows += [_row(draw, kind, parts[part], member) for member in members]
    return rows


def blinded(study: Study, parts: Mapping[str, Samples], repetition: int) -> list[dict[str, Any]]:
    """Draw images for people to judge, in random order: rows of class_name, kind and image.

    Real and synthetic ones come in pairs of one class, so neither their number nor their class tells them apart; the
    real ones are held out, so the generator has not seen them.
    """
    random = numpy_generator(study.seed, "blinded", repetition)
    real, synthetic = parts["held_out"], parts["synthetic"]
    left = {label: random.permutation((synthetic.labels == label).nonzero()[0]).tolist() for label in set(real.labels)}
    draw = MODALITIES[study.modality.kind].draw
    rows: list[dict[str, Any]] = []
    if draw is None:
        return rows
    for member in random.permutation(len(real)):
        if len(rows) < 2 * BLINDED_PAIRS and left[real.labels[member]]:
            partner = left[real.labels[member]].pop()
            rows += [_row(draw, "real", real, member), _row(draw, "synthetic", synthetic, partner)]
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


def _row(draw: Callable[[Values], bytes], kind: str, samples: Samples, member: int) -> dict[str, Any]:
    image = draw(samples.values[member])
    return {"class_name": samples.class_names[samples.labels[member]], "kind": kind, "image": image}
