"""Tables: kinds of columns, cells, codec."""

from gansynth.modalities.table.cells import to_arrow, to_cells
from gansynth.modalities.table.codec import TableCodec as Codec
from gansynth.modalities.table.config import ColumnSetting, TableConfig
from gansynth.modalities.table.survey import Survey, survey

__all__ = ["Codec", "ColumnSetting", "Survey", "TableConfig", "survey", "to_arrow", "to_cells"]
