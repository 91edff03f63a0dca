"""The files of a table as SQL reads them where no catalogue has it: `FROM` by the dialect's reader.

| | duckdb | spark | databricks |
|---|---|---|---|
| Parquet | `read_parquet` | ``parquet.`path` `` | as spark |
| Delta | `delta_scan` | ``delta.`path` `` | as spark |
| CSV | `read_csv`, all text | ``csv.`path` WITH (…)``, from Spark 4.0 | refused |
| ORC | refused | ``orc.`path` `` | as spark |

Each file is named, so that no glob, hidden file or partition is guessed at; what a folder's name
or an older file lacks is a constant beside it. Refused with the reason is what the reader would
read otherwise than r2d2 does: each Parquet file's types are looked at, and a CSV file is read once.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from sqlglot import exp

from r2d2.formats.compression import pieces
from r2d2.formats.csv.dialect import ASCII, CsvDialect
from r2d2.formats.csv.encoding import LATIN_1, UTF_8, utf_8
from r2d2.formats.csv.fast_path import after_lines, body, first_record
from r2d2.formats.csv.read import CsvContext
from r2d2.formats.csv.write import encoding_of_file
from r2d2.formats.hive import Partition
from r2d2.model import FileInfo, Format, Table
from r2d2.recipes.literals import UnrenderableRecipeError
from r2d2.recipes.sql import FileSource
from r2d2.recipes.sql_names import SqlDialect, identifier
from r2d2.storage.local import Storage

SPARKS = (SqlDialect.SPARK, SqlDialect.DATABRICKS)
MOST_FILES = 1000
"""Of one table in a view: beyond it a catalogue serves better."""
_GLOB = frozenset("*?[]{}")
_MOST_CSV_COLUMNS = 20_000
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_BLANK_LINE = re.compile(rb"\A[\r\n]|\n\r?\n|\r\r")
_REMEDY = "; name the table of a catalogue in [[sql_name]]"


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
        found[location] = FileSource(_parquet([str(path)], dialect))
    return found


def units_of(schema: pa.Schema, dialect: SqlDialect) -> dict[str, str]:
    """The types of the columns with times: of those, engines tell one unit from the others."""
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
        if self.dialect not in (SqlDialect.DUCKDB, *SPARKS):
            raise self.refused(f"{self.dialect.value} reads no files here")
        match self.table.format:
            case Format.DELTA:
                path = self.storage.absolute(self.table.location)
                if self.dialect is SqlDialect.DUCKDB:
                    return FileSource(_call("delta_scan", [exp.Literal.string(path)]))
                return FileSource(_direct("delta", path, self.dialect))
            case Format.PARQUET:
                return self._files(self._parquet_file)
            case Format.CSV:
                return self._files(self._csv_file)
            case Format.ORC if self.dialect in SPARKS:
                return self._files(self._orc_file)
            case _:
                raise self.refused(f"{self.dialect.value} has no reader for {self.table.format}")

    def refused(self, reason: str) -> UnrenderableRecipeError:
        """The error with the table and the remedy."""
        return UnrenderableRecipeError(f"{self.table.location or 'the table'}: {reason}{_REMEDY}")

    def _files(self, read: "_ReadFile") -> FileSource:
        """One file's reader, or the union of all files' with what their folders' names add."""
        contexts = {split.file: split.context for split in self.table.splits}
        missing = [file.path for file in self.table.files if file not in contexts]
        files = [file for file in self.table.files if file in contexts]
        if len(files) > MOST_FILES:
            raise self.refused(f"{len(files)} files are more than one view should name")
        if not files:
            raise self.refused(f"it has no rows: {', '.join(missing[:1])}")
        parts = [self._part(file, contexts[file], read) for file in files]
        if len(parts) == 1:
            return parts[0]
        found = {(name, unit) for part in parts for name, unit in part.units.items()}
        units = dict(found)
        if len(units) < len(found):
            raise self.refused("its files differ in the unit of a time")
        selects = [part.tree.this for part in parts if isinstance(part.tree, exp.Subquery)]
        return FileSource(exp.Subquery(this=_union_all(selects)), units)

    def _part(self, file: FileInfo, context: object, read: "_ReadFile") -> FileSource:
        if not isinstance(context, Partition):
            source = read(file, context)
            if len(self.table.files) == 1:
                return source
            context = Partition((), ())
        else:
            source = read(file, context.inner)
        constants = {key: _constant(kind, text) for key, kind, text in context.constants}
        constants |= {name: exp.Null() for name in context.absent}
        columns: list[exp.Expr] = []
        for name in self._names():
            value = constants.get(name) or exp.Column(this=self._quoted(name))
            columns.append(exp.alias_(value, self._quoted(name)))
        select = exp.Select(expressions=columns).from_(source.tree)
        return FileSource(select.subquery(), source.units)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(column.path[0] for column in self.table.columns))

    def _quoted(self, name: str) -> exp.Identifier:
        return identifier(name, self.dialect)

    def _path(self, file: FileInfo) -> str:
        return self.storage.absolute(file.path)

    def _parquet_file(self, file: FileInfo, context: object) -> FileSource:
        opened = pq.ParquetFile(self.storage.open(file))
        stored = {opened.schema.column(leaf).physical_type for leaf in range(len(opened.schema))}
        if "INT96" in stored and self.dialect is SqlDialect.DUCKDB:
            raise self.refused("duckdb reads INT96 instants as times without a zone")
        for item in opened.schema_arrow:
            if unread := _unread(item.type, self.dialect):
                raise self.refused(f"{self.dialect.value} does not read {item.name!r}, {unread}")
        units = units_of(opened.schema_arrow, self.dialect)
        return FileSource(_parquet([self._path(file)], self.dialect), units)

    def _orc_file(self, file: FileInfo, context: object) -> FileSource:
        times = [column.name for column in self.table.columns if "timestamp" in column.type]
        if times:
            reason = f"{self.dialect.value} reads ORC's {times[0]!r} by its own time zone"
            raise self.refused(reason)
        return FileSource(_direct("orc", self._path(file), self.dialect))

    def _csv_file(self, file: FileInfo, context: object) -> FileSource:
        if not isinstance(context, CsvContext):
            raise TypeError(f"{file.path}: not a split of delimited text")
        if self.dialect is SqlDialect.DATABRICKS:
            raise self.refused("databricks reads CSV by read_files, whose NULLs are others")
        text = _CsvText.of(self.storage, file, context)
        if problem := text.problem(self.dialect):
            raise self.refused(problem)
        if self.dialect is SqlDialect.DUCKDB:
            return FileSource(text.by_duckdb(self._path(file)))
        return FileSource(text.by_spark(self._path(file), self._quoted))


_ReadFile = Callable[[FileInfo, object], FileSource]


def _parquet(paths: Sequence[str], dialect: SqlDialect) -> exp.Table:
    if dialect is not SqlDialect.DUCKDB:
        return _direct("parquet", paths[0], dialect)
    listed = exp.Array(expressions=[exp.Literal.string(_unglobbed(path)) for path in paths])
    return _call("read_parquet", [listed, _option("hive_partitioning", exp.false())])


def _call(name: str, arguments: Sequence[exp.Expr]) -> exp.Table:
    return exp.Table(this=exp.Anonymous(this=name, expressions=list(arguments)))


def _option(name: str, value: exp.Expr) -> exp.Expr:
    return exp.EQ(this=exp.var(name), expression=value)


def _unglobbed(path: str) -> str:
    """The path as DuckDB's glob that matches nothing else.

    Raises:
        UnrenderableRecipeError: its globs cannot say it.
    """
    if not _GLOB & set(path):
        return path
    if "\\" in path:
        raise UnrenderableRecipeError(f"duckdb cannot name {path!r}: a glob and a backslash")
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def _direct(format_: str, path: str, dialect: SqlDialect, options: str = "") -> exp.Table:
    """Spark's table of the files at a path.

    Raises:
        UnrenderableRecipeError: it would be read as another path.
    """
    if ":" in path.rpartition("://")[2]:
        raise UnrenderableRecipeError(f"{dialect.value} opens no path with a colon: {path!r}")
    if set(path) & (_GLOB | {"\\"}):
        path = re.sub(r"[*?\[\]{}\\]", r"\\\g<0>", path)
    quoted = identifier(path, dialect)
    if not options:
        return exp.Table(this=quoted, db=exp.to_identifier(format_))
    return exp.Table(this=exp.var(f"{format_}.{quoted.sql(dialect.value)} WITH ({options})"))


def _union_all(selects: Sequence[exp.Expr]) -> exp.Expr:
    united = selects[0]
    for select in selects[1:]:
        united = exp.union(united, select, distinct=False, copy=False)
    return united


def _constant(kind: str, text: str | None) -> exp.Expr:
    """A folder's value in its column's type."""
    type_ = {"int32": "INT", "int64": "BIGINT", "date": "DATE"}.get(kind, "TEXT")
    value = exp.Null() if text is None else exp.Literal.string(text)
    return exp.Cast(this=value, to=exp.DataType.build(type_))


def _unread(type_: pa.DataType, dialect: SqlDialect) -> str | None:
    """The part of the type that the dialect does not read from Parquet as what it is."""
    if pt.is_dictionary(type_):
        return _unread(type_.value_type, dialect)
    if pt.is_decimal256(type_):
        return str(type_)
    if dialect in SPARKS and (
        pt.is_time(type_) or pt.is_float16(type_) or (pt.is_timestamp(type_) and type_.unit == "ns")
    ):
        return str(type_)
    inner = (type_.field(number).type for number in range(type_.num_fields))
    return next(filter(None, (_unread(each, dialect) for each in inner)), None)


@dataclass(frozen=True, slots=True)
class _CsvText:
    """What a CSV file's text holds that readers may take otherwise, all of it read once.

    `plain`: each quote opens or closes a field, or doubles another. `ends` are the kinds of line
    ends, `header` is the first record.
    """

    context: CsvContext
    encoding: str
    plain: bool
    ends: frozenset[str]
    blank_lines: bool
    controls: bool
    nul: bool
    header: tuple[str, ...]

    @classmethod
    def of(cls, storage: Storage, file: FileInfo, context: CsvContext) -> "_CsvText":
        """The file's.

        Raises:
            UnreadableTableError: it is not what it was.
        """
        dialect = context.dialect
        encoding = encoding_of_file(storage, file, dialect)
        first = next(_text(storage, file, dialect), b"")
        begin = after_lines(first, dialect.skip_rows) or 0
        record = first_record(first[begin:], dialect, whole=True, path=file.path)
        plain, ends, blank, controls, nul = True, set[str](), False, False, False
        blank = bool(re.match(rb"[\r\n]", first[begin:]))
        for block in body(_text(storage, file, dialect), dialect, file.path):
            text = block.text
            plain &= text == block.plain
            crlf = text.count(b"\r\n")
            if crlf:
                ends.add("\r\n")
            if text.count(b"\n") > crlf:
                ends.add("\n")
            if text.count(b"\r") > crlf:
                ends.add("\r")
            blank |= bool(_BLANK_LINE.search(text))
            controls |= bool(_C1.search(text))
            nul |= b"\0" in text
        header = tuple(field.decode() for field in record.fields) if record else ()
        return cls(context, encoding, plain, frozenset(ends), blank, controls, nul, header)

    def problem(self, dialect: SqlDialect) -> str | None:
        """Why the dialect would read other fields, or None."""
        csv, one_column = self.context.dialect, len(self.context.names) == 1
        folded = {name.casefold() for name in self.context.names}
        if csv.escape or not self.plain:
            return "its quotes or escapes are not the usual ones"
        if len(self.ends) > 1:
            return "its lines end in several ways"
        if self.encoding not in (ASCII, UTF_8, LATIN_1):
            return f"its encoding is {self.encoding}"
        if len(folded) < len(self.context.names):
            return "two of its columns have one name in SQL"
        if dialect is SqlDialect.DUCKDB:
            if self.encoding == LATIN_1 and self.controls:
                return "duckdb reads no control characters of Latin-1"
            if one_column and self.blank_lines:
                return "duckdb reads an empty line as a row"
            return None
        if csv.skip_rows:
            return "spark skips no lines above a header"
        if self.nul:
            return "spark takes NUL for the absence of a quote"
        if csv.header and self.header != self.context.names:
            return "its columns are not named as in its header"
        if len(self.context.names) > _MOST_CSV_COLUMNS:
            return f"spark reads no more than {_MOST_CSV_COLUMNS} columns"
        return None

    def by_duckdb(self, path: str) -> exp.Table:
        """DuckDB's reader, told everything."""
        csv, names = self.context.dialect, self.context.names
        text = exp.Literal.string
        quote = csv.quote or ""
        listed = exp.Array(expressions=[text(name) for name in names])
        if csv.null_marker is None:
            nulls = _option("force_not_null", listed)
        else:
            nulls = _option("nullstr", text(csv.null_marker))
        columns = [exp.PropertyEQ(this=text(name), expression=text("VARCHAR")) for name in names]
        return _call(
            "read_csv",
            [
                text(_unglobbed(path)),
                _option("auto_detect", exp.false()),
                _option("hive_partitioning", exp.false()),
                _option("header", exp.true() if csv.header else exp.false()),
                _option("skip", exp.Literal.number(csv.skip_rows)),
                _option("delim", text(csv.delimiter)),
                _option("quote", text(quote)),
                _option("escape", text(quote)),
                _option("encoding", text("latin-1" if self.encoding == LATIN_1 else "utf-8")),
                nulls,
                _option("columns", exp.Struct(expressions=columns)),
            ],
        )

    def by_spark(self, path: str, quoted: Callable[[str], exp.Identifier]) -> exp.Subquery:
        """Spark's reader; it takes empty fields for NULL, so that they are made empty again."""
        csv = self.context.dialect
        options = {
            "header": str(csv.header).lower(),
            "sep": csv.delimiter,
            "quote": csv.quote or "",
            "multiLine": "true",
            "mode": "FAILFAST",
            "encoding": "ISO-8859-1" if self.encoding == LATIN_1 else "UTF-8",
        }
        if csv.quote:
            options["escape"] = csv.quote
        written = ", ".join(
            f"{_spark_text(key)} = {_spark_text(value)}" for key, value in options.items()
        )
        columns: list[exp.Expr] = []
        for number, name in enumerate(self.context.names):
            read = exp.Column(this=quoted(name if csv.header else f"_c{number}"))
            value: exp.Expr = exp.func("COALESCE", read, exp.Literal.string(""))
            if csv.null_marker is not None:
                value = exp.func("NULLIF", value, exp.Literal.string(csv.null_marker))
            columns.append(exp.alias_(value, quoted(name)))
        direct = _direct("csv", path, SqlDialect.SPARK, written)
        return exp.Select(expressions=columns).from_(direct).subquery()


def _text(storage: Storage, file: FileInfo, dialect: CsvDialect) -> Iterator[bytes]:
    return utf_8(pieces(storage, file), dialect.encoding, file.path)


def _spark_text(value: str) -> str:
    return exp.Literal.string(value).sql("spark")
