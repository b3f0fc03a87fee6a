"""The report: one self-contained page, and the same as Markdown and JSON, made from what a run folder holds."""

from gansynth.reporting.stage import copy_report, report

__all__ = ["copy_report", "report"]
