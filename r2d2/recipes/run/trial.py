"""The trial of a recipe: it is run, and its rows are compared with the table it replaces.

Two tables are equal with the same names and types of columns, in order, and equal rows. Rows are
brought side by side by their hashes, and then every value is compared, floats by their bits: two
rows that share a hash and differ make the tables differ here.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    entries,
    fitted,
    is_list,
    items,
    lengths,
    plain_array,
    uniform,
)
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import hash_order
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import hashed, read_batches
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder, with_residuals
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a run: the recipe with its residual written, or the problem that it met.

    `seconds` are for reading the parents and making the rows; `fingerprint` is of the rows as a
    multiset, whatever their order; `layout` says how the table is written back.
    """

    recipe: Recipe
    problem: str | None
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)


def try_out(
    storage: Storage, tables: Mapping[str, Table], child: Table, recipe: Recipe, folder: Path
) -> Trial:
    """The trial of the recipe on the lake; its residuals are written into the folder.

    A table that cannot be written back in its own format is a problem too.
    """
    try:
        rows = uniform(list(read_batches(storage, child, child.columns)))
        if not rows:
            return Trial(recipe, "the table has no rows")
        context = RecipeContext(storage, tables, ResidualFolder(folder))
        recipe = with_residuals(context, recipe, rows, folder)
        layout = layout_of(storage, child)
        schema = layout_from(layout).rows_schema
        for batch in rows:
            fitted(batch, schema)
        start = perf_counter()
        made = list(rebuilt(context, recipe, rows[0].schema))
        seconds = perf_counter() - start
        ordered = OrderedRows.of(rows)
        difference = ordered.difference(made)
    except R2D2Error as error:
        return Trial(recipe, str(error))
    except OSError:
        raise  # the run's own folder: it is full, or may not be written
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        return Trial(recipe, table_problem(error))
    return Trial(recipe, difference, seconds, len(ordered.order), ordered.fingerprint(), layout)


_BITS = {16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}
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
        bits = [] if hashes.all_differ else list(_float_bits(rows))
        order = np.lexsort((*bits, lanes.second, lanes.first)) if bits else hashes.order
        return cls(rows, lanes, order)

    def fingerprint(self) -> str:
        """A digest of the rows as a multiset: their sorted hashes, each as often as it occurs."""
        digest = hashlib.sha256(self.hashes.first.take(self.order).tobytes())
        digest.update(self.hashes.second.take(self.order).tobytes())
        return digest.hexdigest()[:32]

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
            bits = fixed_values(array, f"u{array.type.bit_width // 8}").astype(np.uint64)
            nulls = null_mask(array)
            yield bits if nulls is None else np.where(nulls, np.uint64(0), bits)


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
        one, other = _bits(one), _bits(other)
    elif one.type != other.type:
        try:
            other = other.cast(one.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
    return bool(pc.all(pc.equal(one, other)).as_py() is not False)


def _bits(array: pa.Array) -> pa.Array:
    return array.view(_BITS[array.type.bit_width])


def _simple(array: pa.Array) -> pa.Array:
    """The array in the one layout of its kind in which it is compared."""
    array = plain_array(array)
    type_ = array.type
    text = pt.is_string(type_) or pt.is_string_view(type_) or pt.is_large_string(type_)
    bytes_ = pt.is_binary(type_) or pt.is_binary_view(type_) or pt.is_fixed_size_binary(type_)
    return array.cast(pa.large_binary()) if text or bytes_ else array
