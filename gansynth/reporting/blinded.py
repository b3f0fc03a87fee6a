"""The blinded page: people say of each image whether it is real or synthetic, and see how often they are right."""

import base64
import json

import pandas as pd
from scipy.stats import norm

from gansynth.reporting.pictures import as_uri
from gansynth.reporting.templates import asset, environment

MOST_BYTES = 4_000_000


def render_blinded(images: pd.DataFrame, study: str, alpha: float) -> str:
    """Return the page as HTML: one file that works without a network and without a server.

    The truth lies in the page, encoded so that nobody reads it by accident.

    Args:
        images: Columns class_name, kind ('real' or 'synthetic') and image (PNG bytes), in the order of the questions.
        study: Name of the study.
        alpha: One minus the coverage of the interval that the page tells.
    """
    pair = images.groupby("kind").cumcount()  # as many of each kind, whatever fits
    bytes_so_far = images["image"].str.len().groupby(pair).sum().cumsum()
    fitting = images[pair.map(bytes_so_far) <= MOST_BYTES]
    questions = [
        {"image": as_uri(row["image"]), "class_name": row["class_name"], "truth": row["kind"]}
        for row in fitting.to_dict("records")
    ]
    data = {"study": study, "coverage": 1 - alpha, "z": float(norm.isf(alpha / 2)), "questions": questions}
    return (
        environment()
        .get_template("blinded.html.j2")
        .render(
            study=study,
            count=len(questions),
            script=asset("blinded.js"),
            style=asset("blinded.css"),
            data=base64.b64encode(json.dumps(data).encode()).decode(),
        )
    )
