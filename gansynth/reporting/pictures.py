"""Pictures of the page: small enough to be carried inside it."""

import base64
import io

import pandas as pd
from PIL import Image

LARGEST_SIDE = 64
MOST_PER_CLASS = 8
MOST_PAIRS = 12
GRID_BUDGET_BYTES = 1_400_000


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI; one with a side above 64 pixels is made smaller."""
    picture = Image.open(io.BytesIO(png))
    if max(picture.size) > LARGEST_SIDE:
        picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        png = buffer.getvalue()
    return as_uri(png)


def as_uri(png: bytes) -> str:
    """Return a PNG as a data URI, as it is."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def grid_pictures(grid: pd.DataFrame, most: int = MOST_PER_CLASS) -> dict[str, dict[str, list[str]]]:
    """Return real and synthetic pictures as data URIs, by class and kind.

    Up to `most` of every class and kind, and fewer where the page would become heavy; always at least one.

    Args:
        grid: Columns class_name, kind and image (PNG bytes).
        most: The largest number of pictures of a class and kind.
    """
    if grid.empty:
        return {}
    cells = grid.groupby(["class_name", "kind"], sort=False)
    first = [data_uri(cell["image"].iloc[0]) for _, cell in cells]
    affordable = max(1, GRID_BUDGET_BYTES // sum(len(uri) for uri in first))
    per_class = min(most, affordable)
    pictures: dict[str, dict[str, list[str]]] = {}
    for (name, kind), cell in cells:
        uris = [data_uri(png) for png in cell["image"].iloc[:per_class]]
        pictures.setdefault(str(name), {"real": [], "synthetic": []})[str(kind)] = uris
    return pictures
