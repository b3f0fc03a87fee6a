"""Kept samples to files, a shard at a time; the formats are named in FORMATS."""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from gansynth.generation.folders import folder_names
from gansynth.generation.sampler import Candidates
from gansynth.modalities import MODALITIES
from gansynth.modalities.image import storage
from gansynth.provenance import DIGITAL_SOURCE_TYPE, Origin
from gansynth.samples import Samples

CLASSES_FILE = "classes.json"
METADATA_FILE = "metadata.csv"
METADATA_COLUMNS = ("file_name", "label", "synthetic", "seed_index", "teacher_probability", "discriminator_logit")

XMP_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
MARK = {"XML:com.adobe.xmp": XMP_PACKET}


def write_parquet(path: Path, blocks: Iterable[Candidates], origin: Origin, threads: int) -> None:
    """Write `PATH.parquet`, a row group for each block.

    Columns follow the Hugging Face image convention: `image` and `label`, then `synthetic` (always true), `seed_index`
    (the candidate's number within its class), `teacher_probability` (of the label), `teacher_probabilities` (of every
    class) and `discriminator_logit` (empty unless the filter `discriminator` is used). The footer says what made the
    rows.
    """
    first, tables = _tables(blocks, origin, threads)
    # dictionaries of numbers, hardly any of which comes twice, cost time and room
    wordy = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    texts = [field.name for field in first.schema if any(is_of(field.type) for is_of in wordy)]
    with pq.ParquetWriter(
        path.with_suffix(".parquet"), first.schema, compression="zstd", use_dictionary=texts
    ) as writer:
        for table in tables:
            writer.write_table(table)


def write_csv(path: Path, blocks: Iterable[Candidates], origin: Origin, threads: int) -> None:
    """Write rows of a table to `PATH.csv`: the columns of `write_parquet` but `teacher_probabilities`, a list.

    Texts stand in quotes, exactly as they are, also where a spreadsheet would take one for a formula: altered, they
    would be other categories than those of the real rows. A null is empty, a duration a number of its unit, and a time
    with a zone stands in UTC, for the offset in it would leave out seconds, which zones had before 1900.
    """
    first, tables = _tables(blocks, origin, threads)
    flat = [field.name for field in first.schema if not pa.types.is_fixed_size_list(field.type)]
    schema = pa.schema([(name, _without_zone(first.schema.field(name).type)) for name in flat])
    with pa_csv.CSVWriter(path.with_suffix(".csv"), schema) as writer:
        for table in tables:
            writer.write_table(table.select(flat).cast(schema))


def _without_zone(dtype: pa.DataType) -> pa.DataType:
    is_zoned = pa.types.is_timestamp(dtype) and dtype.tz is not None
    return pa.timestamp(dtype.unit, "UTC") if is_zoned else dtype


def write_folder(path: Path, blocks: Iterable[Candidates], origin: Origin, threads: int) -> None:
    """Write `CLASS/NUMBER.png` beside `path` for every sample, and `PATH.csv`, which tells of each.

    Every PNG carries the IPTC mark of generated media as XMP. Folders are named as `folder_names` says, which is also
    the `label` in the table, so no cell holds foreign text.
    """
    folders = folder_names(origin.class_names)
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        for block in blocks:
            folder = folders[block.label]
            (path.parent / folder).mkdir(exist_ok=True)
            encoded = storage.encode_all(block.values, MARK, threads)
            logits = [""] * len(block) if block.logits is None else [f"{logit:.6g}" for logit in block.logits]
            for index, png, agreement, logit in zip(block.indices, encoded, block.agreement, logits, strict=True):
                name = f"{folder}/{index:08d}.png"
                (path.parent / name).write_bytes(png)
                rows.writerow([name, folder, True, index, f"{agreement:.6g}", logit])


def finish_folder(directory: Path, origin: Origin) -> None:
    """Join the tables of all shards to `metadata.csv`, and write `classes.json`: label, folder and true name."""
    with (directory / METADATA_FILE).open("wb") as joined:
        joined.write(",".join(METADATA_COLUMNS).encode() + b"\r\n")
        for part in sorted(directory.glob("synthetic-*.csv")):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, joined)
            part.unlink()
    _write_classes(directory, origin, folder_names(origin.class_names))


def write_webdataset(path: Path, blocks: Iterable[Candidates], origin: Origin, threads: int) -> None:
    """Write `PATH.tar` as WebDataset reads it: of every sample a `.png`, its label as `.cls`, and a `.json`.

    Every PNG carries the IPTC mark of generated media as XMP. The JSON says what the columns of `write_parquet` say.
    """
    with tarfile.open(path.with_suffix(".tar"), "w", format=tarfile.USTAR_FORMAT) as tar:
        for block in blocks:
            encoded = storage.encode_all(block.values, MARK, threads)
            for position, png in enumerate(encoded):
                about: dict[str, Any] = {
                    "synthetic": True,
                    "seed_index": int(block.indices[position]),
                    "teacher_probabilities": [round(float(value), 6) for value in block.probabilities[position]],
                }
                if block.logits is not None:
                    about["discriminator_logit"] = round(float(block.logits[position]), 6)
                key = f"{block.label:04d}-{about['seed_index']:08d}"
                _add(tar, f"{key}.png", png)
                _add(tar, f"{key}.cls", str(block.label).encode())
                _add(tar, f"{key}.json", json.dumps(about | _provenance(origin)).encode())


def finish_webdataset(directory: Path, origin: Origin) -> None:
    """Write `classes.json`: label and true name."""
    _write_classes(directory, origin)


def _write_classes(directory: Path, origin: Origin, folders: Sequence[str] | None = None) -> None:
    classes = [
        {"label": label} | ({"folder": folders[label]} if folders else {}) | {"name": name}
        for label, name in enumerate(origin.class_names)
    ]
    (directory / CLASSES_FILE).write_text(json.dumps(classes, indent=1), encoding="utf-8")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # owner and time stay zero: the same samples are the same bytes
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _provenance(origin: Origin) -> dict[str, str]:
    return {
        "gansynth_version": metadata.version("gansynth"),
        "model_digest": origin.model_digest,
        "study": origin.study,
        "seed": str(origin.seed),
        "licence": origin.licence,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
    }


def _tables(blocks: Iterable[Candidates], origin: Origin, threads: int) -> tuple[pa.Table, Iterator[pa.Table]]:
    """Return the first of the tables of all blocks, and all of them; an empty one if the filters rejected all."""
    tables = (_table(block, origin, threads) for block in blocks)
    first = next(tables, None)
    if first is None:
        first = _table(_no_candidates(origin), origin, threads)
    return first, chain([first], tables)


def _table(block: Candidates, origin: Origin, threads: int) -> pa.Table:
    samples = Samples(block.values, np.full(len(block), block.label), origin.class_names, origin.schema)
    probabilities = pa.array(np.ascontiguousarray(block.probabilities).ravel(), pa.float32())
    others = {
        "synthetic": pa.array(np.ones(len(block), dtype=np.bool_)),
        "seed_index": pa.array(block.indices),
        "teacher_probability": pa.array(block.agreement, pa.float32()),
        "teacher_probabilities": pa.FixedSizeListArray.from_arrays(probabilities, len(origin.class_names)),
        "discriminator_logit": (
            pa.nulls(len(block), pa.float32()) if block.logits is None else pa.array(block.logits, pa.float32())
        ),
    }
    # rows of tables have no files
    names = [] if origin.schema else [f"{block.label:04d}-{index:08d}.png" for index in block.indices]
    table = MODALITIES[samples.modality].to_arrow(samples, others, names, threads)
    return table.replace_schema_metadata({**table.schema.metadata, **_provenance(origin)})


def _no_candidates(origin: Origin) -> Candidates:
    values = np.empty((0, len(origin.schema.columns) if origin.schema else 0))
    return Candidates(0, np.empty(0, np.int64), values, np.empty((0, len(origin.class_names)), np.float32), None)


class Format(NamedTuple):
    """How samples become files: `write(path, blocks, origin, threads)` a shard, `finish(directory, origin)` the whole.

    `path` has no ending yet; `threads` encode images side by side.
    """

    write: Callable[[Path, Iterable[Candidates], Origin, int], None]
    finish: Callable[[Path, Origin], None]


FORMATS: dict[str, Format] = {
    "parquet": Format(write_parquet, lambda _directory, _origin: None),
    "csv": Format(write_csv, lambda _directory, _origin: None),
    "folder": Format(write_folder, finish_folder),
    "webdataset": Format(write_webdataset, finish_webdataset),
}
