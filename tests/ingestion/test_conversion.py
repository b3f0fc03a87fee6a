import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gansynth.errors import SourceError
from gansynth.ingestion.conversion import convert
from gansynth.modalities.image import ImageConfig

EXACT = ImageConfig(size=8)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401 whatever Pillow's writer takes
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def random_pixels(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def deep_png(values: npt.NDArray[np.uint16], colour_type: int) -> bytes:
    """Encode a 16-bit PNG of shape (height, width, channels): Pillow writes no colour ones."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_an_image_of_the_right_size_keeps_its_pixels(shape: tuple[int, ...], form: str) -> None:
    pixels = random_pixels(*shape)
    for fit in ("pad", "crop", "stretch"):
        result = convert(encoded(Image.fromarray(pixels), form), ImageConfig(size=8, fit=fit))
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, pixels.reshape(8, 8, -1))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(form: str) -> None:
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise: left comes to the top
    options = {"lossless": True} if form == "WEBP" else {}
    result = convert(encoded(Image.fromarray(pixels), form, exif=exif, **options), EXACT)[:, :, 0]
    assert result[:4].min() > 250
    assert result[4:].max() < 5


def test_a_palette_is_expanded() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    np.testing.assert_array_equal(convert(encoded(image), EXACT)[0, 0], [200, 100, 50])


def test_a_palette_of_greys_is_grey() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 77, 77, 77])
    assert convert(encoded(image), EXACT).tolist() == [[[77]] * 8] * 8


def test_transparency_is_laid_on_black() -> None:
    half = Image.new("RGBA", (8, 8), (200, 100, 50, 128))
    np.testing.assert_allclose(convert(encoded(half), EXACT)[0, 0], [100, 50, 25], atol=1)
    grey = Image.new("LA", (8, 8), (200, 0))
    assert convert(encoded(grey), EXACT).max() == 0
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 255, 255])
    assert convert(encoded(palette, transparency=1), EXACT).max() == 0
    key = Image.new("RGB", (8, 8), (9, 8, 7))
    key.putpixel((0, 0), (3, 2, 1))
    result = convert(encoded(key, transparency=(9, 8, 7)), EXACT)
    assert result[0, 0].tolist() == [3, 2, 1]
    assert result[1:].max() == 0


def test_cmyk_becomes_rgb() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    np.testing.assert_array_equal(convert(encoded(cyan, "TIFF"), EXACT)[0, 0], [0, 255, 255])
    np.testing.assert_allclose(convert(encoded(cyan, "JPEG", quality=95), EXACT)[0, 0], [0, 255, 255], atol=3)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_keeps_its_range(form: str) -> None:
    values = np.linspace(0, 20000, 64).astype(np.uint16).reshape(8, 8)
    result = convert(encoded(Image.fromarray(values), form), EXACT)[:, :, 0]
    np.testing.assert_array_equal(result, np.rint(values / 257))


def test_16_bit_big_endian_tiff() -> None:
    values = np.array([[0, 257, 65535, 32896] * 2] * 8, dtype=np.uint16)
    image = Image.frombytes("I;16B", (8, 8), values.astype(">u2").tobytes())
    assert convert(encoded(image, "TIFF"), EXACT)[0, :4, 0].tolist() == [0, 1, 255, 128]


def test_16_bit_colour_keeps_its_range() -> None:
    values = np.zeros((8, 8, 3), dtype=np.uint16)
    values[:, :] = (65535, 32896, 257)
    np.testing.assert_array_equal(convert(deep_png(values, 2), EXACT)[0, 0], [255, 128, 1])


def test_32_bit_integers_and_floats_have_a_fixed_range() -> None:
    whole = np.full((8, 8), 514, dtype=np.int32)
    assert convert(encoded(Image.fromarray(whole), "TIFF"), EXACT).max() == 2
    real = np.full((8, 8), 0.5, dtype=np.float32)
    assert convert(encoded(Image.fromarray(real), "TIFF"), EXACT).max() == 128
    for outside in (whole * 1000, whole * -1, real * 3, real * np.nan):
        with pytest.raises(SourceError, match="pixels outside 0 to"):
            convert(encoded(Image.fromarray(outside), "TIFF"), EXACT)


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(random_pixels(8, 8)).convert("1")
    assert set(np.unique(convert(encoded(image), EXACT))) == {0, 255}


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF"])
def test_the_first_frame_counts(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (10, 200)]
    options = {"lossless": True} if form == "WEBP" else {}
    result = convert(encoded(frames[0], form, save_all=True, append_images=frames[1:], **options), EXACT)
    np.testing.assert_array_equal(result[0, 0], [10, 0, 0])


def test_auto_is_grey_where_the_channels_are_equal() -> None:
    grey = random_pixels(8, 8)
    as_rgb = encoded(Image.fromarray(grey).convert("RGB"))
    np.testing.assert_array_equal(convert(as_rgb, EXACT)[:, :, 0], grey)
    assert convert(as_rgb, ImageConfig(size=8, channels="rgb")).shape == (8, 8, 3)
    one_off = np.repeat(grey[:, :, None], 3, axis=2)
    one_off[3, 3, 1] ^= 1
    assert convert(encoded(Image.fromarray(one_off)), EXACT).shape == (8, 8, 3)


def test_gray_is_the_luma() -> None:
    red = convert(encoded(Image.new("RGB", (8, 8), (255, 0, 0))), ImageConfig(size=8, channels="gray"))
    assert red.shape == (8, 8, 1)
    assert red.max() == round(0.299 * 255)


def test_pad_keeps_the_aspect_between_black_bars() -> None:
    result = convert(encoded(Image.new("L", (16, 8), 255)), ImageConfig(size=8, fit="pad"))[:, :, 0]
    assert (result[2:6] == 255).all()
    assert (result[:2] == 0).all()
    assert (result[6:] == 0).all()


def test_crop_keeps_the_centre() -> None:
    pixels = np.zeros((8, 16), dtype=np.uint8)
    pixels[:, 4:12] = random_pixels(8, 8)
    result = convert(encoded(Image.fromarray(pixels)), ImageConfig(size=8, fit="crop"))
    np.testing.assert_array_equal(result[:, :, 0], random_pixels(8, 8))


def test_stretch_uses_the_whole_image() -> None:
    result = convert(encoded(Image.new("L", (16, 8), 255)), ImageConfig(size=8, fit="stretch"))
    assert result.min() == 255


def test_shrinking_is_antialiased() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    np.testing.assert_allclose(convert(encoded(Image.fromarray(checks)), EXACT), 127, atol=3)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (1000, 1), (1, 999), (7, 9)])
def test_any_shape_becomes_square(size: tuple[int, int], fit: str) -> None:
    config = ImageConfig.model_validate({"size": 8, "fit": fit})
    assert convert(encoded(Image.new("L", size, 255)), config).shape == (8, 8, 1)


def test_files_and_pictures_are_read_like_bytes(tmp_path: Path) -> None:
    image = Image.fromarray(random_pixels(8, 8, 3))
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(convert(tmp_path / "a.png", EXACT), convert(encoded(image), EXACT))
    np.testing.assert_array_equal(convert(image, EXACT), convert(encoded(image), EXACT))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no bytes"),
        (b"not an image", "not an image in a known format"),
        (encoded(Image.fromarray(random_pixels(64, 64)))[:600], "truncated"),
        (encoded(Image.fromarray(random_pixels(64, 64, 3)), "JPEG")[:2000], "truncated"),
        (encoded(Image.new("1", (20000, 20000))), "decompression bomb"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a known format"),
    ],
    ids=["empty", "text", "broken PNG", "broken JPEG", "bomb", "PostScript"],
)
def test_what_cannot_be_read_has_a_reason_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        convert(content, EXACT)
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_a_missing_file_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^No such file or directory$"):
        convert(tmp_path / "gone.png", EXACT)


def test_damaged_files_of_every_format_are_refused_or_read() -> None:
    random = np.random.default_rng(1)
    picture = Image.fromarray(random_pixels(16, 16, 3))
    for form in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        whole = np.frombuffer(encoded(picture, form), dtype=np.uint8)
        for _ in range(60):
            broken = whole.copy()
            broken[random.integers(0, len(whole), 12)] = random.integers(0, 256, 12)
            with suppress(SourceError):
                assert convert(broken.tobytes(), EXACT).shape[:2] == (8, 8)
