"""The base of every configuration class."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen and strict about unknown names; every field's description is its documentation everywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
