"""Rows that are held until their fingerprint is known; many wait in a scratch file."""

from collections.abc import Iterable
from contextlib import ExitStack, closing

import pyarrow as pa

from r2d2.formats.layout import Layout
from r2d2.formats.uniform import fitted, plain_schema
from r2d2.recipes.run.side_by_side import Fingerprint
from r2d2.storage.scratch import scratch_folder

HELD_BYTES = 256 << 20
"""Of a table's rows, and as much of their hashes."""


class HeldRows:
    """About so many rows of a table, in the order in which they come; close them when done."""

    def __init__(self, layout: Layout, rows: int, most_bytes: int | None = None) -> None:
        most_bytes = HELD_BYTES if most_bytes is None else most_bytes
        self.schema = plain_schema(layout.rows_schema)
        self._leave = ExitStack()
        fingerprint = Fingerprint(self.schema, rows, most_bytes)
        self._fingerprint = self._leave.enter_context(closing(fingerprint))
        self._held: list[pa.RecordBatch] = []
        self._left_bytes = most_bytes
        self._path = ""
        self._file: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes rows of the table."""
        rows = fitted(batch, self.schema)
        self._fingerprint.add(rows)
        if self._file is not None:
            self._file.write_batch(rows)
            return
        self._held.append(rows)
        self._left_bytes -= batch.nbytes
        if self._left_bytes < 0:
            self._path = str(self._leave.enter_context(scratch_folder()) / "rows")
            sink = self._leave.enter_context(pa.OSFile(self._path, "wb"))
            self._file = self._leave.enter_context(pa.ipc.new_stream(sink, self.schema))
            while self._held:
                self._file.write_batch(self._held.pop(0))

    def end(self) -> tuple[Iterable[pa.RecordBatch], str]:
        """All rows, and their fingerprint; "" of none."""
        digest = self._fingerprint.digest()
        if self._file is None:
            return self._held, digest if self._held else ""
        self._file.close()
        return pa.ipc.open_stream(self._leave.enter_context(pa.OSFile(self._path))), digest

    def close(self) -> None:
        """Removes what waits in scratch files."""
        self._held.clear()
        self._leave.close()
