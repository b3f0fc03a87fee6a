"""Kept samples to files: one function per format, named in WRITERS."""

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gansynth.generation.folders import folder_names
from gansynth.generation.sampler import Candidates
from gansynth.modalities.image import storage

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's word for media made by a trained model."""

CLASSES_FILE = "classes.json"
METADATA_FILE = "metadata.csv"

XMP_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
MARK = {"XML:com.adobe.xmp": XMP_PACKET}


@dataclass(frozen=True)
class Origin:
    """Where synthetic samples come from: carried into every output.

    Attributes:
        study: Name of the study.
        seed: The seed that, with a sample's label and number, gives the sample.
        licence: Licence of the source.
        model_digest: Digest of the trained model.
        class_names: The true names, in label order.
    """

    study: str
    seed: int
    licence: str
    model_digest: str
    class_names: tuple[str, ...]


def write_parquet(directory: Path, blocks: Iterable[Candidates], origin: Origin, shard_size: int, threads: int) -> None:
    """Write `synthetic-00000-of-00003.parquet` and so on, of `shard_size` rows each, the last with the rest.

    Columns follow the Hugging Face image convention: `image` and `label`, then `synthetic` (always true), `seed_index`
    (the candidate's number within its class), `teacher_probability` (of the label), `teacher_probabilities` (of every
    class) and `discriminator_logit` (empty unless the filter `discriminator` is used). The footer says what made the
    rows.
    """
    schema = _schema(origin)
    pieces = _pieces((_table(block, schema, threads) for block in blocks), shard_size)
    shards = []
    for number, group in itertools.groupby(pieces, key=itemgetter(0)):
        shards.append(directory / f"synthetic-{number:05d}.parquet")
        with pq.ParquetWriter(shards[-1], schema, compression="zstd") as writer:
            for _, piece in group:
                writer.write_table(piece)
    for shard in shards:
        shard.rename(shard.with_stem(f"{shard.stem}-of-{len(shards):05d}"))


def write_folder(directory: Path, blocks: Iterable[Candidates], origin: Origin, _shard_size: int, threads: int) -> None:
    """Write `CLASS/NUMBER.png` for every sample, `metadata.csv` and `classes.json`.

    Every PNG carries the IPTC mark of generated media as XMP. Folders are named as `folder_names` says, which is also
    the `label` in metadata.csv, so no cell holds foreign text; `classes.json` lists label, folder and true name.
    """
    folders = folder_names(origin.class_names)
    classes = [
        {"label": label, "folder": folder, "name": name}
        for label, (folder, name) in enumerate(zip(folders, origin.class_names, strict=True))
    ]
    (directory / CLASSES_FILE).write_text(json.dumps(classes, indent=1), encoding="utf-8")
    with (directory / METADATA_FILE).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file_name", "label", "synthetic", "seed_index", "teacher_probability", "discriminator_logit"])
        for block in blocks:
            folder = folders[block.label]
            (directory / folder).mkdir(exist_ok=True)
            encoded = storage.encode_all(block.values, MARK, threads)
            logits = [""] * len(block) if block.logits is None else [f"{logit:.6g}" for logit in block.logits]
            for index, png, agreement, logit in zip(block.indices, encoded, block.agreement, logits, strict=True):
                name = f"{folder}/{index:08d}.png"
                (directory / name).write_bytes(png)
                rows.writerow([name, folder, True, index, f"{agreement:.6g}", logit])


def _schema(origin: Origin) -> pa.Schema:
    n_classes = len(origin.class_names)
    declared = storage.features(
        origin.class_names,
        {
            "synthetic": "bool",
            "seed_index": "int64",
            "teacher_probability": "float32",
            "teacher_probabilities": ("float32", n_classes),
            "discriminator_logit": "float32",
        },
    )
    footer = {
        "gansynth_version": metadata.version("gansynth"),
        "model_digest": origin.model_digest,
        "study": origin.study,
        "seed": str(origin.seed),
        "licence": origin.licence,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
    }
    return pa.schema(
        [
            ("image", storage.IMAGE_TYPE),
            ("label", pa.int64()),
            ("synthetic", pa.bool_()),
            ("seed_index", pa.int64()),
            ("teacher_probability", pa.float32()),
            ("teacher_probabilities", pa.list_(pa.float32(), n_classes)),
            ("discriminator_logit", pa.float32()),
        ],
        metadata=declared | footer,
    )


def _table(block: Candidates, schema: pa.Schema, threads: int) -> pa.Table:
    names = [f"{block.label:04d}-{index:08d}.png" for index in block.indices]
    probabilities = pa.array(np.ascontiguousarray(block.probabilities).ravel(), pa.float32())
    return pa.table(
        [
            storage.image_column(block.values, names, threads),
            pa.array(np.full(len(block), block.label), pa.int64()),
            pa.array(np.ones(len(block), dtype=np.bool_)),
            pa.array(block.indices),
            pa.array(block.agreement, pa.float32()),
            pa.FixedSizeListArray.from_arrays(probabilities, block.probabilities.shape[1]),
            pa.nulls(len(block), pa.float32()) if block.logits is None else pa.array(block.logits, pa.float32()),
        ],
        schema=schema,
    )


def _pieces(tables: Iterable[pa.Table], shard_size: int) -> Iterator[tuple[int, pa.Table]]:
    """Cut tables where a shard ends; yield each piece with the number of its shard."""
    done = 0
    for table in tables:
        start = 0
        while start < table.num_rows:
            shard, used = divmod(done, shard_size)
            piece = table.slice(start, shard_size - used)
            yield shard, piece
            start, done = start + piece.num_rows, done + piece.num_rows


Writer = Callable[[Path, Iterable[Candidates], Origin, int, int], None]

WRITERS: dict[str, Writer] = {"parquet": write_parquet, "folder": write_folder}
