"""Tiny pictures of three shapes, which a tiny network can learn to tell apart."""

import numpy as np

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
