"""Delimited text, written in a known dialect so that its fields are read as they were."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.formats.csv.dialect import ASCII, Dialect
from r2d2.formats.layout import Layout, NotWritableError
from r2d2.rebuild.text_file import TextFile

ROWS_AT_ONCE = 1 << 13


class CsvSink:
    """A file of delimited text: the lines above, the header, the records."""

    def __init__(self, layout: Layout, path: Path) -> None:
        options = layout.options
        self._dialect = Dialect(**options["dialect"])
        self._newline = str(options["newline"])
        encoding = str(options["encoding"])
        self._file = TextFile(
            path,
            codecs.lookup("utf-8" if encoding == ASCII else encoding).name,
            layout.compression,
            bool(options["mark"]),
        )
        self._file.write(str(options["above"]))
        if self._dialect.header:
            names = [pa.array([name], pa.string()) for name in layout.file_schema.names]
            self._write(names)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            self._write(batch.slice(start, ROWS_AT_ONCE).columns)

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def _write(self, columns: Sequence[pa.Array]) -> None:
        marker = self._dialect.null_marker
        fields = []
        for column in columns:
            if column.null_count and marker is None:
                raise NotWritableError("NULL, for which its dialect has no marker")
            text = column.fill_null(marker) if column.null_count else column
            fields.append(written(text, self._dialect, is_alone=len(columns) == 1))
        lines = pc.binary_join_element_wise(*fields, self._dialect.delimiter)
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        self._file.write(pc.binary_join(whole, self._newline)[0].as_py() + self._newline)


def written(text: pa.Array, dialect: Dialect, is_alone: bool = False) -> pa.Array:
    """Each text as a field: quoted or escaped where the bare text would be read otherwise.

    `is_alone`: in a table of one column an empty line would be no record.

    Raises:
        NotWritableError: the dialect has neither quote nor escape, and a text needs one.
    """
    ordinary = dialect.delimiter + "\r\n"
    special = ordinary + (dialect.quote or "") + (dialect.escape or "")
    wanting = pc.match_substring_regex(text, "[" + re.escape(special) + "]")
    if is_alone:
        wanting = pc.or_(wanting, pc.equal(text, ""))
    if not pc.any(wanting).as_py():
        return text
    escape, quote = dialect.escape, dialect.quote
    escaped = text
    if escape is not None:
        for character in escape + (quote or ordinary):
            escaped = pc.replace_substring(escaped, character, escape + character)
    elif quote is not None:
        escaped = pc.replace_substring(escaped, quote, quote + quote)
    if quote is not None:
        escaped = pc.binary_join_element_wise(quote, escaped, quote, "")
    elif escape is None or (is_alone and pc.any(pc.equal(text, "")).as_py()):
        raise NotWritableError("a text with delimiter or line break, which cannot be quoted")
    return pc.if_else(wanting, escaped, text)
