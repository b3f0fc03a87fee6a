import io
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gansynth.errors import SourceError
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.readers import (
    READERS,
    read_image_folder,
    read_labels_csv,
    read_parquet,
    read_torchvision,
)
from gansynth.ingestion.sources import Record, choose_format, fingerprint, natural_order
from gansynth.ingestion.tables import read_parquet as read_table
from gansynth.modalities import ImageConfig
from gansynth.modalities.image.storage import IMAGE_TYPE, features


def png(level: int = 0, size: tuple[int, int] = (4, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, level).save(buffer, "PNG")
    return buffer.getvalue()


def put(file: Path, content: bytes = b"") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content or png())


def write_parquet(
    file: Path, labels: pa.Array, names: list[str] | None = None, images: list[bytes] | None = None
) -> None:
    images = images or [png(i) for i in range(len(labels))]
    column = pa.array([{"bytes": image, "path": None} for image in images], IMAGE_TYPE)
    table = pa.table({"image": column, "label": labels})
    if names is not None:
        table = table.replace_schema_metadata(features(names, {}))
    pq.write_table(table, file)


def summary(records: list[Record]) -> list[tuple[str, str, bool]]:
    return [(record.origin, record.label, record.is_test) for record in records]


def test_image_folder_has_one_class_per_folder_in_natural_order(tmp_path: Path) -> None:
    put(tmp_path / "class10" / "a.PNG")
    put(tmp_path / "class2" / "deep" / "b.jpeg")
    put(tmp_path / "class2" / "notes.txt")
    put(tmp_path / "class2" / ".hidden.png")
    put(tmp_path / ".git" / "c.png")
    put(tmp_path / "👗 ..%2f" / "d.webp")

    source = read_image_folder(str(tmp_path))

    assert source.class_names == ("class2", "class10", "👗 ..%2f")
    assert source.total == 3
    assert sorted(summary(list(source.records))) == [
        ("class10/a.PNG", "class10", False),
        ("class2/deep/b.jpeg", "class2", False),
        ("👗 ..%2f/d.webp", "👗 ..%2f", False),
    ]


def test_image_folder_keeps_an_empty_class_for_the_check(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "1.png")
    (tmp_path / "dog").mkdir()
    assert read_image_folder(str(tmp_path)).class_names == ("cat", "dog")


def test_image_folder_with_train_and_test_parts(tmp_path: Path) -> None:
    put(tmp_path / "Train" / "cat" / "1.png")
    put(tmp_path / "test" / "cat" / "1.png")
    put(tmp_path / "test" / "dog" / "2.png")
    put(tmp_path / "val" / "dog" / "3.png")

    source = read_image_folder(str(tmp_path))

    assert source.class_names == ("cat", "dog")
    assert summary(list(source.records)) == [
        ("Train/cat/1.png", "cat", False),
        ("test/cat/1.png", "cat", True),
        ("test/dog/2.png", "dog", True),
    ]


def test_a_folder_called_train_that_holds_images_is_a_class(tmp_path: Path) -> None:
    put(tmp_path / "train" / "1.png")
    put(tmp_path / "plane" / "1.png")
    assert read_image_folder(str(tmp_path)).class_names == ("plane", "train")


def test_image_folder_does_not_guess_what_stands_beside_train(tmp_path: Path) -> None:
    put(tmp_path / "train" / "cat" / "1.png")
    put(tmp_path / "val" / "cat" / "2.png")
    with pytest.raises(SourceError, match="'val' beside train"):
        read_image_folder(str(tmp_path))


def test_linked_class_folders_are_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "1.png")
    put(tmp_path / "source" / "cat" / "1.png")
    (tmp_path / "source" / "dog").symlink_to(tmp_path / "elsewhere")
    before = fingerprint(str(tmp_path / "source"))
    assert summary(list(read_image_folder(str(tmp_path / "source")).records))[1] == ("dog/1.png", "dog", False)
    put(tmp_path / "elsewhere" / "1.png", png(9))
    assert fingerprint(str(tmp_path / "source")) != before


def test_parquet_takes_class_names_and_their_order_from_the_metadata(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data.parquet", pa.array([1, 0, 1]), names=["zebra", "../../ant\0"])

    source = read_parquet(str(tmp_path / "data.parquet"))
    records = list(source.records)

    assert source.class_names == ("zebra", "../../ant\0")
    assert summary(records) == [
        ("data.parquet row 1", "../../ant\0", False),
        ("data.parquet row 2", "zebra", False),
        ("data.parquet row 3", "../../ant\0", False),
    ]
    assert records[2].image == png(2)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([10, 2]), ["10", "2"]),
        (pa.array(["b", "a"]), ["b", "a"]),
        (pa.array(["b", "a"]).dictionary_encode(), ["b", "a"]),
        (pa.array([True, False]), ["True", "False"]),
    ],
)
def test_parquet_labels_without_declared_names(tmp_path: Path, labels: pa.Array, expected: list[str]) -> None:
    write_parquet(tmp_path / "data.parquet", labels)
    source = read_parquet(str(tmp_path / "data.parquet"))
    assert source.class_names is None
    assert [record.label for record in source.records] == expected


def test_parquet_parts_of_a_folder(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", pa.array([0, 1]), names=["a", "b"])
    source = read_parquet(str(tmp_path))
    assert source.total == 6
    assert [record.is_test for record in source.records] == [False] * 4 + [True] * 2


def test_parquet_files_with_other_names_are_training_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "part1.parquet", pa.array([0, 1]))
    write_parquet(tmp_path / "test.parquet", pa.array([0, 1]))
    assert [record.is_test for record in read_parquet(str(tmp_path)).records] == [False, False, True, True]
    (tmp_path / "part1.parquet").unlink()
    with pytest.raises(SourceError, match="no Parquet file with training rows"):
        read_parquet(str(tmp_path))


def test_parquet_names_what_is_wrong_with_a_label(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data.parquet", pa.array([0, None, -1, 7]), names=["a", "b"])
    problems = [record.problem for record in read_parquet(str(tmp_path / "data.parquet")).records]
    assert problems == ["", "has no label", "has no label", "label 7 is none of the 2 declared classes"]


def test_parquet_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    pq.write_table(pa.table({"pixels": [1], "label": [0]}), file)
    with pytest.raises(SourceError, match=r"needs a column image .* it has pixels, label"):
        read_parquet(str(file))
    write_parquet(file, pa.array([0.5]))
    with pytest.raises(SourceError, match=r"needs a column label .* it has double"):
        read_parquet(str(file))
    write_parquet(file, pa.array([0]), names=["a", "a"])
    with pytest.raises(SourceError, match="declares a class name twice"):
        read_parquet(str(file))
    file.write_bytes(b"PAR1 no more")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        read_parquet(str(file))


def test_no_name_in_parquet_is_opened_as_a_file(tmp_path: Path) -> None:
    secret, file = tmp_path / "secret.png", tmp_path / "data.parquet"
    Image.new("L", (8, 8)).save(secret)
    pq.write_table(pa.table({"image": [{"bytes": str(secret)}] * 2, "label": ["a", "b"]}), file)
    with pytest.raises(SourceError, match=r"data\.parquet: needs a column image that is a struct with binary bytes"):
        read_parquet(str(file))
    with pytest.raises(SourceError, match="no bytes of an image"):
        convert(str(secret), ImageConfig(size=8))  # type: ignore[arg-type]  # what a damaged file might lead to


def test_of_images_in_parquet_only_their_bytes_are_read(tmp_path: Path) -> None:
    beside = pa.array([10**15] * 2, pa.timestamp("s"))  # a time that Python cannot hold
    images = pa.StructArray.from_arrays([pa.array([b"a", None]), beside], names=["bytes", "when"])
    table = pa.table({"image": images, "label": pa.array(["a", "b"], pa.string_view())})
    pq.write_table(table, tmp_path / "data.parquet")
    records = list(read_parquet(str(tmp_path / "data.parquet")).records)
    assert [(record.image, record.label) for record in records] == [(b"a", "a"), (b"", "b")]
    pq.write_table(table.append_column("image", images), tmp_path / "data.parquet")
    with pytest.raises(SourceError, match=r"data\.parquet: has the column 'image' twice; rename one"):
        read_parquet(str(tmp_path / "data.parquet"))


def test_parquet_that_breaks_off_midway_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    write_parquet(file, pa.array([0] * 50), images=[bytes(np.random.default_rng(0).bytes(2000))] * 50)
    content = bytearray(file.read_bytes())
    content[4:60] = b"\xff" * 56
    file.write_bytes(content)
    with pytest.raises(SourceError, match="damaged after row 0"):
        list(read_parquet(str(file)).records)


def test_parquet_files_that_disagree_on_classes_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", pa.array([0]), names=["a", "b"])
    write_parquet(tmp_path / "test.parquet", pa.array([0]), names=["b", "a"])
    with pytest.raises(SourceError, match="different class names"):
        read_parquet(str(tmp_path))


def test_labels_csv(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a, b.png")
    rows = (
        'image,label,split\n"images/a, b.png",🐱,\nc.png,dog,Test\n../x.png,dog,train\nc.png,,\n,dog,\nc.png,dog,val\n'
    )
    (tmp_path / "labels.csv").write_text("\ufeff" + rows)

    source = read_labels_csv(str(tmp_path))
    records = list(source.records)

    assert (source.class_names, source.total) == (None, 6)
    assert summary(records)[:2] == [
        ("labels.csv row 1 (images/a, b.png)", "🐱", False),
        ("labels.csv row 2 (c.png)", "dog", True),
    ]
    assert records[0].image == tmp_path / "images" / "a, b.png"
    assert [record.problem for record in records] == [
        "",
        "",
        "../x.png lies outside the source",
        "has no label",
        "names no file",
        "split 'val' is neither train nor test",
    ]


def test_labels_csv_keeps_labels_that_look_like_missing_values(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.png,None\nb.png,NA\nc.png,01\n")
    assert [record.label for record in read_labels_csv(str(tmp_path)).records] == ["None", "NA", "01"]


@pytest.mark.parametrize("content", [b"name,class\na,b\n", b"", b"file,label\n\xff\xfe,1\n"])
def test_a_labels_csv_without_its_columns_or_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(SourceError, match=r"labels\.csv: (needs the columns|cannot be read)"):
        read_labels_csv(str(tmp_path))


def test_torchvision_reads_the_original_idx_files(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(5 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(5, 28, 28)
    for part, count in (("train", 5), ("t10k", 2)):
        header = struct.pack(">IIII", 0x00000803, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels[:count].tobytes())
        labels = bytes([9, 0, 1, 2, 3][:count])
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x00000801, count) + labels)

    source = read_torchvision("torchvision:FashionMNIST", root=tmp_path)
    records = list(source.records)

    assert source.class_names is not None
    assert (source.class_names[0], source.class_names[9], source.total) == ("T-shirt/top", "Ankle boot", 7)
    assert summary(records)[0] == ("FashionMNIST train row 1", "Ankle boot", False)
    assert summary(records)[6] == ("FashionMNIST test row 2", "T-shirt/top", True)
    picture = records[3].image
    assert isinstance(picture, Image.Image)
    np.testing.assert_array_equal(np.asarray(picture), pixels[3])


def test_torchvision_datasets_with_a_split_argument(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for country in ("AD", "ZW"):
            put(tmp_path / "country211" / split / country / "1.jpg")
    source = read_torchvision("torchvision:Country211", root=tmp_path)
    assert source.class_names == ("AD", "ZW")
    assert [(record.label, record.is_test) for record in source.records] == [
        ("AD", False),
        ("ZW", False),
        ("AD", True),
        ("ZW", True),
    ]


def test_torchvision_datasets_without_parts(tmp_path: Path) -> None:
    put(tmp_path / "eurosat" / "2750" / "Forest" / "Forest_1.jpg")
    put(tmp_path / "eurosat" / "2750" / "River" / "River_1.jpg", b"no image")
    source = read_torchvision("torchvision:EuroSAT", root=tmp_path)
    good, bad = source.records
    assert (good.label, good.is_test, good.problem) == ("Forest", False, "")
    assert bad.problem.startswith("cannot be loaded as an image and its class (cannot identify image file")


def test_torchvision_datasets_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no dataset 'FashionMnist'"):
        read_torchvision("torchvision:FashionMnist", root=tmp_path)
    with pytest.raises(SourceError, match="torchvision:EMNIST: needs 'split'"):
        read_torchvision("torchvision:EMNIST", root=tmp_path)
    with pytest.raises(SourceError, match=r"torchvision:USPS: cannot be loaded \(.*\); go online"):
        read_torchvision("torchvision:USPS", root=Path("/dev/null/nowhere"))


def test_choose_format_looks_at_what_is_there(tmp_path: Path) -> None:
    put(tmp_path / "folder" / "cat" / "1.png")
    put(tmp_path / "csv" / "cat" / "1.png")
    put(tmp_path / "csv" / "labels.csv", b"file,label\n")
    write_parquet(tmp_path / "single.parquet", pa.array([0]))
    found = [choose_format(str(path)) for path in (tmp_path / "folder", tmp_path / "csv", tmp_path / "single.parquet")]
    assert found == ["image_folder", "labels_csv", "parquet"]
    assert choose_format(str(tmp_path)) == "parquet"
    assert choose_format("torchvision:CIFAR10") == "torchvision"
    assert set(READERS) >= {*found, "torchvision"}


@pytest.mark.parametrize(("name", "message"), [("nowhere", "does not exist"), ("empty", "holds no Parquet file")])
def test_choose_format_says_what_it_missed(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=message):
        choose_format(str(tmp_path / name))


def test_fingerprint_follows_names_and_content_alone(tmp_path: Path) -> None:
    put(tmp_path / "one" / "cat" / "1.png", png(1))
    put(tmp_path / "two" / "cat" / "1.png", png(1))
    same = fingerprint(str(tmp_path / "one"))
    assert fingerprint(str(tmp_path / "two")) == same
    put(tmp_path / "two" / "cat" / "1.png", png(2))
    assert fingerprint(str(tmp_path / "two")) != same
    (tmp_path / "one" / "cat" / "1.png").rename(tmp_path / "one" / "cat" / "2.png")
    assert fingerprint(str(tmp_path / "one")) != same


def test_natural_order() -> None:
    names = ["img10", "img2", "10", "9", "01", "1", "B", "a", ""]
    assert natural_order(names) == ("", "01", "1", "9", "10", "B", "a", "img2", "img10")


def test_parquet_whose_footer_tells_of_other_rows_than_its_groups_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    write_parquet(file, pa.array([0, 1] * 21))
    whole, told = file.read_bytes(), set()
    for place in (place for place, byte in enumerate(whole) if byte == 2 * 42):  # as Thrift writes 42
        file.write_bytes(whole[:place] + bytes([2 * 21]) + whole[place + 1 :])
        with suppress(OSError, pa.ArrowException):
            footer = pq.read_metadata(file)
            found = (footer.num_rows, footer.row_group(0).num_rows, footer.row_group(0).column(0).num_values)
            told.add(found)
            if found != (42, 42, 42):
                for read in (read_parquet, read_table):
                    with pytest.raises(SourceError, match=r"data\.parquet: not a readable Parquet file \(tells of"):
                        read(str(file))
    assert told > {(21, 42, 42), (42, 21, 42), (42, 42, 21)}
