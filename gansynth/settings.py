"""The base of every configuration class."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict


def _title(model: type[Any]) -> str:
    """Name a class in forms: `SourceConfig` is 'Source', `ClassNumber` is 'Class number'."""
    words = re.sub("(?<=[a-z])(?=[A-Z])", " ", model.__name__.removesuffix("Config"))
    return words.capitalize()


class Settings(BaseModel):
    """Frozen and strict about unknown names; every field's description is its documentation everywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, model_title_generator=_title)
