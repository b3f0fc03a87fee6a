"""Everything gansynth raises on purpose.

    GansynthError
     ├── StudyError      a setting is missing, misspelt or out of range
     ├── SourceError     a data source, or too many of its rows, cannot be read
     ├── ArtifactError   a run folder or one of its artifacts is absent, locked, changed or of another version
     ├── RemoteError     remote storage cannot be reached, or refuses
     ├── TrainingError   adversarial training produced numbers that cannot be used, or lost one of its processes
     ├── ResourceError   the machine has too little memory, or another trouble of its own
     └── EvaluationError the data do not allow the comparison that was asked for

Each message is one line: what was wrong, where, and how to mend it. The command line prints it and exits with status 1.
"""

import unicodedata

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that break a line, steer a terminal or turn the direction of writing."""


class GansynthError(Exception):
    """Root of the errors that gansynth raises on purpose.

    What cannot be seen in a message is spelt out, as Python would: names from a source may hold anything.
    """

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


class StudyError(GansynthError):
    """A setting of a study is missing, misspelt or out of range."""


class SourceError(GansynthError):
    """A data source, or too many of its rows, cannot be read."""


class ArtifactError(GansynthError):
    """A run folder or one of its artifacts is absent, locked, changed or of another version."""


class RemoteError(GansynthError):
    """Remote storage cannot be reached, or refuses."""


class TrainingError(GansynthError):
    """Adversarial training produced numbers that cannot be used, or lost one of its processes."""


class ResourceError(GansynthError):
    """The machine has too little memory or too few open files for what was asked of it, or its disk fails."""


class EvaluationError(GansynthError):
    """The data do not allow the comparison that was asked for."""


def visible(text: str) -> str:
    """Return text on one line, in which characters that cannot be seen are spelt out, as Python would."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in UNSEEN else c for c in text)


def shortened(name: str, most: int = 80) -> str:
    """Return a name or value from outside as messages hold it: of more characters than `most`, the first and `…`."""
    return name if len(name) <= most else name[:most] + "…"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, its type where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def on_one_line(error: BaseException) -> str:
    """Return all of an error's message on one line, its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
