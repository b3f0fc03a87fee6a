"""Images scored by a model of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shapes import draw_shapes

from gansynth.errors import SourceError
from gansynth.modalities.image.storage import image_column
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.scoring import score
from gansynth.study import Study
from gansynth.training import train_repetition


def test_images_are_scored_with_or_without_labels_and_rated_in_the_protocol(
    tiny_study: Study, make_run: Callable[[Samples, Samples], Run], tmp_path: Path
) -> None:
    run = make_run(draw_shapes(20), draw_shapes(8, seed=1))
    train_repetition(tiny_study, run, None)
    folder = tmp_path / "new"
    (folder / "deep").mkdir(parents=True)
    fresh = draw_shapes(6, seed=2)
    for number, picture in enumerate(np.squeeze(fresh.values)):
        Image.fromarray(picture).save(folder / f"{number:02d}.png")
    Image.new("RGB", (64, 32), "white").save(folder / "deep" / "white.jpg")
    (folder / "03.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    told = score(tiny_study, run, str(folder), tmp_path / "scores.csv", "bar")
    assert (told.normal, told.train_rows, told.rows, told.unreadable) == ("bar", 20, 19, 1)
    scores = pd.read_csv(tmp_path / "scores.csv")
    names = [*(f"{number:02d}.png" for number in range(18)), "deep/white.jpg"]
    assert scores.source.tolist() == names
    assert scores.problem.dropna().to_dict() == {3: "not an image in a known format (PNG, JPEG, BMP, GIF, WEBP, TIFF)"}
    assert scores.unseen.dropna().eq(0).all()
    assert scores.score.iloc[-1] > scores.score.iloc[:6].max()
    # the same images as Parquet without labels
    kept = np.delete(np.arange(18), 3)
    pq.write_table(pa.table({"image": image_column(fresh.take(kept).values)}), tmp_path / "new.parquet")
    score(tiny_study, run, str(tmp_path / "new.parquet"), tmp_path / "again.csv", "bar")
    again = pd.read_csv(tmp_path / "again.csv")
    np.testing.assert_allclose(again.score, scores.score.iloc[kept], rtol=1e-4)
    assert again.source.iloc[0] == "new.parquet row 1"
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no images; name a folder of images or a Parquet file"):
        score(tiny_study, run, str(tmp_path / "empty"), tmp_path / "no.csv")
