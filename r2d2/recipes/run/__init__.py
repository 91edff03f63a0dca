"""The run of a recipe: the parents' rows in, the child's rows out, batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Bools, array_of, numbers
from r2d2.errors import RecipeRunError
from r2d2.formats import format_named
from r2d2.formats.uniform import fitted, plain_array, plain_schema, without_views
from r2d2.formats.united import arrow_type
from r2d2.hashing.finaliser import column_key
from r2d2.hashing.multiset import Copies
from r2d2.hashing.renderings import Rendering
from r2d2.hashing.values import array_lanes
from r2d2.lake.inventory import read_split
from r2d2.model import Split, Table, Types
from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.find.reading import ReadMeter
from r2d2.recipes.grammar import (
    Atom,
    Cast,
    Distinct,
    Field,
    Leaf,
    Output,
    Patch,
    Path,
    Project,
    Recipe,
    Rendered,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Source,
    Struct,
    Union,
    columns_of,
)
from r2d2.recipes.predicate.atoms import satisfied
from r2d2.recipes.run.listed_rows import ByHashes, FirstOfEach, Picker, picker_of
from r2d2.storage.local import Storage

MOST_DIGITS = 76
"""Of Arrow's largest decimals."""
Batches = Iterator[pa.RecordBatch]
Wanted = tuple[tuple[Output, ...], tuple[Atom, ...]]
"""Columns, and what the rows must satisfy."""


@dataclass(frozen=True, slots=True)
class RecipeContext:
    """What a run reads: the lake's storage, its tables by location, and the rows of residuals.

    The `meter` counts the bytes that it reads, where somebody asks for them.
    """

    storage: Storage
    tables: Mapping[str, Table]
    residual: Callable[[Residual], pa.Table]
    meter: ReadMeter | None = None


def rebuilt(context: RecipeContext, recipe: Recipe, schema: pa.Schema) -> Batches:
    """The child's rows under its own schema, with dictionaries replaced by their values.

    Raises:
        RecipeRunError: a parent or residual is missing.
        MisfitError: the parents' values do not fit the schema.
        TableError: a parent cannot be read.
    """
    schema = plain_schema(schema)
    for batch in _rows(context, recipe, schema):
        yield fitted(batch, schema)


def _rows(context: RecipeContext, recipe: Recipe, schema: pa.Schema) -> Batches:
    match recipe:
        case Project():
            yield from _projected(context, recipe, ())
        case Select(where=where):
            yield from _projected(context, recipe, where)
        case Distinct(where=where):
            first = FirstOfEach(recipe.columns, schema)
            yield from _picked(_projected(context, recipe, where), first)
        case Rows(residual=residual) if residual.kind is not ResidualKind.ROWS:
            picker = picker_of(recipe, schema, context.residual(residual))
            leaf = replace(recipe, columns=picker.columns)
            at_positions = residual.kind is ResidualKind.POSITIONS
            read = rows_in_order(context, leaf) if at_positions else _projected(context, leaf, ())
            yield from _picked(read, picker)
        case Union(parts, distinct):
            every = chain.from_iterable(_rows(context, part, schema) for part in parts)
            yield from _picked(every, FirstOfEach((), schema)) if distinct else every
        case Patch(inner, plus, minus) if minus is None or minus.kind is ResidualKind.HASHES:
            made = _rows(context, inner, schema)
            removed = None if minus is None else Copies(context.residual(minus))
            others = None if removed is None else ByHashes((), schema, removed, are_kept=False)
            yield from made if others is None else _picked(made, others)
            if plus is not None:
                yield from context.residual(plus).to_batches()
        case _:
            raise RecipeRunError(f"recipes of kind {type(recipe).__name__} cannot be run")


def rows_in_order(context: RecipeContext, leaf: Leaf) -> Batches:
    """All rows of the parent in the leaf's columns, its files in order of their paths."""
    parent = parent_of(context, leaf)
    tables = {leaf.parent: replace(parent, splits=in_order(parent.splits))}
    yield from _projected(replace(context, tables=tables), leaf, ())


def in_order(splits: Sequence[Split]) -> tuple[Split, ...]:
    """A table's splits in the order in which its rows have positions."""
    return tuple(sorted(splits, key=lambda split: (split.file.path, split.row_groups)))


def _projected(context: RecipeContext, leaf: Leaf, where: tuple[Atom, ...]) -> Batches:
    wanted: list[Wanted] = [(leaf.columns, where)]
    parent, made = parent_of(context, leaf), 0
    meter = context.meter or ReadMeter(context.storage)
    if context.meter is not None:
        meter.begin(parent)
    for split in parent.splits:
        read = list[tuple[Split, frozenset[str]]]()
        for part in meter.parts_with(split, [where]):
            names = _needed_names(context.storage, part, wanted)
            read.append((part, names_of([((), where)]) if names is None else names))
            for batch in _named_batches(context.storage, part, names):
                rows = output_rows(batch, leaf.columns, where, made)
                if rows is not None:
                    made += rows.num_rows
                    yield rows
        if context.meter is not None:
            meter.add(split, read)


def parent_of(context: RecipeContext, leaf: Leaf) -> Table:
    """The parent that the leaf reads.

    Raises:
        RecipeRunError: it is gone or cannot be read, or lacks a column.
    """
    parent = context.tables.get(leaf.parent)
    if parent is None or not parent.eligible:
        reason = "it is gone" if parent is None else parent.problem
        raise RecipeRunError(f"{leaf.parent}: the recipe's parent cannot be read: {reason}")
    where = leaf.where if isinstance(leaf, Select | Distinct) else ()
    for path in _paths(leaf.columns, where):
        if not any(column.path[: len(path)] == path for column in parent.columns):
            name = ".".join(path)
            raise RecipeRunError(f"{leaf.parent}: the recipe's parent has no column {name}")
    return parent


def split_batches(
    storage: Storage, meter: ReadMeter, split: Split, wanted: Sequence[Wanted]
) -> Batches:
    """The split's rows with the columns that are wanted; none where no row is selected."""
    for part in meter.parts_with(split, [where for _, where in wanted]):
        yield from _named_batches(storage, part, _needed_names(storage, part, wanted))


def _named_batches(storage: Storage, split: Split, names: frozenset[str] | None) -> Batches:
    if names is not None:
        yield from map(without_views, read_split(storage, split, names))


def _needed_names(
    storage: Storage, split: Split, wanted: Sequence[Wanted]
) -> frozenset[str] | None:
    """The top-level columns to read of the split, None where no row of it is wanted.

    The columns of predicates are read first, up to a row that each predicate selects.
    """
    every = names_of(wanted)
    whole = [(columns, where) for columns, where in wanted if not where]
    open_ = [(columns, where) for columns, where in wanted if where]
    asked = names_of([((), where) for _, where in open_])
    if not format_named(split.format).is_columnar or asked | names_of(whole) == every:
        return every
    needed = whole
    for batch in map(without_views, read_split(storage, split, asked)):
        needed += [each for each in open_ if _mask(batch, each[1]).any()]
        open_ = [each for each in open_ if each not in needed]
        if not open_:
            break
    return names_of(needed) if needed else None


def names_of(wanted: Iterable[Wanted]) -> frozenset[str]:
    """The top-level columns that are read for these rows."""
    return frozenset(path[0] for columns, where in wanted for path in _paths(columns, where))


def output_rows(
    batch: pa.RecordBatch, columns: tuple[Output, ...], where: tuple[Atom, ...], first: int = 0
) -> pa.RecordBatch | None:
    """The selected rows under the child's names, None where there are none.

    Where they are numbered, so many came before the `first`.
    """
    rows = batch
    if where and not (mask := _mask(batch, where)).all():
        if not mask.any():
            return None
        names = names_of([(columns, ())])
        rows = batch.select([name for name in batch.schema.names if name in names])
        rows = rows.filter(array_of(mask, pa.bool_()))
    made = _numbered(_output(rows, columns), columns, first)
    return made if made.num_rows else None


def _mask(batch: pa.RecordBatch, where: tuple[Atom, ...]) -> Bools:
    columns = {path: plain_array(_at(batch, path)) for path in columns_of(where)}
    return satisfied(where, columns.__getitem__, batch.num_rows)


def _paths(columns: tuple[Output, ...], where: tuple[Atom, ...]) -> Iterator[Path]:
    yield from columns_of(where)
    for column in columns:
        match column.source:
            case Field(path) | Cast(path) | Rendered(path):
                yield path
            case Struct(null_with, parts):
                if null_with:
                    yield null_with
                yield from _paths(parts, ())


def _output(batch: pa.RecordBatch, columns: tuple[Output, ...]) -> pa.RecordBatch:
    cast = list[Bools]()
    arrays = [_source(batch, column.source, cast) for column in columns]
    rows = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
    if all(each.all() for each in cast):
        return rows
    every: Bools = np.logical_and.reduce(cast)
    return rows.filter(array_of(every, pa.bool_()))


def _numbered(rows: pa.RecordBatch, columns: tuple[Output, ...], first: int) -> pa.RecordBatch:
    for place, column in enumerate(columns):
        if isinstance(column.source, RowNumber):
            numbers = column.source.array(first, rows.num_rows)
            rows = rows.set_column(place, column.name, numbers)
    return rows


def _source(batch: pa.RecordBatch, source: Source, cast: list[Bools]) -> pa.Array:
    """The column's values; which of them are what they were is added to the list."""
    match source:
        case Field(path):
            return _at(batch, path)
        case Cast(path, _, to):
            array, is_equal = equal_numbers(_at(batch, path), to)
            cast.append(is_equal)
            return array
        case Constant():
            return source.array(batch.num_rows)
        case RowNumber():  # after rows that cannot be cast are gone
            return pa.nulls(batch.num_rows)
        case Rendered(path, rendering):
            texts, lossy = Rendering.of(rendering).texts(_at(batch, path))
            if lossy is not None:
                cast.append(~lossy)
            return texts
        case Struct(null_with, parts):
            arrays = [_source(batch, part.source, cast) for part in parts]
            mask = _at(batch, null_with).is_null() if null_with else None
            return pa.StructArray.from_arrays(arrays, [part.name for part in parts], mask=mask)


def equal_numbers(array: pa.Array, to: str) -> tuple[pa.Array, Bools]:
    """The numbers, in lists and maps too, in the logical type; and which are what they were."""
    array = plain_array(array)
    type_ = arrow_type(to, array.type)
    made, key = _cast(array, type_), column_key("", to)
    before, after = (array_lanes(each, key, Types.WIDENED) for each in (array, made))
    is_equal: Bools = (before.first == after.first) & (before.second == after.second)
    if pt.is_decimal(type_):  # of more digits, too, which Arrow's cast does not count
        largest = Decimal((0, (9,) * type_.precision, -type_.scale))
        held = pc.less_equal(pc.abs(made), pa.scalar(largest, type_))
        is_equal &= numbers(pc.fill_null(held, True))
    return made, is_equal


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The array in the type; a number that the type has not becomes any other."""
    if pt.is_decimal(array.type) and pt.is_floating(type_):
        array = array.cast(pa.string())  # which is rounded once, where decimals are scaled before
    if pt.is_float16(array.type) and pt.is_decimal(type_):
        array = array.cast(pa.float64())
    if pt.is_integer(array.type) and pt.is_decimal(type_):
        # Arrow asks for room for any integer of the type.
        array = array.cast(pa.decimal256(MOST_DIGITS, max(0, type_.scale)))
    return pc.cast(array, options=pc.CastOptions.unsafe(type_))


def _at(batch: pa.RecordBatch, path: Path) -> pa.Array:
    """The field at the path; NULL where a struct that it lies in is NULL."""
    array = batch.column(path[0])
    for name in path[1:]:
        if pt.is_null(array.type):
            break
        array = array.flatten()[array.type.get_field_index(name)]
    return array


def _picked(batches: Batches, picker: Picker) -> Batches:
    for batch in batches:
        rows = picker.pick(batch)
        if rows is not None:
            yield rows
    picker.check()
