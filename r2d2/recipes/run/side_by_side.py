"""A table's rows beside those that its recipe gives, compared batch by batch as they come.

A recipe mostly gives a table's rows in the table's own order: then no row of either needs a hash to
be found in the other, and no more than a batch of both is held. Where the orders differ, `trial`
compares by hashes.
"""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import Bools, array_of
from r2d2.errors import R2D2Error
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import by_bits, fitted, holds_bits, identical, plain_schema
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import hash_order
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import read_batches
from r2d2.storage.local import Storage
from r2d2.storage.scratch import scratch_folder

MOST_RANGES, BYTES_PER_WORD = 256, 32
"""Of a hash's word while words are put in order: itself, its place, and both again."""
Words = npt.NDArray[np.uint64]


class Fingerprint:
    """A digest of rows as a multiset by their bits: -0.0 is not 0.0, nor a NaN another.

    It is of the first words of the rows' hashes in ascending order, then of the second ones. Where
    equal values may have other bits, the words of hashes of the bits follow. Words of many rows
    wait in scratch files, one for each of so many equal ranges of hashes; leave it when done.
    """

    def __init__(self, schema: pa.Schema, rows: int, memory_bytes: int) -> None:
        self.rows = 0
        self._columns = flatten(schema)
        self._has_bits = any(map(holds_bits, schema.types))
        needed = rows * (4 if self._has_bits else 2) * BYTES_PER_WORD
        ranges = min(MOST_RANGES, max(1, -(-needed // max(1, memory_bytes))))
        self._held: list[Words] = []
        self._leave = ExitStack()
        self._files: list[Path] = []
        if ranges > 1:
            folder = self._leave.enter_context(scratch_folder())
            self._files = [folder / str(number) for number in range(ranges)]

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds rows of the schema.

        Raises:
            R2D2Error: there is no room for scratch.
        """
        self.rows += batch.num_rows
        lanes = row_hashes(batch, [self._columns], Types.STRICT)
        if self._has_bits:
            exact = by_bits(batch)
            lanes += row_hashes(exact, [flatten(exact.schema)], Types.STRICT)
        words = np.stack([word for each in lanes for word in (each.first, each.second)], axis=1)
        if not self._files:
            self._held.append(words)
            return
        numbers = range_numbers(words[:, 0], len(self._files))
        ordered = words.take(numbers.argsort(kind="stable"), axis=0)
        ends = np.bincount(numbers, minlength=len(self._files)).cumsum()
        try:
            for path, start, end in zip(self._files, [0, *ends[:-1]], ends, strict=True):
                _append(path, ordered[start:end])
        except OSError as error:
            raise no_room(error) from error

    def digest(self) -> str:
        """The digest of all rows that were added; they are gone afterwards."""
        digest = hashlib.sha256()
        others: list[Path] = []
        for words in self._ranges():
            first, *columns = _in_order(words)
            digest.update(first.data)
            if not self._files:
                for column in columns:
                    digest.update(column.data)
                break
            others = [self._files[0].with_name(f"words {n}") for n in range(len(columns))]
            for path, column in zip(others, columns, strict=True):
                _append(path, column)
        for path in others:
            with path.open("rb") as file:
                while content := file.read(1 << 20):
                    digest.update(content)
        return digest.hexdigest()[:32]

    def _ranges(self) -> Iterator[Words]:
        """The words of each range, the lowest hashes first."""
        held, self._held = self._held, []
        if held:
            yield np.concatenate(held)
        for path in self._files:
            if path.exists():
                words = np.fromfile(path, np.uint64)
                path.unlink()
                yield words.reshape(-1, 4 if self._has_bits else 2)

    def close(self) -> None:
        """Removes what waits in scratch files."""
        self._held.clear()
        self._leave.close()


def _append(path: Path, words: Words) -> None:
    # Files stay closed meanwhile: of several tables there may be more than a process may open.
    with path.open("ab") as file:
        file.write(words.data)


def _in_order(words: Words) -> list[Words]:
    """Each word of the rows, these in ascending order."""
    columns = [np.ascontiguousarray(column) for column in words.T]
    in_order = hash_order(Lanes(columns[0], columns[1]))
    first, second = in_order.hashes.first, in_order.hashes.second
    by_words = len(columns) > 2 and not in_order.all_differ
    order = np.lexsort(columns[::-1]) if by_words else in_order.order
    return [first, second, *(column.take(order) for column in columns[2:])]


def _is_dictionary_of(type_: pa.DataType, plain: pa.DataType) -> bool:
    """Whether values of the type are the plain ones, or a dictionary of them."""
    return bool(type_ == plain or (pt.is_dictionary(type_) and type_.value_type == plain))


def range_numbers(words: npt.NDArray[np.uint64], ranges: int) -> npt.NDArray[np.uint16]:
    """The range of hashes, of so many equal ones, in which each first word lies."""
    return ((words >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)).astype(np.uint16)


def no_room(error: OSError) -> R2D2Error:
    """The error for scratch files that cannot be written."""
    return R2D2Error(
        f"scratch of its rows cannot be written: {error.strerror or error}; set TMPDIR to a"
        " folder with room, or raise memory_bytes"
    )


class SideBySide:
    """A table's rows, read batch by batch, beside those that were made for it; leave it when done.

    Raises:
        TableError: the table cannot be read.
        NotWritableError: it could not be written back.
    """

    def __init__(self, storage: Storage, table: Table, memory_bytes: int) -> None:
        self.layout: dict[str, Any] = layout_of(storage, table)
        self.schema = plain_schema(layout_from(self.layout).rows_schema)
        self.fingerprint = Fingerprint(self.schema, table.rows or 0, memory_bytes)
        self.is_same, self.size_bytes = True, 0
        self._storage, self._table = storage, table
        self._rows = self._read()
        self._left: pa.RecordBatch | None = None
        self._aside: tuple[Bools, pa.RecordBatch] | None = None

    def rows(self) -> Generator[pa.RecordBatch]:
        """The table's rows, read anew, in the layout in which they are written back."""
        for _, rows in self._read():
            yield rows

    def _read(self) -> Generator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """The table's rows with dictionaries, whose values are hashed once, and without."""
        for batch in read_batches(self._storage, self._table, self._table.columns):
            if batch.num_rows:
                rows = fitted(batch, self.schema)
                pairs = zip(batch.schema.types, self.schema.types, strict=True)
                yield batch if all(starmap(_is_dictionary_of, pairs)) else rows, rows

    def add(self, made: pa.RecordBatch) -> None:
        """Compares the rows that follow with as many of the table's."""
        start = 0
        while self.is_same and start < made.num_rows:
            own = self._next() if self._left is None else self._left
            if own is None:
                self.is_same = False
                return
            count = min(own.num_rows, made.num_rows - start)
            pairs = zip(own.slice(0, count).columns, made.slice(start, count).columns, strict=True)
            self.is_same &= all(identical(one, other) for one, other in pairs)
            self._left = own.slice(count) if count < own.num_rows else None
            start += count

    def set_aside(self, mask: Bools, added: pa.Table) -> None:
        """Has the masked ones of the table's rows compared with rows that a patch adds.

        The others are compared with the rows that are made; none was yet.
        """
        batches = [fitted(batch, self.schema) for batch in added.to_batches()]
        (rows,) = pa.Table.from_batches(batches, self.schema).combine_chunks().to_batches() or (
            pa.RecordBatch.from_pylist([], self.schema),
        )
        self.is_same = rows.num_rows == np.count_nonzero(mask)
        self._aside = mask, rows

    def _next(self) -> pa.RecordBatch | None:
        read, rows = next(self._rows, (None, None))
        if rows is None:
            return None
        self.size_bytes += rows.nbytes
        self.fingerprint.add(read)
        return rows if self._aside is None else self._without_added(rows, *self._aside)

    def _without_added(
        self, rows: pa.RecordBatch, mask: Bools, added: pa.RecordBatch
    ) -> pa.RecordBatch:
        """The batch without the rows that are set aside, which are compared."""
        some, mask = mask[: rows.num_rows], mask[rows.num_rows :]
        beside = rows.filter(array_of(some, pa.bool_()))
        pairs = zip(beside.columns, added.slice(0, beside.num_rows).columns, strict=True)
        self.is_same &= all(identical(one, other) for one, other in pairs)
        self._aside = mask, added.slice(beside.num_rows)
        return rows.filter(array_of(~some, pa.bool_()))

    def end(self) -> tuple[int, str]:
        """The number of the table's rows, and their fingerprint; all were made that will be."""
        if self._left is not None:
            self.is_same = False
        while (rows := self._next()) is not None:
            self.is_same &= not rows.num_rows
        return self.fingerprint.rows, self.fingerprint.digest()

    def close(self) -> None:
        """Removes what waits in scratch files."""
        self._rows.close()
        self.fingerprint.close()
