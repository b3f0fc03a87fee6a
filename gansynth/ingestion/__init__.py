"""Stage 1: a source of labelled images becomes the dataset of a run."""

from gansynth.ingestion.stage import check_source, ingest

__all__ = ["check_source", "ingest"]
