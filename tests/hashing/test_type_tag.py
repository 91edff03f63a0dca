"""Which types count as one."""

import pytest

from r2d2.hashing.rows import type_tag
from r2d2.model import Types

NUMBERS = [
    "int8",
    "int64",
    "uint8",
    "uint64",
    "float16",
    "float64",
    "decimal(9,2)",
    "decimal(5,-3)",
]
OTHERS = [
    "bool",
    "string",
    "binary",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "duration",
    "null",
]


@pytest.mark.parametrize("name", NUMBERS)
def test_all_numbers_are_one_type_when_widened(name: str) -> None:
    assert type_tag(name, Types.WIDENED) == "number"


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_number_stays_itself_when_widened(name: str) -> None:
    assert type_tag(name, Types.WIDENED) == name


@pytest.mark.parametrize("name", [*NUMBERS, *OTHERS, "list<struct<a:int8>>"])
def test_strict_types_are_their_own_class(name: str) -> None:
    assert type_tag(name, Types.STRICT) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("list<int8>", "list<number>"),
        ("map<decimal(9,2),list<float16>>", "map<number,list<number>>"),
        ("list<struct<a:int8,b:string>>", "list<struct<a:number,b:string>>"),
        ("list<struct<int8:int8,int64:date>>", "list<struct<int8:number,int64:date>>"),
        ("list<struct<`a.int8`:string>>", "list<struct<`a.int8`:string>>"),
    ],
)
def test_numbers_inside_nested_types_count_as_one_but_names_stay(name: str, expected: str) -> None:
    assert type_tag(name, Types.WIDENED) == expected
