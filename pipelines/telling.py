"""What the command line tells on standard error: words for people, or a JSON object a line for programs."""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import typer
from typer.core import TyperGroup

from gansynth.errors import GansynthError
from gansynth.memory import is_out_of_memory

LogFormat = Literal["text", "json"]

LOG_FORMAT_VARIABLE = "GANSYNTH_LOG_FORMAT"
INTERRUPTED = 130
OUT_OF_MEMORY = "memory ran out; end other programs, or give this one more memory, and run the same command again"
FIELDS = ("study", "run", "stage", "state", "finished", "total", "samples", "seconds")
"""What the records of `pipelines.stages` carry besides their message."""

# one for the whole process: signals and wrong usage are told where no option is at hand
_chosen: LogFormat = "json" if os.environ.get(LOG_FORMAT_VARIABLE) == "json" else "text"


class Commands(TyperGroup):
    """The commands. An error that gansynth raises on purpose, or an interruption, ends them in one line."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click ships no types through typer
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except GansynthError as error:
            tell_error(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            tell_error("interrupted; the same command resumes where it stopped")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if is_out_of_memory(error):
                tell_error(OUT_OF_MEMORY)
                raise typer.Exit(1) from None
            if _chosen == "text":  # wrong usage comes with a hint, and what nobody foresaw with a traceback
                raise
            wrong_usage = getattr(error, "format_message", None)
            if wrong_usage is None:
                tell_error(f"unexpected {type(error).__name__} ({error}); please report it", error)
                raise typer.Exit(1) from None
            tell_error(wrong_usage())
            raise typer.Exit(2) from None


class JsonLines(logging.StreamHandler[TextIO]):
    """Writes each record to standard error as a JSON object on a line of its own.

    It has `timestamp` (ISO 8601, UTC), `level`, `logger` and `message`; then what the record has of `FIELDS`, with
    `seconds` since the stage began; and `traceback` where nobody foresaw what went wrong.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: record.__dict__[name] for name in FIELDS if name in record.__dict__},
        }
        if record.exc_info:
            line["traceback"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def choose_log_format(log_format: LogFormat) -> LogFormat:
    """Choose how everything is told from here on; as JSON, warnings of libraries are records too."""
    global _chosen  # noqa: PLW0603 - one for the whole process
    _chosen = log_format
    logging.captureWarnings(log_format == "json")
    logging.getLogger("py.warnings").handlers = [JsonLines()]
    return log_format


def chosen_log_format() -> LogFormat:
    """Return how everything is told."""
    return _chosen


def tell_error(message: str, error: Exception | None = None) -> None:
    """Say what went wrong; `error` adds a traceback where programs read it."""
    if _chosen == "text":
        typer.echo(f"gansynth: {message}", err=True)
        return
    fields = {"name": "gansynth", "levelno": logging.ERROR, "levelname": "ERROR", "msg": message}
    trace = (type(error), error, error.__traceback__) if error else None
    JsonLines().handle(logging.makeLogRecord({**fields, "exc_info": trace}))
