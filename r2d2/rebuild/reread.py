"""What was written is read again, as any table of a lake, before it takes its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from r2d2.errors import TableError
from r2d2.formats.layout import Layout, NotWritableError
from r2d2.hashing.rows import row_hashes
from r2d2.lake.inventory import take_inventory
from r2d2.model import Column, Format, Table, Types
from r2d2.rebuild.rows import read_batches
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import LocalStorage

_MASK = (1 << 64) - 1


@dataclass(slots=True)
class Tally:
    """How many rows there are, and the sum of their hashes, which no order changes."""

    columns: tuple[Column, ...]
    rows: int = 0
    first: int = 0
    second: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Counts the batch's rows."""
        (lanes,) = row_hashes(batch, [self.columns], Types.STRICT)
        self.rows += batch.num_rows
        self.first = (self.first + int(np.add.reduce(lanes.first))) & _MASK
        self.second = (self.second + int(np.add.reduce(lanes.second))) & _MASK


def tally_of(columns: tuple[Column, ...], batches: Iterable[pa.RecordBatch]) -> Tally:
    """The tally of all batches."""
    tally = Tally(columns)
    for batch in batches:
        tally.add(batch)
    return tally


def check_reread(layout: Layout, lake: Path, written: Tally) -> None:
    """Passes where the folder holds one table, of the layout's columns and the rows written.

    Raises:
        NotWritableError: r2d2 would read something else than what was to be written.
    """
    storage = LocalStorage(str(lake))
    table = _the_table(layout, storage)
    told = [(column.path, column.type) for column in table.columns]
    meant = [(column.path, column.type) for column in written.columns]
    if told != meant:
        raise NotWritableError(f"what was written is read with columns {told}, not {meant}")
    try:
        found = tally_of(written.columns, read_batches(storage, table, table.columns))
    except TableError as error:
        raise NotWritableError(f"what was written cannot be read: {error}") from error
    if (found.rows, found.first, found.second) != (written.rows, written.first, written.second):
        raise NotWritableError(
            f"what was written is read as other rows ({found.rows} for {written.rows})"
        )


def _the_table(layout: Layout, storage: LocalStorage) -> Table:
    tables = take_inventory(storage, _settings(layout)).tables
    if len(tables) != 1:
        raise NotWritableError(f"what was written is read as {len(tables)} tables")
    if tables[0].problem is not None:
        raise NotWritableError(f"what was written is no table: {tables[0].problem}")
    return tables[0]


def _settings(layout: Layout) -> Settings:
    """Settings under which the table was read; those of a text's dialect only where it needs."""
    rules: tuple[TextRule, ...] = ()
    if layout.format in (Format.CSV, Format.JSON) and not layout.options["is_detected"]:
        rules = (TextRule("*", _overrides(layout)),)
    return Settings(case_sensitive=True, text=rules)


def _overrides(layout: Layout) -> dict[str, object]:
    if layout.format is Format.JSON:
        return {"encoding": layout.options["encoding"]}
    dialect = {**layout.options["dialect"], "encoding": layout.options["encoding"]}
    dialect["quote"], dialect["escape"] = dialect["quote"] or "", dialect["escape"] or ""
    return {key: value for key, value in dialect.items() if value is not None}
