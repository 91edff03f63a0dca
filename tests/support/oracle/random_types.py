"""Random column types: every one that Parquet holds and that has a row identity."""

from random import Random

import pyarrow as pa

PLAIN = (
    pa.bool_(),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64()),
    *(pa.date32(), pa.date64()),
    *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
    *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    *(pa.timestamp(unit, "UTC") for unit in ("s", "ms", "us", "ns")),
    *(pa.timestamp("us", zone) for zone in ("Europe/Rome", "+05:30", "America/New_York")),
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary(1), pa.binary(4), pa.binary(16)),
    *(pa.decimal32(5, 2), pa.decimal64(12, 0), pa.decimal64(18, 6)),
    *(pa.decimal128(3, 3), pa.decimal128(5, 2), pa.decimal128(20, 2), pa.decimal128(38, 10)),
    *(pa.decimal256(5, 2), pa.decimal256(40, 4), pa.decimal256(76, 30)),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.large_string())),
    *(pa.dictionary(pa.int16(), pa.binary()), pa.dictionary(pa.int8(), pa.int64())),
    pa.null(),
)
COMMON = (pa.int64(), pa.int32(), pa.float64(), pa.string(), pa.timestamp("us"), pa.bool_())
KEYS = (
    pa.string(),
    pa.large_string(),
    pa.int32(),
    pa.int64(),
    pa.date32(),
    pa.binary(),
    pa.bool_(),
)


def random_type(chance: Random, depth: int = 0) -> pa.DataType:
    """A type: common ones half the time, nested ones at most three deep."""
    roll = chance.random()
    if roll < 0.4:
        return chance.choice(COMMON)
    if roll < 0.75 or depth >= 3:
        return _nestable(chance.choice(PLAIN)) if depth else chance.choice(PLAIN)
    return nested_type(chance, depth)


def nested_type(chance: Random, depth: int = 0) -> pa.DataType:
    """A list, struct or map."""
    return chance.choice((_list, _list, _struct, _struct, _map))(chance, depth + 1)


def _nestable(type_: pa.DataType) -> pa.DataType:
    """The type or, where pyarrow cannot write it within lists and structs, its plain kin."""
    if type_ == pa.string_view():
        return pa.string()
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _list(chance: Random, depth: int) -> pa.DataType:
    inner = (_struct if chance.random() < 0.25 else random_type)(chance, depth)
    return chance.choice((pa.list_, pa.list_, pa.large_list))(pa.field("item", inner))


def _struct(chance: Random, depth: int) -> pa.DataType:
    """Half the time with fields of one type, so that their values can be mistaken."""
    names = chance.sample(("lat", "Lon", "geo.lat", "x", "é"), chance.randint(1, 3))
    one_type = random_type(chance, depth) if chance.random() < 0.5 else None
    return pa.struct([pa.field(name, one_type or random_type(chance, depth)) for name in names])


def _map(chance: Random, depth: int) -> pa.DataType:
    return pa.map_(chance.choice(KEYS), random_type(chance, depth))
