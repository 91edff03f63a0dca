"""Columns of several files as one table's: of one spelling, filled up, and of types that hold all.

What is NULL only has any type; a whole number, a float or a decimal of the same scale is widened to
the larger one. What would change a value is refused.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import plain
from r2d2.errors import IneligibleTableError
from r2d2.formats.bounds import union
from r2d2.formats.schema import PRIMITIVES, label, logical_type, quoted
from r2d2.formats.uniform import plain_array
from r2d2.model import Bounds, Column, Table
from r2d2.settings.find import DOUBT, LEFT_OUT, UNUSED
from r2d2.text_tables import pluralize

Fold = Callable[[str], str]
Path = tuple[str, ...]
_BY_NAME = {name: type_ for type_, name in reversed(PRIMITIVES.items())} | {
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
    "duration": pa.duration("us"),
}
_DECIMAL = re.compile(r"decimal\((\d+),(-?\d+)\)")
_INTEGER = re.compile(r"(u?)int(\d+)")
_FLOAT = re.compile(r"float(\d+)")
_FIELD = re.compile(r"(\w+|`(?:[^`]|``)*`):")
_END = re.compile(r"[,>]|$")


@dataclass(frozen=True, slots=True)
class Place:
    """A column of the table, and its path in a file: None where the file lacks it."""

    column: Column
    path: Path | None


def fold_of(files: Iterable[tuple[Column, ...]], case_sensitive: bool) -> Fold:
    """How names match: by their case too where a file has two that differ in nothing else."""
    if case_sensitive:
        return str
    # By identity: files of one schema mostly share one tuple.
    for columns in {id(columns): columns for columns in files}.values():
        names = {column.path[:end] for column in columns for end in range(1, len(column.path) + 1)}
        if len({tuple(map(str.lower, name)) for name in names}) < len(names):
            return str
    return str.lower


@dataclass(slots=True)
class _Node:
    """A column in all files: a struct where it has fields, and else of the type that holds all.

    `shown` is the column's name where it is no field of a struct.
    """

    name: str
    shown: str
    type: str = "null"
    first: str = ""
    fields: "dict[str, _Node]" = field(default_factory=dict)


def united(location: str, parts: Sequence[Table], fold: Fold) -> tuple[Column, ...]:
    """The columns of all files, in the first one's order and spelling, of types that hold all."""
    root = _Node("", "")
    seen: set[int] = set()
    for part in parts:
        if id(part.columns) not in seen:
            seen.add(id(part.columns))
            for column in part.columns:
                _add(root, column, part.location, fold, location)
    return tuple(_leaves(root, ()))


def _add(root: _Node, column: Column, first: str, fold: Fold, location: str) -> None:
    node = root
    for name in column.path:
        if node.type != "null":
            raise _disagreement(location, node, "a struct", first)
        node = node.fields.setdefault(fold(name), _Node(name, column.name))
    found = common_type(node.type, column.type)
    if found is None or (node.fields and found != "null"):
        raise _disagreement(location, node, column.type, first)
    if found != node.type:
        node.type, node.first = found, node.first or first


def _disagreement(location: str, node: _Node, type_: str, place: str) -> IneligibleTableError:
    known = "a struct" if node.fields else node.type
    where = f" in {node.first}" if node.first else ""
    return IneligibleTableError(
        f"{location}: column {node.name} is {known}{where} and {type_} in {place}"
    )


def _leaves(node: _Node, path: Path) -> Iterator[Column]:
    for inside in node.fields.values():
        below = (*path, inside.name)
        if inside.fields:
            yield from _leaves(inside, below)
        else:
            name = ".".join(map(quoted, below)) if path else inside.shown
            yield Column(name, inside.type, below)


def places_of(table: Sequence[Column], columns: Sequence[Column], fold: Fold) -> tuple[Place, ...]:
    """The place of each of the table's columns in a file; () where it has them as they are."""
    if {(c.path, c.type) for c in columns} == {(c.path, c.type) for c in table}:
        return ()
    own = {tuple(map(fold, column.path)): column.path for column in columns}
    return tuple(Place(c, own.get(tuple(map(fold, c.path)))) for c in table)


def united_bounds(
    columns: Sequence[Column], files: Sequence[tuple[Table, Sequence[Place], Container[str]]]
) -> dict[str, Bounds]:
    """The columns' bounds over all files, each with its places and the columns that another tells.

    What a file lacks is NULL in each of its rows.
    """
    found: dict[str, list[Bounds]] = {column.name: [] for column in columns}
    for file, places, told in files:
        if not places:
            for column in columns:
                found[column.name].append(file.bounds.get(column.name, Bounds()))
            continue
        own = {column.path: column for column in file.columns}
        paths = {place.column.path: place.path for place in places}
        has_nulls = None if file.rows is None else file.rows > 0
        nulls = Bounds(has_nulls=has_nulls, has_values=False, sure=True)
        for column in columns:
            path = paths[column.path]
            if path is None:
                bounds = Bounds() if column.path[0] in told else nulls
            else:
                is_null = own[path].type == "null"
                bounds = nulls if is_null else file.bounds.get(own[path].name, Bounds())
            found[column.name].append(bounds)
    return {name: union(some) for name, some in found.items()}


def placed(batch: pa.RecordBatch, places: Sequence[Place]) -> pa.RecordBatch:
    """The batch with the table's columns, of its types."""
    arrays = {}
    for name, inside in _by_name(places, 0).items():
        own = next((place.path[0] for place in inside if place.path), None)
        array = None if own is None else batch.column(own)
        arrays[name] = _fitted(array, inside, 1, batch.num_rows)
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.repeat(pa.scalar({}), batch.num_rows))
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _by_name(places: Sequence[Place], depth: int) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(place.column.path[depth], []).append(place)
    return found


def _fitted(array: pa.Array | None, places: Sequence[Place], depth: int, rows: int) -> pa.Array:
    """The array as the columns at these places, which lie below it in structs."""
    first = places[0].column
    if len(first.path) == depth:
        if array is None:
            return pa.nulls(rows, arrow_type(first.type))
        if logical_type(array.type) == first.type:
            return array
        return plain_array(array).cast(arrow_type(first.type, array.type))
    arrays = {}
    array = None if array is None else plain(array)
    for name, inside in _by_name(places, depth).items():
        own = next((place.path[depth] for place in inside if place.path), None)
        place = -1 if array is None or own is None else array.type.get_field_index(own)
        child = None if array is None or place < 0 else array.field(place)
        arrays[name] = _fitted(child, inside, depth + 1, rows)
    absent = pa.repeat(True, rows) if array is None else array.is_null()
    return pa.StructArray.from_arrays(list(arrays.values()), list(arrays), mask=absent)


@dataclass(frozen=True, slots=True)
class _Nested:
    """A logical type taken apart: `int64`, or `map` or `struct` with what is inside.

    `labels` are the names of a struct's fields, () for other types.
    """

    head: str
    inside: "tuple[_Nested, ...]" = ()
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.inside and self.head != "struct":
            return self.head
        named = self.labels or ("",) * len(self.inside)
        parts = (
            f"{label}:{type_}" if label else str(type_)
            for label, type_ in zip(named, self.inside, strict=True)
        )
        return f"{self.head}<{','.join(parts)}>"


@lru_cache(maxsize=4096)
def _taken_apart(type_: str) -> _Nested:
    nested, _ = _parse(type_, 0)
    # A type that is written otherwise is of one piece.
    return nested if str(nested) == type_ else _Nested(type_)


def _parse(text: str, place: int) -> tuple[_Nested, int]:
    """The type that begins at the place, and where it ends."""
    for head in ("list", "map", "struct"):
        if text.startswith(f"{head}<", place):
            return _parse_inside(head, text, place + len(head) + 1)
    decimal = _DECIMAL.match(text, place)
    end = _END.search(text, place)
    stop = decimal.end() if decimal else end.start() if end else len(text)
    return _Nested(text[place:stop]), stop


def _parse_inside(head: str, text: str, place: int) -> tuple[_Nested, int]:
    inside, labels = [], []
    while text[place] != ">":
        place += text[place] == ","
        if head == "struct" and (label := _FIELD.match(text, place)):
            labels.append(label[1])
            place = label.end()
        part, place = _parse(text, place)
        inside.append(part)
    return _Nested(head, tuple(inside), tuple(labels)), place + 1


def common_type(one: str, other: str) -> str | None:
    """The logical type that holds the values of both exactly, at every depth; None where none does.

    A whole number widens to a larger one, a float to a larger one, a decimal to more digits of the
    same scale, and what is NULL only to anything.

    >>> common_type("list<int32>", "list<int64>"), common_type("null", "date")
    ('list<int64>', 'date')
    >>> common_type("int32", "float64")
    """
    return one if one == other else _together(one, other, widens=True)


def typed_nulls(one: str, other: str) -> str | None:
    """The type that both are where what is NULL only has the other's type; None where they differ.

    >>> typed_nulls("list<null>", "list<int64>"), typed_nulls("int32", "int64")
    ('list<int64>', None)
    """
    return one if one == other else _together(one, other, widens=False)


@lru_cache(maxsize=4096)
def _together(one: str, other: str, widens: bool) -> str | None:
    found = _common(_taken_apart(one), _taken_apart(other), widens)
    return None if found is None else str(found)


def _common(one: _Nested, other: _Nested, widens: bool) -> _Nested | None:
    if one == other or other.head == "null":
        return one
    if one.head == "null":
        return other
    if one.inside and (one.head, one.labels) == (other.head, other.labels):
        pairs = zip(one.inside, other.inside, strict=True)
        parts = [_common(*pair, widens) for pair in pairs]
        known = tuple(part for part in parts if part is not None)
        return _Nested(one.head, known, one.labels) if len(known) == len(parts) else None
    if not widens:
        return None
    head = _common_integer(one.head, other.head) or _common_other(one.head, other.head)
    return None if head is None else _Nested(head)


def _common_integer(one: str, other: str) -> str | None:
    found = [_INTEGER.fullmatch(type_) for type_ in (one, other)]
    kinds = [(match[1], int(match[2])) for match in found if match]
    if len(kinds) < 2:
        return None
    if kinds[0][0] == kinds[1][0]:
        return f"{kinds[0][0]}int{max(bits for _, bits in kinds)}"
    # A signed number takes one bit more than an unsigned one, which is the next larger type.
    bits = max(2 * size if unsigned else size for unsigned, size in kinds)
    return f"int{bits}" if bits <= 64 else None


def _common_other(one: str, other: str) -> str | None:
    floats = [match for match in map(_FLOAT.fullmatch, (one, other)) if match]
    if len(floats) == 2:
        return f"float{max(int(match[1]) for match in floats)}"
    decimals = [match for match in map(_DECIMAL.fullmatch, (one, other)) if match]
    if len(decimals) == 2 and decimals[0][2] == decimals[1][2]:
        return f"decimal({max(int(match[1]) for match in decimals)},{decimals[0][2]})"
    return None


def arrow_type(logical: str, own: pa.DataType | None = None) -> pa.DataType:
    """An Arrow type of that logical type, in the layout of `own`, a narrower one.

    The type null stands for a type that only other files tell.
    """
    return _arrow(_taken_apart(logical), own)


def _arrow(wanted: _Nested, own: pa.DataType | None) -> pa.DataType:
    if own is not None and logical_type(own) == str(wanted):
        return own
    if own is not None and (pt.is_dictionary(own) or pt.is_run_end_encoded(own)):
        return _arrow(wanted, own.value_type)
    if wanted.head == "list":
        item = _child(own, 0)
        value = _arrow(wanted.inside[0], item and item.type)
        field = pa.field("element", value) if item is None else item.with_type(value)
        return pa.large_list(field) if own and pt.is_large_list(own) else pa.list_(field)
    if wanted.head == "map":
        types = (None, None)
        if own is not None and pt.is_map(own):
            types = (own.key_type, own.item_type)
        return pa.map_(*map(_arrow, wanted.inside, types))
    if wanted.head == "struct":
        return _arrow_struct(wanted, own)
    if decimal := _DECIMAL.fullmatch(wanted.head):
        digits, scale = int(decimal[1]), int(decimal[2])
        return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)
    known = _BY_NAME.get(wanted.head)
    # An annotation that Arrow has no type for: the rows are of the type that it stands on.
    return known if known is not None else pa.null() if own is None else own


def _child(own: pa.DataType | None, place: int) -> pa.Field | None:
    return own.field(place) if own is not None and own.num_fields > place else None


def _arrow_struct(wanted: _Nested, own: pa.DataType | None) -> pa.DataType:
    if own is None or not pt.is_struct(own):
        return pa.null()
    types = dict(zip(wanted.labels, wanted.inside, strict=True))
    fields = [own.field(place) for place in range(own.num_fields)]
    return pa.struct([f.with_type(_arrow(types[label(f.name.lower())], f.type)) for f in fields])


def nested_type(known: pa.DataType, columns: Sequence[Column], depth: int) -> pa.DataType:
    """The type that the columns below it have together, in the layout of what is known of it."""
    if len(columns[0].path) == depth:
        return arrow_type(columns[0].type, known)
    fields = []
    for name in dict.fromkeys(column.path[depth] for column in columns):
        below = [column for column in columns if column.path[depth] == name]
        place = known.get_field_index(name) if pt.is_struct(known) else -1
        own = pa.field(name, pa.null()) if place < 0 else known.field(place)
        fields.append(own.with_type(nested_type(own.type, below, depth + 1)))
    return pa.struct(fields)


def united_details(parts: Sequence[Table]) -> dict[str, str]:
    """The first file's details; what is told of the text of some files, with the first of these."""
    details = dict(parts[0].details)
    for key in (DOUBT, UNUSED, LEFT_OUT):
        told = [(part.location, part.details[key]) for part in parts if key in part.details]
        if told and (len(told) < len(parts) or len({value for _, value in told}) > 1):
            count = len(told) - 1
            more = f"; and {pluralize(count, 'more file')} alike" if count else ""
            details[key] = f"in {told[0][0]}: {told[0][1]}{more}"
    return details
