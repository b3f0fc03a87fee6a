"""Folder names for classes: class names come from the source and may be anything."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

SIMPLE = re.compile(r"[^\W_][\w-]*(?: [\w-]+)*")
LONGEST_BYTES = 100
SLUG_LENGTH = 40

# names of devices on Windows, and what readers of CSV files take for a missing value
RESERVED = {"con", "prn", "aux", "nul", "na", "nan", "null", "none"} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)
}
# Hugging Face `datasets` takes a folder with one of these words in its name for a split
SPLIT_WORDS = {"train", "training", "validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation"}


def folder_names(class_names: Sequence[str]) -> list[str]:
    """Return one folder name per class: short, distinct on every file system, and never a path.

    A simple name (letters of any script, digits, `_`, `-`, single spaces) stays as it is. Any other, and any that file
    systems or readers would mistake, becomes its letters and digits, `~` and the label, e.g. `T-shirt/top` with label 0
    becomes `T_shirt_top~0`.
    """
    twins = Counter(_folded(name) for name in class_names)
    return [
        name if _is_simple(name) and twins[_folded(name)] == 1 else _substitute(name, label)
        for label, name in enumerate(class_names)
    ]


def _is_simple(name: str) -> bool:
    return (
        SIMPLE.fullmatch(name) is not None
        and unicodedata.is_normalized("NFC", name)
        and len(name.encode()) <= LONGEST_BYTES
        and _folded(name) not in RESERVED
        and not _names_a_split(name)
    )


def _substitute(name: str, label: int) -> str:
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", name))
    folder = f"{'_'.join(words)[:SLUG_LENGTH]}~{label}"
    return f"class~{label}" if _names_a_split(folder) else folder


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _names_a_split(name: str) -> bool:
    return not SPLIT_WORDS.isdisjoint(re.split(r"[-._ 0-9]", name.lower()))
