"""Images that are the same, or nearly: found so that they never stand on both sides of a split."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gansynth.modalities.image.storage import Pixels
from gansynth.samples import Indices

SIDE = 32
FREQUENCIES = 8
RATIO = 0.15
ALWAYS_NEAR = 0.002
REFERENCES = 1000
RANK = 8
IMAGES_AT_ONCE = 1024
COMPARISONS_AT_ONCE = 2**18

Floats = npt.NDArray[np.float32]
Hashes = npt.NDArray[np.uint64]


class Duplicates(NamedTuple):
    """Numbers of duplicate groups, each of shape (N,), counted from 0 in order of first appearance.

    Attributes:
        exact: Images with the same number have the same pixels.
        groups: Images with the same number are exact or near duplicates, directly or through others.
    """

    exact: Indices
    groups: Indices


def find_duplicates(images: Pixels, distance: int, report: Callable[[int], object]) -> Duplicates:
    """Group the images (N, height, width, channels) that are exact or near duplicates of each other.

    Candidates are pairs whose perceptual hashes differ in at most `distance` bits (-1: near duplicates are not looked
    for). Since small images of one kind often share a hash, their pixels decide, at 32 x 32. The distance of two
    images is 1 minus the correlation of their pixels, so brightness and contrast do not count. Two are near
    duplicates if it is at most 0.002, or at most 0.15 of what separates each of them from other images: its eighth
    smallest distance to 1,000 images spread over the set. So copies stand out from mere likeness both among
    photographs, where any two differ much, and among centred objects of one kind, where they do not (the idea of
    the ratio test for local features, Lowe, IJCV 2004). Images that are shifted, turned or mirrored are not found.

    Every pair of hashes is compared, in blocks: N² / 2 comparisons in bounded memory, under a minute for 50,000
    images. `report` is called with the number of images done.
    """
    seen: dict[bytes, int] = {}
    exact = np.array([seen.setdefault(_digest(image), len(seen)) for image in images], dtype=np.int64)
    if distance < 0:
        return Duplicates(exact, exact)
    first = np.unique(exact, return_index=True)[1]
    groups = _near_groups(images[first], distance, report)
    return Duplicates(exact, groups[exact])


def perceptual_hashes(images: Pixels) -> Hashes:
    """Return a 64-bit perceptual hash (pHash) of each image of shape (N, height, width, channels).

    The lowest 8 x 8 frequencies of a cosine transform of the image at 32 x 32 grey pixels, each compared with their
    median.
    """
    transform = dct(np.eye(SIDE), axis=0)[:FREQUENCIES]
    hashes = np.empty(len(images), dtype=np.uint64)
    for part in _parts(len(images), IMAGES_AT_ONCE):
        small = np.stack([_small(_picture(image).convert("L")) for image in images[part]]).astype(np.float64)
        low = (transform @ small @ transform.T).reshape(len(small), -1)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[part] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return hashes


def _near_groups(images: Pixels, distance: int, report: Callable[[int], object]) -> Indices:
    hashes = perceptual_hashes(images)
    small = np.stack([_small(_picture(image)) for image in images]).reshape(len(images), -1)
    limits = _limits(small)
    groups = np.arange(len(images), dtype=np.int64)
    for part in _parts(len(images), max(1, COMPARISONS_AT_ONCE // len(images))):
        left, right = np.nonzero(np.bitwise_count(hashes[part, None] ^ hashes[None, part.start :]) <= distance)
        left, right = left + part.start, right + part.start
        open_pairs = (left < right) & (groups[left] != groups[right])
        near = _near(small, limits, left[open_pairs], right[open_pairs])
        if len(near[0]):
            groups = _merged(groups, *near)
        report(part.start)
    return groups


def _limits(small: Pixels) -> Floats:
    """Return the distance up to which another image is a near duplicate of each one."""
    spread = np.unique(np.linspace(0, len(small) - 1, REFERENCES).astype(np.int64))
    references = _standardised(small[spread])
    rank = min(RANK, len(spread)) - 1
    limits = np.empty(len(small), dtype=np.float32)
    for part in _parts(len(small), IMAGES_AT_ONCE):
        distances = 1 - _standardised(small[part]) @ references.T
        limits[part] = RATIO * np.partition(distances, rank, axis=1)[:, rank]
    return np.maximum(limits, np.float32(ALWAYS_NEAR))


def _near(small: Pixels, limits: Floats, left: Indices, right: Indices) -> tuple[Indices, Indices]:
    """Return those of the candidate pairs that are near duplicates."""
    keep = np.zeros(len(left), dtype=np.bool_)
    for part in _parts(len(left), IMAGES_AT_ONCE):
        a, b = _standardised(small[left[part]]), _standardised(small[right[part]])
        keep[part] = 1 - (a * b).sum(axis=1) <= np.minimum(limits[left[part]], limits[right[part]])
    return left[keep], right[keep]


def _standardised(small: Pixels) -> Floats:
    """Return rows with mean 0 and norm 1, whose inner products are correlations; a flat image becomes zeros."""
    centred = small.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    rows: Floats = centred / np.maximum(norms, np.float32(1))
    return rows


def _merged(groups: Indices, left: Indices, right: Indices) -> Indices:
    """Unite the groups of each pair; components are numbered in order of first appearance, like the groups."""
    links = coo_array((np.ones(len(left)), (groups[left], groups[right])), shape=(len(groups), len(groups)))
    component: Indices = connected_components(links, directed=False)[1].astype(np.int64)
    return component[groups]


def _parts(length: int, at_once: int) -> list[slice]:
    return [slice(start, min(start + at_once, length)) for start in range(0, length, at_once)]


def _digest(image: Pixels) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def _small(picture: Image.Image) -> Pixels:
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
