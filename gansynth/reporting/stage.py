"""The report stage: from the evaluation and the manifests of a run to its page, Markdown and JSON."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from gansynth.artifacts import is_current, publish, read_manifest
from gansynth.cards import CARD_FILE, renew_card
from gansynth.checkpoints import read_guarantee
from gansynth.errors import ArtifactError
from gansynth.privacy import guarantee_in_words
from gansynth.provenance import Origin, delivery_seed
from gansynth.remote import Remote, is_url
from gansynth.reporting.blinded import render_blinded
from gansynth.reporting.findings import read_findings, read_manifests
from gansynth.reporting.machine import render_json
from gansynth.reporting.markdown import render_markdown
from gansynth.reporting.page import render_page
from gansynth.requests import check_run
from gansynth.results import current_summary
from gansynth.runs import Run
from gansynth.study import Study

LAYOUT = 6
PAGE_FILE = "index.html"
MARKDOWN_FILE = "report.md"
JSON_FILE = "report.json"
BLINDED_PAGE_FILE = "blinded.html"
COPIED_FILES = (MARKDOWN_FILE, JSON_FILE, BLINDED_PAGE_FILE, PAGE_FILE)


def report(study: Study, run: Run) -> Path:
    """Write the report of a run, unless it is there already and nothing it reads has changed.

    What was measured also goes into the dataset card of the delivered samples, which are older than the evaluation.

    It reads the evaluation, the manifests of all other artifacts, what training recorded and what ingestion put
    aside. Apart from the evaluation, whatever is absent is left out.

    Returns:
        The folder with `index.html`, `report.md`, `report.json` and `blinded.html`: `run.report`.

    Raises:
        ArtifactError: There is no evaluation, it is of another study, something is damaged, or the report cannot be
            written.
    """
    started = time.monotonic()
    check_run(study, run)
    _complete_card(study, run)
    manifests = read_manifests(study, run)
    request = {"layout": LAYOUT, "study": study.model_dump(mode="json")}
    parents = {name: one.digest for found in manifests.values() for name, one in found.items()}
    if is_current(run.report, request, parents):
        return run.report
    with publish(run.report, "report", request, parents) as draft:
        findings = read_findings(study, run, manifests)
        date = datetime.now(UTC)
        page = render_page(findings, f"{date.day} {date:%B %Y}")
        markdown = render_markdown(findings, f"{date:%Y-%m-%d}")
        (draft.path / PAGE_FILE).write_text(page, encoding="utf-8")
        (draft.path / MARKDOWN_FILE).write_text(markdown, encoding="utf-8")
        data = render_json(findings, f"{date:%Y-%m-%d}", time.monotonic() - started)
        (draft.path / JSON_FILE).write_text(data, encoding="utf-8")
        if not findings.blinded.empty:
            blinded = render_blinded(findings.blinded, study.name, study.evaluation.alpha)
            (draft.path / BLINDED_PAGE_FILE).write_text(blinded, encoding="utf-8")
    return run.report


def _complete_card(study: Study, run: Run) -> None:
    """Let the dataset card of the delivered samples, if there is one, tell what the evaluation found."""
    directory, summary = run.synthetic(None), current_summary(study, run)
    if summary is None or not (directory / CARD_FILE).exists():
        return
    model_digest, class_names = read_manifest(directory).parents["model"], tuple(summary.train_rows)
    seed, kind = delivery_seed(study.seed, None), study.modality.kind
    told = guarantee_in_words(read_guarantee(run.model(None)) if run.model(None).exists() else None)
    origin = Origin(study.name, seed, study.source.licence, model_digest, class_names, kind, guarantee=told)
    renew_card(directory, origin, study.generation.format, summary)


def copy_report(run: Run, destination: str) -> None:
    """Copy the pages, the Markdown and the JSON of a run to a folder or a URL, each file whole or not at all.

    Other files there stay as they are.

    Raises:
        ArtifactError: There is no report, or it cannot be copied.
        RemoteError: The URL is none that gansynth reads, or its storage cannot be reached.
    """
    files = [name for name in COPIED_FILES if name in read_manifest(run.report).files]
    if is_url(destination):
        Remote(destination).upload(run.report, files, lambda _: None)
        return
    folder = Path(destination)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            partial = folder / f".{name}.partial"
            try:
                shutil.copyfile(run.report / name, partial)
                partial.replace(folder / name)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: the report cannot be copied there ({error.strerror}); choose another --reports-dir"
        ) from error
