"""Images of any size and mode to the pixels of a study, by one rule."""

import io
import math
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gansynth.errors import SourceError
from gansynth.ingestion.damage import of_machine
from gansynth.memory import is_of_machine
from gansynth.modalities.image import ImageConfig
from gansynth.modalities.image.storage import Pixels

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
PIXELS_AT_ONCE = 2**20


def convert(picture: bytes | Path | Image.Image, config: ImageConfig, place: str = "an image") -> Pixels:
    """Return an image as uint8 pixels of shape (size, size, 1 or 3).

    The rule, in this order:

    1. Only PNG, JPEG, BMP, GIF, WebP and TIFF are opened, and only below Pillow's limit of about 89 million
       pixels. Of an animation or a file with several pages, the first frame counts. Whatever a file claims, a
       conversion takes less than a gigabyte.
    2. The EXIF orientation is applied.
    3. Range: 1-bit becomes 0 and 255. 16-bit grey keeps its range: 0 to 65535 becomes 0 to 255 (divided by 257,
       rounded), whatever the brightest pixel is, so images stay comparable. 32-bit integers are read as 16-bit
       ones and refused outside 0 to 65535. Floating-point pixels are read as 0 to 1 and refused outside.
    4. Palettes are expanded; anything transparent is laid on black, like the bars that `pad` adds; CMYK and YCbCr
       become RGB.
    5. Size: an image that has it already keeps its pixels exactly. Otherwise it is resampled by antialiased bicubic
       interpolation: `pad` scales the longer side and centres the image between black bars, `crop` scales the
       shorter side and keeps the centre, `stretch` scales both.
    6. Channels: `gray` is the luma of ITU-R 601; `rgb` has three channels; `auto` gives one channel if the three
       are equal in every pixel, however the file stores them, else three.

    Raises:
        SourceError: The image cannot be read; the message is the reason alone, without a place.
        ResourceError: The machine is to blame, such as its memory; the message names the place.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = picture.copy() if isinstance(picture, Image.Image) else _open(picture)
            ImageOps.exif_transpose(image, in_place=True)
            image = _plain(image)
            if config.channels == "gray":
                image = image.convert("L")
            pixels = np.asarray(_resize(image, config))
    except SourceError:
        raise
    except UnidentifiedImageError:
        raise SourceError(f"not an image in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # Pillow's decoders raise all sorts of errors on damaged bytes
        if is_of_machine(error):  # for want of memory, no sample may be left out for good
            raise of_machine(place, error) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(reason.partition("\n")[0] or type(error).__name__) from None
    return _with_channels(pixels, config)


def _open(picture: bytes | Path) -> Image.Image:
    if isinstance(picture, Path) and not stat.S_ISREG(picture.stat().st_mode):
        raise SourceError("no file, but a folder, a pipe or a device")
    if not isinstance(picture, (Path, bytes)):  # a name, from the bytes of somebody's file, would be opened
        raise SourceError("no bytes of an image")
    if (picture.stat().st_size if isinstance(picture, Path) else len(picture)) == 0:
        raise SourceError("holds no bytes")
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture, formats=FORMATS) as image:
        image.load()
        return image


def _plain(image: Image.Image) -> Image.Image:
    """Return the image in mode L or RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image)
    if image.has_transparency_data:
        return _by_strips(image, "RGB", _on_black)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _on_black(image: Image.Image) -> Image.Image:
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    highest = 1 if image.mode == "F" else 65535

    def scale(strip: Image.Image) -> Image.Image:
        values = np.asarray(strip, dtype=np.float64)
        if not (values.min() >= 0 and values.max() <= highest):
            raise SourceError(f"pixels outside 0 to {highest}, the range of mode {image.mode}")
        return Image.fromarray(np.rint(values * (255 / highest)).astype(np.uint8))

    return _by_strips(image, "L", scale)


def _by_strips(image: Image.Image, mode: str, convert_strip: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert an image to a mode, some lines at a time: what is needed in between stays small."""
    width, height = image.size
    lines = max(1, PIXELS_AT_ONCE // width)
    whole = Image.new(mode, image.size)
    for top in range(0, height, lines):
        bottom = min(top + lines, height)
        whole.paste(convert_strip(image.crop((0, top, width, bottom))), (0, top))
    return whole


def _resize(image: Image.Image, config: ImageConfig) -> Image.Image:
    square = (config.size, config.size)
    if image.size == square:
        return image
    if config.fit == "crop":
        return ImageOps.fit(image, square, Image.Resampling.BICUBIC)
    if config.fit == "stretch":
        return image.resize(square, Image.Resampling.BICUBIC)
    scale = config.size / max(image.size)
    width, height = (max(1, math.floor(side * scale + 0.5)) for side in image.size)
    canvas = Image.new(image.mode, square)
    scaled = image.resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(scaled, ((config.size - width) // 2, (config.size - height) // 2))
    return canvas


def _with_channels(pixels: Pixels, config: ImageConfig) -> Pixels:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if config.channels == "rgb" and pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if config.channels == "auto" and (pixels == pixels[:, :, :1]).all():
        return pixels[:, :, :1]
    return pixels
