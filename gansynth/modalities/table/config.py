"""Settings of the table modality."""

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator

from gansynth.settings import Settings


class ColumnSetting(Settings):
    """What a column holds, where its values do not tell."""

    name: str = Field(description="The column's name in the source.")
    kind: Literal["numeric", "integer", "boolean", "ordinal", "categorical", "datetime", "drop"] = Field(
        description="What its values are; `drop` leaves the column out. Rows with a value that is no such number or"
        " time are set aside with their reason; words that recur there, such as `unknown`, are nulls."
    )
    order: tuple[str, ...] = Field(
        default=(), description="All values of an ordinal column as text, the lowest first; for no other kind."
    )

    @model_validator(mode="after")
    def _check_order(self) -> "ColumnSetting":
        if (self.kind == "ordinal") != bool(self.order):
            raise ValueError(f"order: column {self.name!r}: an ordinal column needs its order, and no other has one")
        if len(set(self.order)) < len(self.order):
            raise ValueError(f"order: column {self.name!r}: names a value twice")
        return self


class TableConfig(Settings):
    """How the columns of a table are read, and how many categories networks tell apart."""

    kind: Literal["table"] = Field(default="table", description="Samples are rows of a table.")
    label: str = Field(description="Name of the column that holds the class of each row.")
    columns: tuple[ColumnSetting, ...] = Field(
        default=(), description="Columns whose kind is given here; that of all others is inferred."
    )
    most_categories: int = Field(
        default=100,
        ge=2,
        le=10_000,
        description="Of each column, networks tell this many most frequent categories apart; all rarer ones are drawn"
        " as the most frequent of them.",
    )

    equal_rows: Literal["group", "keep"] = Field(
        default="group",
        description="`group`: rows whose cells are equal count as copies of each other, and all train or all test;"
        " `keep`: they are rows like others, as in tables of few columns with few categories, where equal rows are"
        " different cases.",
    )

    @property
    def classical(self) -> tuple[str, ...]:
        """The candidate policies of classical augmentation."""
        return ("smote",)

    @model_validator(mode="after")
    def _check_names(self) -> "TableConfig":
        names = Counter(column.name for column in self.columns)
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"columns: {twice!r} is given twice")
        if self.label in names:
            raise ValueError(f"columns: {self.label!r} is the label column, whose kind is fixed")
        return self
