"""A table's form without its rows: all that must be known to write it back once it is gone.

Rows come back equal, files need not: row order, row groups, encodings of pages, the division into
files and a format's history are not kept. What a reader would miss is in `not_restored`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from r2d2.formats.uniform import plain_schema


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's form without its rows.

    `schema` is that of the files with the partition columns behind it, as Arrow writes it;
    a partition column's type is the one that r2d2 reads its folders as. `file_name` is a
    single-file table's name, and in a folder what its files' names end with.
    `compression` is by the format's name for it. `options` are the format's.
    """

    format: str
    schema: pa.Schema
    file_name: str
    is_folder: bool = False
    partition_columns: tuple[str, ...] = ()
    compression: str = "none"
    options: Mapping[str, Any] = field(default_factory=dict)
    not_restored: tuple[str, ...] = ()

    @property
    def rows_schema(self) -> pa.Schema:
        """The schema of the rows to be written, without dictionaries."""
        return plain_schema(self.schema)

    @property
    def file_schema(self) -> pa.Schema:
        """The schema within each file."""
        inside = [f for f in self.schema if f.name not in self.partition_columns]
        return pa.schema(inside, self.schema.metadata)

    @property
    def text_overrides(self) -> dict[str, object]:
        """The text settings under which its rows are read as they were; none if detected so."""
        if self.options.get("is_detected", True):
            return {}
        known = {**self.options.get("dialect", {}), "encoding": self.options["encoding"]}
        none = {key: "" for key in ("quote", "escape") if key in known and known[key] is None}
        return {key: value for key, value in (known | none).items() if value is not None}

    def data(self) -> dict[str, Any]:
        """The layout as plain JSON data."""
        return {
            "format": str(self.format),
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "file_name": self.file_name,
            "is_folder": self.is_folder,
            "partition_columns": list(self.partition_columns),
            "compression": self.compression,
            "options": dict(self.options),
            "not_restored": list(self.not_restored),
        }
