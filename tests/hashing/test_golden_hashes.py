"""Stored hashes stay comparable: a change of any hash needs a new HASH_VERSION.

After raising HASH_VERSION, `python tests/hashing/test_golden_hashes.py` prints the new values
for golden_hashes.py.
"""

from decimal import Decimal
from typing import Any

import pyarrow as pa

from r2d2.hashing.rows import HASH_VERSION, column_key, row_hashes
from r2d2.hashing.values import _LOOP_VALUES
from r2d2.model import Column, Types
from tests.support.hashing.golden_hashes import GOLDEN
from tests.support.hashing.hashing import Hash, hashes, pairs

STRICT, WIDENED = Types.STRICT, Types.WIDENED
SUBMICROSECONDS = [1, 1001, None, 5_000]
FRACTIONS = [Decimal(n).scaleb(-2) for n in (0, 100, 125, 110, 111, -7)]
ITEMS = pa.list_(pa.struct({"a": pa.int32(), "b": pa.string()}))

CASES: dict[str, tuple[list[Any], pa.DataType, str, Types]] = {
    "null": ([None], pa.null(), "null", STRICT),
    "bool": ([True, False, None], pa.bool_(), "bool", STRICT),
    "int8": ([0, -1, 127, None], pa.int8(), "int8", STRICT),
    "uint64": ([0, 2**64 - 1], pa.uint64(), "uint64", STRICT),
    "float32": ([0.0, 1.5, float("nan"), float("-inf")], pa.float32(), "float32", STRICT),
    "float64": ([-0.0, 0.1, float("nan")], pa.float64(), "float64", STRICT),
    "date": ([0, 20_000, None], pa.date32(), "date", STRICT),
    "date inside a day": ([86_400_000, 1], pa.date64(), "date", STRICT),
    "time": ([1, 86_399], pa.time32("s"), "time", STRICT),
    "timestamp": ([1, -(2**63) + 1, 2**63 - 1], pa.timestamp("s"), "timestamp", STRICT),
    "milliseconds": ([2**63 - 1], pa.timestamp("ms"), "timestamp", STRICT),
    "nanoseconds": (SUBMICROSECONDS, pa.timestamp("ns", "UTC"), "timestamptz", STRICT),
    "decimal": ([Decimal("1.10"), None], pa.decimal128(5, 2), "decimal(5,2)", STRICT),
    "wide decimal": ([Decimal(10**30)], pa.decimal128(38, 0), "decimal(38,0)", STRICT),
    "string": (["", "a", "abcdefghi", "x" * 300, None], pa.string(), "string", STRICT),
    "binary": ([b"", b"\xff\0"], pa.binary(), "binary", STRICT),
    "list": ([None, [], [None], [1, 2]], pa.list_(pa.int64()), "list<int64>", STRICT),
    "map": ([[("k", 1), ("l", None)]], pa.map_(pa.string(), pa.int8()), "map<string,int8>", STRICT),
    "struct": ([[None, {"a": 1, "b": "x"}]], ITEMS, "list<struct<a:int32,b:string>>", STRICT),
    "number, int": ([1, -1, None], pa.int16(), "int16", WIDENED),
    "number, unsigned": ([2**63], pa.uint64(), "uint64", WIDENED),
    "number, double": ([1.0, 0.1, 1e300, 2.0**63], pa.float64(), "float64", WIDENED),
    "number, decimal": (FRACTIONS, pa.decimal128(15, 2), "decimal(15,2)", WIDENED),
    "number, big": ([Decimal(10**37 + 1)], pa.decimal128(38, 0), "decimal(38,0)", WIDENED),
    "number, big fraction": (
        [Decimal(10**37 + 1).scaleb(-20)],
        pa.decimal256(60, 20),
        "decimal(60,20)",
        WIDENED,
    ),
}  # fmt: skip


def found() -> dict[str, tuple[str, ...]]:
    """The hashes of all cases in hexadecimal, case by case."""
    columns = {
        name: hashes(pa.array(values, arrow), type_, types)
        for name, (values, arrow, type_, types) in CASES.items()
    }
    columns["many strings"] = hashes(pa.array(["a", "b", None] * _LOOP_VALUES), "string")[:3]
    columns["row"] = row()
    return {name: tuple(f"{a:016x}{b:016x}" for a, b in some) for name, some in columns.items()}


def row() -> list[Hash]:
    """The hashes of a row over no columns and over two."""
    batch = pa.record_batch({"id": [1], "at": [{"place": "x"}]})
    columns = (Column("id", "int64", ("id",)), Column("at.place", "string", ("at", "place")))
    return [pairs(lanes)[0] for lanes in row_hashes(batch, [(), columns], STRICT)]


def test_hashes_change_only_with_their_version() -> None:
    assert found() == GOLDEN[HASH_VERSION]


def test_an_integer_goes_through_splitmix64_and_murmur3s_finaliser() -> None:
    key = column_key("c", "int64")
    expected = (
        finished(key.first - 5, (30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31)),
        finished(key.second - 5, (33, 0xFF51AFD7ED558CCD, 33, 0xC4CEB9FE1A85EC53, 33)),
    )
    assert hashes(pa.array([-5]), "int64") == [expected]


def finished(word: int, steps: tuple[int, int, int, int, int]) -> int:
    """The word after the finaliser's steps: shift, multiply, shift, multiply, shift."""
    shift_1, factor_1, shift_2, factor_2, shift_3 = steps
    word = word % 2**64
    word = (word ^ word >> shift_1) * factor_1 % 2**64
    word = (word ^ word >> shift_2) * factor_2 % 2**64
    return word ^ word >> shift_3


if __name__ == "__main__":
    print(found())
