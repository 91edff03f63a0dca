"""The layout of a Delta table: its schema and partitioning, as one commit can hold them."""

import pyarrow as pa

from r2d2.formats.layout import Layout, NotWritableError
from r2d2.lake.delta.live import LiveFile
from r2d2.model import Table

NOT_RESTORED = (
    "history and versions before",
    "table properties, constraints, generated columns, comments, NOT NULL",
    "column mapping, deletion vectors and other table features",
)


def layout(table: Table) -> Layout:
    """The layout of the snapshot that the table was read at.

    Raises:
        NotWritableError: a column's type is not one that a writer can be told.
    """
    live = table.splits[0].context
    if not isinstance(live, LiveFile):
        raise TypeError(f"{table.location}: not a Delta table")
    padded = [column.name for column in live.columns if column.char_length is not None]
    if padded:
        raise NotWritableError(f"{table.location}: column {padded[0]} is of type CHAR")
    told = table.details.get("partition columns", "")
    names = [column.name for column in live.columns if column.name in live.constants]
    in_order = told.split(", ") if sorted(told.split(", ")) == sorted(names) else names
    return Layout(
        table.format,
        pa.schema([(column.name, column.type) for column in live.columns]),
        "",
        True,
        tuple(in_order if names else ()),
        "snappy",
        not_restored=NOT_RESTORED,
    )
