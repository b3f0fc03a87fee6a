"""What gansynth writes, read by what people read such data with."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torchvision

from gansynth.generation import Batch, export
from gansynth.runs import Run
from gansynth.study import Study

RunMaker = Callable[..., tuple[Run, Study]]


@pytest.mark.parametrize("file_format", ["parquet", "folder", "webdataset"])
def test_a_batch_is_read_as_it_lies(
    make_run: RunMaker, tmp_path: Path, hugging_face: ModuleType, file_format: str
) -> None:
    run, _ = make_run()
    out = export(run, tmp_path / "out", Batch(count=24, shard_size=9, format=file_format))
    assert {"README.md", "croissant.json"} < {path.name for path in out.iterdir()}
    one = export(run, tmp_path / "one", Batch(count=1, format=file_format))
    for batch, size in ((out, 24), (one, 1)):
        rows = hugging_face.load_dataset(str(batch), split="train", cache_dir=str(tmp_path / "cache"))
        assert len(rows) == size
    if file_format == "parquet":
        frame = pd.concat(pd.read_parquet(path) for path in sorted(out.glob("*.parquet")))
        assert Counter(frame.label) == {0: 8, 1: 8, 2: 8}
        assert frame.synthetic.all()
    elif file_format == "folder":
        images = torchvision.datasets.ImageFolder(out)
        assert images.classes == ["cat", "dog", "owl"]
        assert Counter(images.targets) == {0: 8, 1: 8, 2: 8}
        frame = pd.read_csv(out / "metadata.csv")
        assert all((out / name).exists() for name in frame.file_name)
    else:
        webdataset = pytest.importorskip("webdataset")
        shards = [str(path) for path in sorted(out.glob("*.tar"))]
        samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
        assert Counter(sample["cls"] for sample in samples) == {0: 8, 1: 8, 2: 8}
