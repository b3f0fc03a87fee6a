import io

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from gansynth.ingestion.duplicates import find_duplicates, perceptual_hashes
from gansynth.modalities.image.storage import Pixels


def scenes(count: int, side: int = 32, channels: int = 3) -> Pixels:
    """Smooth random pictures: as unlike each other as photographs are."""
    coarse = np.random.default_rng(7).integers(0, 256, (count, 6, 6, channels), dtype=np.uint8)
    pictures = [Image.fromarray(image.squeeze()).resize((side, side), Image.Resampling.BICUBIC) for image in coarse]
    return np.stack([np.asarray(picture).reshape(side, side, channels) for picture in pictures])


def garments(count: int) -> Pixels:
    """Centred bright boxes that differ by a few pixels of outline and by texture: alike, but not the same."""
    random = np.random.default_rng(8)
    images = np.zeros((count, 28, 28, 1), dtype=np.uint8)
    for image in images:
        left, right = random.integers(4, 10), random.integers(18, 24)
        image[3:25, left:right] = random.integers(150, 255, (22, right - left, 1))
        image[random.integers(6, 20), left:right] = 40
    return images


def jpeg(image: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(image.shape)


def groups_of(images: Pixels, distance: int = 4) -> list[int]:
    groups: list[int] = find_duplicates(images, distance, lambda _: None).groups.tolist()
    return groups


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3), (100, 3)])
def test_hashes_agree_with_the_imagehash_library(side: int, channels: int) -> None:
    images = scenes(40, side, channels)
    hashes = perceptual_hashes(images)
    for image, value in zip(images, hashes, strict=True):
        assert f"{value:016x}" == str(imagehash.phash(Image.fromarray(image.squeeze())))


def test_exact_duplicates_share_a_number_in_order_of_appearance() -> None:
    images = scenes(3)[[0, 1, 0, 2, 1, 0]]
    found = find_duplicates(images, -1, lambda _: None)
    assert found.exact.tolist() == [0, 1, 0, 2, 1, 0]
    assert found.groups.tolist() == [0, 1, 0, 2, 1, 0]


def test_one_changed_pixel_is_no_exact_duplicate_but_a_near_one() -> None:
    images = np.concatenate([scenes(20), scenes(1)])
    images[20, 5, 5, 0] ^= 1
    assert groups_of(images, -1)[20] == 20
    assert groups_of(images) == [*range(20), 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_copies_in_another_encoding_or_exposure_are_near_duplicates(channels: int) -> None:
    originals = scenes(30, channels=channels)
    picture = Image.fromarray(originals[11].squeeze())
    changed = [
        jpeg(originals[10], 70),
        np.asarray(ImageEnhance.Brightness(picture).enhance(0.8)).reshape(originals[11].shape),
        np.asarray(Image.fromarray(originals[12].squeeze()).resize((64, 64)).resize((32, 32))).reshape(
            originals[12].shape
        ),
    ]
    assert groups_of(np.concatenate([originals, np.stack(changed)])) == [*range(30), 10, 11, 12]


def test_objects_of_one_kind_are_no_duplicates() -> None:
    images = garments(300)
    assert groups_of(images, 16) == list(range(300))


def test_a_copy_stands_out_among_objects_of_one_kind() -> None:
    images = garments(300)
    assert groups_of(np.concatenate([images, jpeg(images[42], 90)[None]])) == [*range(300), 42]


def test_duplicates_of_duplicates_are_one_group() -> None:
    images = scenes(12)
    copies = np.stack([images[3], jpeg(images[3], 85), jpeg(jpeg(images[3], 85), 60)])
    assert groups_of(np.concatenate([images, copies])) == [*range(12), 3, 3, 3]


def test_flat_images_of_other_levels_are_no_duplicates() -> None:
    levels = np.arange(0, 250, 10, dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (25, 16, 16, 1)).copy()
    assert groups_of(images, 16) == list(range(25))


def test_a_single_image() -> None:
    assert groups_of(scenes(1)) == [0]


@pytest.mark.parametrize("count", [2, 3])
def test_very_few_images(count: int) -> None:
    images = scenes(count)
    assert groups_of(images) == list(range(count))
    assert groups_of(np.concatenate([images, jpeg(images[0], 90)[None]])) == [*range(count), 0]


def test_progress_is_reported() -> None:
    reported: list[int] = []
    find_duplicates(scenes(5), 2, reported.append)
    assert reported
    assert max(reported) <= 5
