"""A recipe as one SQL view, for people and for catalogs; r2d2 itself never runs SQL text.

Every name is quoted, every value a literal. What a dialect cannot express is refused, never bent:

- rows by hashes or positions, and a patch that takes rows away by hashes, have no SQL at all;
- Trino and Snowflake name no fields of a new struct, and Snowflake reads fields as variants;
- no dialect agrees with another on an empty name, or on NUL in a name or text;
- Spark and Databricks replace `${env:HOME}` and the like before they parse: in a value it is taken
  apart, in a name it is refused;
- BigQuery reads a dot within a quoted name as the end of a part;
- a timestamp with nanoseconds that are not whole microseconds.

A patch that takes rows away groups by all columns, which BigQuery refuses for floats and structs.
Identifiers in Snowflake keep their case, as quoted ones do.

Import it only where SQL is wanted: sqlglot takes 0.15 s to import.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from sqlglot import ErrorLevel, UnsupportedError, exp

from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.grammar import (
    AnyOf,
    AtLeast,
    Atom,
    Between,
    Compare,
    Comparison,
    Distinct,
    Equals,
    Field,
    In,
    IsNan,
    IsNull,
    Leaf,
    NotIn,
    NotNull,
    Output,
    Part,
    Patch,
    Path,
    Recipe,
    Remainder,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Source,
    Struct,
    TimePart,
    Union,
    leaves,
    parents,
    residuals,
)
from r2d2.recipes.literals import Literal, UnrenderableRecipeError
from r2d2.recipes.sql_names import (
    SPARKS,
    Name,
    QuotedNames,
    Sources,
    SqlDialect,
    may_be_one,
    properties_of,
    text_value,
)

_Type = exp.DataType.Type
PARENT_ALIAS, KEYS_ALIAS, BASE_ALIAS, MINUS_ALIAS = "p", "k", "b", "m"
NAMES_FIELDS = (SqlDialect.SPARK, SqlDialect.DATABRICKS, SqlDialect.BIGQUERY, SqlDialect.DUCKDB)


def query(
    recipe: Recipe, tables: Sources, dialect: SqlDialect, units: Mapping[str, str] | None = None
) -> str:
    """The SELECT that gives the child, its times in the types that `units` has by column.

    Raises:
        UnrenderableRecipeError: the dialect cannot express it.
    """
    return _text(_Queries(QuotedNames(tables, dialect, units or {})).recipe(recipe), dialect)


def view(
    name: Name,
    recipe: Recipe,
    tables: Sources,
    dialect: SqlDialect,
    units: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
) -> str:
    """`CREATE VIEW name AS` with the query, and properties of the view in Spark.

    Raises:
        UnrenderableRecipeError: the dialect cannot express it, or the view would read itself.
    """
    for location in (*parents(recipe), *(file.location for file in residuals(recipe))):
        source = tables.get(location, ())
        if isinstance(source, tuple) and may_be_one(name, source):
            dotted = ".".join(name)
            raise UnrenderableRecipeError(
                f"the view {dotted!r} and {location!r}, which it reads, may be one name in SQL:"
                " give both all of their parts"
            )
    names = QuotedNames(tables, dialect, units or {})
    parts = {"this": names.named(name), "expression": _Queries(names).recipe(recipe)}
    told = properties_of(properties or {}, dialect)
    return _text(exp.Create(**parts, kind="VIEW", properties=told), dialect)


def _text(tree: exp.Expr, dialect: SqlDialect) -> str:
    """The tree as text, in lines where pretty-printing cannot alter a name or text in it."""
    try:
        plain = tree.sql(dialect.value, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise UnrenderableRecipeError(f"{dialect.value} cannot express it: {error}") from error
    if any(mark in plain for mark in ("\n", "\r", "__SQLGLOT")):
        return plain
    return tree.sql(dialect.value, pretty=True)


@dataclass(frozen=True, slots=True)
class _Queries:
    """Queries over tables of these names, as sqlglot's syntax trees."""

    names: QuotedNames

    def recipe(self, recipe: Recipe) -> exp.Query:
        """The SELECT that gives the recipe's rows."""
        match recipe:
            case Union(parts, distinct):
                return _union(map(self._leaf, parts), distinct)
            case Patch(inner, plus, minus):
                names = [column.name for column in leaves(inner)[0].columns]
                query = self.recipe(inner)
                if minus:
                    query = self._without(query, minus, names)
                return _union([query, self._stored_rows(plus, names)]) if plus else query
            case _:
                return self._leaf(recipe)

    def _leaf(self, leaf: Leaf) -> exp.Select:
        columns = [self._output(column, leaf.parent) for column in leaf.columns]
        query = exp.Select(expressions=columns).from_(self.names.stored(leaf.parent, PARENT_ALIAS))
        match leaf:
            case Distinct(where=atoms):
                return query.distinct().where(*map(self._atom, atoms))
            case Select(where=atoms):
                return query.where(*map(self._atom, atoms))
            case Rows(residual=residual, key=key):
                return self._joined(query, residual, key)
            case _:
                return query

    def _joined(self, query: exp.Select, residual: Residual, key: Sequence[Path]) -> exp.Select:
        if residual.kind is not ResidualKind.KEYS:
            raise UnrenderableRecipeError(f"rows by {residual.kind.value} cannot be written in SQL")
        same = (
            exp.NullSafeEQ(
                this=self._field(path), expression=self.names.column(KEYS_ALIAS, f"k{i}")
            )
            for i, path in enumerate(key)
        )
        return query.join(self.names.stored(residual.location, KEYS_ALIAS), on=exp.and_(*same))

    def _without(self, query: exp.Query, residual: Residual, names: Sequence[str]) -> exp.Select:
        """The query's rows without as many copies of each as the residual has."""
        if residual.kind is not ResidualKind.ROWS:
            raise UnrenderableRecipeError("rows taken away by hashes cannot be written in SQL")
        number, copies = _unused("number", names), _unused("copies", names)
        base, removed = (
            self.names.columns(BASE_ALIAS, names),
            self.names.columns(MINUS_ALIAS, names),
        )
        numbered = exp.Window(this=exp.RowNumber(), partition_by=base, order=_order(base[0]))
        inner = exp.Select(expressions=[*base, exp.alias_(numbered, self.names.quoted(number))])
        counted = exp.Select(
            expressions=[
                *removed,
                exp.alias_(exp.Count(this=exp.Star()), self.names.quoted(copies)),
            ]
        )
        minus = counted.from_(self.names.stored(residual.location, MINUS_ALIAS)).group_by(*removed)
        same = (exp.NullSafeEQ(this=a, expression=b) for a, b in zip(base, removed, strict=True))
        gone = exp.func("COALESCE", self.names.column(MINUS_ALIAS, copies), exp.Literal.number(0))
        return (
            exp.Select(expressions=self.names.columns(BASE_ALIAS, names))
            .from_(
                inner.from_(query.subquery(self.names.quoted(BASE_ALIAS))).subquery(
                    self.names.quoted(BASE_ALIAS)
                )
            )
            .join(
                minus.subquery(self.names.quoted(MINUS_ALIAS)), on=exp.and_(*same), join_type="left"
            )
            .where(exp.GT(this=self.names.column(BASE_ALIAS, number), expression=gone))
        )

    def _stored_rows(self, residual: Residual, names: Sequence[str]) -> exp.Select:
        stored = self.names.stored(residual.location, BASE_ALIAS)
        return exp.Select(expressions=self.names.columns(BASE_ALIAS, names)).from_(stored)

    def _output(self, output: Output, parent: str) -> exp.Expr:
        source = self.names.restored(self._source(output.source), output, parent)
        return exp.alias_(source, self.names.quoted(output.name))

    def _source(self, source: Source) -> exp.Expr:
        if isinstance(source, RowNumber):
            raise UnrenderableRecipeError("row numbers have no SQL: its rows are in no order")
        if isinstance(source, Constant):
            return self.names.typed(_constant(source, self.names.dialect), source.type)
        if not isinstance(source, Struct):
            field = self._field(source.path)
            return field if isinstance(source, Field) else self.names.cast(field, source)
        if self.names.dialect not in NAMES_FIELDS:
            raise UnrenderableRecipeError(
                f"{self.names.dialect.value} names no fields of a new struct"
            )
        parts = (
            exp.PropertyEQ(this=self.names.quoted(part.name), expression=self._source(part.source))
            for part in source.parts
        )
        struct = exp.Struct(expressions=list(parts))
        if not source.null_with:
            return struct
        there = exp.Is(this=self._field(source.null_with), expression=exp.Null()).not_()
        return exp.Case().when(there, struct)

    def _atom(self, atom: Atom) -> exp.Expr:
        match atom:
            case AnyOf(conjunctions):
                every = [exp.and_(*map(self._atom, parts)) for parts in conjunctions]
                return exp.paren(exp.or_(*every))
            case Compare(path, comparison, other):
                pair = {"this": self._field(path), "expression": self._field(other)}
                return _COMPARISONS[comparison](**pair)
            case IsNull(path) | NotNull(path):
                is_null = exp.Is(this=self._field(path), expression=exp.Null())
                return is_null if isinstance(atom, IsNull) else is_null.not_()
            case IsNan(path) | AtLeast(path):
                if self.names.dialect is SqlDialect.SNOWFLAKE:
                    raise UnrenderableRecipeError("snowflake has no function that finds NaN")
                is_nan = exp.IsNan(this=self._field(path))
                if isinstance(atom, IsNan):
                    return is_nan
                end = value(atom.low, self.names.dialect)
                return exp.paren(exp.or_(exp.GTE(this=self._field(path), expression=end), is_nan))
        field = _part(self._field(atom.path), atom.part, self.names.dialect)
        match atom:
            case Equals(_, equal):
                return exp.EQ(this=field, expression=value(equal, self.names.dialect))
            case NotIn(_, values):
                return _not_in(field, values, self.names.dialect)
            case In(_, values):
                listed = [value(one, self.names.dialect) for one in values]
                return exp.In(this=field, expressions=listed)
            case Between(_, low, high):
                ends = (value(end, self.names.dialect) for end in (low, high))
                return exp.Between(this=field, low=next(ends), high=next(ends))

    def _field(self, path: Path) -> exp.Expr:
        if len(path) > 1 and self.names.dialect is SqlDialect.SNOWFLAKE:
            raise UnrenderableRecipeError("snowflake reads a struct's fields as variants")
        column: exp.Expr = self.names.column(PARENT_ALIAS, path[0])
        return reduce(
            lambda struct, name: exp.Dot(this=struct, expression=self.names.quoted(name)),
            path[1:],
            column,
        )


def _not_in(field: exp.Expr, values: Sequence[Literal], dialect: SqlDialect) -> exp.Expr:
    listed = [value(one, dialect) for one in values]
    is_other: exp.Expr = exp.In(this=field, expressions=listed).not_()
    if len(listed) == 1:
        is_other = exp.NEQ(this=field, expression=listed[0])
    if dialect not in SPARKS or values[0].type not in ("float", "double"):
        return is_other
    # Alone it is asked of footers, too, in whose bounds NaN is none.
    return exp.paren(exp.or_(is_other, exp.IsNan(this=field)))


def _constant(source: Constant, dialect: SqlDialect) -> exp.Expr:
    if source.text is None:
        return exp.Null()
    if source.not_finite:
        return exp.Literal.string(source.not_finite)
    return value(Literal(source.type, source.text), dialect)


_COMPARISONS = {
    Comparison.EQUAL: exp.EQ,
    Comparison.UNEQUAL: exp.NEQ,
    Comparison.LESS: exp.LT,
    Comparison.AT_MOST: exp.LTE,
    Comparison.GREATER: exp.GT,
    Comparison.AT_LEAST: exp.GTE,
}


def _part(field: exp.Expr, part: Part | None, dialect: SqlDialect) -> exp.Expr:
    match part:
        case None:
            return field
        case Remainder(divisor):
            return exp.Mod(this=field, expression=exp.Literal.number(divisor))
        case TimePart.MONTH:
            return exp.Extract(this=exp.var("MONTH"), expression=field)
        case TimePart.WEEKDAY:
            if dialect in SPARKS:  # which sqlglot gives the day after
                return exp.Extract(this=exp.var("DAYOFWEEK_ISO"), expression=field)
            return exp.DayOfWeekIso(this=field)


def _union(queries: Iterable[exp.Query], distinct: bool = False) -> exp.Query:
    return reduce(lambda one, other: exp.union(one, other, distinct=distinct, copy=False), queries)


def _order(column: exp.Expr) -> exp.Order:
    """Some order: Spark demands one, and the rows are equal."""
    return exp.Order(expressions=[column.copy()])


def _unused(name: str, names: Sequence[str]) -> str:
    while name.lower() in {other.lower() for other in names}:
        name += "_"
    return name


def value(literal: Literal, dialect: SqlDialect) -> exp.Expr:
    """The value as a constant of its type.

    Raises:
        UnrenderableRecipeError: the dialect has no way to write it.
    """
    kind = literal.type.partition("[")[0].partition("(")[0]
    match kind:
        case "string":
            return text_value(literal.text, dialect)
        case "bool":
            return exp.Boolean(this=literal.text == "true")
        case "binary":
            return exp.HexString(this=literal.scalar().as_py().hex())
        case "float" | "double":
            return _cast(literal.text, exp.DataType.build(kind))
        case "decimal128":
            return _decimal(literal, dialect)
        case "date32":
            return _cast(literal.text, exp.DataType.build("date"))
        case "timestamp":
            return _timestamp(literal, dialect)
        case _:
            return _integer(literal.text)


def _integer(text: str) -> exp.Expr:
    number = int(text)
    if abs(number) < 2**63:
        digits = exp.Literal.number(str(abs(number)))
        return exp.Neg(this=digits) if number < 0 else digits
    return _cast(text, exp.DataType.build("bigint" if number < 0 else "decimal(20, 0)"))


def _decimal(literal: Literal, dialect: SqlDialect) -> exp.Expr:
    type_ = literal.scalar().type
    if dialect is not SqlDialect.BIGQUERY:
        return _cast(literal.text, exp.DataType.build(f"decimal({type_.precision}, {type_.scale})"))
    wide = type_.scale > 9 or type_.precision - type_.scale > 29
    return _cast(literal.text, exp.DataType.build("bignumeric" if wide else "numeric"))


def _timestamp(literal: Literal, dialect: SqlDialect) -> exp.Expr:
    text, zone = literal.text.replace("T", " ").removesuffix("Z"), literal.text.endswith("Z")
    fine = len(text.partition(".")[2]) > 6
    if fine and not text.endswith("000"):
        raise UnrenderableRecipeError(f"{literal.text} is finer than a microsecond")
    if fine and dialect is SqlDialect.DUCKDB:
        return _nanoseconds(text, zone)
    text = text[:-3] if fine else text
    if zone:
        text += " UTC" if dialect is SqlDialect.TRINO else "+00:00"
    kind = _Type.TIMESTAMPTZ if zone else _Type.TIMESTAMPNTZ
    # A bare timestamp of Trino's has milliseconds.
    digits = [exp.DataTypeParam(this=exp.Literal.number(6))] if dialect is SqlDialect.TRINO else []
    return _cast(text, exp.DataType(this=kind, expressions=digits))


def _nanoseconds(text: str, zone: bool) -> exp.Expr:
    """DuckDB mixes units in no BETWEEN; of instants with nanoseconds only its version 2 knows."""
    if zone:
        raise UnrenderableRecipeError("duckdb's instants with nanoseconds differ by version")
    return _cast(text, exp.DataType.build("timestamp_ns", dialect="duckdb"))


def _cast(text: str, type_: exp.DataType) -> exp.Expr:
    return exp.Cast(this=exp.Literal.string(text), to=type_)
