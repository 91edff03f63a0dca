"""ORC and Avro: which of the two a file is, by its name."""

from collections.abc import Collection, Iterator, Sequence
from urllib.parse import unquote

import pyarrow as pa

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
        from r2d2.formats import sandbox as orc_children

        return orc_children.read(storage, split, columns)
    from r2d2.formats.avro import read as avro

    return avro.read(storage, split, columns)


_ENDINGS = {
    ".parquet": Format.PARQUET,
    ".parq": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".orc": Format.ORC,
    ".avro": Format.AVRO,
}
_TEXT_ENDINGS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".json": Format.JSON,
}
_COMPRESSED = (".gz", ".zst")


def format_of(path: str) -> Format | None:
    """The format that a file's name promises; None for what is no data file."""
    name = path.rpartition("/")[2].lower()
    for ending in _COMPRESSED:
        if name.endswith(ending):
            inner = name.removesuffix(ending)
            return _TEXT_ENDINGS.get("." + inner.rpartition(".")[2])
    ending = "." + name.rpartition(".")[2]
    return _ENDINGS.get(ending) or _TEXT_ENDINGS.get(ending)


def partitions_of(path: str, location: str) -> tuple[tuple[str, str], ...]:
    """The (key, value) pairs of the folders between the table and the file, values as written."""
    inside = path[len(location) + 1 :] if location else path
    pairs = (part.partition("=") for part in inside.split("/")[:-1])
    return tuple((unquote(key), value) for key, _, value in pairs)
