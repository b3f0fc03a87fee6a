# ruff: noqa: INP001  (a script beside its data, no package)
"""Makes the extract in `fashion_mnist/` from the original Fashion-MNIST.

    python data/make_fashion_mnist.py [SOURCE]

SOURCE is anything that a study takes as `source.path` and that holds Fashion-MNIST with its two parts. By default it is
`torchvision:FashionMNIST`, which downloads the original IDX files, or takes them from where torchvision keeps them.
The first 300 images of each class of the training part and the first 200 of each class of the test part are kept,
in their original order. Each is stored as PNG without loss, and named by its part and its row (from 0) in it.
"""

import io
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from gansynth.ingestion.conversion import convert
from gansynth.ingestion.readers import READERS
from gansynth.ingestion.sources import choose_format
from gansynth.modalities.image import ImageConfig
from gansynth.modalities.image.storage import IMAGE_TYPE, features

PER_CLASS = {"train": 300, "test": 200}
PREPARATION = ImageConfig(size=28, channels="gray")


def make(source: str, directory: Path) -> None:
    """Write `train.parquet` and `test.parquet` to `directory`."""
    found = READERS[choose_format(source)](source)
    names = found.class_names or ()
    images: dict[str, list[dict[str, object]]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    kept: Counter[tuple[str, str]] = Counter()
    rows: Counter[str] = Counter()
    for record in found.records:
        part = "test" if record.is_test else "train"
        if kept[part, record.label] < PER_CLASS[part]:
            kept[part, record.label] += 1
            buffer = io.BytesIO()
            Image.fromarray(convert(record.image, PREPARATION)[:, :, 0]).save(buffer, format="PNG", optimize=True)
            images[part].append({"bytes": buffer.getvalue(), "path": f"{part}_{rows[part]:05d}.png"})
            labels[part].append(names.index(record.label))
        rows[part] += 1
    directory.mkdir(parents=True, exist_ok=True)
    for part in PER_CLASS:
        columns = {"image": pa.array(images[part], IMAGE_TYPE), "label": pa.array(labels[part], pa.int64())}
        table = pa.table(columns).replace_schema_metadata(features(names, {}))
        pq.write_table(table, directory / f"{part}.parquet", compression="zstd")


if __name__ == "__main__":
    make(sys.argv[1] if len(sys.argv) > 1 else "torchvision:FashionMNIST", Path(__file__).parent / "fashion_mnist")
