"""The findings in short, for the terminal and for Prefect."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from summaries import SIMILARITY, privacy

from gansynth.modalities.image.storage import encode_png
from gansynth.results import (
    GRID_FILE,
    SUMMARY_FILE,
    ArmSummary,
    Comparison,
    Fidelity,
    Summary,
    Verdict,
)
from gansynth.runs import Run
from pipelines.artifacts import findings_markdown
from pipelines.findings import gain_table, print_findings


def arm(mean: float) -> ArmSummary:
    return ArmSummary(mean=mean, sd=0.01, values=[mean, mean], metrics={}, recall={}, ratios=[], policies=[])


SUMMARY = Summary(
    metric="balanced_accuracy",
    verdict=Verdict(
        against_real="helps",
        against_best_without_gan="no evidence",
        best_without_gan="oversampled",
        arms={"real": "gan", "oversampled": "gan"},
        best_with_gan="gan",
        sentence="GAN augmentation [helps]: 9.1 points.",
    ),
    recommended_arm="gan",
    arms={"real": arm(0.634), "oversampled": arm(0.686), "gan": arm(0.725)},
    comparisons=[
        Comparison(
            arm=name, against=against, gain=gain, ci_low=low, ci_high=high, p_value=0.01, p_holm=0.02, verdict=verdict
        )
        for name, against, gain, low, high, verdict in (
            ("oversampled", "real", 0.052, -0.001, 0.105, "no evidence"),
            ("gan", "real", 0.091, 0.03, 0.152, "helps"),
            ("gan", "oversampled", 0.039, -0.02, 0.098, "no evidence"),
        )
    ],
    fidelity=Fidelity(
        embedding="teacher",
        fid=1,
        kid=1,
        precision=1,
        recall=1,
        density=1,
        coverage=1,
        classification_accuracy_score=0.5,
        label_agreement=0.9,
        held_out_agreement=0.8,
    ),
    similarity=SIMILARITY,
    privacy=privacy("a"),
    train_rows={"a": 10},
    test_rows={"a": 10},
    repetitions=2,
    correlation=0.25,
    warnings=["Only two repetitions."],
)


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[[int], Run]:
    """Return a function that makes an evaluated run whose grid has that many classes, all of noise."""

    def make(classes: int) -> Run:
        run = Run(tmp_path)
        run.evaluation.mkdir()
        (run.evaluation / SUMMARY_FILE).write_text(SUMMARY.model_dump_json())
        random = np.random.default_rng(0)
        rows = [
            {
                "class_name": f"class {label}",
                "kind": kind,
                "image": encode_png(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)),
            }
            for label in range(classes)
            for kind in ("real", "synthetic")
            for _ in range(6)
        ]
        pd.DataFrame(rows).to_parquet(run.evaluation / GRID_FILE)
        return run

    return make


def test_gain_table_compares_each_arm_with_real() -> None:
    heading, real, oversampled, gan = gain_table(SUMMARY)
    assert heading.mean == "balanced accuracy, %"
    assert real == ("real", "63.4", "", "", "")
    assert oversampled == ("oversampled", "68.6", "+5.2", "\N{MINUS SIGN}0.1 to +10.5", "no evidence")
    assert gan == ("gan", "72.5", "+9.1", "+3.0 to +15.2", "helps")


def test_terminal_shows_sentence_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings(SUMMARY)
    sentence, _, heading, *rows, _, recommended, _ = capsys.readouterr().out.splitlines()
    assert sentence == SUMMARY.verdict.sentence
    assert recommended == f"Recommended arm: {SUMMARY.recommended_arm}"
    assert heading.split()[0] == "arm"
    assert [row.split()[0] for row in rows] == ["real", "oversampled", "gan"]


def test_markdown_holds_verdict_table_warnings_and_picture(evaluated: Callable[[int], Run]) -> None:
    text = findings_markdown(evaluated(3), "reports/tiny")
    assert text.startswith(f"**{SUMMARY.verdict.sentence}**\n")
    assert "| gan | 72.5 | +9.1 | +3.0 to +15.2 | helps |" in text
    assert "- Only two repetitions." in text
    data = text.partition("data:image/png;base64,")[2].partition(")")[0]
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.size == (9 * 48, 3 * 48)


def test_picture_is_left_out_where_it_would_be_large(evaluated: Callable[[int], Run]) -> None:
    text = findings_markdown(evaluated(60), "reports/tiny")
    assert "base64" not in text
    assert len(text) < 2000
