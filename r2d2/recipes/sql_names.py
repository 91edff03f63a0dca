"""Names and paths in SQL: one name for each location, and no two locations share one.

Engines compare names without regard to case, some allow nothing but letters, digits and `_`, and
the shortest limit that any of them has is 63 bytes. So a plain location (lower-case words of ASCII)
keeps its words, with `__` for each `/` and `_` for the dot of its format's ending:

| location | name |
|---|---|
| `exports/planes_boeing.csv` | `exports__planes_boeing_csv` |
| `orders.2024-01.parquet` | `orders_2024_01_parquet__` and 16 digits |

Any other keeps what can be kept of it, before the first 16 hex digits of the location's SHA-256.
`[[sql_name]]` in a TOML file gives a table the name that it has in a catalogue.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.types as pt
from sqlglot import exp

from r2d2.errors import UsageError
from r2d2.formats import FORMATS
from r2d2.formats.schema import is_told_apart
from r2d2.formats.united import arrow_type
from r2d2.recipes.constants import UNTYPED
from r2d2.recipes.grammar import Cast, Field, Output, Rendered
from r2d2.recipes.literals import UnrenderableRecipeError, type_named
from r2d2.settings.toml import read_toml


class SqlDialect(str, Enum):
    """The SQL a view is written in."""

    SPARK = "spark"
    DATABRICKS = "databricks"
    TRINO = "trino"
    BIGQUERY = "bigquery"
    SNOWFLAKE = "snowflake"
    DUCKDB = "duckdb"


# They replace `${env:HOME}` and the like before they parse.
SPARKS = (SqlDialect.SPARK, SqlDialect.DATABRICKS)
_GLOB = frozenset("*?[]{}\\")
_TYPES = {
    **{"int8": "TINYINT", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT"},
    **{"float": "FLOAT", "double": "DOUBLE", "bool": "BOOLEAN", "date32[day]": "DATE"},
    **{"string": "TEXT", "binary": "VARBINARY"},
}
# DuckDB's types, and those that Spark reads such columns as.
_UNSIGNED = {
    "uint8": ("UTINYINT", "SMALLINT"),
    "uint16": ("USMALLINT", "INT"),
    "uint32": ("UINTEGER", "BIGINT"),
    "uint64": ("UBIGINT", "DECIMAL(20, 0)"),
}
Name: TypeAlias = tuple[str, ...]
"""A table's name in SQL: up to catalogue, schema and table."""

_INEXACT = ("float", "decimal")
MOST_CHARACTERS, DIGITS = 63, 16
_WORDS = r"[a-z0-9]+(?:_[a-z0-9]+)*"
_ENDINGS = "|".join(re.escape(end) for kind in FORMATS for end in kind.endings)
_PLAIN = re.compile(rf"{_WORDS}(?:/{_WORDS})*(?P<ending>{_ENDINGS})?", re.ASCII)
_LIKE_ENDINGS = tuple(end.replace(".", "_") for kind in FORMATS for end in kind.endings)
_LIKE_A_HASH = re.compile(rf"(?:.*__)?[0-9a-f]{{{DIGITS}}}")


@dataclass(frozen=True, slots=True)
class SqlName:
    """`[[sql_name]]`: the name of the table at that location, one to three parts."""

    table: str
    name: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 3 or not all(self.name):
            wanted = "expected one to three parts, such as ['main', 'sales', 'orders']"
            raise UsageError(f"name = {list(self.name)}: {wanted}")


def identifier(name: str, dialect: SqlDialect) -> exp.Identifier:
    """The name, quoted.

    Raises:
        UnrenderableRecipeError: the dialect has no way to write it.
    """
    if not name:
        raise UnrenderableRecipeError("an empty name cannot be written in SQL")
    if "\0" in name or is_told_apart(name):
        why = "holds NUL" if "\0" in name else "is in its file more than once"
        raise UnrenderableRecipeError(f"name {name!r} {why}")
    if "${" in name and dialect in SPARKS:
        raise UnrenderableRecipeError(f"name {name!r} would be substituted by {dialect.value}")
    if "." in name and dialect is SqlDialect.BIGQUERY:
        raise UnrenderableRecipeError(f"bigquery would read {name!r} as several names")
    return exp.Identifier(this=name, quoted=True)


def type_of(type_: pa.DataType, dialect: SqlDialect) -> exp.DataType | None:
    """The type's name where it is a plain one that the dialect's files have; None otherwise."""
    duckdb = dialect is SqlDialect.DUCKDB
    if pt.is_timestamp(type_):
        if type_.unit == "ns":
            return None
        zoned = exp.DataType.Type.TIMESTAMPTZ
        return exp.DataType(this=zoned if type_.tz else exp.DataType.Type.TIMESTAMPNTZ)
    if pt.is_decimal128(type_):
        return exp.DataType.build(f"DECIMAL({type_.precision}, {type_.scale})")
    if pt.is_unsigned_integer(type_):
        name = _UNSIGNED[str(type_)][0 if duckdb else 1]
        return exp.DataType.build(name, dialect=dialect.value)
    name = _TYPES.get(str(type_).removeprefix("large_"), "")
    return exp.DataType.build(name) if name else None


def unread_part(type_: pa.DataType, dialect: SqlDialect) -> str | None:
    """The part of the type that the dialect does not read from Parquet as what it is."""
    if pt.is_dictionary(type_):
        return unread_part(type_.value_type, dialect)
    if pt.is_decimal256(type_):
        return str(type_)
    if dialect in SPARKS and (
        pt.is_time(type_) or pt.is_float16(type_) or (pt.is_timestamp(type_) and type_.unit == "ns")
    ):
        return str(type_)
    inner = (type_.field(number).type for number in range(type_.num_fields))
    return next(filter(None, (unread_part(each, dialect) for each in inner)), None)


def unglobbed(path: str) -> str:
    """The path as a glob of DuckDB's that matches nothing else.

    Raises:
        UnrenderableRecipeError: its globs cannot say it.
    """
    if "\\" in path:
        raise UnrenderableRecipeError(f"duckdb opens no path with a backslash: {path!r}")
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def spark_files(format_: str, path: str, dialect: SqlDialect, options: str = "") -> exp.Table:
    """Spark's table of the files at a path.

    Raises:
        UnrenderableRecipeError: it would be read as another path.
    """
    if ":" in path.rpartition("://")[2]:
        raise UnrenderableRecipeError(f"{dialect.value} opens no path with a colon: {path!r}")
    if set(path) & _GLOB:
        if options:  # it looks for the header in whatever the path matches as a glob, twice
            reason = f"{dialect.value} opens no such path with options: {path!r}"
            raise UnrenderableRecipeError(reason)
        path = re.sub(r"[*?\[\]{}\\]", r"\\\g<0>", path)
    quoted = identifier(path, dialect)
    if not options:
        return exp.Table(this=quoted, db=exp.to_identifier(format_))
    return exp.Table(this=exp.var(f"{format_}.{quoted.sql(dialect.value)} WITH ({options})"))


def default_name(location: str) -> str:
    """The location's name where none is given: see the module.

    >>> default_name("exports/planes_boeing.csv")
    'exports__planes_boeing_csv'
    """
    if match := _PLAIN.fullmatch(location):
        name = location.replace("/", "__").replace(".", "_")
        without_ending = match["ending"] is None and name.endswith(_LIKE_ENDINGS)
        if len(name) <= MOST_CHARACTERS and not without_ending and not _LIKE_A_HASH.fullmatch(name):
            return name
    words = "__".join(re.sub(r"[^a-z0-9]+", "_", part.lower()) for part in location.split("/"))
    kept = words[: MOST_CHARACTERS - DIGITS - 2].strip("_") or "table"
    digest = hashlib.sha256(location.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kept}__{digest[:DIGITS]}"


def names_of(locations: Iterable[str], given: Mapping[str, Name]) -> dict[str, Name]:
    """The name of each location: the given one, or its own.

    Raises:
        UsageError: two of them, or of those given, would have one name.
    """
    names = {location: (default_name(location),) for location in locations} | dict(given)
    taken: dict[Name, str] = {}
    for location, name in names.items():
        other = taken.setdefault(_folded(name), location)
        if other != location:
            dotted = ".".join(name)
            raise UsageError(f"[[sql_name]]: {location!r} and {other!r} would both be {dotted!r}")
    return names


def may_be_one(name: Name, other: Name) -> bool:
    """Whether an engine may take the two names for one, in whatever schema it stands."""
    count = min(len(name), len(other))
    return _folded(name)[-count:] == _folded(other)[-count:]


def _folded(name: Name) -> Name:
    return tuple(unicodedata.normalize("NFKC", part).casefold() for part in name)


def load_names(path: Path | None) -> dict[str, Name]:
    """The names that a TOML file gives, by location.

    Raises:
        UsageError: it cannot be read, holds something unknown, or names a table twice.
    """
    if path is None:
        return {}
    file = read_toml(path, {"sql_name": SqlName})
    names: dict[str, Name] = {}
    for number, rule in enumerate(file.values().get("sql_name", ())):
        if rule.table in names:
            raise file.error(("sql_name", number), f"{rule.table!r} has a name already")
        names[rule.table] = rule.name
    return names


@dataclass(frozen=True, slots=True)
class FileSource:
    """A table's files as something to select from; `units` are the types of its times by column."""

    tree: exp.Table | exp.Subquery
    units: Mapping[str, str] = field(default_factory=dict)


Sources: TypeAlias = Mapping[str, Name | FileSource]
"""The table of each location that a recipe reads: its name of up to three parts, or its files."""


@dataclass(frozen=True, slots=True)
class QuotedNames:
    """The names of the recipe's tables by location, and of their columns, in one dialect."""

    tables: Sources
    dialect: SqlDialect
    units: Mapping[str, str]

    def quoted(self, name: str) -> exp.Identifier:
        """The name, quoted."""
        return identifier(name, self.dialect)

    def column(self, table: str, name: str) -> exp.Column:
        """A column of the table of that alias."""
        return exp.Column(this=self.quoted(name), table=self.quoted(table))

    def columns(self, table: str, names: Iterable[str]) -> list[exp.Expr]:
        """The columns of these names."""
        return [self.column(table, name) for name in names]

    def stored(self, location: str, alias: str) -> exp.Expr:
        """The table at the location, under an alias.

        Raises:
            UnrenderableRecipeError: it has no name.
        """
        if location not in self.tables:
            raise UnrenderableRecipeError(f"{location} has no table name")
        source = self.tables[location]
        table = source.tree.copy() if isinstance(source, FileSource) else self.named(source)
        table.set("alias", exp.TableAlias(this=self.quoted(alias)))
        return table

    def restored(self, source: exp.Expr, output: Output, parent: str) -> exp.Expr:
        """The source in the child's unit, where the parent's instants have another one.

        Raises:
            UnrenderableRecipeError: not every version of the dialect has the unit.
        """
        there, path = self.tables.get(parent), output.source
        if not isinstance(there, FileSource) or output.name not in self.units:
            return source
        unit = there.units.get(path.path[0]) if isinstance(path, Field) else None
        wanted = self.units[output.name]
        if unit in (None, wanted):
            return source
        if wanted == "TIMESTAMPTZ_NS":
            raise UnrenderableRecipeError("duckdb's instants with nanoseconds differ by version")
        return exp.Cast(this=source, to=exp.DataType.build(wanted, dialect=self.dialect.value))

    def typed(self, one: exp.Expr, name: str) -> exp.Expr:
        """The value in the Arrow type of that name, which a bare number or NULL has not.

        Raises:
            UnrenderableRecipeError: the dialect has no name for it.
        """
        type_ = None if name == UNTYPED else type_of(type_named(name), self.dialect)
        if type_ is None:
            raise UnrenderableRecipeError(f"{self.dialect.value} is not told how to name {name}")
        return one if one.args.get("to") == type_ else exp.Cast(this=one, to=type_)

    def cast(self, source: exp.Expr, cast: Cast | Rendered) -> exp.Expr:
        """The source as the numbers of another type.

        Raises:
            UnrenderableRecipeError: the dialect lacks the type, or may round what is exact; or text
                is wanted, which each dialect writes in its own way.
        """
        if isinstance(cast, Rendered):
            raise UnrenderableRecipeError(
                f"{self.dialect.value} is not trusted to write text as {cast.rendering!r}"
            )
        between = {kind for type_ in (cast.of, cast.to) for kind in _INEXACT if kind in type_}
        type_ = None if "<" in cast.to else type_of(arrow_type(cast.to), self.dialect)
        if type_ is None or len(between) > 1:
            reason = f"{self.dialect.value} is not trusted to cast {cast.of} to {cast.to} exactly"
            raise UnrenderableRecipeError(reason)
        return exp.Cast(this=source, to=type_)

    def named(self, name: Name) -> exp.Table:
        """The table of that name.

        Raises:
            UnrenderableRecipeError: the name has no part or more than three.
        """
        if not 1 <= len(name) <= 3:
            raise UnrenderableRecipeError(f"a table's name has one to three parts, not {name!r}")
        parts = zip(("this", "db", "catalog"), map(self.quoted, reversed(name)), strict=False)
        return exp.Table(**dict(parts))


def properties_of(told: Mapping[str, str], dialect: SqlDialect) -> exp.Properties | None:
    """The properties of a view, None where there are none."""
    pairs = ((exp.Literal.string(key), text_value(text, dialect)) for key, text in told.items())
    found = [exp.Property(this=key, value=text) for key, text in pairs]
    return exp.Properties(expressions=found) if found else None


def text_value(text: str, dialect: SqlDialect) -> exp.Expr:
    """The text as a constant.

    Raises:
        UnrenderableRecipeError: it holds NUL.
    """
    if "\0" in text:
        raise UnrenderableRecipeError(f"text {text!r} holds NUL")
    parts = text.split("${") if dialect in SPARKS else [text]
    first, *rest = [exp.Literal.string(part) for part in _apart(parts)]
    return exp.Concat(expressions=[first, *rest]) if rest else first


def _apart(parts: list[str]) -> list[str]:
    """`a${b` as `a$` and `{b`, which no substitution sees."""
    whole = [parts[0], *("{" + part for part in parts[1:])]
    return [part + "$" for part in whole[:-1]] + whole[-1:]
