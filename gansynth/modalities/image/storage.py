"""Images to and from PNG bytes and Parquet columns, in the Hugging Face image convention.

A column of images is a struct of `bytes` (an encoded file) and `path`; the schema metadata key `huggingface`
names the column types and the classes, so that `datasets.load_dataset("parquet", ...)` understands the file.
"""

import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gansynth.samples import Samples
from gansynth.threads import in_threads

Pixels = npt.NDArray[np.uint8]
LEAST_BYTES_FOR_THREADS = 2**14
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def encode_png(image: Pixels, text: Mapping[str, str] | None = None) -> bytes:
    """Return an image of shape (height, width, 1 or 3) as a PNG file, with optional text chunks."""
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def encode_all(images: Pixels, text: Mapping[str, str] | None = None, threads: int = 1) -> list[bytes]:
    """Return images (N, height, width, 1 or 3) as PNG files, encoded side by side if they are large enough.

    Small ones are done one after another: their threads would spend more time on Python's lock than they save.
    """
    large = images[0].nbytes >= LEAST_BYTES_FOR_THREADS if len(images) else False
    return in_threads(partial(encode_png, text=text), images, threads if large else 1)


def decode_png(data: bytes) -> Pixels:
    """Return the pixels of a PNG that `encode_png` wrote, of shape (height, width, 1 or 3)."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def image_column(images: Pixels, names: Sequence[str] = (), threads: int = 1) -> pa.StructArray:
    """Return images (N, height, width, channels) as an Arrow column of PNG bytes and file names."""
    encoded = encode_all(images, threads=threads)
    paths: list[str] | list[None] = list(names) or [None] * len(encoded)
    return pa.StructArray.from_arrays(
        [pa.array(encoded, pa.binary()), pa.array(paths, pa.string())], names=["bytes", "path"]
    )


def images_of(column: pa.ChunkedArray) -> Pixels:
    """Return the pixels of an Arrow column that `image_column` made, as (N, height, width, channels)."""
    blobs = column.combine_chunks().field("bytes")
    return np.stack([decode_png(blob.as_py()) for blob in blobs])


def to_arrow(samples: Samples, others: Mapping[str, pa.Array], names: Sequence[str] = (), threads: int = 1) -> pa.Table:
    """Return images as a table of the columns `image`, `label` and `others`, all of which its metadata declares.

    Args:
        samples: The images and their classes.
        others: What further columns hold: numbers, truth values, or lists of one length of these.
        names: What files of the images would be called, if they are to have names.
        threads: How many encode side by side.
    """
    own = {
        "image": image_column(samples.values, names, threads),
        "label": pa.array(samples.labels, pa.int64()),
    }
    declared = features(samples.class_names, {name: array.type for name, array in others.items()})
    return pa.table({**own, **others}).replace_schema_metadata(declared)


def features(class_names: Sequence[str], others: Mapping[str, pa.DataType]) -> dict[bytes, bytes]:
    """Return the schema metadata that declares columns `image` and `label`, and `others` by their types."""
    columns: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(class_names), "_type": "ClassLabel"},
    }
    columns |= {name: _declare(kind) for name, kind in others.items()}
    return {b"huggingface": json.dumps({"info": {"features": columns}}).encode()}


def from_arrow(table: pa.Table) -> Samples:
    """Return the images of a table that `to_arrow` made.

    Raises:
        ValueError: It declares no class names.
    """
    names = class_names_of(table.schema)
    if names is None:
        raise ValueError("declares no class names")
    return Samples(images_of(table["image"]), table["label"].to_numpy(), names)


def class_names_of(schema: pa.Schema) -> tuple[str, ...] | None:
    """Return the class names that a schema declares for its column `label`, or None."""
    try:
        declared = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in declared["label"]["names"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _declare(arrow_type: pa.DataType) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(arrow_type):
        return {"feature": _declare(arrow_type.value_type), "length": arrow_type.list_size, "_type": "Sequence"}
    return {"dtype": np.dtype(arrow_type.to_pandas_dtype()).name, "_type": "Value"}
