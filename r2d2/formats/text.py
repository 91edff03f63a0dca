"""Text files without types: delimited text (`csv`) and JSON lines (`json_lines`)."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa

from r2d2.formats.csv import read as csv
from r2d2.formats.json import read as json_lines
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import Storage


def inspect(
    storage: Storage,
    location: str,
    files: Sequence[FileInfo],
    overrides: Mapping[str, object] | None = None,
) -> Table:
    """The table of one text file, by what its name says it is.

    Raises:
        UsageError: an unknown override.
        TableError: the file is no table of text.
    """
    if json_lines.is_json(files[0].path):
        return json_lines.inspect(storage, location, files, overrides)
    return csv.inspect(storage, location, files, overrides)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows as batches of text columns.

    Raises:
        UnreadableTableError: with the line, where the text is not what its format promises.
    """
    reader = json_lines.read if split.format is Format.JSON else csv.read
    return reader(storage, split, columns)
