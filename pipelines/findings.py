"""What a run found, in short: the verdict and the gain table, as the command line prints them."""

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from gansynth.formats import SPACE, gain, interval, metric_name, metric_value, typeset
from gansynth.results import Summary

WIDEST = 10_000


class GainRow(NamedTuple):
    """One line of the gain table, in percent and points, as people read it."""

    arm: str
    mean: str
    gain: str
    interval: str
    verdict: str


def gain_table(summary: Summary) -> list[GainRow]:
    """Return the gain table: its heading, then a row for each arm, with its gain over `real` where it has one."""
    rows = [GainRow("arm", f"{metric_name(summary.metric)}, %", "gain over real", "interval", "verdict")]
    against_real = {found.arm: found for found in summary.comparisons if found.against == "real"}
    for name, arm in summary.arms.items():
        mean = metric_value(summary.metric, arm.mean)
        found = against_real.get(name)
        if found is None:
            rows.append(GainRow(name, mean, "", "", ""))
        else:
            spread = interval(found.ci_low, found.ci_high)
            rows.append(GainRow(name, mean, gain(found.gain), spread, found.verdict))
    return rows


def print_findings(summary: Summary) -> None:
    """Print the verdict and the gain table of an evaluation."""
    heading, *rows = gain_table(summary)
    table = Table(heading.arm, box=None, pad_edge=False)
    for title in heading[1:-1]:
        table.add_column(title, justify="right")
    table.add_column(heading.verdict)
    for row in rows:
        table.add_row(*row)
    console = output_console()
    console.print(plain(typeset(summary.verdict.sentence)))
    console.print()
    console.print(table)
    console.print()
    console.print(f"Recommended arm: {summary.recommended_arm}")
    console.print()
    if summary.anomaly is not None:
        console.print(plain(typeset(summary.anomaly.sentence)))
        console.print()


def output_console() -> Console:
    """Return standard output as a console: as wide as the terminal, and lines of any length elsewhere."""
    width = None if sys.stdout.isatty() else WIDEST
    return Console(width=width, highlight=False, markup=False, emoji=False)


def plain(text: str) -> str:
    """Return a text for terminals, where every space is alike."""
    return text.replace(SPACE, " ")
