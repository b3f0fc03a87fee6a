"""Scores of further samples by the delivered model of a run: which of them are unlike normal training rows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from gansynth.artifacts import read_manifest, verify
from gansynth.checkpoints import TrainedModel, load_model, read_classes
from gansynth.datasets import load_dataset
from gansynth.detectors import Detector, find_normal
from gansynth.errors import ArtifactError, SourceError
from gansynth.ingestion.sniffing import Dialect
from gansynth.ingestion.unlabelled import Further, FurtherRows, read_further_images, read_further_rows
from gansynth.markup import csv_cell
from gansynth.modalities import ImageConfig
from gansynth.notes import read_columns
from gansynth.progress import Progress
from gansynth.remote import is_url
from gansynth.replacing import flush_one
from gansynth.runs import Run, hold_folder
from gansynth.samples import Indices, Samples, Values
from gansynth.sections import is_named
from gansynth.study import Study

ROWS_AT_ONCE = 4096
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.string()),
        ("score", pa.float64()),
        ("critic", pa.float64()),
        ("distance", pa.float64()),
        ("tail_share", pa.float64()),
        ("unseen", pa.int64()),
        ("problem", pa.string()),
    ]
)
"""The columns of the scores."""


class Scored(BaseModel):
    """What was scored."""

    out: Path = Field(description="Where the scores lie.")
    normal: str = Field(description="The class that was called normal.")
    train_rows: int = Field(description="Its training rows, on which the scores rest.")
    rows: int = Field(description="Rows of the source, and of the scores.")
    unreadable: int = Field(description="Those that could not be read: they have a problem, and no score.")
    alarms: dict[str, int] = Field(description="Rows whose tail share is at most this.")
    notes: list[str] = Field(description="What to know about the source.")


ALARM_SHARES = (0.01, 0.05)


def progress_of(out: Path) -> Path:
    """Return the folder of the small file that tells how far the scores for `out` are."""
    return _place_of(out) / ".progress"


def score(study: Study, run: Run, source: str, out: Path, normal: str | None = None) -> Scored:
    """Rate every row of a source by the delivered model of a run, and write the scores to a file.

    The file has a line for each row of the source, in its order: `row`, from 1; `source`, where it is from; `score`,
    `critic`, `distance` and `tail_share`, as `Ratings` says; `unseen`, how many of its cells no training row comes
    near: numbers beyond all of theirs, which the model takes for their greatest or least, categories that it does not
    know, and nulls where they had none; and `problem`, why a row could not be read, which then has no score. In CSV,
    text that a spreadsheet would take for a formula has an apostrophe before it.

    A row that trained the model finds itself among the training rows and scores lower than a new one of its kind.

    Args:
        study: That of the run; says how images are prepared, and where to compute.
        run: It holds the delivered model and the dataset that this was trained on.
        source: A table, CSV or Parquet; or a folder of images, or Parquet with them. With or without labels.
        out: A file, CSV if it is called so, else Parquet; it appears whole or not at all, and replaces an earlier one.
        normal: The class that is normal; by default that with most training rows.

    Raises:
        ArtifactError: The run has no model, its dataset is another, or `out` cannot be written.
        StudyError: There is no class of that name.
        SourceError: The source cannot be read, or is of another kind than the dataset.
    """
    check_places(source, out)
    parents = {"dataset": verify(run.dataset).digest}
    if verify(run.model(None)).parents != parents:
        raise ArtifactError(f"{run.model(None)}: was trained on another dataset; run `gansynth train` again")
    model = load_model(run.model(None), study.compute)
    counts = np.bincount(model.training_labels, minlength=len(model.class_names))
    label = int(counts.argmax()) if normal is None else find_normal(model.class_names, normal, "normal")
    known = load_dataset(run.dataset).samples.take(model.training_rows)
    detector = Detector(model, known.take(known.labels == label), label)
    found = _read(study, run, model, source)
    about = {"normal": model.class_names[label], "model_digest": read_manifest(run.model(None)).digest}
    place = _place_of(out)
    with hold_folder(place, "name another file", str(out)):
        try:
            scored = _write(place / "scores", out, found, detector, known, about)
        except OSError as error:
            raise ArtifactError(f"{out}: cannot be written ({error.strerror or error}); name another file") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return scored


def check_places(source: str, out: Path) -> None:
    """Make sure that scores of a source can go to a file.

    Raises:
        SourceError: The source is a URL, or is not there.
        ArtifactError: The file is none that scores can be written to.
    """
    for what, given in (("source", source), ("out", str(out))):
        if is_url(given):  # it may hold a password, so it is not repeated
            raise SourceError(f"{what}: is a URL; scores are made of and to local files, so copy it here first")
    if out.is_dir():
        raise ArtifactError(f"{out}: is a folder; name a file, such as scores.parquet or scores.csv")
    if out.suffix not in {".parquet", ".csv"}:
        raise ArtifactError(f"{out}: is neither a .parquet nor a .csv file by its name; rename it")
    if not is_named(source) and out.resolve() in (Path(source).resolve(), *Path(source).resolve().parents):
        raise ArtifactError(f"{out}: is the source; name another file")
    if not is_named(source) and not Path(source).exists():
        raise SourceError(f"{source}: does not exist; name a table, a folder of images or a Parquet file")
    if not out.parent.is_dir():
        raise ArtifactError(f"{out}: there is no folder {out.parent}; make it first")


def check_normal(run: Run, normal: str | None) -> None:
    """Make sure that a run has a delivered model, and that this knows the class that is normal.

    Raises:
        ArtifactError: There is no model, or it is damaged.
        StudyError: There is no class of that name.
    """
    class_names, _ = read_classes(run.model(None))
    if normal is not None:
        find_normal(class_names, normal, "normal")


def _place_of(out: Path) -> Path:
    """Return the folder of what is on its way to `out`, which is there only while it is."""
    return out.with_name(f".{out.name}.scoring")


def _read(study: Study, run: Run, model: TrainedModel, source: str) -> FurtherRows:
    if isinstance(study.modality, ImageConfig):
        return read_further_images(source, study.modality, model.codec.shape)
    if model.schema is None:
        raise ArtifactError("the model is one of images, the study one of tables; run the study again")
    about = read_columns(run.dataset)
    dialect = about.get("dialect")
    return read_further_rows(source, model.schema, dialect and Dialect.restore(dialect), about.get("null_words"))


def _write(
    partial: Path, out: Path, found: FurtherRows, detector: Detector, known: Samples, about: dict[str, str]
) -> Scored:
    """Write the scores of all rows to `partial`, let them appear at `out`, and return what is to be told of them."""
    schema = SCHEMA.with_metadata({"gansynth_scores": json.dumps(about)})
    make = pa_csv.CSVWriter if out.suffix == ".csv" else pq.ParquetWriter
    done, unreadable, alarms = 0, 0, dict.fromkeys(ALARM_SHARES, 0)
    progress = Progress(progress_of(out) / "score.json", "score", found.total)
    with progress, partial.open("wb") as stream, make(stream, schema) as writer:
        for part in found.parts:
            for start, some in _pieces(part):
                table = _rated(some, detector, known, done + start + 1).cast(schema)
                if out.suffix == ".csv":
                    table = _harmless(table)
                writer.write_table(table)
                unreadable += len(some.problems) - len(some.values)
                tails = table["tail_share"].drop_null().to_numpy()
                alarms = {share: count + int((tails <= share).sum()) for share, count in alarms.items()}
                progress.update(done + start + len(some.places))
            done += len(part.places)
    flush_one(partial)
    partial.replace(out)
    return Scored(
        out=out,
        normal=about["normal"],
        train_rows=len(detector.known),
        rows=done,
        unreadable=unreadable,
        alarms={f"{share:g}": count for share, count in alarms.items()},
        notes=found.notes,
    )


def _harmless(table: pa.Table) -> pa.Table:
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = [text and csv_cell(text) for text in table[position].to_pylist()]
            table = table.set_column(position, field, pa.array(cells, pa.string()))
    return table


def _pieces(part: Further) -> Iterator[tuple[int, Further]]:
    """Yield parts of a part that are rated at once, and where in it each starts."""
    readable = np.cumsum([0, *(not problem for problem in part.problems)])
    for start in range(0, len(part.places), ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, len(part.places))
        values = part.values[readable[start] : readable[end]]
        yield start, Further(part.places[start:end], part.problems[start:end], values)


def _rated(rows: Further, detector: Detector, known: Samples, first: int) -> pa.Table:
    """Return the lines of some rows, of which the first has this number."""
    readable = np.array([not problem for problem in rows.problems], dtype=np.bool_)
    rated = detector.rate(rows.values)

    def column(values: npt.NDArray[Any]) -> pa.Array:
        whole = np.zeros(len(readable), dtype=values.dtype)
        whole[readable] = values
        return pa.array(whole, mask=~readable)

    return pa.table(
        {
            "row": pa.array(np.arange(first, first + len(readable))),
            "source": pa.array(rows.places, pa.string()),
            **{name: column(values) for name, values in rated._asdict().items()},
            "unseen": column(unseen(rows.values, known)),
            "problem": pa.array([problem or None for problem in rows.problems], pa.string()),
        }
    )


def unseen(values: Values, known: Samples) -> Indices:
    """Count the cells of each row (N, C) that no known row comes near.

    Numbers beyond theirs, categories that they do not have, and nulls in columns where they have none.

    Of images there are none.
    """
    counts = np.zeros(len(values), dtype=np.int64)
    for position, column in enumerate(known.columns):
        cells, of_known = values[:, position], known.values[:, position]
        nulls = np.isnan(of_known)
        of_known = of_known[~nulls]
        if not nulls.any():
            counts += np.isnan(cells)
        if column.categories:
            counts += ~np.isnan(cells) & ~np.isin(cells, of_known)
        elif len(of_known):
            counts += (cells < of_known.min()) | (cells > of_known.max())
    return counts
