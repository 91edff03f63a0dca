"""Values as constants in SQL, each in a form that its dialect reads as exactly this value.

What a dialect cannot write is refused: NUL in a text, times finer than a microsecond. Spark and
Databricks replace `${env:HOME}` and the like before they parse, so such a text is taken apart.
"""

from sqlglot import exp

from r2d2.recipes.literals import Literal, UnrenderableRecipeError
from r2d2.recipes.sql_names import SPARKS, SqlDialect

_Type = exp.DataType.Type


def value(literal: Literal, dialect: SqlDialect) -> exp.Expr:
    """The value as a constant of its type.

    Raises:
        UnrenderableRecipeError: the dialect has no way to write it.
    """
    kind = literal.type.partition("[")[0].partition("(")[0]
    match kind:
        case "string":
            return _string(literal.text, dialect)
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


def _string(text: str, dialect: SqlDialect) -> exp.Expr:
    if "\0" in text:
        raise UnrenderableRecipeError(f"text {text!r} holds NUL")
    parts = text.split("${") if dialect in SPARKS else [text]
    first, *rest = [exp.Literal.string(part) for part in _apart(parts)]
    return exp.Concat(expressions=[first, *rest]) if rest else first


def _apart(parts: list[str]) -> list[str]:
    """`a${b` as `a$` and `{b`, which no substitution sees."""
    whole = [parts[0], *("{" + part for part in parts[1:])]
    return [part + "$" for part in whole[:-1]] + whole[-1:]


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
