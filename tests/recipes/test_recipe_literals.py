"""Literals: every value has one text, and each text one value."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.recipes.literals import Literal, RecipeError
from tests.support.recipes.random_literals import NAMES, scalars


@given(st.sampled_from(NAMES).flatmap(scalars))
def test_a_value_comes_back_from_its_literal_to_the_last_bit(value: pa.Scalar) -> None:
    literal = Literal.of(value)
    assert literal.type == str(value.type)
    back = literal.scalar()
    assert back.type == value.type
    if pa.types.is_floating(value.type):
        assert back.as_py().hex() == (value.as_py() + 0.0).hex()
    else:
        assert back.equals(value)


@given(st.sampled_from(NAMES).flatmap(lambda n: st.lists(scalars(n), min_size=2, max_size=5)))
def test_literals_are_ordered_as_arrow_orders_their_values(values: list[pa.Scalar]) -> None:
    literals = sorted(map(Literal.of, values), key=Literal.order)
    order = pa.compute.sort_indices(pa.array(values, values[0].type))
    assert literals == [Literal.of(values[i.as_py()]) for i in order]


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("int8", "200"),
        ("int8", "+1"),
        ("int8", "01"),
        ("int64", " 1"),
        ("int64", "1_0"),
        ("int64", "١"),
        ("uint8", "-1"),
        ("double", "1"),
        ("double", "nan"),
        ("double", "inf"),
        ("double", "-0.0"),
        ("double", "1e400"),
        ("float", "0.1"),
        ("bool", "True"),
        ("binary", "YQ"),
        ("binary", "YQ=\n="),
        ("string", "\ud800"),
        ("date32[day]", "today"),
        ("date32[day]", "2021-02-29"),
        ("date32[day]", "0000-01-01"),
        ("timestamp[us]", "2021-02-28T00:00:00"),
        ("timestamp[us]", "2021-02-28T00:00:00.000000Z"),
        ("timestamp[us, tz=UTC]", "2021-02-28T00:00:00.000000"),
        ("timestamp[ns]", "9999-12-31T00:00:00.000000000"),
        ("decimal128(4, 2)", "1.1"),
        ("decimal128(4, 2)", "123.45"),
        ("decimal128(4, 2)", "-0.00"),
        ("decimal128(4, 2)", "NaN"),
    ],
)
def test_a_text_that_is_not_the_one_of_a_value_is_refused(type_: str, text: str) -> None:
    with pytest.raises(RecipeError):
        Literal(type_, text).scalar()


@pytest.mark.parametrize(
    "type_",
    [
        *("int", "halffloat", "decimal128(39, 2)", "decimal128(4,2)", "decimal128(2, 3)"),
        *("decimal128(04, 2)", "timestamp[us,tz=UTC]", "time64[us]", "date64[ms]", "list<int8>"),
    ],
)
def test_a_type_that_literals_do_not_have_is_refused_by_name(type_: str) -> None:
    with pytest.raises(RecipeError, match="type"):
        Literal(type_, "1").scalar()


@pytest.mark.parametrize(
    "value",
    [
        pa.scalar(None, pa.int64()),
        pa.scalar(float("nan")),
        pa.scalar(float("-inf")),
        pa.scalar(2**62, pa.timestamp("us")),
        pa.scalar(-800_000, pa.date32()),
        pa.scalar(Decimal(1), pa.decimal256(40, 0)),
    ],
    ids=lambda value: str(value.type),
)
def test_a_value_that_no_atom_may_name_has_no_literal(value: pa.Scalar) -> None:
    with pytest.raises(RecipeError):
        Literal.of(value)


def test_minus_zero_is_written_as_zero() -> None:
    assert Literal.of(pa.scalar(-0.0)) == Literal("double", "0.0")
