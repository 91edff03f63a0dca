"""The layout of a table as plain JSON data, which a plan keeps so that the table can come back."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.formats import format_named, hive
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.model import Table
from r2d2.storage.local import Storage


def layout_of(storage: Storage, table: Table) -> dict[str, Any]:
    """The table's layout as plain JSON data; reads the heads of its files, of JSON all of it.

    Raises:
        TableError: a file cannot be read.
        NotWritableError: what is there could not be written back.
    """
    if not table.eligible or not table.files or not table.splits:
        reason = table.problem or "it has no rows"
        raise NotWritableError(f"{table.location}: its layout is not known: {reason}")
    layout = hive.layout(storage, table, format_named(table.format).layout)
    names = layout.schema.names
    ordered = list(dict.fromkeys(column.path[0] for column in table.columns))
    if sorted(names) != sorted(ordered):
        raise NotWritableError(f"{table.location}: its files hold columns {names}, not {ordered}")
    schema = pa.schema([layout.schema.field(name) for name in ordered], layout.schema.metadata)
    return replace(layout, schema=schema).data()


def layout_from(data: Mapping[str, Any]) -> Layout:
    """The layout of plain JSON data.

    Raises:
        NotWritableError: the data describe no layout.
    """
    with translated(NotWritableError, "no layout of a table"):
        known = format_named(data["format"])
        layout = Layout(
            known.name,
            pa.ipc.read_schema(pa.py_buffer(base64.b64decode(data["schema"]))),
            str(data["file_name"]),
            bool(data["is_folder"]),
            tuple(map(str, data["partition_columns"])),
            str(data["compression"]),
            dict(data["options"]),
            tuple(map(str, data["not_restored"])),
        )
        wanting = known.layout_options - layout.options.keys()
        unknown = set(layout.partition_columns) - set(layout.schema.names)
        if wanting or unknown or set(layout.file_name) & {"/", "\0"}:
            raise ValueError(f"{sorted(wanting | unknown)} in {layout.file_name!r}")
        return layout
