"""Stage 1: a source of labelled images becomes the dataset of a run."""

from gansynth.ingestion.stage import ingest

__all__ = ["ingest"]
