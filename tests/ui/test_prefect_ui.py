"""From the form in Prefect's UI to the findings, in both of its UIs."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from servers import Server, wait_for

from gansynth.artifacts import read_manifest

pytestmark = pytest.mark.ui

RUN_SECONDS = 300
expect.set_options(timeout=120_000)
STUDY = {
    "Path": "shapes",
    "Near Duplicate Distance (Optional)": "-1",
    "Size (Optional)": "8",
    "Kimg (Optional)": "0.32",
    "Amount (Optional)": "12",
    "Steps (Optional)": "12",
    "Inner Steps (Optional)": "8",
}


def open_form(page: Page, server: Server, ui: str, flow: str) -> None:
    page.goto(f"{server.address}{ui}/deployments")
    row = page.locator("tr", has=page.get_by_text(flow, exact=True)).filter(has_text="served")
    row.get_by_role("link", name="served").first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").or_(page.get_by_text("Custom Run")).first.click()
    expect(page.get_by_role("button", name="Submit", exact=True)).to_be_visible()


def field(page: Page, ui: str, label: str) -> Locator:
    """Return the input with a label; the first UI does not tie the two together."""
    if ui:
        return page.get_by_label(label, exact=True)
    titled = page.locator(".schema-form-property__label").get_by_text(label, exact=True)
    return page.locator(".schema-form-property", has=titled).last.locator("input, textarea").first


@pytest.mark.parametrize("ui", ["", "/v2"], ids=["first", "second"])
def test_study_goes_from_the_form_to_its_findings(page: Page, served: Server, screenshots: Path, ui: str) -> None:
    name = f"from-form{ui.replace('/', '-')}"
    open_form(page, served, ui, "augment")
    # every setting is a field of its own with its description: none is left to raw JSON
    expect(page.get_by_text("Peak learning rate of AdamW.")).to_be_visible()
    expect(page.get_by_text("Side in pixels to which every image is resized.")).to_be_visible()
    assert page.locator(".cm-editor, .schema-form-property-json, textarea[placeholder*='JSON']").count() == 0
    for label, value in ({"Name": name} | STUDY).items():
        field(page, ui, label).fill(value)

    # a bad value is refused before a run begins, and the form stays as it was filled in
    field(page, ui, "Repetitions (Optional)").fill("1")
    page.get_by_role("button", name="Submit", exact=True).click()
    if ui:  # the browser itself holds the value against the setting's range
        assert "2" in field(page, ui, "Repetitions (Optional)").evaluate("input => input.validationMessage")
    else:
        expect(page.get_by_text("'study.evaluation.repetitions'").first).to_be_visible()
    page.screenshot(path=screenshots / f"{name}-refused.png")

    field(page, ui, "Repetitions (Optional)").fill("2")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(re.compile(r"/deployments/deployment/[^/]+$"))  # back at the deployment and its runs
    page.get_by_role("link", name=f"augment {name}").first.click(timeout=RUN_SECONDS * 1000)
    page.wait_for_url(re.compile("/runs/flow-run/"))
    wait_for((served.folder / "reports" / name / "index.html").exists)
    page.reload()  # an open tab does not learn of new artifacts
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=RUN_SECONDS * 1000)
    page.screenshot(path=screenshots / f"{name}-run.png")

    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text(f"{name}-findings").first.click()
    if ui:  # which shows the versions of an artifact first
        page.locator("a[href*='/artifacts/artifact/']").first.click()
    expect(page.get_by_text("Recommended arm").first).to_be_visible()
    expect(page.get_by_role("img", name="real and synthetic samples")).to_be_visible()
    page.screenshot(path=screenshots / f"{name}-findings.png", full_page=True)
    assert (served.folder / "runs" / name / "report" / "index.html").exists()


@pytest.mark.parametrize("ui", ["", "/v2"], ids=["first", "second"])
def test_batch_goes_from_the_form_to_its_samples(page: Page, trained: Server, screenshots: Path, ui: str) -> None:
    out = f"batch{ui.replace('/', '-')}"
    open_form(page, trained, ui, "batch")
    expect(page.get_by_text("Samples per shard, about. Shards are what workers share out.")).to_be_visible()
    # the second UI does not tie the label of a setting that may be none to its input
    count = page.get_by_role("spinbutton").first if ui else field(page, ui, "Count (Optional)")
    expect(count).to_have_value("1000")
    count.fill("60")
    field(page, ui, "run_dir").fill("runs/trained")
    field(page, ui, "out").fill(out)
    page.screenshot(path=screenshots / f"{out}-form.png", full_page=True)
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url(re.compile(r"/deployments/deployment/[^/]+$"))
    page.get_by_role("link", name="batch of trained").first.click(timeout=RUN_SECONDS * 1000)
    page.wait_for_url(re.compile("/runs/flow-run/"))
    wait_for((trained.folder / out / "manifest.json").exists)
    assert read_manifest(trained.folder / out).counts["kept"] == 60
    page.reload()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=RUN_SECONDS * 1000)
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("trained-batch").first.click()
    if ui:
        page.locator("a[href*='/artifacts/artifact/']").first.click()
    expect(page.get_by_text(str(trained.folder / out)).first).to_be_visible()
    page.screenshot(path=screenshots / f"{out}-artifact.png", full_page=True)
