"""Images, folders and archives that are not what they should be."""

import io
import os
import struct
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from measured import peak_growth_mb
from PIL import Image
from shapes import write_pictures

from gansynth.datasets import load_dataset
from gansynth.errors import SourceError
from gansynth.ingestion import ingest
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.readers import read_image_folder, read_labels_csv, read_parquet
from gansynth.ingestion.sources import fingerprint, refuse_archive
from gansynth.ingestion.tables import read_csv
from gansynth.ingestion.unlabelled import read_further_images
from gansynth.modalities import ImageConfig
from gansynth.modalities.image.storage import IMAGE_TYPE, features
from gansynth.runs import Run
from gansynth.study import Study

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
CONVERT = """
from gansynth.errors import SourceError
from gansynth.ingestion.conversion import convert
from gansynth.modalities import ImageConfig
config = ImageConfig(size=8)
"""


def study_of(path: Path, **source: object) -> Study:
    return Study.model_validate(
        {"name": "s", "source": {"path": str(path), "near_duplicate_distance": -1, **source}, "modality": {"size": 8}}
    )


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 6)
    return tmp_path / "photos"


def test_pipes_devices_and_folders_named_like_images_are_set_aside_unopened(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "bar" / "pipe.png")  # to open it would wait for ever
    (photos / "dot" / "zero.png").symlink_to("/dev/zero")  # to read it would never end
    (photos / "dot" / "empty.png").touch()
    (photos / "dot" / "deep.png").mkdir()
    (photos / "dot" / "deep.png" / "inner.png").write_bytes((photos / "dot" / "0.png").read_bytes())
    before = fingerprint(str(photos))
    ingest(study_of(photos, max_bad_share=0.5), Run(tmp_path / "run"))
    assert fingerprint(str(photos)) == before
    quarantine = (tmp_path / "run" / "dataset" / "quarantine.json").read_text()
    assert quarantine.count("no file, but a folder, a pipe or a device") == 2
    assert quarantine.count("holds no bytes") == 1
    assert len(load_dataset(tmp_path / "run" / "dataset")) == 13


def test_links_in_a_circle_are_not_followed_for_ever(photos: Path, tmp_path: Path) -> None:
    straight = read_image_folder(str(photos)).total
    (photos / "bar" / "again").symlink_to(photos / "bar")
    (photos / "dot" / "root").symlink_to(photos)
    (photos / "dot" / "self").symlink_to(photos / "dot" / "self")
    assert read_image_folder(str(photos)).total == straight
    # a folder that is reached twice, but lies in itself nowhere, counts twice
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.png").write_bytes((photos / "bar" / "0.png").read_bytes())
    (photos / "bar" / "one").symlink_to(tmp_path / "more")
    (photos / "bar" / "two").symlink_to(tmp_path / "more")
    assert read_image_folder(str(photos)).total == straight + 2


def _zip(archive: Path, photos: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.write(photos / "bar" / "0.png", "../../out.png")
        bundle.writestr("bomb.png", b"\0" * 10**8)


def _tar(archive: Path, photos: Path) -> None:
    with tarfile.open(archive, "w:gz") as bundle:
        bundle.add(photos / "bar" / "0.png", "../../out.png")
        link = tarfile.TarInfo("bar/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(link)


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz", "train.parquet", "rows.csv"])
@pytest.mark.parametrize("pack", [_zip, _tar])
def test_archives_are_refused_before_anything_is_unpacked(
    photos: Path, tmp_path: Path, pack: Callable[[Path, Path], None], name: str
) -> None:
    place = tmp_path / "in" / "deep"
    place.mkdir(parents=True)
    pack(place / name, photos)
    before = content_of(tmp_path)
    table = {"kind": "table", "label": "x"}
    for modality, layouts in (({"size": 8}, ("auto", "image_folder", "parquet")), (table, ("auto", "csv", "parquet"))):
        for layout in layouts:
            source = {"path": str(place / name), "format": layout}
            study = Study.model_validate({"name": "s", "source": source, "modality": modality})
            with pytest.raises(SourceError, match=r"is a (zip|tar) archive; unpack it, and name the folder or file"):
                ingest(study, Run(tmp_path / "run"))
    assert not (tmp_path / "run" / "dataset").exists()
    after = content_of(tmp_path)
    assert before.items() <= after.items()
    assert after.keys() - before.keys() <= {"run/study.json"}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int, bits: int, colour: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@linux
def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    data = zlib.compress(b"\0" * 10**8)
    bombs = [tmp_path / f"{side}.png" for side in (10_000, 60_000, 2**31 - 1)]
    for bomb in bombs:
        bomb.write_bytes(png_that_claims(int(bomb.stem), int(bomb.stem), 8, 2, data))
    code = """
    try:
        convert(Path(item), config)
    except SourceError as error:
        assert "decompression bomb" in str(error), error
    else:
        raise AssertionError("taken")
    """
    assert max(peak_growth_mb(CONVERT, code, bombs)) < 50


@linux
def test_one_long_value_in_many_rows_is_read_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    pq.write_table(pa.table({"image": [{"bytes": bytes(2**20)}] * 200, "label": [0] * 200}), file, compression="zstd")
    assert file.stat().st_size < 10_000
    setup = """
    from gansynth.ingestion import parquet
    parquet.BYTES_AT_ONCE = 2**23
    """
    code = "assert sum(len(row['image']['bytes']) for row in parquet.rows_of(Path(item), ['image'])) == 200 * 2**20"
    assert max(peak_growth_mb(setup, code, [file])) < 120  # and over 600 if all came at once


@linux
def test_damage_is_looked_for_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    table = pa.table({"image": [{"bytes": bytes(2**20)}] * 200, "label": list(range(200))})
    pq.write_table(table, file, compression="zstd", write_page_checksum=True)
    content, labels = bytearray(file.read_bytes()), pq.read_metadata(file).row_group(0).column(1)
    content[labels.data_page_offset + labels.total_compressed_size // 4] ^= 1
    file.write_bytes(content)
    setup = """
    from gansynth.errors import SourceError
    from gansynth.ingestion import parquet
    parquet.BYTES_AT_ONCE = 2**23
    """
    code = """
    try:
        for row in parquet.rows_of(Path(item), ["image.bytes", "label"]):
            pass
    except SourceError as error:
        assert "damaged after row" in str(error), error
    else:
        raise AssertionError("taken")
    """
    assert max(peak_growth_mb(setup, code, [file])) < 120


@linux
def test_the_largest_images_that_are_taken_need_less_than_a_gigabyte(tmp_path: Path) -> None:
    side = 3000  # memory grows with the pixels, of which up to 89 million are taken
    forms = {"RGBA": "png", "LA": "png", "P": "gif", "I;16": "png", "F": "tiff", "CMYK": "tiff", "1": "tiff"}
    files = [tmp_path / f"{number}.{form}" for number, form in enumerate(forms.values())]
    for file, mode in zip(files, forms, strict=True):
        Image.new(mode, (side, side)).save(file, compress_level=1)
    grown = peak_growth_mb(CONVERT, "assert convert(Path(item), config).shape[:2] == (8, 8)", files)
    assert max(grown) < 1024 * side**2 / Image.MAX_IMAGE_PIXELS + 20, dict(zip(forms, grown, strict=True))


@pytest.mark.parametrize("size", [(10_000, 3), (3, 10_000)])
@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_thin_line_becomes_a_square(size: tuple[int, int], fit: str) -> None:
    buffer = io.BytesIO()
    Image.new("L", size, 255).save(buffer, "PNG")
    pixels = convert(buffer.getvalue(), ImageConfig.model_validate({"size": 8, "fit": fit}))
    assert pixels.shape == (8, 8, 1)
    assert pixels.max() == 255
    assert (pixels == 255).mean() == (1 / 8 if fit == "pad" else 1)


def test_strips_leave_no_seam() -> None:
    """Large images are converted some lines at a time; in the smallest of their strips is one line."""
    config = ImageConfig(size=512, fit="stretch")
    lines = np.random.default_rng(0).integers(0, 65536, 2**11).astype(np.uint16)
    tall = Image.fromarray(np.repeat(lines[:, None], 1024, axis=1))
    by_hand = Image.fromarray(np.rint(np.asarray(tall) / 257).astype(np.uint8))
    np.testing.assert_array_equal(convert(tall, config), convert(by_hand, config))
    alpha = Image.fromarray(np.random.default_rng(1).integers(0, 256, (2**11, 1000, 4), dtype=np.uint8))
    black = Image.new("RGBA", alpha.size, (0, 0, 0, 255))
    np.testing.assert_array_equal(
        convert(alpha, config), convert(Image.alpha_composite(black, alpha).convert("RGB"), config)
    )


PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


def image_parquet(file: Path) -> list[tuple[str, bytes]]:
    """Write images with page checksums, and return what they hold."""
    blobs = []
    for pixels in PIXELS:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    column = pa.array([{"bytes": blob, "path": None} for blob in blobs], IMAGE_TYPE)
    table = pa.table({"image": column, "label": [row % 2 for row in range(40)]})
    table = table.replace_schema_metadata(features(["a", "b"], {}))
    pq.write_table(table, file, row_group_size=15, write_page_checksum=True)
    return [("ab"[row % 2], blob) for row, blob in enumerate(blobs)]


@given(st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_images_in_parquet_with_a_flipped_bit_are_whole_or_refused(tmp_path: Path, place: int, bit: int) -> None:
    file = tmp_path / "rows.parquet"
    held = image_parquet(file)
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    try:
        source = read_parquet(str(file))
        read = [(record.label, record.image) for record in source.records]
    except SourceError as error:
        assert str(file) in str(error)  # noqa: PT017 either is right
        return
    # names of classes are in the footer, which has no checksum
    assert [image for _, image in read] == [image for _, image in held]


def test_damage_of_images_in_parquet_is_told_by_row_group_and_column(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    image_parquet(file)
    content = bytearray(file.read_bytes())
    chunk = pq.read_metadata(file).row_group(1).column(0)
    content[chunk.dictionary_page_offset + chunk.total_compressed_size // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        SourceError,
        match=r"rows\.parquet: damaged after row \d+ in row group 2 of 3, column 'image' \(.*\); fetch it again",
    ):
        list(read_parquet(str(file)).records)


def test_very_many_classes_are_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    image_parquet(file)
    few = pq.read_table(file)
    pq.write_table(few.replace_schema_metadata(features([f"c{n}" for n in range(100_000)], {})), file)
    with pytest.raises(SourceError, match=r"has 100,000 classes or more, at most 5,000 can be told apart; leave some"):
        ingest(study_of(file), Run(tmp_path / "run"))
    blob = few["image"][0].as_py()
    names = [f"c{row}" for row in range(5_100)]
    pq.write_table(pa.table({"image": pa.array([blob] * 5_100, IMAGE_TYPE), "label": names}), file)
    with pytest.raises(SourceError, match=r"has 5,001 classes or more"):
        ingest(study_of(file), Run(tmp_path / "run"))


def test_a_folder_of_very_many_files_takes_little_memory_for_each(tmp_path: Path) -> None:
    count = 8_000
    write_pictures(tmp_path / "photos", 1)
    picture = tmp_path / "photos" / "bar" / "0.png"
    for number in range(count):
        (picture.parent / f"{number:07d}-as-long-as-names-are.png").hardlink_to(picture)
    tracemalloc.start()
    source = read_image_folder(str(tmp_path / "photos"))
    for record in source.records:
        assert record.label
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.total == count + 2
    assert peak / count < 1000, "a million files would take a gigabyte"


@pytest.mark.parametrize("kind", [b"L", b"x"])
@pytest.mark.parametrize("size", [2**33, 2**62])
def test_a_tar_archive_is_told_by_its_first_block_alone(tmp_path: Path, kind: bytes, size: int) -> None:
    block = bytearray(tarfile.TarInfo("name").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = kind
    block[124:136] = b"\x80" + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "x.csv").write_bytes(bytes(block) + bytes(2048))
    with pytest.raises(SourceError, match="is a tar archive"):
        refuse_archive(tmp_path / "x.csv")


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    for name in ("train.parquet", "labels.csv", "rows.csv"):
        os.mkfifo(tmp_path / name)
    for read in (
        lambda: read_parquet(str(tmp_path)),
        lambda: read_labels_csv(str(tmp_path)),
        lambda: read_csv(str(tmp_path / "rows.csv")),
        lambda: read_further_images(str(tmp_path / "train.parquet"), ImageConfig(), (1, 8, 8)),
    ):
        with pytest.raises(SourceError, match="no file"):
            read()
