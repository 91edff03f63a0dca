"""Row identity: one test for each row of the table in design/semantics.md, on every engine."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.support.oracle.asking import ask
from tests.support.oracle.files import all_equal, both_ways, delta_log, edges, one, text, write

MODES = ["strict", "widened"]


def test_a_null_before_a_value_is_not_a_null_after_it(tmp_path: Path, engine: str) -> None:
    strings = pa.string()
    write(
        tmp_path,
        before=pa.table({"x": pa.array([None], strings), "y": pa.array(["a"])}),
        after=pa.table({"x": pa.array(["a"]), "y": pa.array([None], strings)}),
        neither=pa.table({"x": pa.array([None], strings), "y": pa.array([None], strings)}),
        before_copy=pa.table({"x": pa.array([None], strings), "y": pa.array(["a"])}),
    )
    assert edges(tmp_path, engine) == both_ways("before", "before_copy")


def test_no_list_an_empty_list_and_a_list_of_null_are_three(tmp_path: Path, engine: str) -> None:
    lists = pa.list_(pa.int64())
    write(
        tmp_path,
        no_list=one([None], lists),
        empty=one([[]], lists),
        of_null=one([[None]], lists),
        of_two_nulls=one([[None, None]], lists),
        of_zero=one([[0]], lists),
        all_five=one([None, [], [None], [None, None], [0]], lists),
    )
    names = ("no_list", "empty", "of_null", "of_two_nulls", "of_zero")
    assert edges(tmp_path, engine) == {f"{name} in all_five" for name in names}


def test_the_same_holds_for_lists_within_lists(tmp_path: Path, engine: str) -> None:
    lists = pa.list_(pa.list_(pa.int64()))
    values: dict[str, Any] = {
        "no_list": None,
        "empty": [],
        "of_null": [None],
        "of_empty": [[]],
        "of_of_null": [[None]],
        "of_null_and_empty": [None, []],
        "of_empty_and_null": [[], None],
    }
    write(tmp_path, **{name: one([value], lists) for name, value in values.items()})
    write(tmp_path, every=one(list(values.values()), lists))
    assert edges(tmp_path, engine) == {f"{name} in every" for name in values}


def test_a_null_struct_is_not_a_struct_of_nulls(tmp_path: Path, engine: str) -> None:
    points = pa.struct([("lat", pa.float64()), ("place", pa.struct([("name", pa.string())]))])
    write(
        tmp_path,
        no_point=one([None], points),
        of_nulls=one([{"lat": None, "place": None}], points),
        deep_null=one([{"lat": None, "place": {"name": None}}], points),
        all_three=one(
            [None, {"lat": None, "place": None}, {"lat": None, "place": {"name": None}}], points
        ),
    )
    names = ("no_point", "of_nulls", "deep_null")
    assert edges(tmp_path, engine) == {f"{name} in all_three" for name in names}


def test_a_null_struct_within_a_list_is_not_a_struct_of_nulls(tmp_path: Path, engine: str) -> None:
    points = pa.list_(pa.struct([("lat", pa.int64())]))
    write(
        tmp_path,
        no_point=one([[None]], points),
        of_null=one([[{"lat": None}]], points),
        both=one([[None], [{"lat": None}]], points),
    )
    assert edges(tmp_path, engine) == {"no_point in both", "of_null in both"}


def test_items_do_not_wander_from_one_list_to_the_next(tmp_path: Path, engine: str) -> None:
    numbers, words = pa.list_(pa.int64()), pa.list_(pa.string())
    write(
        tmp_path,
        early=pa.table({"x": pa.array([[1, 2]], numbers), "y": pa.array([[3]], numbers)}),
        late=pa.table({"x": pa.array([[1]], numbers), "y": pa.array([[2, 3]], numbers)}),
        words_early=pa.table({"x": pa.array([["ab"]], words), "y": pa.array([["c"]], words)}),
        words_late=pa.table({"x": pa.array([["a"]], words), "y": pa.array([["bc"]], words)}),
        words_apart=pa.table({"x": pa.array([["a", "b"]], words), "y": pa.array([["c"]], words)}),
    )
    assert edges(tmp_path, engine) == set()


def test_characters_do_not_wander_from_one_column_to_the_next(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        early={"x": ["ab"], "y": ["c"]},
        late={"x": ["a"], "y": ["bc"]},
        with_nul={"x": ["a\0"], "y": ["c"]},
        nul_later={"x": ["a"], "y": ["\0c"]},
        swapped={"x": ["c"], "y": ["ab"]},
    )
    assert edges(tmp_path, engine) == set()


@pytest.mark.parametrize("types", MODES)
def test_values_alike_in_their_bits_but_not_in_type_are_not_one(
    tmp_path: Path, engine: str, types: str
) -> None:
    write(
        tmp_path,
        number=one([1], pa.int64()),
        truth=one([True]),
        date=one([1], pa.date32()),
        moment=one([1], pa.timestamp("us")),
        zoned=one([1], pa.timestamp("us", "UTC")),
        time=one([1], pa.time64("us")),
        span=one([1], pa.duration("us")),
        text=one(["1"]),
        bytes=one([b"1"]),
    )
    assert edges(tmp_path, engine, types=types) == set()


def test_a_tiny_and_a_long_integer_are_one_only_when_widened(tmp_path: Path, engine: str) -> None:
    tables = {
        f"{kind}{bits}": one([1, 2], getattr(pa, f"{kind}{bits}")())
        for kind in ("int", "uint")
        for bits in (8, 16, 32, 64)
    }
    write(tmp_path, **tables)
    assert edges(tmp_path, engine) == set()
    assert edges(tmp_path, engine, types="widened") == all_equal(*tables)


def test_text_and_its_bytes_are_two(tmp_path: Path, engine: str) -> None:
    write(tmp_path, text=one(["a"]), bytes=one([b"a"]), fixed=one([b"a"], pa.binary(1)))
    for types in MODES:
        assert edges(tmp_path, engine, types=types) == both_ways("bytes", "fixed")


def test_a_decimal_is_its_value_when_widened_and_its_scale_too_when_strict(
    tmp_path: Path, engine: str
) -> None:
    write(
        tmp_path,
        one=one([1], pa.int64()),
        hundred=one([100], pa.int64()),
        one_00=one([Decimal("1.00")], pa.decimal128(5, 2)),
        one_0=one([Decimal("1.0")], pa.decimal128(5, 1)),
        one_00_wide=one([Decimal("1.00")], pa.decimal128(20, 2)),
        one_00_256=one([Decimal("1.00")], pa.decimal256(5, 2)),
    )
    assert edges(tmp_path, engine) == both_ways("one_00", "one_00_256")
    equal = all_equal("one", "one_00", "one_0", "one_00_wide", "one_00_256")
    assert edges(tmp_path, engine, types="widened") == equal


def test_trailing_zeros_of_a_decimal_do_not_count_when_widened(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        two_places=one([Decimal("1.10"), Decimal("-0.30")], pa.decimal128(5, 2)),
        one_place=one([Decimal("1.1"), Decimal("-0.3")], pa.decimal128(5, 1)),
        thirty_places=one([Decimal("1.1"), Decimal("-0.3")], pa.decimal256(60, 30)),
    )
    assert edges(tmp_path, engine) == set()
    equal = all_equal("two_places", "one_place", "thirty_places")
    assert edges(tmp_path, engine, types="widened") == equal


@pytest.mark.parametrize("types", MODES)
@pytest.mark.parametrize("width", ["float16", "float32", "float64"])
def test_both_zeros_are_one_and_so_is_every_nan(
    tmp_path: Path, engine: str, types: str, width: str
) -> None:
    float_type, bits = getattr(pa, width)(), {"float16": 16, "float32": 32, "float64": 64}[width]
    quiet = {16: 0x7E00, 32: 0x7FC00000, 64: 0x7FF8000000000000}[bits]
    patterns = [quiet, quiet + 1, quiet | 1 << (bits - 1)]
    nans = np.array(patterns, dtype=f"uint{bits}").view(f"float{bits}")
    write(
        tmp_path,
        plus=one(np.array([0.0], nans.dtype), float_type),
        minus=one(np.array([-0.0], nans.dtype), float_type),
        nan=one(nans[:1], float_type),
        other_nan=one(nans[1:2], float_type),
        minus_nan=one(nans[2:], float_type),
        null=one([None], float_type),
    )
    equal = both_ways("plus", "minus") | all_equal("nan", "other_nan", "minus_nan")
    assert edges(tmp_path, engine, types=types) == equal


def test_both_zeros_and_every_nan_are_one_within_lists_structs_and_maps(
    tmp_path: Path, engine: str
) -> None:
    nested = pa.struct(
        [("items", pa.list_(pa.float64())), ("by_name", pa.map_(pa.string(), pa.float32()))]
    )
    other_nan = np.array([0xFFF8000000000001], np.uint64).view(np.float64)[0]
    write(
        tmp_path,
        plus=one([{"items": [0.0, np.nan], "by_name": [("a", 0.0)]}], nested),
        minus=one([{"items": [-0.0, other_nan], "by_name": [("a", -0.0)]}], nested),
    )
    assert edges(tmp_path, engine) == both_ways("plus", "minus")


@pytest.mark.parametrize("types", MODES)
def test_an_integer_that_no_double_holds_is_in_no_column_of_doubles(
    tmp_path: Path, engine: str, types: str
) -> None:
    write(
        tmp_path,
        integers=one([2**53 + 1], pa.int64()),
        doubles=one([float(2**53)], pa.float64()),
        large=one([2**63 - 1], pa.int64()),
        large_doubles=one([float(2**63)], pa.float64()),
        unsigned=one([2**64 - 1], pa.uint64()),
        minus_one=one([-1], pa.int64()),
    )
    assert edges(tmp_path, engine, types=types) == set()


def test_numbers_are_one_by_exact_value_when_widened(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        double=one([0.5, 1.1], pa.float64()),
        single=one([0.5, 1.1], pa.float32()),
        decimal=one([Decimal("0.5"), Decimal("1.1")], pa.decimal128(5, 1)),
        half=one([0.5], pa.float32()),
        half_decimal=one([Decimal("0.50")], pa.decimal128(5, 2)),
        exact=one([Decimal("1.100000000000000088817841970012523233890533447265625")]),
    )
    halves = {f"{a} in {b}" for a in ("half", "half_decimal") for b in ("double", "single")}
    halves |= {"half in decimal", "half_decimal in decimal", "exact in double"}
    assert edges(tmp_path, engine, types="widened") == halves | both_ways("half", "half_decimal")


@pytest.mark.parametrize("types", MODES)
def test_nothing_is_cast_from_text_or_between_dates_and_moments(
    tmp_path: Path, engine: str, types: str
) -> None:
    day = dt.datetime(2020, 1, 1)
    write(
        tmp_path,
        text=one(["1", "2020-01-01"]),
        number=one([1]),
        double=one([1.5]),
        text_of_double=one(["1.5"]),
        date=one([day.date()]),
        moment=one([day], pa.timestamp("us")),
        zoned=one([day], pa.timestamp("us", "UTC")),
        elsewhere=one([day], pa.timestamp("us", "Europe/Rome")),
    )
    assert edges(tmp_path, engine, types=types) == both_ways("zoned", "elsewhere")


def test_a_column_with_a_collation_makes_its_table_ineligible(tmp_path: Path, engine: str) -> None:
    collated = {"__COLLATIONS": {"x": "spark.UTF8_LCASE"}}
    for name, metadata in (("plain", {}), ("copy", {}), ("collated", collated)):
        table = tmp_path / name
        write(table, part=one(["A"]))
        delta_log(table, [("x", "string")], [{"path": "part.parquet"}], field_metadata=metadata)
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == {("plain", "copy"), ("copy", "plain")}
    assert "collation" in answer.problems["collated"]
    assert "collated" not in answer.unreadable


def test_the_order_of_a_maps_entries_does_not_matter(tmp_path: Path, engine: str) -> None:
    maps = pa.map_(pa.string(), pa.int64())
    write(
        tmp_path,
        one_way=one([[("a", 1), ("b", 2)]], maps),
        other_way=one([[("b", 2), ("a", 1)]], maps),
        crossed=one([[("a", 2), ("b", 1)]], maps),
        fewer=one([[("a", 1)]], maps),
        null_item=one([[("a", 1), ("b", None)]], maps),
        empty=one([[]], maps),
        no_map=one([None], maps),
    )
    assert edges(tmp_path, engine) == both_ways("one_way", "other_way")


def test_a_map_is_not_the_list_of_its_entries(tmp_path: Path, engine: str) -> None:
    entries = pa.list_(pa.struct([("key", pa.string()), ("value", pa.int64())]))
    write(
        tmp_path,
        map=one([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        list=one([[{"key": "a", "value": 1}]], entries),
    )
    assert edges(tmp_path, engine) == set()


def test_a_calendar_interval_makes_its_table_ineligible(tmp_path: Path, engine: str) -> None:
    for name in ("one", "other"):
        duckdb.sql(f"copy (select interval 1 month as x) to '{tmp_path}/{name}.parquet'")
    write(tmp_path, plain=one([1]), copy=one([1]))
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == {
        ("plain.parquet", "copy.parquet"),
        ("copy.parquet", "plain.parquet"),
    }
    assert answer.problems.keys() == {"one.parquet", "other.parquet"}


def test_a_variant_in_parquet_makes_its_table_ineligible(tmp_path: Path, engine: str) -> None:
    for name in ("one", "other"):
        made = "select 1 as id, {'a': 1}::variant as x"
        duckdb.sql(f"copy ({made}) to '{tmp_path}/{name}.parquet'")
    answer = ask(tmp_path, engine)
    assert not answer.edges
    assert answer.problems.keys() == {"one.parquet", "other.parquet"}


def test_a_variant_in_delta_makes_its_table_ineligible(tmp_path: Path, engine: str) -> None:
    variant = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["variantType"]}
    protocol = {**variant, "writerFeatures": ["variantType"]}
    cells = pa.array([{"metadata": b"\1\0\0", "value": b"\0"}])
    for name in ("one", "other"):
        write(tmp_path / name, part={"x": cells})
        adds = [{"path": "part.parquet"}]
        delta_log(tmp_path / name, [("x", "variant")], adds, protocol=protocol)
    answer = ask(tmp_path, engine)
    assert not answer.edges
    assert answer.problems.keys() == {"one", "other"}
    assert all("variant" in problem.lower() for problem in answer.problems.values())


def test_the_padding_of_fixed_length_text_is_part_of_the_value(tmp_path: Path, engine: str) -> None:
    char = {"__CHAR_VARCHAR_TYPE_STRING": "char(3)"}
    for name, value, metadata in (
        ("padded", "a  ", char),
        ("bare", "a", {}),
        ("padded_text", "a  ", {}),
    ):
        write(tmp_path / name, part=one([value]))
        adds = [{"path": "part.parquet"}]
        delta_log(tmp_path / name, [("x", "string")], adds, field_metadata=metadata)
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() <= {("padded", "padded_text"), ("padded_text", "padded")}
    assert "bare" not in {name for pair in answer.edges for name in pair}


def test_int96_is_an_instant_where_spark_wrote_it_and_else_what_its_writer_states(
    tmp_path: Path, engine: str
) -> None:
    moments = [dt.datetime(1, 1, 1), dt.datetime(2020, 1, 1, 12), dt.datetime(9999, 12, 31), None]
    table = one(moments, pa.timestamp("us"))
    sparks = table.replace_schema_metadata({b"org.apache.spark.version": b"4.0.1"})
    zoned = one(moments, pa.timestamp("us", "UTC"))
    int96 = {"use_deprecated_int96_timestamps": True}
    write(tmp_path, {**int96, "store_schema": False}, int96=table, int96_too=table)
    write(tmp_path, int96, spark=sparks, arrow=table, arrow_zoned=zoned)
    write(tmp_path, plain=table, zoned=zoned)
    expected = both_ways("int96", "int96_too") | both_ways("plain", "arrow")
    expected |= both_ways("spark", "zoned") | both_ways("int96", "arrow_zoned")
    expected |= both_ways("int96_too", "arrow_zoned")
    assert edges(tmp_path, engine) == expected


@pytest.mark.parametrize(
    "mark",
    [
        {b"org.apache.spark.version": b"2.4.8"},
        {b"org.apache.spark.version": b"3.5.1", b"org.apache.spark.legacyDateTime": b""},
    ],
)
def test_old_dates_in_the_julian_calendar_make_a_table_ineligible(
    tmp_path: Path, engine: str, mark: dict[bytes, bytes]
) -> None:
    old, new = one([dt.date(1500, 1, 1)]), one([dt.date(2020, 1, 1)])
    modern = {b"org.apache.spark.version": b"4.0.1"}
    write(
        tmp_path,
        julian=old.replace_schema_metadata(mark),
        gregorian=old.replace_schema_metadata(modern),
        gregorian_copy=old,
        recent=new.replace_schema_metadata(mark),
        recent_copy=new,
    )
    answer = ask(tmp_path, engine)
    found = {f"{c.split('.')[0]} in {p.split('.')[0]}" for c, p in answer.edges}
    assert found == both_ways("gregorian", "gregorian_copy") | both_ways("recent", "recent_copy")
    assert "alendar" in answer.problems["julian.parquet"]


def test_columns_are_matched_by_name_and_never_by_place(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        base={"x": [1, 2], "y": [3, 4]},
        reordered={"y": [3, 4], "x": [1, 2]},
        swapped={"x": [3, 4], "y": [1, 2]},
        renamed={"a": [1, 2], "b": [3, 4]},
    )
    assert edges(tmp_path, engine) == both_ways("base", "reordered")


def test_rows_are_not_mixed_from_several(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        straight={"x": [1, 2], "y": [1, 2]},
        crossed={"x": [1, 2], "y": [2, 1]},
        grid={"x": [1, 1, 2, 2], "y": [1, 2, 1, 2]},
    )
    assert edges(tmp_path, engine) == {"straight in grid", "crossed in grid"}


def test_null_equals_null_and_hides_nothing(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        with_null={"x": [1, None]},
        parent={"x": [1, 2, None]},
        other={"x": [3, None]},
        nulls=one([None, None], pa.int64()),
        without={"x": [1, 2]},
    )
    assert edges(tmp_path, engine) == {
        "with_null in parent",
        "nulls in with_null",
        "nulls in parent",
        "nulls in other",
        "without in parent",
    }


def test_repeated_rows_neither_cancel_nor_add_up(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        twice_one={"x": [1, 1]},
        twice_two={"x": [2, 2]},
        both_twice={"x": [1, 1, 2, 2]},
        many={"x": [1] * 1000},
        once={"x": [1]},
    )
    parent = {f"{name} in both_twice" for name in ("twice_one", "twice_two", "many", "once")}
    assert edges(tmp_path, engine) == parent | all_equal("twice_one", "many", "once")


@pytest.mark.parametrize("types", MODES)
def test_the_layout_of_a_value_does_not_matter(tmp_path: Path, engine: str, types: str) -> None:
    words = ["a", "b", "a", None, "", "\u00e9"]
    tables = {
        "string": one(words),
        "large": one(words, pa.large_string()),
        "view": one(words, pa.string_view()),
        "dictionary": pa.table({"x": pa.array(words).dictionary_encode()}),
        "sliced": one(["zzz", *words, "yyy"]).slice(1, len(words)),
        "chunked": pa.concat_tables([one(words[:2]), one(words[2:])]),
    }
    write(tmp_path, **tables)
    write(tmp_path, {"row_group_size": 2}, groups=one(words))
    write(tmp_path, {"use_dictionary": False, "data_page_version": "2.0"}, plain=one(words))
    text(tmp_path, lines_jsonl="".join(f'{{"x": {_json(word)}}}\n' for word in words))
    equal = all_equal(*tables, "groups", "plain", "lines")
    assert edges(tmp_path, engine, types=types) == equal


def _json(word: str | None) -> str:
    return "null" if word is None else f'"{word}"'


def test_list_layouts_are_one_and_so_are_time_units(tmp_path: Path, engine: str) -> None:
    items = [[1, 2], [3, None]]
    moments = [dt.datetime(2020, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59)]
    write(
        tmp_path,
        list=one(items, pa.list_(pa.int64())),
        large_list=one(items, pa.large_list(pa.int64())),
        fixed_list=one(items, pa.list_(pa.int64(), 2)),
        **{f"moment_{unit}": one(moments, pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")},
        **{f"zoned_{unit}": one(moments, pa.timestamp(unit, "UTC")) for unit in ("ms", "ns")},
        time_ms=one([dt.time(1, 2, 3)], pa.time32("ms")),
        time_ns=one([dt.time(1, 2, 3)], pa.time64("ns")),
        date_32=one([dt.date(2020, 1, 1)], pa.date32()),
        date_64=one([dt.date(2020, 1, 1)], pa.date64()),
    )
    expected = all_equal("list", "large_list", "fixed_list")
    expected |= all_equal("moment_s", "moment_ms", "moment_us", "moment_ns")
    expected |= both_ways("zoned_ms", "zoned_ns") | both_ways("time_ms", "time_ns")
    assert edges(tmp_path, engine) == expected | both_ways("date_32", "date_64")


def test_moments_beyond_what_nanoseconds_hold_do_not_wrap_around(
    tmp_path: Path, engine: str
) -> None:
    beyond = 2**64 // 1000 + 1
    same_bits = beyond * 1000 % 2**64
    write(
        tmp_path,
        micros=one([beyond], pa.timestamp("us")),
        nanos=one([same_bits], pa.timestamp("ns")),
        millis=one([2**61 + 1], pa.timestamp("ms")),
        micros_of_the_same_bits=one([1000], pa.timestamp("us")),
        millis_copy=one([2**61 + 1], pa.timestamp("ms")),
        nano=one([1], pa.timestamp("ns")),
        micro=one([0], pa.timestamp("us")),
    )
    assert edges(tmp_path, engine) == both_ways("millis", "millis_copy")


def test_text_is_compared_byte_by_byte(tmp_path: Path, engine: str) -> None:
    values = ["a", "A", "a ", " a", "a\0", "", "\u00e9", "e\u0301", "\ufb01", "fi", "\u0130", "i"]
    tables = {f"t{place}": one([value]) for place, value in enumerate(values)}
    write(tmp_path, **tables, every=one(values))
    assert edges(tmp_path, engine) == {f"{name} in every" for name in tables}


def test_a_null_is_not_a_word_for_it_nor_a_nan(tmp_path: Path, engine: str) -> None:
    write(
        tmp_path,
        null=one([None], pa.string()),
        word=one(["NULL"]),
        empty=one([""]),
        null_number=one([None], pa.float64()),
        nan=one([float("nan")]),
        zero=one([0.0]),
    )
    assert edges(tmp_path, engine) == set()
