"""Markdown and CSV in which text from outside shows as it is, and does nothing."""

import re
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def escape(text: str) -> str:
    """Return text that Markdown and HTML show as it is, on one line; what cannot be seen is spelt out."""
    line = " ".join(text.split())
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return SPECIAL.sub(r"\\\1", visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def csv_cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe before it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are escaped."""
    first, *others = ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in (heading, *rows)]
    return "\n".join([first, "|" + "---|" * len(heading), *others])
