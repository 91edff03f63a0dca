"""The trial of a recipe: it is run, and its rows are compared with the table it replaces.

Two tables are equal with the same names and types of columns, in order, and equal rows. Rows are
brought side by side by their hashes, and then every value is compared, floats by their bits: two
rows that share a hash and differ make the tables differ here.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Int64s, array_of, fixed_values, null_mask
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import (
    bits,
    by_bits,
    entries,
    fitted,
    holds_bits,
    is_list,
    items,
    lengths,
    plain_array,
    plain_schema,
    uniform,
)
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import hash_order
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import hashed, read_batches
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder, with_residuals
from r2d2.storage.local import Storage
from r2d2.storage.scratch import scratch_folder
from r2d2.text_tables import pluralize

HELD_COPIES = 6
"""Of a table's rows while they are compared: both tables, in one piece, and a column in order."""
MEMORY_BYTES, BYTES_PER_VALUE, MOST_RANGES = 1 << 30, 8, 256


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a run: the recipe with its residual written, or the problem that it met.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order, by their bits; `layout` says how the table is written back.
    """

    recipe: Recipe
    problem: str | None
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)


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
    try:
        context = RecipeContext(storage, tables, ResidualFolder(folder))
        size_bytes = sum(split.size_bytes for split in child.splits)
        columns = len(child.columns)
        ranges = ranges_of_hashes(child.rows or 0, columns, size_bytes, memory_bytes)
        if ranges == 1:
            return _tried_in_memory(context, child, recipe, folder)
        return _tried_in_ranges(context, child, recipe, folder, ranges)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    except OSError:
        raise  # the run's own folder: it is full, or may not be written
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        return Trial(recipe, table_problem(error))


def ranges_of_hashes(
    rows: int, columns: int, size_bytes: int, memory_bytes: int = MEMORY_BYTES
) -> int:
    """In how many ranges a table is compared; 1 where its rows may be held, by its bytes in files.

    Values are often smaller in files than in memory.
    """
    decoded_bytes = max(size_bytes, BYTES_PER_VALUE * columns * rows)
    return min(MOST_RANGES, max(1, -(-decoded_bytes * HELD_COPIES // memory_bytes)))


def _tried_in_memory(context: RecipeContext, child: Table, recipe: Recipe, folder: Path) -> Trial:
    rows = uniform(list(read_batches(context.storage, child, child.columns)))
    if not rows:
        return Trial(recipe, "the table has no rows")
    recipe = with_residuals(context, recipe, lambda: rows, rows[0].schema, folder)
    layout = layout_of(context.storage, child)
    schema = layout_from(layout).rows_schema
    for batch in rows:
        fitted(batch, schema)
    start = perf_counter()
    made = list(rebuilt(context, recipe, rows[0].schema))
    seconds = perf_counter() - start
    ordered = OrderedRows.of(rows)
    difference = ordered.difference(made)
    return Trial(recipe, difference, seconds, len(ordered.order), ordered.fingerprint(), layout)


def _tried_in_ranges(
    context: RecipeContext, child: Table, recipe: Recipe, folder: Path, ranges: int
) -> Trial:
    layout = layout_of(context.storage, child)
    schema = plain_schema(layout_from(layout).rows_schema)

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in read_batches(context.storage, child, child.columns):
            yield fitted(batch, schema)

    with scratch_folder() as scratch:
        own = RowsByHash(scratch / "own", schema, ranges)
        for batch in rows():
            own.add(batch)
        if not own.rows:
            return Trial(recipe, "the table has no rows")
        recipe = with_residuals(context, recipe, rows, schema, folder)
        made, seconds = RowsByHash(scratch / "made", schema, ranges), 0.0
        start = perf_counter()
        for batch in rebuilt(context, recipe, schema):
            seconds += perf_counter() - start
            made.add(batch)
            start = perf_counter()
        seconds += perf_counter() - start
        difference, fingerprint = own.compared(made)
    return Trial(recipe, difference, seconds, own.rows, fingerprint, layout)


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
        numbers = (lanes.first >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)
        order = numbers.astype(np.uint16).argsort(kind="stable")
        ordered, start = batch.take(array_of(order, pa.int64())), 0
        counts = np.bincount(numbers.astype(np.intp), minlength=ranges).tolist()
        try:
            for writer, count in zip(self._writers, counts, strict=True):
                if count:
                    writer.write_batch(ordered.slice(start, count))
                start += count
        except OSError as error:
            raise R2D2Error(
                f"scratch of its rows cannot be written: {error.strerror or error}; set TMPDIR to a"
                " folder with room, or raise memory_bytes"
            ) from error
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

    def compared(self, made: "RowsByHash") -> tuple[str | None, str]:
        """How the rows that were made differ from these, None where they do not; the fingerprint.

        The files are gone afterwards.
        """
        problems = []
        if made.rows != self.rows:
            problems.append(f"it has {pluralize(str(made.rows), 'row')} instead of {self.rows}")

        def in_order() -> Iterator[OrderedRows]:
            for ours, theirs in zip(self.batches(), made.batches(), strict=True):
                if sum(b.num_rows for b in ours) != sum(b.num_rows for b in theirs):
                    problems.append("it has other rows")
                elif ours:
                    ordered = OrderedRows.of(ours)
                    problem = None if problems else ordered.difference(theirs)
                    problems.extend([problem] if problem else ())
                    yield ordered

        fingerprint = _fingerprint(in_order(), self._folder / "words")
        return (problems[0] if problems else None), fingerprint

    def fingerprint(self) -> str:
        """As `OrderedRows.fingerprint`; the files are gone afterwards."""
        in_order = (OrderedRows.of(rows) for rows in self.batches() if rows)
        return _fingerprint(in_order, self._folder / "words")


def _fingerprint(ranges: Iterable["OrderedRows"], scratch: Path) -> str:
    """The fingerprint of the rows of all ranges; all but the first words wait in files.

    See `OrderedRows.words`.
    """
    digest, paths = hashlib.sha256(), list[Path]()
    for rows in ranges:
        first, *others = rows.words()
        digest.update(first.tobytes())
        for number, words in enumerate(others):
            paths = paths if number < len(paths) else [*paths, scratch.with_suffix(f".{number}")]
            with paths[number].open("ab") as file:
                file.write(words.tobytes())
    for path in paths:
        with path.open("rb") as file:
            while content := file.read(1 << 20):
                digest.update(content)
    return digest.hexdigest()[:32]


_Parts = Callable[[pa.Array], Sequence[pa.Array]]


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

    def fingerprint(self) -> str:
        """A digest of the rows as a multiset by their bits: -0.0 is not 0.0, nor a NaN another."""
        digest = hashlib.sha256()
        for words in self.words():
            digest.update(words.tobytes())
        return digest.hexdigest()[:32]

    def words(self) -> list[npt.NDArray[np.uint64]]:
        """The first words of the rows' hashes in ascending order of these, and the second ones.

        Where equal values may have other bits, the words of hashes of the bits follow.
        """
        lanes, order = [self.hashes], self.order
        if any(map(holds_bits, self.rows.schema.types)):
            exact = [by_bits(self.rows)]
            lanes += hashed(exact, [flatten(exact[0].schema)], Types.STRICT)
            order = np.lexsort(
                [words for each in reversed(lanes) for words in (each.second, each.first)]
            )
        return [words.take(order) for each in lanes for words in (each.first, each.second)]

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


def identical(one: pa.Array, other: pa.Array) -> bool:
    """Whether the arrays hold the same values, whatever their layout; floats by their bits."""
    one, other = _simple(one), _simple(other)
    if len(one) != len(other) or not one.is_null().equals(other.is_null()):
        return False
    if pt.is_null(one.type) or pt.is_null(other.type):
        return bool(one.null_count == len(one))
    if pt.is_struct(one.type) or pt.is_struct(other.type):
        return _same_structs(one, other)
    if pt.is_map(one.type) or pt.is_map(other.type):
        return bool(one.type.id == other.type.id and _same_items(one, other, entries))
    if is_list(one.type) or is_list(other.type):
        return is_list(one.type) and is_list(other.type) and _same_items(one, other, items)
    return _same_values(one, other)


def _same_structs(one: pa.Array, other: pa.Array) -> bool:
    names = [
        [type_.field(place).name for place in range(type_.num_fields)]
        if pt.is_struct(type_)
        else None
        for type_ in (one.type, other.type)
    ]
    same = names[0] == names[1] and all(map(identical, one.flatten(), other.flatten()))
    return bool(same)


def _same_items(one: pa.Array, other: pa.Array, parts: _Parts) -> bool:
    """Whether lists or maps have the same lengths and items."""
    same = lengths(one).equals(lengths(other))
    return bool(same and all(map(identical, parts(one), parts(other))))


def _same_values(one: pa.Array, other: pa.Array) -> bool:
    if pt.is_floating(one.type) and one.type == other.type:
        one, other = bits(one), bits(other)
    elif one.type != other.type:
        try:
            other = other.cast(one.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
    return bool(pc.all(pc.equal(one, other)).as_py() is not False)


def _simple(array: pa.Array) -> pa.Array:
    """The array in the one layout of its kind in which it is compared."""
    array = plain_array(array)
    type_ = array.type
    text = pt.is_string(type_) or pt.is_string_view(type_) or pt.is_large_string(type_)
    bytes_ = pt.is_binary(type_) or pt.is_binary_view(type_) or pt.is_fixed_size_binary(type_)
    return array.cast(pa.large_binary()) if text or bytes_ else array
