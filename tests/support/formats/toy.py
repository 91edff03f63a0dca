"""A format that r2d2 does not know, in one file: streams of Arrow's named `.toy`."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from r2d2.formats.layout import Layout, write_files
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import fitted
from r2d2.model import FileInfo, Split, Table
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage


class Toy:
    name = "toy"
    endings: tuple[str, ...] = (".toy",)
    marker: re.Pattern[str] | None = None
    magic = b""
    is_columnar = False
    layout_options: frozenset[str] = frozenset()

    def inspect(
        self,
        storage: Storage,
        location: str,
        files: Sequence[FileInfo],
        settings: Settings,
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        rows = pa.ipc.open_stream(storage.open(files[0])).read_all()
        size = files[0].size_bytes
        split = Split(self.name, files[0], (), rows.num_rows, size)
        return Table(
            location,
            self.name,
            flatten(rows.schema),
            rows.num_rows,
            size,
            tuple(files),
            splits=(split,),
        )

    def read(
        self, storage: Storage, split: Split, columns: Collection[str]
    ) -> Iterator[pa.RecordBatch]:
        for batch in pa.ipc.open_stream(storage.open(split.file)):
            yield batch.select([name for name in batch.schema.names if name in columns])

    def layout(self, storage: Storage, table: Table) -> Layout:
        schema = pa.ipc.open_stream(storage.open(table.files[0])).schema
        return Layout(self.name, schema, Path(table.files[0].path).name)

    def write(self, layout: Layout, batches: Iterator[pa.RecordBatch], path: Path) -> None:
        write_files(layout, batches, path, ToySink)


class ToySink:
    def __init__(self, layout: Layout, path: Path) -> None:
        self._schema = layout.file_schema
        self._stream = pa.ipc.new_stream(str(path), self._schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write_batch(fitted(batch, self._schema))

    def close(self) -> None:
        self._stream.close()


def write_toy(path: Path, rows: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), rows.schema) as stream:
        stream.write_table(rows)
