"""TODO."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.formats import partitions_of
from r2d2.formats.hive import Partition
from r2d2.formats.layout import Layout
from r2d2.formats.orc.write import OrcSink
from r2d2.formats.parquet.write import ParquetSink
from r2d2.formats.sink import Sink
from r2d2.model import Format, Table
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
    layout = _in_files(storage, table)
    names = layout.schema.names
    ordered = list(dict.fromkeys(column.path[0] for column in table.columns))
    if sorted(names) != sorted(ordered):
        raise NotWritableError(f"{table.location}: its files hold columns {names}, not {ordered}")
    schema = pa.schema([layout.schema.field(name) for name in ordered], layout.schema.metadata)
    return replace(layout, schema=schema).data()


def _in_files(storage: Storage, table: Table) -> Layout:
    from r2d2.formats.avro import write as layout_avro
    from r2d2.formats.csv import write as layout_text
    from r2d2.formats.delta import write as layout_delta
    from r2d2.formats.json import write as layout_json
    from r2d2.formats.orc import write as layout_orc
    from r2d2.formats.parquet import write as layout_parquet

    if table.format is Format.DELTA:
        return layout_delta.layout(table)
    describe = {
        Format.PARQUET: layout_parquet.layout,
        Format.ORC: layout_orc.layout,
        Format.AVRO: layout_avro.layout,
        Format.CSV: layout_text.layout,
        Format.JSON: layout_json.layout,
    }.get(table.format)
    if describe is None:
        raise NotWritableError(f"{table.location}: r2d2 writes no {table.format.value} tables")
    return _in_folders(table, describe(storage, table))


def _in_folders(table: Table, layout: Layout) -> Layout:
    """The layout of a file with the columns that are in folders' names."""
    if table.files[0].path == table.location:
        return layout
    keys = [key for key, _ in partitions_of(table.files[0].path, _root(table))]
    types = {key: kind for key, kind in _partition_types(table).items() if key in keys}
    schema = layout.schema
    for key in keys:
        schema = schema.append(pa.field(key, types[key]))
    return replace(
        layout,
        schema=schema,
        file_name=_ending(layout.file_name),
        is_folder=True,
        partition_columns=tuple(keys),
        not_restored=(*layout.not_restored, "the names and number of the files in its folders"),
    )


def _root(table: Table) -> str:
    return "" if table.location == "." else table.location


def _partition_types(table: Table) -> dict[str, pa.DataType]:
    kinds = {"int32": pa.int32(), "int64": pa.int64(), "date": pa.date32()}
    context = table.splits[0].context
    constants = context.constants if isinstance(context, Partition) else ()
    return {key: kinds.get(kind, pa.string()) for key, kind, _ in constants}


def _ending(name: str) -> str:
    """What follows the first dot that leaves a known format: `.csv.gz` of `a.b.csv.gz`."""
    parts = name.split(".")
    count = 2 if parts[-1].lower() in ("gz", "zst") else 1
    return "." + ".".join(parts[-count:])


def file_sink(layout: Layout, path: Path) -> Sink:
    """A new file of the layout's format.

    Raises:
        NotWritableError: r2d2 writes no files of this format, or not with this compression.
    """
    if layout.format is Format.PARQUET:
        return ParquetSink(layout, path)
    if layout.format is Format.ORC:
        return OrcSink(layout, path)
    if layout.format is Format.AVRO:
        from r2d2.formats.avro.write import AvroSink

        return AvroSink(layout, path)
    if layout.format is Format.CSV:
        from r2d2.formats.csv.write import CsvSink

        return CsvSink(layout, path)
    if layout.format is Format.JSON:
        from r2d2.formats.json.write import JsonSink

        return JsonSink(layout, path)
    raise NotWritableError(f"r2d2 writes no {layout.format.value} files")
