"""The files of a table as SQL reads them where no catalogue has it: `FROM` by the dialect's reader.

| | duckdb | spark | databricks |
|---|---|---|---|
| Parquet | `read_parquet` | ``parquet.`path` `` | as spark |
| Delta | `read_parquet`, or `delta_scan` | ``delta.`path` `` | as spark |
| CSV | `read_csv`, all text | ``csv.`path` WITH (…)``, from Spark 4.0 | refused |
| ORC | refused | ``orc.`path` `` | as spark |

Each file is named, so that no glob, hidden file or partition is guessed at; what a folder's name or
a Delta log tells of it, or what it lacks, is a constant beside it. DuckDB needs its extension for
Delta only where rows are deleted by vectors, or columns have other names in files.

Refused with the reason is what the reader would read otherwise than r2d2 does: each Parquet file's
types are looked at, and a CSV file is read once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from sqlglot import exp

from r2d2.formats.compression import pieces
from r2d2.formats.csv.encoding import LATIN_1, UTF_8, utf_8
from r2d2.formats.csv.fast_path import (
    TextTraits,
    after_lines,
    first_record,
    line_ends,
    traits_of,
)
from r2d2.formats.csv.read import CsvContext
from r2d2.formats.csv.records import ASCII, CsvDialect
from r2d2.formats.csv.write import encoding_of_file
from r2d2.formats.delta.read import LiveFile
from r2d2.formats.hive import Partition, folder_value
from r2d2.formats.uniform import plain_type
from r2d2.formats.united import arrow_type
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.recipes.literals import Literal, RecipeError, UnrenderableRecipeError
from r2d2.recipes.sql import value
from r2d2.recipes.sql_names import (
    SPARKS,
    FileSource,
    SqlDialect,
    identifier,
    spark_files,
    type_of,
    unglobbed,
    unread_part,
)
from r2d2.storage.local import Storage

MOST_FILES = 1000
"""Of one table in a view: beyond it a catalogue serves better."""
_MOST_CSV_COLUMNS = 20_000
_REMEDY = "; name the table of a catalogue in [[sql_name]]"
_Columns: TypeAlias = Mapping[str, exp.Expr]
"""Expressions in place of a file's own columns, by the table's name of each."""


def sources_of(
    tables: Mapping[str, Table], storage: Storage, dialect: SqlDialect, files: Mapping[str, Path]
) -> dict[str, FileSource]:
    """What reads each table, and each Parquet file beside the lake, by location.

    Raises:
        UnrenderableRecipeError: the dialect has no reader for one, or reads it otherwise.
        TableError: a file cannot be read.
    """
    found = {
        location: _Reader(storage, dialect, table).source() for location, table in tables.items()
    }
    for location, path in files.items():
        has_floats = _has_floats(pq.ParquetFile(path))
        found[location] = FileSource(_parquet(str(path), dialect, has_floats))
    return found


def units_of(schema: pa.Schema, dialect: SqlDialect) -> dict[str, str]:
    """The types of the columns with times, of which DuckDB tells one unit from the others."""
    if dialect is not SqlDialect.DUCKDB:
        return {}
    return {item.name: _unit(item.type) for item in schema if pt.is_timestamp(item.type)}


def _unit(type_: pa.DataType) -> str:
    kind = "TIMESTAMPTZ" if type_.tz else "TIMESTAMP"
    return f"{kind}_NS" if type_.unit == "ns" else kind


@dataclass(frozen=True, slots=True)
class _Reader:
    """One table's files as one dialect reads them."""

    storage: Storage
    dialect: SqlDialect
    table: Table

    def source(self) -> FileSource:
        """A reader's call, or a query over several."""
        match self.table.format:
            case _ if self.dialect not in (SqlDialect.DUCKDB, *SPARKS):
                raise self.refused(f"{self.dialect.value} reads no files here")
            case Format.DELTA:
                return self._delta()
            case Format.PARQUET:
                return self._files(self._parquet_file)
            case Format.CSV if self.dialect is not SqlDialect.DATABRICKS:
                return self._files(self._csv_file)
            case Format.ORC if self.dialect in SPARKS:
                return self._files(self._orc_file)
            case _:
                raise self.refused(f"{self.dialect.value} has no reader for {self.table.format}")

    def refused(self, reason: str) -> UnrenderableRecipeError:
        """The error with the table and the remedy."""
        return UnrenderableRecipeError(f"{self.table.location or 'the table'}: {reason}{_REMEDY}")

    def _delta(self) -> FileSource:
        path = self.storage.absolute(self.table.location)
        if self.dialect in SPARKS:
            return FileSource(spark_files("delta", path, self.dialect))
        try:
            return self._files(self._parquet_file)
        except _OnlyDeltaError:
            if any(column.type.startswith("float") for column in self.table.columns):
                raise self.refused("duckdb's delta_scan passes over NaN") from None
            return FileSource(_call("delta_scan", [exp.Literal.string(path)]))

    def _files(self, read: "_ReadFile") -> FileSource:
        """One file's reader, or the union of all files' with what is told of them."""
        splits = {split.file: split for split in self.table.splits}
        if not splits:
            raise self.refused("it has no rows")
        if len(splits) > MOST_FILES:
            raise self.refused(f"{len(splits)} files are more than one view should name")
        parts = [self._part(split, read) for split in splits.values()]
        if len(parts) == 1:
            return parts[0]
        found = {(name, unit) for part in parts for name, unit in part.units.items()}
        if len(dict(found)) < len(found):
            raise self.refused("its files differ in the unit of a time")
        selects = [part.tree.this for part in parts if isinstance(part.tree, exp.Subquery)]
        return FileSource(exp.Subquery(this=_union_all(selects)), dict(found))

    def _part(self, split: Split, read: "_ReadFile") -> FileSource:
        context, added = split.context, dict[str, exp.Expr]()
        if isinstance(context, Partition):
            added, context = self._partition(context, split), context.inner
        elif isinstance(context, LiveFile):
            added = self._live(context)
        source = read(split.file, context)
        if not added and len(self.table.files) == 1:
            return source
        columns: list[exp.Expr] = []
        for name in dict.fromkeys(column.path[0] for column in self.table.columns):
            own = exp.Column(this=self._quoted(name))
            columns.append(exp.alias_(added.get(name, own), self._quoted(name)))
        select = exp.Select(expressions=columns).from_(source.tree)
        return FileSource(select.subquery(), source.units)

    def _partition(self, context: Partition, split: Split) -> dict[str, exp.Expr]:
        """The folder's values, and the file's columns that differ from the table's."""
        told = {name: folder_value(key, split) for name, key in context.told.items()}
        added = {name: self._constant(scalar) for name, scalar in told.items()}
        for place in context.places:
            name, path = place.column.path[0], place.path
            if name in told:
                continue
            if len(place.column.path) > 1 or (path is not None and len(path) > 1):
                raise self.refused("its files differ, and have structs")
            source = exp.Null() if path is None else exp.Column(this=self._quoted(path[0]))
            added[name] = self._cast(source, arrow_type(place.column.type))
        return added

    def _live(self, live: LiveFile) -> dict[str, exp.Expr]:
        """The partition's values, and NULL for the columns that the file lacks."""
        stored = pq.ParquetFile(self.storage.open(live.info)).schema_arrow
        if live.deletions is not None:
            raise _OnlyDeltaError
        added = {name: self._constant(scalar) for name, scalar in live.constants.items()}
        for column in live.stored_columns:
            if column.physical_name != column.name or column.char_length is not None:
                raise _OnlyDeltaError
            place = stored.get_field_index(column.name)
            if place < 0:
                added[column.name] = self._cast(exp.Null(), column.type)
            elif _layoutless(stored.field(place).type) != _layoutless(column.type):
                raise _OnlyDeltaError
        return added

    def _constant(self, scalar: pa.Scalar) -> exp.Expr:
        if not scalar.is_valid:
            return self._cast(exp.Null(), scalar.type)
        try:
            return self._cast(value(Literal.of(scalar), self.dialect), scalar.type)
        except RecipeError as error:
            raise self.refused(str(error)) from error

    def _cast(self, source: exp.Expr, type_: pa.DataType) -> exp.Expr:
        named = type_of(type_, self.dialect)
        if named is None:
            raise self.refused(f"{self.dialect.value} is not told how to name {type_}")
        return exp.Cast(this=source, to=named)

    def _quoted(self, name: str) -> exp.Identifier:
        return identifier(name, self.dialect)

    def _path(self, file: FileInfo) -> str:
        return self.storage.absolute(file.path)

    def _parquet_file(self, file: FileInfo, context: object) -> FileSource:
        opened = pq.ParquetFile(self.storage.open(file))
        stored = {opened.schema.column(leaf).physical_type for leaf in range(len(opened.schema))}
        if "INT96" in stored and self.dialect is SqlDialect.DUCKDB:
            if self.table.format == Format.DELTA:
                raise _OnlyDeltaError
            raise self.refused("duckdb reads INT96 instants as times without a zone")
        schema = opened.schema_arrow
        for item in schema:
            if unread := unread_part(item.type, self.dialect):
                raise self.refused(f"{self.dialect.value} does not read {item.name!r}, {unread}")
        source = _parquet(self._path(file), self.dialect, _has_floats(opened))
        return FileSource(source, units_of(schema, self.dialect))

    def _orc_file(self, file: FileInfo, context: object) -> FileSource:
        times = [column.name for column in self.table.columns if "timestamp" in column.type]
        if times:
            reason = f"{self.dialect.value} reads ORC's {times[0]!r} by its own time zone"
            raise self.refused(reason)
        return FileSource(spark_files("orc", self._path(file), self.dialect))

    def _csv_file(self, file: FileInfo, context: object) -> FileSource:
        if not isinstance(context, CsvContext):
            raise TypeError(f"{file.path}: not a split of delimited text")
        text = _CsvText.of(self.storage, file, context)
        if problem := text.problem(self.dialect):
            raise self.refused(problem)
        if self.dialect is SqlDialect.DUCKDB:
            return FileSource(text.by_duckdb(self._path(file)))
        return FileSource(text.by_spark(self._path(file), self._quoted))


_ReadFile: TypeAlias = Callable[[FileInfo, object], FileSource]


class _OnlyDeltaError(Exception):
    """Files alone do not tell the rows of a Delta table."""


def _layoutless(type_: pa.DataType) -> str:
    """The type's name, the same for every layout of text and bytes."""
    return str(plain_type(type_)).replace("large_", "")


def _parquet(path: str, dialect: SqlDialect, has_floats: bool) -> exp.Table:
    if dialect in SPARKS:
        return spark_files("parquet", path, dialect)
    options = [_option("hive_partitioning", exp.false())]
    if has_floats:  # else a footer's bounds, in which NaN is none, decide of NaN, too
        options.append(_option("can_have_nan", exp.true()))
    return _call("read_parquet", [exp.Literal.string(unglobbed(path)), *options])


def _has_floats(file: pq.ParquetFile) -> bool:
    return not {"FLOAT", "DOUBLE"}.isdisjoint(
        file.schema.column(leaf).physical_type for leaf in range(len(file.schema))
    )


def _call(name: str, arguments: Sequence[exp.Expr]) -> exp.Table:
    return exp.Table(this=exp.Anonymous(this=name, expressions=list(arguments)))


def _option(name: str, setting: exp.Expr) -> exp.Expr:
    return exp.EQ(this=exp.var(name), expression=setting)


def _union_all(selects: Sequence[exp.Expr]) -> exp.Expr:
    return reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), selects)


@dataclass(frozen=True, slots=True)
class _CsvText:
    """A CSV file's text as parsers meet it; `header` is its first record."""

    context: CsvContext
    encoding: str
    traits: TextTraits
    header: tuple[str, ...]

    @classmethod
    def of(cls, storage: Storage, file: FileInfo, context: CsvContext) -> "_CsvText":
        """The file's; all of it is read.

        Raises:
            UnreadableTableError: it is not what it was.
        """
        dialect = context.dialect
        first = next(_text(storage, file, dialect), b"")
        start = after_lines(first, dialect.skip_rows) or 0
        record = first_record(first[start:], dialect, whole=True, path=file.path)
        traits = traits_of(_text(storage, file, dialect), dialect, file.path)
        return cls(
            context,
            encoding_of_file(storage, file, dialect),
            replace(traits, ends=traits.ends | line_ends(first[:start])),
            tuple(field.decode() for field in record.fields) if record else (),
        )

    def problem(self, dialect: SqlDialect) -> str | None:
        """Why the dialect would read other fields, or None."""
        csv, names, traits = self.context.dialect, self.context.names, self.traits
        folded = {name.casefold() for name in names}
        problems = {
            "its quotes or escapes are not the usual ones": bool(csv.escape) or not traits.plain,
            "its lines end in several ways": len(traits.ends) > 1,
            f"its encoding is {self.encoding}": self.encoding not in (ASCII, UTF_8, LATIN_1),
            "two of its columns have one name in SQL": len(folded) < len(names),
        }
        if dialect is SqlDialect.DUCKDB:
            controls = self.encoding == LATIN_1 and traits.controls
            problems |= {
                "duckdb reads no control characters of Latin-1": controls,
                "duckdb reads an empty line as a row": len(names) == 1 and traits.blank_lines,
            }
        else:
            problems |= {
                "spark skips no lines above a header": csv.skip_rows > 0,
                "spark takes NUL for the absence of a quote": traits.nul,
                "spark writes CR LF in quotes as LF": traits.quotes and traits.ends != {"\n"},
                "its columns are not named as in its header": csv.header and self.header != names,
                f"spark reads {_MOST_CSV_COLUMNS} columns": len(names) > _MOST_CSV_COLUMNS,
            }
        return next((reason for reason, is_so in problems.items() if is_so), None)

    def by_duckdb(self, path: str) -> exp.Table:
        """DuckDB's reader, told everything."""
        csv, names, text = self.context.dialect, self.context.names, exp.Literal.string
        nulls = _option("force_not_null", exp.Array(expressions=[text(name) for name in names]))
        if csv.null_marker is not None:
            nulls = _option("nullstr", text(csv.null_marker))
        columns = [exp.PropertyEQ(this=text(name), expression=text("VARCHAR")) for name in names]
        options = {
            "auto_detect": exp.false(),
            "hive_partitioning": exp.false(),
            "header": exp.true() if csv.header else exp.false(),
            "skip": exp.Literal.number(csv.skip_rows),
            "delim": text(csv.delimiter),
            "quote": text(csv.quote or ""),
            "escape": text(csv.quote or ""),
            "encoding": text("latin-1" if self.encoding == LATIN_1 else "utf-8"),
            "columns": exp.Struct(expressions=columns),
        }
        told = [_option(name, setting) for name, setting in options.items()]
        return _call("read_csv", [text(unglobbed(path)), nulls, *told])

    def by_spark(self, path: str, quoted: Callable[[str], exp.Identifier]) -> exp.Subquery:
        """Spark's reader; it takes empty fields for NULL, so that they are made empty again."""
        csv = self.context.dialect
        options = {
            "header": str(csv.header).lower(),
            "sep": csv.delimiter,
            "quote": csv.quote or "",
            "escape": csv.quote or "",
            "multiLine": "true",
            "mode": "FAILFAST",
            "encoding": "ISO-8859-1" if self.encoding == LATIN_1 else "UTF-8",
        }
        written = (f"{_spark_text(key)} = {_spark_text(told)}" for key, told in options.items())
        columns: list[exp.Expr] = []
        for number, name in enumerate(self.context.names):
            read = exp.Column(this=quoted(name if csv.header else f"_c{number}"))
            field: exp.Expr = exp.func("COALESCE", read, exp.Literal.string(""))
            if csv.null_marker is not None:
                field = exp.func(
                    "NULLIF", field, value(Literal("string", csv.null_marker), SqlDialect.SPARK)
                )
            columns.append(exp.alias_(field, quoted(name)))
        direct = spark_files("csv", path, SqlDialect.SPARK, ", ".join(written))
        return exp.Select(expressions=columns).from_(direct).subquery()


def _text(storage: Storage, file: FileInfo, dialect: CsvDialect) -> Iterator[bytes]:
    return utf_8(pieces(storage, file), dialect.encoding, file.path)


def _spark_text(text: str) -> str:
    return exp.Literal.string(text).sql("spark")
