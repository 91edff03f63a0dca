"""The choice of a parent's rows by a residual: by hashes, keys or positions; or once each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from r2d2.arrays import Int64s, array_of
from r2d2.errors import RecipeRunError
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import fitted
from r2d2.hashing.multiset import Copies, HashIndex, Seen
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import joined, sorted_unique
from r2d2.model import Column, Types
from r2d2.recipes.grammar import Field, Output, ResidualKind, Rows
from r2d2.text_tables import by_number, pluralize


class Picker(Protocol):
    """The choice of rows that a residual lists, batch by batch of the parent's rows."""

    columns: tuple[Output, ...]

    def pick(self, batch: pa.RecordBatch, /) -> pa.RecordBatch | None:
        """Those of the next rows, made of these `columns`, that are chosen; None of none."""

    def check(self) -> None:
        """Passes where each listed row was among those that were seen.

        Raises:
            RecipeRunError: some were not.
        """


def picker_of(leaf: Rows, schema: pa.Schema, listed: pa.Table) -> Picker:
    """The choice of the rows that the leaf's residual lists; for positions, of rows in order."""
    match leaf.residual.kind:
        case ResidualKind.HASHES:
            return ByHashes(leaf.columns, schema, Copies(listed))
        case ResidualKind.POSITIONS:
            return _AtPositions(leaf.columns, positions_of(listed))
        case _:
            return _with_keys(leaf, schema, listed)


@dataclass(slots=True)
class _AtPositions:
    columns: tuple[Output, ...]
    positions: Int64s
    start: int = 0

    def pick(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        start, self.start = self.start, self.start + batch.num_rows
        begin, end = np.searchsorted(self.positions, (start, self.start))
        if begin == end:
            return None
        return batch.take(array_of(self.positions[begin:end] - start, pa.int64()))

    def check(self) -> None:
        if missing := len(self.positions) - int(np.searchsorted(self.positions, self.start)):
            told = f"its parent has {self.start} rows: {missing} listed ones are not there"
            raise RecipeRunError(told)


def positions_of(listed: pa.Table) -> Int64s:
    """The positions that a residual lists, ascending."""
    if "gap" in listed.column_names:
        return np.cumsum(listed.column("gap").to_numpy(), dtype=np.int64)
    return np.flatnonzero(listed.column("held").to_numpy())


@dataclass(slots=True)
class _WithKeys:
    """All rows of the parent that have a listed key; `schema` has the keys after the columns."""

    columns: tuple[Output, ...]
    schema: pa.Schema
    keys: Sequence[Column]
    run: HashIndex

    def pick(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        (lanes,) = row_hashes(fitted(batch, self.schema), [self.keys], Types.STRICT)
        held = self.run.positions(lanes) >= 0
        names = self.schema.names[: len(self.schema) - len(self.keys)]
        return batch.select(names).filter(array_of(held, pa.bool_())) if held.any() else None

    def check(self) -> None:
        """A listed key may be in no row."""


def _with_keys(leaf: Rows, schema: pa.Schema, listed: pa.Table) -> _WithKeys:
    names = [f"key {number} of {leaf.parent}" for number in range(len(leaf.key))]
    keys = [Output(name, Field(path)) for name, path in zip(names, leaf.key, strict=True)]
    listed = listed.rename_columns(names)
    columns = flatten(listed.schema)
    hashes = [row_hashes(batch, [columns], Types.STRICT)[0] for batch in listed.to_batches()]
    whole, run = pa.schema([*schema, *listed.schema]), sorted_unique(joined(hashes))
    return _WithKeys((*leaf.columns, *keys), whole, columns, HashIndex(run))


@dataclass(slots=True)
class ByHashes:
    """The listed rows, or all others."""

    columns: tuple[Output, ...]
    schema: pa.Schema
    listed: Copies
    are_kept: bool = True

    def pick(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        (lanes,) = row_hashes(batch, [flatten(self.schema)], Types.STRICT)
        kept = np.full(batch.num_rows, not self.are_kept)
        kept[self.listed.pick(lanes)] = self.are_kept
        if not kept.any():
            return None
        return batch if kept.all() else batch.filter(array_of(kept, pa.bool_()))

    def check(self) -> None:
        if missing := self.listed.missing():
            gone, are = pluralize(str(missing), "row"), by_number(missing, "is", "are")
            told = "of the table" if self.are_kept else "to be removed"
            raise RecipeRunError(f"{gone} {told} {are} no longer in its parent")


class FirstOfEach:
    """The first of all rows that are equal."""

    def __init__(self, columns: tuple[Output, ...], schema: pa.Schema) -> None:
        self.columns, self._schema, self._seen = columns, flatten(schema), Seen()

    def pick(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        """Those rows of the batch that are met for the first time."""
        (lanes,) = row_hashes(batch, [self._schema], Types.STRICT)
        rows = self._seen.new(lanes)
        return batch.take(array_of(rows, pa.int64())) if len(rows) else None

    def check(self) -> None:
        """No row is listed."""
