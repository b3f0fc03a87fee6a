"""What is measured on tables beside their embedding: columns, pairs of columns, and rows as wholes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from gansynth.evaluation import associations, columns
from gansynth.evaluation.fidelity import Embedded, match_classes
from gansynth.evaluation.rows import PlainSpace, closest_rows, detection_auc
from gansynth.evaluation.similarity import closest_pairs, similarity
from gansynth.privacy import Similarity
from gansynth.results import (
    ASSOCIATIONS_FILE,
    CLOSEST_ROWS_FILE,
    COLUMN_DISTANCES_FILE,
    DISTRIBUTIONS_FILE,
    TABLE_FILE,
    RowLikeness,
    TableFidelity,
)
from gansynth.samples import Samples

MOST_ROWS = 10_000
FRAMES = (COLUMN_DISTANCES_FILE, ASSOCIATIONS_FILE, DISTRIBUTIONS_FILE, CLOSEST_ROWS_FILE)


def compare_tables(rows: Samples, parts: Mapping[str, Samples], seed: int, pairs: int, directory: Path) -> None:
    """Compare synthetic rows, and training rows as a reference, with held-out ones, and write what was found.

    All three are cut to equally many rows of each class, up to ten thousand in all: distances of two finite samples are
    not 0, and how far they are from it depends on their size.

    Args:
        rows: All real rows, from which bins of the drawn distributions follow.
        parts: The rows called `training`, `held_out` and `synthetic`.
        seed: Root of the random draws.
        pairs: How many of the closest pairs of rows to keep.
        directory: Where the files go.
    """
    names = ("held_out", "synthetic", "training")
    chosen = match_classes([parts[name].labels for name in names], seed)
    step = -(-len(chosen[0]) // MOST_ROWS)
    matched = {name: parts[name].take(rows_of[::step]) for name, rows_of in zip(names, chosen, strict=True)}
    distances = _column_distances(matched)
    related = _associations(matched)
    auc = {name: detection_auc(matched["held_out"], matched[name], seed) for name in ("synthetic", "training")}
    space = PlainSpace(parts["training"])
    training, held_out, synthetic = (
        Embedded(space.points(parts[name]), parts[name].labels) for name in ("training", "held_out", "synthetic")
    )
    closest = closest_pairs(training, held_out, synthetic, pairs, space.distances)
    frames = {
        COLUMN_DISTANCES_FILE: distances,
        ASSOCIATIONS_FILE: related,
        DISTRIBUTIONS_FILE: pd.DataFrame(columns.distributions(rows, matched)),
        CLOSEST_ROWS_FILE: pd.DataFrame(closest_rows(closest, parts["training"], parts["synthetic"])),
    }
    found = TableFidelity(
        synthetic=_likeness(distances, related, auc, "synthetic"),
        real=_likeness(distances, related, auc, "training"),
        rows=len(matched["held_out"]),
        similarity=similarity(training, held_out, synthetic, seed, space.distances),
    )
    (directory / TABLE_FILE).write_text(found.model_dump_json())
    for name, frame in frames.items():
        frame.to_parquet(directory / name, index=False)


def summarise_tables(places: list[Path], directory: Path) -> TableFidelity:
    """Return the means of what `compare_tables` found in several repetitions, and write all of it to one directory.

    Args:
        places: Where each repetition's files are, in their order.
        directory: Where the files go, each with the column `repetition`.
    """
    for name in FRAMES:
        frames = [pd.read_parquet(place / name).assign(repetition=number) for number, place in enumerate(places)]
        pd.concat(frames).to_parquet(directory / name, index=False)
    found = [TableFidelity.model_validate_json((place / TABLE_FILE).read_text()) for place in places]
    return TableFidelity(
        synthetic=_mean([one.synthetic for one in found]),
        real=_mean([one.real for one in found]),
        rows=round(float(np.mean([one.rows for one in found]))),
        similarity=Similarity.over([one.similarity for one in found]),
    )


def _mean(likenesses: list[RowLikeness]) -> RowLikeness:
    return RowLikeness(
        column_distance=float(np.mean([one.column_distance for one in likenesses])),
        largest_column_distance=float(np.mean([one.largest_column_distance for one in likenesses])),
        association_difference=float(np.mean([one.association_difference for one in likenesses])),
        detection_auc=float(np.mean([one.detection_auc for one in likenesses])),
    )


def _column_distances(parts: Mapping[str, Samples]) -> pd.DataFrame:
    held_out = parts["held_out"]
    return pd.DataFrame(
        {
            "column": [column.name for column in held_out.columns],
            "kind": [column.kind for column in held_out.columns],
            "measure": [columns.measure_of(column) for column in held_out.columns],
            "synthetic": columns.column_distances(held_out, parts["synthetic"]),
            "training": columns.column_distances(held_out, parts["training"]),
        }
    )


def _associations(parts: Mapping[str, Samples]) -> pd.DataFrame:
    pairs = associations.pairs_of(parts["held_out"])
    named = {
        "column": [one.name for one, _ in pairs],
        "other": [other.name for _, other in pairs],
        "measure": [associations.measure_of(*pair) for pair in pairs],
    }
    return pd.DataFrame({**named, **{name: associations.associations(part) for name, part in parts.items()}})


def _likeness(distances: pd.DataFrame, related: pd.DataFrame, auc: Mapping[str, float], of: str) -> RowLikeness:
    return RowLikeness(
        column_distance=float(distances[of].mean()),
        largest_column_distance=float(distances[of].max()),
        association_difference=float((related[of] - related["held_out"]).abs().mean()),
        detection_auc=auc[of],
    )
