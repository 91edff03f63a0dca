"""Tables whose numbers are of other types in the parent: each comes back in its own types."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from r2d2.formats.schema import logical_type
from r2d2.model import Types
from r2d2.recipes.grammar import Patch, Project, Recipe, Rows, Select
from r2d2.recipes.run import equal_numbers
from r2d2.recipes.run.trial import try_out
from tests.support.recipes.recipe_lake import RecipeLake, counted

ROWS = 40
QUARTERS = [Fraction(n * 7919 % 101, 4) for n in range(ROWS)]
SOME = [0, 3, 4, 7, 10, 13, 14, 18, 21, 23, 27, 32, 33, 38]
XY = [("x", pa.int8()), ("y", pa.float32())], [("x", pa.int64()), ("y", pa.float64())]
PAIRS: dict[str, tuple[pa.DataType, pa.DataType, Iterable[Any]]] = {
    "int32 of int64": (pa.int32(), pa.int64(), range(ROWS)),
    "int64 of int32": (pa.int64(), pa.int32(), range(ROWS)),
    "uint8 of int16": (pa.uint8(), pa.int16(), range(ROWS)),
    "int64 of uint64": (pa.int64(), pa.uint64(), range(2**62, 2**62 + ROWS)),
    "uint64 of decimal": (pa.uint64(), pa.decimal128(20), range(2**64 - ROWS, 2**64)),
    "float32 of float64": (pa.float32(), pa.float64(), QUARTERS),
    "int64 of float64": (pa.int64(), pa.float64(), [n * 2**57 for n in range(ROWS)]),
    "float64 of int8": (pa.float64(), pa.int8(), range(ROWS)),
    "another scale": (pa.decimal128(9, 2), pa.decimal128(18, 4), QUARTERS),
    "more digits": (pa.decimal256(60, 30), pa.decimal128(9, 2), QUARTERS),
    "decimal of int64": (pa.decimal128(9, 2), pa.int64(), range(ROWS)),
    "int16 of decimal": (pa.int16(), pa.decimal128(9, 2), range(ROWS)),
    "float32 of decimal": (pa.float32(), pa.decimal128(20, 15), QUARTERS),
    "decimal of float64": (pa.decimal128(38, 3), pa.float64(), QUARTERS),
    "in lists": (pa.list_(pa.int8()), pa.list_(pa.int64()), [[n, None] for n in range(ROWS)]),
    "in structs": (
        *map(pa.struct, XY),
        [None if n % 9 == 3 else {"x": n, "y": n / 4} for n in range(ROWS)],
    ),
}


def numbers(values: Iterable[Any], type_: pa.DataType) -> pa.Array:
    """The values in the type, exactly."""
    if pa.types.is_nested(type_):
        return pa.array(values, type_)
    kind = int if pa.types.is_integer(type_) else float
    exact = of_fraction if pa.types.is_decimal(type_) else kind
    return pa.array([None if value is None else exact(value) for value in values], type_)


def of_fraction(value: Any) -> Decimal:
    return Decimal(Fraction(value).numerator) / Decimal(Fraction(value).denominator)


def lake_of(folder: Path, parent: pa.Array, child: pa.Array, places: Iterable[int]) -> RecipeLake:
    """A parent with these numbers, a key and cities; some of its rows with the child's numbers."""
    key = pa.array(range(len(parent)), pa.int64())
    cities = pa.array([("Rome", "Oslo", "Lima", "Kyiv")[n % 4] for n in range(len(parent))])
    whole = pa.table({"id": key, "city": cities, "v": parent})
    own = pa.table({"v": child, "id": key.cast(pa.int16()), "city": cities})
    rows = own.take(pa.array(places, pa.int64()))
    return RecipeLake.of(folder, {"parent": whole, "child": rows}, Types.WIDENED)


def problem(lake: RecipeLake, recipe: Recipe) -> str | None:
    """What a trial meets, which compares values by their bits."""
    by_location = {table.location: table for table in lake.tables.values()}
    return try_out(lake.storage, by_location, lake.tables["child"], recipe, lake.folder).problem


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("places", "kind"),
    [(range(ROWS), Project), (range(1, ROWS, 4), Select), (SOME, Rows), ([*range(38)], Select)],
    ids=["all rows", "one city", "any rows", "a range"],
)
def test_numbers_come_back_in_the_childs_own_types(
    tmp_path: Path, name: str, places: list[int], kind: type
) -> None:
    to, of, values = PAIRS[name]
    lake = lake_of(tmp_path, numbers(values, of), numbers(values, to), places)
    recipe = lake.from_parent("child", "parent").recipe
    assert isinstance(recipe, kind)
    assert problem(lake, recipe) is None


@pytest.mark.parametrize("name", ["int32 of int64", "float32 of float64", "another scale"])
def test_under_strict_types_there_is_no_recipe(tmp_path: Path, name: str) -> None:
    to, of, values = PAIRS[name]
    lake = lake_of(tmp_path, numbers(values, of), numbers(values, to), range(ROWS))
    strict = RecipeLake(lake.folder, lake.storage, lake.tables)
    proposal = strict.from_parent("child", "parent")
    assert (proposal.recipe, proposal.reason) == (None, "its columns have other types")


NEAR_MISSES = {
    "the parent's is larger": (pa.int32(), pa.int64(), [*range(ROWS - 1), 2**40], 0),
    "the parent's is finer": (pa.float32(), pa.float64(), [*range(ROWS - 1), 0.1], 0),
    "the parent's has a fraction": (pa.int32(), pa.float64(), [*range(ROWS - 1), 0.5], 0),
    "the parent's has more digits": (pa.decimal128(3, 1), pa.decimal128(9, 3), [*[1] * 39, 500], 5),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_row_with_a_number_that_the_childs_type_has_not_is_none_of_the_childs(
    tmp_path: Path, name: str
) -> None:
    to, of, values, other = NEAR_MISSES[name]
    parent, child = numbers(values, of), numbers([*values[:-1], other], to)
    lake = lake_of(tmp_path, parent, child, range(ROWS - 1))
    recipe = lake.from_parent("child", "parent").recipe
    assert recipe is not None
    assert problem(lake, recipe) is None


@pytest.mark.parametrize("places", [SOME[1:], [*range(1, ROWS, 2)], [1, 2], [*range(1, 38)]])
def test_rows_are_listed_though_the_first_of_the_parent_cannot_be_cast(
    tmp_path: Path, places: list[int]
) -> None:
    to, of, values, other = NEAR_MISSES["the parent's is larger"]
    parent = numbers([values[-1], *values[1:-1], 5], of)
    lake = lake_of(tmp_path, parent, numbers([other, *values[1:-1], 5], to), places)
    recipe = lake.from_parent("child", "parent").recipe
    assert recipe is not None
    assert problem(lake, recipe) is None


def test_rows_without_an_equal_number_are_kept_aside_or_refuse_the_recipe(tmp_path: Path) -> None:
    to, of, values, other = NEAR_MISSES["the parent's is larger"]
    parent, child = numbers(values, of), numbers([*values[:-1], other], to)
    lake = lake_of(tmp_path, parent, child, range(ROWS))
    recipe = lake.from_parent("child", "parent").recipe
    assert isinstance(recipe, Patch)
    assert recipe.plus is not None
    assert recipe.plus.rows == 1
    assert problem(lake, recipe) is None


def test_the_sign_of_a_zero_that_no_integer_has_does_not_come_back(tmp_path: Path) -> None:
    child = pa.array([-0.0, *range(1, ROWS)], pa.float64())
    lake = lake_of(tmp_path, pa.array(range(ROWS)), child, range(ROWS))
    recipe = lake.from_parent("child", "parent").recipe
    assert isinstance(recipe, Project)
    assert problem(lake, recipe) == "values of v differ"


TYPES = [
    *(pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.decimal128(4, 1), pa.decimal128(38, 4), pa.decimal256(70, 20)),
]
values = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=2),
)


def held(value: Any, type_: pa.DataType) -> Any:
    """The value as one of the type, None where that has none equal to it."""
    exact = Fraction(value)
    try:
        if pa.types.is_decimal(type_):
            unscaled = exact * Fraction(10) ** type_.scale
            if unscaled.denominator > 1 or abs(unscaled) >= 10**type_.precision:
                return None
            return Decimal(unscaled.numerator).scaleb(-type_.scale)
        (made,) = numbers([value], type_).to_pylist()
    except (pa.ArrowInvalid, OverflowError, ValueError):
        return None
    is_equal = abs(made) < float("inf") and Fraction(made) == exact
    return made if is_equal else None


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(values, max_size=12), st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_a_number_is_cast_where_the_type_has_an_equal_one(
    drawn: list[Any], of: pa.DataType, to: pa.DataType
) -> None:
    known = [value for value in (held(value, of) for value in drawn) if value is not None]
    array = pa.array([*known, None], of)
    made, is_equal = equal_numbers(array, logical_type(to))
    expected = [held(value, to) for value in known]
    event(f"{sum(value is None for value in expected)} have none")
    assert is_equal.tolist() == [*(value is not None for value in expected), True]
    right = made.filter(pa.array(is_equal)).to_pylist()
    assert right == [*(value for value in expected if value is not None), None]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data(), st.sampled_from(TYPES[:7]), st.sampled_from(TYPES[:7]))
def test_a_cast_of_some_rows_comes_back(
    data: st.DataObject, of: pa.DataType, to: pa.DataType
) -> None:
    whole = data.draw(st.lists(st.integers(0, 255), min_size=8, max_size=20))
    large = data.draw(st.lists(st.sampled_from([256, 2**15, 2**17]), max_size=3))
    of = pa.int64() if large else of
    parent = numbers([*[value % 100 for value in whole], *large], of)
    kept = data.draw(st.lists(st.sampled_from(range(len(whole))), min_size=1, unique=True))
    child = numbers([*[value % 100 for value in whole], *[0] * len(large)], to)
    with TemporaryDirectory() as folder:
        lake = lake_of(Path(folder), parent, child, kept)
        recipe = lake.from_parent("child", "parent").recipe
        assert recipe is not None
        own = lake.tables["child"].location
        there = pa.parquet.read_table(lake.folder / "lake" / own)
        assert lake.rows("child", recipe) == counted(there)
