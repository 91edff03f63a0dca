"""Random literals of every type."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from r2d2.recipes.literals import Literal, type_named

INTEGERS = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ZONES = ("", ", tz=UTC", ", tz=Europe/Rome", ", tz=+02:00")
FIRST = int(dt.datetime(1, 1, 1, tzinfo=dt.UTC).timestamp())
LAST = int(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp())
NAMES = (
    *INTEGERS,
    *("float", "double", "bool", "string", "binary", "date32[day]"),
    *("decimal128(1, 0)", "decimal128(10, 2)", "decimal128(38, 38)"),
    *(f"timestamp[{unit}{zone}]" for unit in UNITS for zone in ZONES),
)


def values(name: str) -> st.SearchStrategy[object]:
    """Arrow's input for a value of that type."""
    if name in INTEGERS:
        bits = INTEGERS[name]
        low, high = (0, 2**bits) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return st.integers(low, high - 1)
    if name in ("float", "double"):
        width = 32 if name == "float" else 64
        return st.floats(allow_nan=False, allow_infinity=False, width=width)
    if name.startswith("decimal"):
        type_ = type_named(name)
        digits = st.integers(1 - 10**type_.precision, 10**type_.precision - 1)
        return digits.map(lambda number: Decimal(f"{number}e-{type_.scale}"))
    if name.startswith("timestamp"):
        ticks = UNITS[name[10:].rstrip("]").split(",")[0]]
        low, high = FIRST * ticks, (LAST + 1) * ticks - 1
        return st.integers(max(low, 1 - 2**63), min(high, 2**63 - 1))
    others = {
        "bool": st.booleans(),
        "string": st.text(st.characters(codec="utf-8")),
        "binary": st.binary(),
        "date32[day]": st.dates(),
    }
    return others[name]


def scalars(name: str) -> st.SearchStrategy[pa.Scalar]:
    """Values of the type of that name."""
    return values(name).map(lambda value: pa.scalar(value, type_named(name)))


def literals(name: str | None = None) -> st.SearchStrategy[Literal]:
    """Literals of the type of that name, or of any."""
    names = st.just(name) if name else st.sampled_from(NAMES)
    return names.flatmap(scalars).map(Literal.of)
