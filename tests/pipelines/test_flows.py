"""Flows as Prefect's UI shows them: their parameters make the form in which a study is filled in."""

from typing import Any

import pytest
from prefect import Flow

from gansynth.gans import FAMILIES
from gansynth.study import Study
from pipelines.augment import augment
from pipelines.evaluate import evaluate
from pipelines.generate import generate
from pipelines.ingest import ingest
from pipelines.report import report
from pipelines.train import train


@pytest.mark.parametrize("flow", [augment, ingest, train, generate, evaluate, report], ids=lambda flow: flow.name)
def test_form_holds_every_setting_with_its_description(flow: Flow[..., Any]) -> None:
    form = flow.parameters.model_dump()
    # a stage other than the first finds the study in the run folder
    first = flow.name in {"augment", "ingest"}
    assert form["required"] == ["study" if first else "run_dir"]
    assert all(parameter["description"] for parameter in form["properties"].values())
    sections = form["definitions"]
    assert sections["SourceConfig"]["title"] == "Source"
    assert set(sections["Study"]["properties"]) == set(Study.model_fields)
    assert sections["EvaluationConfig"]["properties"]["repetitions"]["description"]
    families = [family["$ref"].split("/")[-1] for family in sections["Study"]["properties"]["gan"]["anyOf"]]
    assert set(families) == {family.config.__name__ for family in FAMILIES.values()}
    assert families[0] == "ResidualConfig"  # the default comes first
