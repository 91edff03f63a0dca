"""Delta tables written back as one version, by the `deltalake` package."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.extras import require
from r2d2.formats.delta.read import LiveFile
from r2d2.formats.delta.schema import SQL_TYPE, DeltaField
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.model import Table

NOT_RESTORED = (
    "history and versions before",
    "table properties, constraints, generated columns, comments, NOT NULL",
    "column mapping, deletion vectors and other table features",
)


def layout(table: Table) -> Layout:
    """The layout of the snapshot that the table was read at.

    Raises:
        NotWritableError: no writer can be given a column's type.
    """
    live = table.splits[0].context
    if not isinstance(live, LiveFile):
        raise TypeError(f"{table.location}: not a Delta table")
    padded = [column.name for column in live.columns if column.char_length is not None]
    if padded:
        raise NotWritableError(f"{table.location}: column {padded[0]} is of type CHAR")
    listed = table.details.get("partition columns", "").split(", ")
    names = [column.name for column in live.columns if column.name in live.constants]
    in_order = listed if sorted(listed) == sorted(names) else names
    return Layout(
        table.format,
        pa.schema([_field(column) for column in live.columns]),
        "",
        True,
        tuple(in_order if names else ()),
        "snappy",
        not_restored=NOT_RESTORED,
    )


def _field(column: DeltaField) -> pa.Field:
    """The column with its metadata of SQL's type, which the writer puts into the log."""
    metadata = {SQL_TYPE: column.sql_type} if column.sql_type else None
    return pa.field(column.name, column.type, metadata=metadata)


def write_delta(layout: Layout, batches: Iterable[pa.RecordBatch], folder: Path) -> None:
    """Writes the rows as version 0 of a table in the folder.

    Raises:
        MissingDependencyError: the `deltalake` package is not installed.
        NotWritableError: it refuses the schema or a value.
    """
    require("delta", "writing a Delta table")
    from deltalake import WriterProperties, write_deltalake
    from deltalake.exceptions import DeltaError, DeltaProtocolError

    with translated(NotWritableError):
        folder.mkdir(parents=True)
        try:
            write_deltalake(
                str(folder),
                pa.RecordBatchReader.from_batches(layout.rows_schema, batches),
                partition_by=list(layout.partition_columns) or None,
                mode="error",
                writer_properties=WriterProperties(compression="SNAPPY"),
            )
        except (DeltaError, DeltaProtocolError) as error:
            raise NotWritableError(str(error).strip().splitlines()[0]) from error
