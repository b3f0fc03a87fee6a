"""Tiny pictures of three shapes, which a tiny network can learn to tell apart."""

from pathlib import Path

import numpy as np
from PIL import Image

from gansynth.samples import Samples

CLASS_NAMES = ("bar", "dot", "frame")


def draw_shapes(count: int, seed: int = 0, size: int = 16) -> Samples:
    """Draw noisy grey pictures of three shapes, `count` of each: an easy task that a tiny network learns."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    values = random.integers(0, 40, (len(labels), size, size, 1), dtype=np.uint8)
    for picture, label in zip(values, labels, strict=True):
        y, x = random.integers(1, 4, 2)
        if label == 0:
            picture[:, x + 4 : x + 7] = 220
        elif label == 1:
            picture[y + 3 : y + 8, x + 3 : x + 8] = 220
        else:
            picture[[y, -y - 1], :] = 220
            picture[:, [x, -x - 1]] = 220
    return Samples(values, labels.astype(np.int64), CLASS_NAMES)


def write_pictures(folder: Path, count: int = 24) -> None:
    """Write noisy pictures of bars and dots, eight pixels wide, `count` of each, as a folder of images per class."""
    random = np.random.default_rng(0)
    for label, name in enumerate(("bar", "dot")):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            picture = random.normal(40, 20, (8, 8))
            column = random.integers(1, 5)
            picture[:, column : column + 2] += 150 if label == 0 else 0
            picture[column : column + 3, column : column + 3] += 0 if label == 0 else 150
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / name / f"{index}.png")
