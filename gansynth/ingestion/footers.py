"""How many values of each column the footer of a Parquet file tells of, read from its bytes.

Pyarrow tells it too, but where other numbers of the footer are damaged it ends the process (26.0: its
`RowGroupMetaData.column` lets an exception of C++ through), and who reads files of others must not be ended by one.
The bytes are a struct `FileMetaData` of parquet.thrift (https://github.com/apache/parquet-format) in Thrift's compact
protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

import os
from collections.abc import Iterator
from pathlib import Path

END_BYTES = 8
"""The length of the footer, and the file's last word."""
LONGEST_NUMBER = 10

# kinds of the compact protocol
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
NUMBERS = {4, 5, 6}
SIZES = {BYTE: 1, DOUBLE: 8, UUID: 16}

# places of fields: of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData
ROW_GROUPS, COLUMNS, META_DATA, NUM_VALUES = 4, 1, 3, 5


def values_of_columns(file: Path) -> list[list[int | None]]:
    """Return the number of values of each column in each row group; None where the footer tells none.

    Raises:
        OSError: The file cannot be read.
        ValueError: Its footer is damaged.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - END_BYTES))
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, size - END_BYTES - length))
        reader = _Reader(stream.read(length))
    try:
        return [group for _ in reader.fields_at(ROW_GROUPS, LIST) for group in _groups(reader)]
    except (IndexError, RecursionError):
        raise ValueError("its footer is damaged") from None


def _groups(reader: "_Reader") -> Iterator[list[int | None]]:
    for _ in reader.items():
        values: list[int | None] = []
        for _ in reader.fields_at(COLUMNS, LIST):
            values += [_values(reader) for _ in reader.items()]
        yield values


def _values(reader: "_Reader") -> int | None:
    values = None
    for _ in reader.fields_at(META_DATA, STRUCT):
        for _ in reader.fields_at(NUM_VALUES, 6):
            values = reader.signed()
    return values


class _Reader:
    """Goes through bytes of the compact protocol; past their end, it raises IndexError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def fields_at(self, place: int, kind: int) -> Iterator[int]:
        """Stop at each field of a struct that has this place and kind, for the caller to read; pass over all others."""
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.signed()
            if (number, head & 15) == (place, kind):
                yield number
            else:
                self.skip(head & 15)

    def items(self) -> range:
        """Read the head of a list, and return a range over its items."""
        return range(self.head_of_list()[1])

    def head_of_list(self) -> tuple[int, int]:
        """Read the head of a list: the kind of its items, and how many there are."""
        head = self.byte()
        return head & 15, self.unsigned() if head >> 4 == 15 else head >> 4

    def byte(self) -> int:
        """Read a byte."""
        self.at += 1
        return self.data[self.at - 1]

    def unsigned(self) -> int:
        """Read a number of seven bits a byte."""
        number = 0
        for place in range(LONGEST_NUMBER):
            byte = self.byte()
            number |= (byte & 127) << 7 * place
            if byte < 128:
                return number
        raise ValueError("its footer holds a number of more than 64 bits")

    def signed(self) -> int:
        """Read a number whose last bit is its sign."""
        number = self.unsigned()
        return number >> 1 ^ -(number & 1)

    def skip(self, kind: int) -> None:
        """Pass over a field."""
        if kind in NUMBERS:
            self.unsigned()
        elif kind == STRUCT:
            for _ in self.fields_at(-1, -1):
                pass
        elif kind in {LIST, SET}:
            self._skip_items(*self.head_of_list())
        elif kind == MAP:
            count = self.unsigned()
            kinds = self.byte() if count else 0
            for _ in range(count):
                self._skip_items(kinds >> 4, 1)
                self._skip_items(kinds & 15, 1)
        elif kind == BINARY:
            self._pass(self.unsigned())
        elif kind in SIZES:
            self._pass(SIZES[kind])
        elif kind not in {TRUE, FALSE}:  # a truth is told by the kind itself
            raise ValueError(f"its footer has a field of an unknown kind, {kind}")

    def _skip_items(self, kind: int, count: int) -> None:
        if kind in {TRUE, FALSE}:
            self._pass(count)
            return
        for _ in range(count):
            self.skip(kind)

    def _pass(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise IndexError
