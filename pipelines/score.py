"""Scores of further samples by a run's model as a Prefect flow, for whoever rates new rows every night."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import scoring
from gansynth.remote import is_url
from gansynth.runs import Run
from gansynth.scoring import Scored
from gansynth.sections import ComputeConfig, is_named
from gansynth.study import Study
from gansynth.study_files import read_study
from pipelines.artifacts import show_scores
from pipelines.stages import Unit, Work
from pipelines.workers import result_in_worker


@task(cache_policy=NO_CACHE)
def score_rows(study: Study, run_dir: Path, source: str, out: Path, normal: str | None) -> Scored:
    """Score the rows of a source, and return what is to be told of them."""
    return result_in_worker(scoring.score, study, Run(run_dir), source, out, normal)


@flow(name="score", flow_run_name="score by {run_dir.name}")
def score(
    run_dir: Path, source: str, out: Path, normal: str | None = None, compute: ComputeConfig | None = None
) -> Scored:
    """Say how unlike the normal rows of a run each row of a source is.

    Args:
        run_dir: The run folder; it holds the trained generator and its dataset, and is left as it is.
        source: A table, CSV or Parquet; or a folder of images, or Parquet with them. Labels do not count.
        out: The file for the scores, CSV if it is called so, else Parquet. An earlier one is replaced.
        normal: The class that is normal. Without one, that with most training rows.
        compute: Where the work runs. Without it, as the study of the run says.
    """
    run = Run(run_dir.expanduser().resolve())
    study = read_study(run)
    if compute is not None:
        study = study.model_copy(update={"compute": compute})
    place = source if is_named(source) or is_url(source) else str(Path(source).expanduser().resolve())
    target = out.expanduser().resolve()
    scoring.check_places(place, target)
    with Work("score", study, run, scoring.progress_of(target)) as work:
        found: Scored
        (found,) = work.complete([Unit(score_rows, "score", {"source": place, "out": target, "normal": normal})])
    show_scores(study, found)
    return found
