"""Arrow schemas as flattened columns with strict logical types."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.types as pt

from r2d2.errors import IneligibleTableError
from r2d2.model import Column

# Of a text: more are data taken for names.
COLUMNS = 10_000
_APART = re.compile(r"`(.*)`#([0-9]+)=?'*", re.DOTALL)
_PLAIN = re.compile(r"`((?:[^`]|``)*)`|([^.`]*)", re.DOTALL)
PRIMITIVES = {
    pa.null(): "null",
    pa.bool_(): "bool",
    pa.int8(): "int8",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.uint8(): "uint8",
    pa.uint16(): "uint16",
    pa.uint32(): "uint32",
    pa.uint64(): "uint64",
    pa.float16(): "float16",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.date32(): "date",
    pa.date64(): "date",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.binary_view(): "binary",
}
_VENDOR = "r2d2"


def annotated(type_: pa.DataType, label: str) -> pa.DataType:
    """The type under an annotation that makes it another logical type, called `label`."""
    return pa.opaque(type_, label, _VENDOR)


def is_annotated(type_: pa.DataType) -> bool:
    """Whether `annotated` made the type."""
    return isinstance(type_, pa.OpaqueType) and type_.vendor_name == _VENDOR


@lru_cache(maxsize=4096)
def flatten(schema: pa.Schema) -> tuple[Column, ...]:
    """The schema's columns, structs flattened; a column's order is the schema's.

    Raises:
        IneligibleTableError: two columns have one name, or a type has no row identity.
    """
    columns = tuple(_leaves(schema))
    check_names([column.name for column in columns], case_sensitive=True)
    return columns


def check_names(names: Sequence[str], case_sensitive: bool = False) -> None:
    """Raises IneligibleTableError where two names are one, as the lake matches names."""
    _check_names(tuple(names), case_sensitive)


@lru_cache(maxsize=4096)
def _are_apart(names: tuple[str, ...]) -> bool:
    return len({name.lower() for name in names}) == len(names) and "=" not in "".join(names)


@lru_cache(maxsize=4096)
def _check_names(names: tuple[str, ...], case_sensitive: bool) -> None:
    if _are_apart(names):
        return
    keys = [matched_name(name, case_sensitive) for name in names]
    if len(set(keys)) == len(keys):
        return
    seen: dict[str, str] = {}
    for key, name in zip(keys, names, strict=True):
        if key in seen:
            is_one = seen[key] == name
            but = "" if is_one else " but for case (case_sensitive = true tells them apart)"
            raise IneligibleTableError(
                f"columns {seen[key]!r} and {name!r} have the same name{but}"
            )
        seen[key] = name


def told_apart(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """A text file's columns as (name, top-level field), where names may recur or be empty.

    Columns of one name are told apart by their occurrence. Where spellings of one name differ by
    case, each is matched only by exactly its own. No other column can have such a name, and none
    of these fields can be named in SQL.

    >>> told_apart(["a", "b", "a"])
    (('a', '`a`#1'), ('b', 'b'), ('`a`#2', '`a`#2'))
    >>> told_apart(["a", "A"])
    (('`a`#1=', '`a`#1='), ('`A`#1=', '`A`#1='))
    """
    folded = [name.lower() for name in names]
    counts = Counter(folded)
    if len(counts) == len(names):
        return tuple((quoted(name), name) for name in names)
    spellings: dict[str, set[str]] = defaultdict(set)
    for key, name in zip(folded, names, strict=True):
        spellings[key].add(name)
    taken, met = set(names), Counter[str]()
    columns = []
    for key, name in zip(folded, names, strict=True):
        if counts[key] == 1:
            columns.append((quoted(name), name))
            continue
        met[name] += 1
        is_exact = len(spellings[key]) > 1
        apart = f"`{name.replace('`', '``')}`#{met[name]}{'=' if is_exact else ''}"
        field = apart
        while field in taken:
            field += "'"
        columns.append((apart if is_exact or met[name] > 1 else quoted(name), field))
    return tuple(columns)


def is_told_apart(field: str) -> bool:
    """Whether the field's file has its name more than once: see `told_apart`."""
    return _APART.fullmatch(field) is not None


@lru_cache(maxsize=1 << 16)
def matched_name(name: str, case_sensitive: bool) -> str:
    """The column's name as it is matched."""
    if name.endswith("=") and (found := _APART.fullmatch(name)):
        if not case_sensitive:
            return name
        spelled = found[1].replace("``", "`")
        return quoted(spelled) if found[2] == "1" else name[:-1]
    return name if case_sensitive else name.lower()


def exact_name(name: str) -> str:
    """The name that its column is matched by in a table with spellings that differ by case.

    >>> exact_name("a"), exact_name("`a`#2"), exact_name("`a`#1="), exact_name("struct.field")
    ('`a`#1=', '`a`#2=', '`a`#1=', 'struct.field')
    """
    if _APART.fullmatch(name):
        return name if name.endswith("=") else name + "="
    plain = _PLAIN.fullmatch(name)
    return f"`{plain[1] or plain[2] or ''}`#1=" if plain else name


def quoted(part: str) -> str:
    """The name's part as shown: in backticks where a dot or backtick would mislead."""
    return f"`{part.replace('`', '``')}`" if "." in part or "`" in part else part


def _leaves(fields: "pa.Schema | pa.StructType", path: tuple[str, ...] = ()) -> Iterator[Column]:
    check_names([field.name for field in fields], case_sensitive=True)
    for field in fields:
        below = (*path, field.name)
        kind = PRIMITIVES.get(field.type)
        if kind is not None:
            yield Column(".".join(map(quoted, below)), kind, below)
        elif pt.is_struct(field.type) and field.type.num_fields:
            yield from _leaves(field.type, below)
        else:
            name = ".".join(map(quoted, below))
            yield Column(name, _column_type(name, field.type), below)


def _column_type(name: str, type_: pa.DataType) -> str:
    try:
        return logical_type(type_)
    except IneligibleTableError as error:
        raise IneligibleTableError(f"column {name}: {error}") from error


def logical_type(type_: pa.DataType) -> str:
    """The strict logical type's name; layouts of one logical type share it.

    >>> logical_type(pa.timestamp("ms")), logical_type(pa.dictionary(pa.int8(), pa.large_string()))
    ('timestamp', 'string')

    Raises:
        IneligibleTableError: the type's values have no identity (intervals, unions, extensions).
    """
    if isinstance(type_, pa.BaseExtensionType):
        return _extension(type_)
    known = PRIMITIVES.get(type_)
    if known is not None:
        return known
    if pt.is_dictionary(type_) or pt.is_run_end_encoded(type_):
        return logical_type(type_.value_type)
    if pt.is_timestamp(type_):
        return "timestamp" if type_.tz is None else "timestamptz"
    if pt.is_time(type_):
        return "time"
    if pt.is_duration(type_):
        return "duration"
    if pt.is_fixed_size_binary(type_) and not pt.is_decimal(type_):
        return "binary"
    if pt.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pt.is_map(type_):
        return f"map<{logical_type(type_.key_type)},{logical_type(type_.item_type)}>"
    if pt.is_list(type_) or pt.is_large_list(type_) or pt.is_fixed_size_list(type_):
        return f"list<{logical_type(type_.value_type)}>"
    if pt.is_list_view(type_) or pt.is_large_list_view(type_):
        return f"list<{logical_type(type_.value_type)}>"
    if pt.is_struct(type_):
        return _struct_type(type_)
    raise IneligibleTableError(f"type {type_} has no row identity")


def _extension(type_: pa.BaseExtensionType) -> str:
    if is_annotated(type_):
        return str(type_.type_name)
    if isinstance(type_, pa.UuidType):
        return "uuid"
    if isinstance(type_, pa.JsonType):
        return "json"
    raise IneligibleTableError(f"type {type_} has no row identity")


def _struct_type(type_: pa.StructType) -> str:
    check_names([field.name for field in type_])
    fields = sorted((field.name.lower(), logical_type(field.type)) for field in type_)
    return "struct<" + ",".join(f"{label(name)}:{kind}" for name, kind in fields) + ">"


def label(name: str) -> str:
    """The name within a type: in backticks unless it is a word, so that types stay apart."""
    return name if re.fullmatch(r"\w+", name) else f"`{name.replace('`', '``')}`"


def with_inner(type_: pa.DataType, inner: Callable[[pa.Field], pa.Field]) -> pa.DataType:
    """The struct, list or map with other fields inside, in their order; any other type as it is."""
    if pt.is_struct(type_):
        return pa.struct([inner(type_.field(place)) for place in range(type_.num_fields)])
    if pt.is_map(type_):
        return pa.map_(inner(type_.key_field), inner(type_.item_field))
    if pt.is_list(type_):
        return pa.list_(inner(type_.value_field))
    if pt.is_large_list(type_):
        return pa.large_list(inner(type_.value_field))
    if pt.is_fixed_size_list(type_):
        return pa.list_(inner(type_.value_field), type_.list_size)
    if pt.is_list_view(type_):
        return pa.list_view(inner(type_.value_field))
    if pt.is_large_list_view(type_):
        return pa.large_list_view(inner(type_.value_field))
    return type_


def without_extension(type_: pa.DataType) -> pa.DataType:
    """The type that an extension type stands on."""
    while isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    return type_
