"""The trial of a recipe: it is run, and its rows are compared with the table it replaces.

Two tables are equal with the same names and types of columns, in order, and equal rows. Rows that
do not come in the table's own order are brought side by side by their hashes. Then every value is
compared, floats by their bits: two rows that share a hash and differ make the tables differ here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import Int64s, array_of, fixed_values, null_mask
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import identical, uniform
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import hash_order
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import ReadMeter, hashed
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder, with_residuals
from r2d2.recipes.run.side_by_side import MOST_RANGES, SideBySide, no_room, range_numbers
from r2d2.storage.local import Storage
from r2d2.storage.scratch import scratch_folder
from r2d2.text_tables import pluralize

HELD_COPIES, BYTES_PER_ORDERED_ROW = 5, 96
"""Of a table's rows while they are compared: both tables, each once more in one piece, and a column
in order; and of both tables' hashes, with their orders."""
MEMORY_BYTES, PROGRAM_BYTES = 1 << 30, 192 << 20
"""For all that a process holds, and what it holds but for rows."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a run: the recipe with its residual written, or the problem that it met.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order, by their bits; `layout` says how the table is written back.
    `read_bytes` are of the parents' files, as much of them as was read; None where none told.
    """

    recipe: Recipe
    problem: str | None
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)
    read_bytes: int | None = None


def try_out(
    storage: Storage,
    tables: Mapping[str, Table],
    child: Table,
    recipe: Recipe,
    folder: Path,
    memory_bytes: int = MEMORY_BYTES,
) -> Trial:
    """The trial of the recipe on the lake; its residuals are written into the folder.

    Rows that exceed the memory are compared by ranges of their hashes, from scratch files.
    A table that cannot be written back in its own format is a problem too.
    """
    context = RecipeContext(storage, tables, ResidualFolder(folder))
    told = list[Trial]()
    with (
        problems_told(recipe, told),
        closing(SideBySide(storage, child, memory_bytes // 2)) as own,
    ):
        made = with_residuals(context, recipe, own.rows, own.schema, folder)
        told.append(_compared(context, child, made, own, memory_bytes))
    return told[0]


def try_again(
    context: RecipeContext, child: Table, recipe: Recipe, memory_bytes: int = MEMORY_BYTES
) -> Trial:
    """The trial of a recipe whose residuals are written, on a table wherever it lies by now."""
    told = list[Trial]()
    with (
        problems_told(recipe, told),
        closing(SideBySide(context.storage, child, memory_bytes // 2)) as own,
    ):
        told.append(_compared(context, child, recipe, own, memory_bytes))
    return told[0]


def _compared(
    context: RecipeContext, child: Table, recipe: Recipe, own: SideBySide, memory_bytes: int
) -> Trial:
    seconds, meter = list[float](), ReadMeter(context.storage)
    metered = replace(context, meter=meter)
    for batch in timed(rebuilt(metered, recipe, own.schema), seconds):
        own.add(batch)
        if not own.is_same:
            break
    spent = sum(seconds), meter.read_bytes
    return ended(context, child, recipe, own, spent, memory_bytes)


@contextmanager
def problems_told(recipe: Recipe, told: list[Trial]) -> Iterator[None]:
    """An error within becomes a trial's problem, and is told in the list."""
    try:
        yield
    except R2D2Error as error:
        told.append(Trial(recipe, str(error)))
    except OSError:
        raise  # the run's own folder: it is full, or may not be written
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        told.append(Trial(recipe, table_problem(error)))


def ended(
    context: RecipeContext,
    child: Table,
    recipe: Recipe,
    own: SideBySide,
    spent: tuple[float, int],
    memory_bytes: int,
) -> Trial:
    """The trial of a recipe all of whose rows were made; in another order, they are made again.

    `spent` are the seconds and the bytes that were read.
    """
    rows, fingerprint = own.end()
    seconds, read_bytes = spent
    if not rows:
        return Trial(recipe, "the table has no rows")
    difference = None
    if not own.is_same:
        ranges = ranges_of_hashes(rows, own.size_bytes, memory_bytes)
        each, meter = list[float](), ReadMeter(context.storage)
        made = timed(rebuilt(replace(context, meter=meter), recipe, own.schema), each)
        difference = _difference(own, made, ranges)
        seconds, read_bytes = sum(each), meter.read_bytes
    return Trial(recipe, difference, seconds, rows, fingerprint, own.layout, read_bytes)


def timed(batches: Iterator[pa.RecordBatch], seconds: list[float]) -> Iterator[pa.RecordBatch]:
    """The batches; the seconds that each took to be made are added to the list."""
    start = perf_counter()
    for batch in batches:
        seconds.append(perf_counter() - start)
        yield batch
        start = perf_counter()
    seconds.append(perf_counter() - start)


def ranges_of_hashes(rows: int, size_bytes: int, memory_bytes: int = MEMORY_BYTES) -> int:
    """In how many ranges a table of these bytes in memory is compared; 1 where it may be held."""
    room = max(1, memory_bytes // 2, memory_bytes - PROGRAM_BYTES)
    needed = HELD_COPIES * size_bytes + BYTES_PER_ORDERED_ROW * rows
    return min(MOST_RANGES, max(1, -(-needed // room)))


def _difference(own: SideBySide, made: Iterator[pa.RecordBatch], ranges: int) -> str | None:
    """How the rows that were made differ from the table's in any order, None where they do not."""
    if ranges == 1:
        return OrderedRows.of(list(own.rows())).difference(list(made))
    with scratch_folder() as scratch:
        rows = RowsByHash(scratch / "own", own.schema, ranges)
        for batch in own.rows():
            rows.add(batch)
        others = RowsByHash(scratch / "made", own.schema, ranges)
        for batch in made:
            others.add(batch)
        return rows.difference(others)


class RowsByHash:
    """A table's rows in scratch files, one for each of so many equal ranges of their hashes.

    So two tables of any size are compared range by range (a partitioned hash join: Kitsuregawa,
    Tanaka & Moto-oka, 1983).
    """

    def __init__(self, folder: Path, schema: pa.Schema, ranges: int) -> None:
        self.rows, self._columns, self._folder = 0, flatten(schema), folder
        folder.mkdir()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._files = [pa.OSFile(str(folder / str(number)), "wb") for number in range(ranges)]
        self._writers = [pa.ipc.new_stream(f, schema, options=options) for f in self._files]

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the rows to the files of their ranges.

        Raises:
            R2D2Error: there is no room.
        """
        (lanes,) = row_hashes(batch, [self._columns], Types.STRICT)
        ranges = len(self._files)
        numbers = range_numbers(lanes.first, ranges)
        order = numbers.argsort(kind="stable")
        ordered, start = batch.take(array_of(order, pa.int64())), 0
        counts = np.bincount(numbers.astype(np.intp), minlength=ranges).tolist()
        try:
            for writer, count in zip(self._writers, counts, strict=True):
                if count:
                    writer.write_batch(ordered.slice(start, count))
                start += count
        except OSError as error:
            raise no_room(error) from error
        self.rows += batch.num_rows

    def batches(self) -> Iterator[list[pa.RecordBatch]]:
        """The rows of each range, the lowest hashes first; each file is gone when it was read."""
        for number, (writer, file) in enumerate(zip(self._writers, self._files, strict=True)):
            writer.close()
            file.close()
            path = self._folder / str(number)
            with pa.OSFile(str(path)) as scratch:
                yield list(pa.ipc.open_stream(scratch))
            path.unlink()

    def difference(self, made: "RowsByHash") -> str | None:
        """How the rows that were made differ from these, None where they do not.

        The files are gone afterwards.
        """
        if made.rows != self.rows:
            return f"it has {pluralize(str(made.rows), 'row')} instead of {self.rows}"
        for ours, theirs in zip(self.batches(), made.batches(), strict=True):
            if sum(b.num_rows for b in ours) != sum(b.num_rows for b in theirs):
                return "it has other rows"
            if ours and (problem := OrderedRows.of(ours).difference(theirs)):
                return problem
        return None


@dataclass(frozen=True, slots=True, eq=False)
class OrderedRows:
    """A table's rows and the order of their hashes, in which two tables lie side by side.

    -0.0 and 0.0 share a hash, and so do all NaNs; such rows are in order of their floats' bits.
    """

    rows: pa.RecordBatch
    hashes: Lanes
    order: Int64s

    @classmethod
    def of(cls, batches: Sequence[pa.RecordBatch]) -> "OrderedRows":
        """The rows of batches of one schema; there is at least one batch."""
        rows = pa.concat_batches(batches)
        (lanes,) = hashed(batches, [flatten(rows.schema)], Types.STRICT)
        hashes = hash_order(lanes)
        floats = [] if hashes.all_differ else list(_float_bits(rows))
        order = np.lexsort((*floats, lanes.second, lanes.first)) if floats else hashes.order
        return cls(rows, lanes, order)

    def difference(self, made: Sequence[pa.RecordBatch]) -> str | None:
        """How the rows that were made differ from these, None where they do not.

        Raises:
            UnreadableTableError: the batches do not fit one schema.
        """
        count = len(self.order)
        made_count = sum(batch.num_rows for batch in made)
        if made_count != count:
            return f"it has {pluralize(str(made_count), 'row')} instead of {count}"
        if not count:
            return None
        made = uniform(made)
        columns, made_columns = flatten(self.rows.schema), flatten(made[0].schema)
        if [(c.name, c.type) for c in columns] != [(c.name, c.type) for c in made_columns]:
            return "its columns have other names, types or places"
        other = OrderedRows.of(made)
        beside = np.empty(count, np.int64)
        beside[self.order] = other.order
        places = array_of(beside, pa.int64())
        for name, ours, theirs in zip(
            self.rows.schema.names, self.rows.columns, other.rows.columns, strict=True
        ):
            if not identical(ours, theirs.take(places)):
                return f"values of {name} differ"
        return None


def _float_bits(rows: pa.RecordBatch) -> Iterator[npt.NDArray[np.uint64]]:
    """The bits of float columns: rows of one hash may differ in the sign of zero and in NaNs."""
    for column in flatten(rows.schema):
        array = rows.column(column.path[0])
        for name in column.path[1:]:
            array = array.flatten()[array.type.get_field_index(name)]
        if pt.is_floating(array.type):
            words = fixed_values(array, f"u{array.type.bit_width // 8}").astype(np.uint64)
            nulls = null_mask(array)
            yield words if nulls is None else np.where(nulls, np.uint64(0), words)
