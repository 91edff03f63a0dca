"""Numbers of every type are one where their exact values are, under widened types."""

from collections.abc import Hashable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.hashing.numbers import form_of, without_zeros
from r2d2.model import Types
from tests.support.hashing.canonical import exactly
from tests.support.hashing.hashing import Hash, hash_of, hashes

TYPES = [getattr(pa, f"{sign}int{n}")() for sign in ("", "u") for n in (8, 16, 32, 64)]
TYPES += [pa.float16(), pa.float32(), pa.float64()]
TYPES += [pa.decimal32(9, scale) for scale in (-2, 0, 1, 4, 5, 9)]
TYPES += [pa.decimal64(18, scale) for scale in (0, 2, 9, 17, 18)]
TYPES += [pa.decimal128(38, scale) for scale in (-3, 0, 2, 4, 18, 19, 27, 28, 38)]
TYPES += [pa.decimal256(76, scale) for scale in (-5, 0, 10, 38, 76)]


def widened(value: Any, type_: pa.DataType) -> Hash:
    """The hash of one number under widened types; all their tags are one."""
    return hash_of(value, type_, "int64", Types.WIDENED)


def test_one_is_one_in_every_type() -> None:
    ones: list[tuple[Any, pa.DataType]] = [
        (1, pa.int8()),
        (1, pa.uint64()),
        (np.float16(1), pa.float16()),
        (1.0, pa.float64()),
        (Decimal("1.00"), pa.decimal32(5, 2)),
        (Decimal("1.000000000000000000"), pa.decimal128(38, 18)),
        (Decimal(1), pa.decimal256(76, 40)),
    ]
    assert len({widened(value, type_) for value, type_ in ones}) == 1


def test_a_tenth_is_another_number_in_every_width() -> None:
    tenths: list[tuple[Any, pa.DataType]] = [
        (np.float16(0.1), pa.float16()),
        (np.float32(0.1), pa.float32()),
        (0.1, pa.float64()),
        (Decimal("0.1"), pa.decimal64(10, 1)),
    ]
    assert len({widened(value, type_) for value, type_ in tenths}) == 4
    exact = Decimal(float(np.float16(0.1)))
    assert widened(exact, pa.decimal128(38, 20)) == widened(np.float16(0.1), pa.float16())


def test_zero_is_zero_at_any_scale() -> None:
    zeros = [widened(Decimal(0), pa.decimal128(38, scale)) for scale in (0, 4, 5, 18, 19, 38)]
    assert {*zeros, widened(-0.0, pa.float32()), widened(0, pa.int8())} == {zeros[0]}


def test_integers_beyond_64_bits_equal_the_doubles_they_are() -> None:
    for power in (63, 64, 100):
        decimal = widened(Decimal(2**power), pa.decimal128(38, 0))
        assert decimal == widened(2.0**power, pa.float64())
    assert widened(2**63, pa.uint64()) == widened(2.0**63, pa.float64())
    assert widened(Decimal(2**64 + 1), pa.decimal128(38, 0)) != widened(2.0**64, pa.float64())


def test_the_sign_of_a_fraction_that_64_bits_just_miss_is_kept() -> None:
    fractions = [Decimal(sign * 2**63).scaleb(-18) for sign in (1, -1)]
    assert len({widened(value, pa.decimal128(38, 18)) for value in fractions}) == 2


@pytest.mark.parametrize("whole", [False, True])
def test_columns_of_mostly_whole_and_mostly_other_numbers_agree(whole: bool) -> None:
    few: list[float] = [1.0, 0.5, 2.0**63, 2.0**70, float("nan"), -3.0, 0.1]
    rest = [7.0 if whole else 7.25] * 20
    number = pa.array(few + rest, pa.float64())
    one_by_one = [widened(value, pa.float64()) for value in few]
    assert hashes(number, "int64", Types.WIDENED)[: len(few)] == one_by_one


def magnitudes() -> list[int]:
    """Integers at and beside every power that a form of numbers ends at."""
    powers = [2**n for n in range(0, 257)] + [5**n for n in range(110)] + [10**n for n in range(77)]
    beside = [power + step for power in powers for step in (-1, 0, 1)]
    multiples = [n * 10**zeros for n in (3, 25, 2**53 - 1, 2**53 + 1) for zeros in range(60)]
    near_doubles = [(2**53 + n) * 5**power for n in range(-4, 5) for power in range(9)]
    return sorted({*beside, *multiples, *near_doubles, *range(130)})


def numbers_of(type_: pa.DataType) -> tuple[list[Hashable], pa.Array]:
    """What the numbers at those magnitudes and of both signs mean, and an array of them."""
    signed = [sign * number for number in magnitudes() for sign in (1, -1)]
    if pa.types.is_floating(type_):
        width = type_.to_pandas_dtype()
        with np.errstate(over="ignore"):
            floats = [width(n / 2**k) for n in signed for k in (0, 1, 5, 18) if n < 2**200]
        floats += [width("nan"), width("inf"), width("-inf")]
        return [exactly(number) for number in floats], pa.array(floats, type_)
    if pa.types.is_integer(type_):
        limits = np.iinfo(type_.to_pandas_dtype())
        integers = [number for number in signed if limits.min <= number <= limits.max]
        return [Fraction(number) for number in integers], pa.array(integers, type_)
    unscaled = [number for number in signed if abs(number) < 10**type_.precision]
    raw = b"".join(n.to_bytes(type_.bit_width // 8, "little", signed=True) for n in unscaled)
    array = pa.Array.from_buffers(type_, len(unscaled), [None, pa.py_buffer(raw)])
    return [number / Fraction(10) ** type_.scale for number in unscaled], array


@pytest.mark.slow
def test_numbers_are_equal_exactly_where_their_values_are() -> None:
    of_value: dict[Hashable, Hash] = {}
    of_hash: dict[Hash, Hashable] = {}
    for type_ in TYPES:
        meanings, array = numbers_of(type_)
        found = hashes(array, "int64", Types.WIDENED)
        for meaning, hash_ in zip(meanings, found, strict=True):
            assert of_value.setdefault(meaning, hash_) == hash_, (type_, meaning)
            assert of_hash.setdefault(hash_, meaning) == meaning, (type_, meaning)
    assert len(of_value) > 10_000


@given(st.integers(-(10**76), 10**76), st.integers(-5, 80))
def test_a_number_has_one_form(unscaled: int, scale: int) -> None:
    assert form_of(unscaled, scale) == form_of(unscaled * 1000, scale + 3)
    form, number = form_of(unscaled, scale)
    if form == "":
        assert number == Fraction(unscaled) / Fraction(10) ** scale


def test_a_number_beyond_all_doubles_has_a_form() -> None:
    assert form_of(3, -400) == form_of(30, -399) == ("over ten to 0", 3 * 10**400)


@given(
    st.lists(st.tuples(st.integers(-(10**19), 10**19), st.integers(0, 19)), min_size=1),
    st.integers(0, 30),
)
def test_zeros_come_off_big_decimals_as_in_pythons_integers(
    parts: list[tuple[int, int]], scale: int
) -> None:
    numbers = [number * 10**zeros for number, zeros in parts]
    raw = b"".join(number.to_bytes(16, "little", signed=True) for number in numbers)
    small, scales, fits = without_zeros(np.frombuffer(raw, np.int64).reshape(-1, 2), scale)
    for number, short, left, fit in zip(numbers, small, scales, fits, strict=True):
        expected, rest = number, scale
        while rest and expected % 10 == 0:
            expected, rest = expected // 10, rest - 1
        assert fit == (abs(expected) < 2**63)
        assert not fit or (short, left) == (expected, rest)
