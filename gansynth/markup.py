"""Markdown in which text from outside shows as it is."""

import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def escape(text: str) -> str:
    """Return text that Markdown and HTML show as it is, on one line; what cannot be seen is spelt out."""
    line = " ".join(text.split())
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return SPECIAL.sub(r"\\\1", visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are escaped."""
    first, *others = ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in (heading, *rows)]
    return "\n".join([first, "|" + "---|" * len(heading), *others])
