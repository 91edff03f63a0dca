"""A recipe as sqlglot's syntax tree, and the tree as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from sqlglot import ErrorLevel, UnsupportedError, exp

from r2d2.recipes.errors import UnrenderableRecipeError
from r2d2.recipes.grammar import (
    Atom,
    Between,
    Distinct,
    Equals,
    Field,
    In,
    IsNull,
    Kept,
    Leaf,
    NotNull,
    Output,
    Patch,
    Path,
    Recipe,
    Residual,
    Rows,
    Select,
    Struct,
    Union,
    leaves,
)
from r2d2.recipes.sql import Dialect, Name
from r2d2.recipes.sql_names import Names
from r2d2.recipes.sql_values import value

PARENT, KEYS, BASE, MINUS = "p", "k", "b", "m"
NAMES_FIELDS = (Dialect.SPARK, Dialect.DATABRICKS, Dialect.BIGQUERY, Dialect.DUCKDB)


def query(recipe: Recipe, tables: Mapping[str, Name], dialect: Dialect) -> str:
    """The SELECT that gives the recipe's rows."""
    return _text(Tree(Names(tables, dialect)).recipe(recipe), dialect)


def view(name: Name, recipe: Recipe, tables: Mapping[str, Name], dialect: Dialect) -> str:
    """CREATE VIEW of that name."""
    names = Names(tables, dialect)
    query = Tree(names).recipe(recipe)
    return _text(exp.Create(this=names.named(name), kind="VIEW", expression=query), dialect)


def _text(tree: exp.Expr, dialect: Dialect) -> str:
    """The tree in the dialect, in lines where no name or text of it can be hurt by that."""
    try:
        plain = tree.sql(dialect.value, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise UnrenderableRecipeError(f"{dialect.value} cannot say it: {error}") from error
    if any(mark in plain for mark in ("\n", "\r", "__SQLGLOT")):
        return plain
    return tree.sql(dialect.value, pretty=True)


@dataclass(frozen=True, slots=True)
class Tree:
    """Makes queries over tables of these names."""

    names: Names

    def recipe(self, recipe: Recipe) -> exp.Query:
        """The SELECT that gives the recipe's rows."""
        match recipe:
            case Union(parts):
                return _all(map(self._leaf, parts))
            case Patch(inner, plus, minus):
                names = [column.name for column in leaves(inner)[0].columns]
                query = self.recipe(inner)
                if minus:
                    query = self._without(query, minus, names)
                return _all([query, self._kept(plus, names)]) if plus else query
            case _:
                return self._leaf(recipe)

    def _leaf(self, leaf: Leaf) -> exp.Select:
        columns = [self._output(column) for column in leaf.columns]
        query = exp.Select(expressions=columns).from_(self.names.stored(leaf.parent, PARENT))
        match leaf:
            case Distinct():
                return query.distinct()
            case Select(where=atoms):
                return query.where(*map(self._atom, atoms))
            case Rows(residual=residual, key=key):
                return self._joined(query, residual, key)
            case _:
                return query

    def _joined(self, query: exp.Select, residual: Residual, key: Sequence[Path]) -> exp.Select:
        if residual.kept is not Kept.KEYS:
            raise UnrenderableRecipeError(f"rows by {residual.kept.value} are no SQL")
        same = (
            exp.NullSafeEQ(this=self._field(path), expression=self.names.column(KEYS, f"k{i}"))
            for i, path in enumerate(key)
        )
        return query.join(self.names.stored(residual.location, KEYS), on=exp.and_(*same))

    def _without(self, query: exp.Query, residual: Residual, names: Sequence[str]) -> exp.Select:
        """The query's rows without as many copies of each as the residual has."""
        if residual.kept is not Kept.ROWS:
            raise UnrenderableRecipeError("rows taken away by hashes are no SQL")
        number, copies = _unused("number", names), _unused("copies", names)
        base, kept = self.names.columns(BASE, names), self.names.columns(MINUS, names)
        numbered = exp.Window(this=exp.RowNumber(), partition_by=base, order=_order(base[0]))
        inner = exp.Select(expressions=[*base, exp.alias_(numbered, self.names.quoted(number))])
        counted = exp.Select(
            expressions=[*kept, exp.alias_(exp.Count(this=exp.Star()), self.names.quoted(copies))]
        )
        minus = counted.from_(self.names.stored(residual.location, MINUS)).group_by(*kept)
        same = (exp.NullSafeEQ(this=a, expression=b) for a, b in zip(base, kept, strict=True))
        gone = exp.func("COALESCE", self.names.column(MINUS, copies), exp.Literal.number(0))
        return (
            exp.Select(expressions=self.names.columns(BASE, names))
            .from_(
                inner.from_(query.subquery(self.names.quoted(BASE))).subquery(
                    self.names.quoted(BASE)
                )
            )
            .join(minus.subquery(self.names.quoted(MINUS)), on=exp.and_(*same), join_type="left")
            .where(exp.GT(this=self.names.column(BASE, number), expression=gone))
        )

    def _kept(self, residual: Residual, names: Sequence[str]) -> exp.Select:
        columns = self.names.columns(BASE, names)
        return exp.Select(expressions=columns).from_(self.names.stored(residual.location, BASE))

    def _output(self, output: Output) -> exp.Expr:
        return exp.alias_(self._source(output.source), self.names.quoted(output.name))

    def _source(self, source: Field | Struct) -> exp.Expr:
        if isinstance(source, Field):
            return self._field(source.path)
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
        field = self._field(atom.path)
        match atom:
            case Equals(_, equal):
                return exp.EQ(this=field, expression=value(equal, self.names.dialect))
            case In(_, values):
                listed = [value(one, self.names.dialect) for one in values]
                return exp.In(this=field, expressions=listed)
            case Between(_, low, high):
                ends = (value(end, self.names.dialect) for end in (low, high))
                return exp.Between(this=field, low=next(ends), high=next(ends))
            case IsNull():
                return exp.Is(this=field, expression=exp.Null())
            case NotNull():
                return exp.Is(this=field, expression=exp.Null()).not_()

    def _field(self, path: Path) -> exp.Expr:
        if len(path) > 1 and self.names.dialect is Dialect.SNOWFLAKE:
            raise UnrenderableRecipeError("snowflake takes a struct's fields for variants")
        column: exp.Expr = self.names.column(PARENT, path[0])
        return reduce(
            lambda struct, name: exp.Dot(this=struct, expression=self.names.quoted(name)),
            path[1:],
            column,
        )


def _all(queries: Iterable[exp.Query]) -> exp.Query:
    return reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), queries)


def _order(column: exp.Expr) -> exp.Order:
    """Any order will do within rows that are equal; Spark asks for one."""
    return exp.Order(expressions=[column.copy()])


def _unused(name: str, names: Sequence[str]) -> str:
    while name.lower() in {other.lower() for other in names}:
        name += "_"
    return name
