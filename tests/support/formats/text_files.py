"""One file of text read as a table, by what its name says it is."""

from collections.abc import Collection, Iterator

import pyarrow as pa

from r2d2.formats import FORMATS, TableFormat, format_named
from r2d2.model import FileInfo, Split, Table
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import Storage


def format_of(path: str) -> TableFormat | None:
    return next((known for known in FORMATS if path.lower().endswith(known.endings)), None)


def inspect(storage: Storage, file: FileInfo, **overrides: object) -> Table:
    known = format_of(file.path)
    assert known is not None
    settings = Settings(text=(TextRule("*", overrides),))
    return known.inspect(storage, file.path, [file], settings, None)


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    return format_named(split.format).read(storage, split, columns)
