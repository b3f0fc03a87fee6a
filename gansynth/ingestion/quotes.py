"""Stray quotation marks in a text file of values: one that opens where none closes takes in the rows that follow."""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from gansynth.errors import SourceError
from gansynth.ingestion.sniffing import NUMBER, Dialect, read_text, sample_rows

A_NUMBER = "a number"
"""Stands for every number where values are looked up: rows seldom repeat one."""


class _Quoted(NamedTuple):
    """A quoted value of several lines in the text of a file.

    Attributes:
        before: How many values stand before it in its row.
        lines: What is quoted, line by line.
        rest: What follows it on its last line.
    """

    before: int
    lines: Sequence[str]
    rest: str


def refuse_stray_quotes(path: str, dialect: Dialect) -> None:
    """Refuse a text file of values if one of its quoted values holds rows.

    A quoted value of several lines is such a one if nothing closes it, if text follows where it closes, or if each of
    its lines, taken without the quotation, has as many values as a row, and values that other rows have in that place.

    Raises:
        SourceError: There is one; the message names the line where it opens.
    """
    text = read_text(path, dialect.encoding).replace("\r\n", "\n").replace("\r", "\n")
    mark = re.escape(dialect.delimiter)
    quoted = re.compile(rf'(?:^|(?<=[{mark}\n]))"([^"]*(?:""[^"]*)*)("?)([^{mark}\n]*)')
    known = _known(path, dialect)
    for match in quoted.finditer(text):
        length = match[1].count("\n")
        why = _why_stray(match, length, dialect, known) if length else ""
        if why:
            number = text.count("\n", 0, match.start()) + 1
            raise SourceError(
                f"{path}: the quotation mark that opens a value in line {number} is stray: {why}; remove it, or double"
                " it and put its value in quotation marks"
            )


def _why_stray(match: re.Match[str], length: int, dialect: Dialect, known: list[set[str]]) -> str:
    if not match[2]:
        return "nothing closes it"
    if match[3].strip():
        return f"it closes {length} line(s) later, before other text"
    text = match.string
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    rest = text[match.end() :] if end < 0 else text[match.end() : end]
    before = _count(text[start : match.start()], dialect.delimiter) - 1
    if _holds_rows(_Quoted(before, match[1].split("\n"), rest), dialect, known):
        return f"it closes {length} line(s) later, and what lies between looks like rows"
    return ""


def _holds_rows(quoted: _Quoted, dialect: Dialect, known: list[set[str]]) -> bool:
    width = len(dialect.names)
    lines = [line.split(dialect.delimiter) for line in quoted.lines]
    lines[0] = [""] * quoted.before + lines[0]
    after = _count(quoted.rest, dialect.delimiter) - 1
    widths = [len(line) for line in lines]
    widths[-1] += after
    if any(found != width for found in widths):
        return False
    # of its first line, what stands behind the value that opens; of its last, what stands before the one that closes
    lines[0] = [""] * (quoted.before + 1) + lines[0][quoted.before + 1 :]
    lines[-1] = lines[-1][:-1]
    whole = [line for line in lines if any(line)]
    return bool(whole) and all(
        any(_kind(value) in seen for value, seen in zip(line, known, strict=False) if value.strip()) for line in whole
    )


def _known(path: str, dialect: Dialect) -> list[set[str]]:
    """Return what stands in each column in rows of one line, as `_kind` writes it."""
    known: list[set[str]] = [set() for _ in dialect.names]
    for row in sample_rows(path, dialect.encoding, dialect.delimiter)[dialect.header :]:
        if len(row) == len(known) and not any("\n" in value or "\r" in value for value in row):
            for seen, value in zip(known, row, strict=True):
                seen.add(_kind(value))
    return known


def _kind(value: str) -> str:
    return A_NUMBER if NUMBER.fullmatch(value) else value.strip()


def _count(line: str, delimiter: str) -> int:
    """Return how many values a line, or a part of one, has: one if it is empty."""
    if '"' not in line:
        return line.count(delimiter) + 1
    try:
        return max(1, len(next(csv.reader([line], delimiter=delimiter), [])))
    except csv.Error:  # too long for the reader
        return line.count(delimiter) + 1
