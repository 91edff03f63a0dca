"""Blocks of delimited text as record batches of text columns.

Arrow's parser reads plain text (see `plain`). What it was seen to get wrong never reaches it: it
drops a byte-order mark at a block's start, takes a last quote that is never closed, and joins text
to the quoted field before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as arrow_csv

from r2d2.errors import UnreadableTableError
from r2d2.formats.csv.dialect import Dialect
from r2d2.formats.csv.fast_path import plain_quote
from r2d2.formats.csv.records import records
from r2d2.lake.text.blocks import Block, located
from r2d2.lake.text.compact import compacted
from r2d2.report.words import pluralize

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
        quote = plain_quote(dialect)
        self._parse = arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=quote or False,
            newlines_in_values=quote is not None,
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
        if not block.plain:
            return []
        plain = b"\n" + block.plain if block.plain.startswith(_BOM) else block.plain
        try:
            source = pa.BufferReader(plain)
            with arrow_csv.open_csv(source, self._read, self._parse, self._convert) as reader:
                return [compacted(batch) for batch in reader]
        except pa.ArrowInvalid as error:
            raise self._problem(block, error) from error

    def _problem(self, block: Block, error: pa.ArrowInvalid) -> UnreadableTableError:
        """What is wrong, in the file's own lines: Arrow counts the plain text's."""
        width = len(self._layout.names)
        for record in records(block.text, self._layout.dialect, whole=True):
            count = len(record.fields)
            if count != width:
                reason = f"{pluralize(str(count), 'field')} where the header has {width}"
                return located(self._path, block.line, block.text, record.start, reason)
        return UnreadableTableError(f"{self._path}: line {block.line} or below: {error}")
