"""Blocks of delimited text as record batches of text columns.

Arrow's parser reads what is plain (see `blocks`). What it was seen to get wrong never reaches it:
it drops a byte-order mark at a block's start, takes a last quote that is never closed, and joins
text to the quoted field before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as arrow_csv

from r2d2.errors import UnreadableTableError
from r2d2.lake.text.blocks import Block, located
from r2d2.lake.text.dialect import Dialect
from r2d2.lake.text.records import MalformedError, Record, records

_BOM = "\ufeff".encode()
_LARGEST_BLOCK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Layout:
    """What a split's reader needs beside the file: its dialect and its columns' names."""

    dialect: Dialect
    names: tuple[str, ...]


class Parser:
    """Turns blocks of one file into batches of the wanted columns."""

    def __init__(self, layout: Layout, wanted: Sequence[str], path: str) -> None:
        self._layout = layout
        self._wanted = list(wanted)
        self._path = path
        self._read = arrow_csv.ReadOptions(
            use_threads=False, block_size=_LARGEST_BLOCK_BYTES, column_names=layout.names
        )
        dialect = layout.dialect
        self._parse = arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=dialect.quote is not None,
        )
        marker = dialect.null_marker
        self._convert = arrow_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(self._wanted, pa.string()),
            include_columns=self._wanted,
            null_values=[] if marker is None else [marker],
            strings_can_be_null=marker is not None,
        )

    def batches(self, block: Block) -> list[pa.RecordBatch]:
        """The block's rows.

        Raises:
            UnreadableTableError: a record has not as many fields as the header.
        """
        if block.parsed is not None:
            return [self._careful(block, block.parsed)]
        text = b"\n" + block.text if block.text.startswith(_BOM) else block.text
        try:
            with arrow_csv.open_csv(
                pa.BufferReader(text), self._read, self._parse, self._convert
            ) as reader:
                return list(reader)
        except pa.ArrowInvalid as error:
            self._careful(block, self._records(block))
            raise UnreadableTableError(f"{self._path}: {error}") from error

    def _records(self, block: Block) -> Iterable[Record]:
        try:
            yield from records(block.text, self._layout.dialect, whole=True)
        except MalformedError as error:
            raise located(self._path, block.line, block.text, error.position, str(error)) from error

    def _careful(self, block: Block, parsed: Iterable[Record]) -> pa.RecordBatch:
        width = len(self._layout.names)
        rows = []
        for record in parsed:
            if len(record.fields) != width:
                reason = f"{len(record.fields)} fields where the header has {width}"
                raise located(self._path, block.line, block.text, record.start, reason)
            rows.append(record.fields)
        columns = dict(zip(self._layout.names, zip(*rows, strict=True), strict=False))
        arrays = [self._array(columns.get(name, ())) for name in self._wanted]
        return pa.RecordBatch.from_arrays(arrays, names=self._wanted)

    def _array(self, fields: Sequence[bytes]) -> pa.Array:
        marker = self._layout.dialect.null_marker
        if marker is None:
            return pa.array(fields, pa.string())
        null = marker.encode()
        return pa.array([None if field == null else field for field in fields], pa.string())
