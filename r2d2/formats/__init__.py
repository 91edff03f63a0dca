"""ORC and Avro: which of the two a file is, by its name."""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from r2d2.lake.grouping import format_of
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import Storage


def inspect(storage: Storage, location: str, files: Sequence[FileInfo]) -> Table:
    """The table of one ORC or Avro file.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    (file,) = files
    if format_of(file.path) is Format.ORC:
        from r2d2.formats.orc import read as orc

        return orc.inspect(storage, location, file)
    from r2d2.formats.avro import read as avro

    return avro.inspect(storage, location, file)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for, in batches of bounded size.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    if split.format is Format.ORC:
        from r2d2.lake import orc_children

        return orc_children.read(storage, split, columns)
    from r2d2.formats.avro import read as avro

    return avro.read(storage, split, columns)
