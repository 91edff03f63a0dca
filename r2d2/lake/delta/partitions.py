"""Partition values: the log's text as typed constants."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.types as pt

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.bounds import clipped_rank, number_rank, text_rank
from r2d2.formats.delta.schema import Field
from r2d2.model import Bounds

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z)?)?")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|Infinity)|NaN")


def constant(field: Field, text: str | None) -> pa.Scalar:
    """The value that every row of a file has in a partition column.

    "" is NULL by the protocol. Spark writes NULL for it, but would read "" from a log as a text.

    Raises:
        UnreadableTableError: the text is no value of the column's type.
        IneligibleTableError: the value depends on the writer's time zone, which nobody recorded.
    """
    if text is None or text == "":
        return pa.scalar(None, field.type)
    if field.char_length is not None:
        text = text.ljust(field.char_length)
    parse = _PARSERS.get(field.type.id)
    try:
        if parse is None:
            raise ValueError("a type that cannot be a partition's")
        return parse(text, field.type)
    except (ValueError, InvalidOperation, OverflowError, pa.ArrowException) as error:
        raise UnreadableTableError(
            f"partition column {field.name}: {text!r} is no {field.type} ({error})"
        ) from error


def constant_bounds(value: pa.Scalar) -> Bounds:
    """The bounds of a column that is this value throughout."""
    if not value.is_valid:
        return Bounds(has_nulls=True, has_values=False)
    rank = _rank(value)
    if rank is None:
        return Bounds(has_nulls=False, has_values=True)
    return Bounds(rank, rank, rank, rank, has_nulls=False, has_values=True)


def _rank(value: pa.Scalar) -> int | None:
    if pt.is_integer(value.type) or pt.is_floating(value.type) or pt.is_decimal(value.type):
        number = value.as_py()
        return number_rank(number) if number == number else None
    if pt.is_string(value.type) or pt.is_binary(value.type):
        return text_rank(value.as_buffer().to_pybytes())
    if pt.is_boolean(value.type):
        return int(value.as_py())
    return clipped_rank(value.value)


def _whole(text: str, type_: pa.DataType) -> pa.Scalar:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError("not a whole number")
    return pa.scalar(int(text), type_)


def _float(text: str, type_: pa.DataType) -> pa.Scalar:
    if not _FLOAT.fullmatch(text):
        raise ValueError("not a number")
    return pa.scalar(float(text), type_)


def _decimal(text: str, type_: pa.DataType) -> pa.Scalar:
    return pa.scalar(Decimal(text), type_)


def _bool(text: str, type_: pa.DataType) -> pa.Scalar:
    if text not in ("true", "false"):
        raise ValueError("neither true nor false")
    return pa.scalar(text == "true", type_)


def _date(text: str, type_: pa.DataType) -> pa.Scalar:
    if not _DATE.fullmatch(text):
        raise ValueError("not of the form 2024-12-31")
    return pa.scalar(text, pa.string()).cast(type_)


def _timestamp(text: str, type_: pa.TimestampType) -> pa.Scalar:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not of the form 2024-12-31 23:59:59")
    if type_.tz and not match[3]:
        raise IneligibleTableError(
            f"partition value {text!r} is an instant in its writer's time zone, which is not known"
        )
    if match[3] and not type_.tz:
        raise ValueError("has a time zone")
    plain = f"{match[1]} {match[2] or '00:00:00'}"
    return pa.scalar(plain).cast(pa.timestamp("us")).cast(type_)


_PARSERS: dict[int, Callable[[str, pa.DataType], pa.Scalar]] = {
    pa.string().id: lambda text, type_: pa.scalar(text, type_),
    pa.binary().id: lambda text, type_: pa.scalar(text.encode(), type_),
    pa.int8().id: _whole,
    pa.int16().id: _whole,
    pa.int32().id: _whole,
    pa.int64().id: _whole,
    pa.float32().id: _float,
    pa.float64().id: _float,
    pa.decimal128(1).id: _decimal,
    pa.bool_().id: _bool,
    pa.date32().id: _date,
    pa.timestamp("us").id: _timestamp,
}
