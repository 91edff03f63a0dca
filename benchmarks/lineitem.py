"""A lake around TPC-H's lineitem: the full table, 12 slices, 12 projections, 6 near-misses.

    python -m benchmarks.lineitem FOLDER [--scale 1]

tpchgen-cli makes the rows; pyarrow writes the tables in one pass, batch by batch, so that memory
stays small at any scale: zstd, statistics on, row groups of 262,144 rows. At scale 1 the 19 tables
with all 16 columns hold 15.5 million rows. A near-miss is a slice with one cell changed, or one
row more, deep inside; the new value lies within the column's bounds and is in other rows, too.
"""

import argparse
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.lineitem_tables import Change, Derived, derived

BATCH_ROWS = 65_536
ROW_GROUP_ROWS = 262_144


def make(lake: Path, scale: float = 1.0) -> None:
    """Write the lake; tpchgen's own file is removed at the end."""
    source = generated(lake.parent / f"{lake.name}.tpchgen", scale)
    with pq.ParquetFile(source) as file:
        derive(file, lake)
    shutil.rmtree(source.parent)


def generated(folder: Path, scale: float) -> Path:
    """The path of lineitem as tpchgen-cli writes it."""
    program = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    arguments = ["parquet", "-s", str(scale), "--tables", "lineitem", "--output-dir", str(folder)]
    subprocess.run([str(program), *arguments], check=True, stdout=sys.stderr)
    return folder / "lineitem.parquet"


def derive(source: pq.ParquetFile, lake: Path) -> None:
    """Write all tables in one pass over the source."""
    total = source.metadata.num_rows
    batch_rows = max(64, min(BATCH_ROWS, total // 64))
    plain = plain_types(source.schema_arrow)
    writers = {location: Writer(lake / location, table) for location, table in derived().items()}
    seen = 0
    for batch in source.iter_batches(batch_rows):
        rows = pa.Table.from_batches([batch]).cast(plain)
        for writer in writers.values():
            writer.add(rows, seen / total)
        seen += batch.num_rows
    for writer in writers.values():
        writer.close()


def plain_types(schema: pa.Schema) -> pa.Schema:
    """The schema with ordinary strings, without Parquet's field ids."""
    views = pa.types.is_string_view
    return pa.schema([(f.name, pa.string() if views(f.type) else f.type) for f in schema])


class Writer:
    """One table being written: gathers rows up to a row group; makes its one change on the way."""

    def __init__(self, path: Path, table: Derived) -> None:
        """Nothing is written yet."""
        self.path = path
        self.table = table
        self.change = table.change
        self.waiting: list[pa.Table] = []
        self.file: pq.ParquetWriter | None = None

    def add(self, batch: pa.Table, at: float) -> None:
        """Take the batch's rows that belong here; `at` is how far into the source they are."""
        rows = batch.filter(self.table.rows(batch, at))
        if self.change and at >= self.change.at and len(rows) > 1:
            rows = changed(rows, self.change)
            self.change = None
        self.waiting.append(rows.select(self.table.columns or rows.column_names))
        if sum(map(len, self.waiting)) >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one row group."""
        rows = pa.concat_tables(self.waiting)
        self.waiting = []
        if self.file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = pq.ParquetWriter(self.path, rows.schema, compression="zstd")
        self.file.write_table(rows, row_group_size=2 * ROW_GROUP_ROWS)

    def close(self) -> None:
        """Write the rest, if any."""
        if any(map(len, self.waiting)) or self.file is None:
            self.flush()
        if self.file is not None:
            self.file.close()


def changed(rows: pa.Table, change: Change) -> pa.Table:
    """The rows with one value from another row: in its place, or in a copy of the row below it."""
    values = rows[change.column].to_pylist()
    middle = len(values) // 2
    value = next(other for other in values if other != values[middle])
    column = rows.schema.get_field_index(change.column)
    cell = pa.array([value], rows.schema.types[column])
    row = rows.slice(middle, 1).set_column(column, rows.schema.field(column), cell)
    below = rows.slice(middle if change.more else middle + 1)
    return pa.concat_tables([rows.slice(0, middle), row, below])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Write the lake around lineitem.")
    arguments.add_argument("lake", type=Path)
    arguments.add_argument("--scale", type=float, default=1.0)
    chosen = arguments.parse_args()
    make(chosen.lake, chosen.scale)
