"""ORC: what is read is what was written, and what cannot be read rightly is refused."""

import base64
import io
import os
import subprocess
import sys
import zlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import r2d2
from r2d2.lake import orc
from r2d2.lake.inventory import read_split
from r2d2.lake.storage import storage_of
from r2d2.model import Table

# Written by ORC's Java library 2.3, which a test cannot count on; see each test for what.
JAVA = {
    "date_hybrid": "c-r$1au#G@;9?VE;b0D6&;~MvxtJLk7=(B@n6212{%?^GU<zOmXJE)<Vw0+800AaPkOmGm0R{<fFw"
    "H0-0i+p$G@lR?2Lli@83L7vae>X`;zKqmg0GW-frD8fT#5@wDogMwC~Gh)ad7YmF)~UqrYJFS@Eb5&fi+s8X>^$2="
    "fM!cn8a$NXRK$y;V!@`(a<2E#Kgd(A#K3f^o5z(Kgd}e0Hcl>f&",
    "date_proleptic": "c-r$1au#G@;9?VE;b0D6&;~MvxtJLk7=(B@n6212CT^7wU<zOmXJE)<Vw0N400K;oAPpRB0t^z|"
    "V46`v0!T9gX+9w)4hA4*G6X6S;{uz>#fNNC1Yaiu0|&D}xD*$VRF>dVP}X2p;^5#BVq}zJOi^Ou;5T5l0&BEF)95h4&"
    "x0X?DT&oc&sfiZ!(D(?qM<=RiHU(nL)w6|=?gQne~_~{03#k4P5",
    "timestamp_new_york": "c-r$1au#G@;9?VE;ouKo@B}iIxY!uLKuCgv-%ChhddIn)Ki@MeG<3{w*|eP5fH8n!HUmQi"
    "AIpNj3V)fh)l%vi-#Q*|WV~jb@}F_TJV{0%A@QHFo8ioVM&*es=QDiz;U~|q(o=?!LAZWu0E6gfW&;M%Pp3XGh^*h6z"
    "_jyXSAr-5gCB!FE08$H#83)y4hNe6g9JC2W|U9|(u_bl07$a}X<i{F4hA4*k`i#tO)bhyPSp2HEsu}PFUp2^0PGhoDO"
    "}Evh+WLUz`-nVo>7VmNEu1QD%fi9D{*k}2r)8BF_tJXac~;&TY*in!effV1V0ak2*xB<BRyk11C9^@R*8lN0VO5|9u0"
    "K^&ZaNS%>F^n;s80tSAP",
    "timestamp_utc": "c-r$1au#G@;9?VE;b043@CGuKx!4%MKuD5<%}ZFKvEkj<H<K6@zBPXNHX+vF+6U<X21f>l3RZ@d"
    "p3?srM2lG%Agq<1GK`GZIKBTfZZTf--;{x&j1^>z)xC@rKuRBi<!wP?(I6{1*aR3PxWP1|ga(ji1kym;Iaq<TtPm3i0}"
    "wMwF^7gYL)-;+B9}ByS4B81Wnkc77Ffn8#Ra5{B^(qCG}x3lICz8@8KoFYl$ba;4cM%}##rGq#$ke=2SWs7604D(v7P}"
    "(r~s=(LxX@469bQih5={O7iMPvAZKv^^Oi<9",
    "union": "c-m!7Jxc>Y5PdU~+uLknST{w6Xc4YD5aMC5@Tx#SEYuvSt`=+s3n69j7l^fmKS1nK`5UbLBenrIiG?2nGx"
    "Ods^X5%wlU=}>(6CZrFT$1+09$?#d3Vd(mV>d*cT_8k;=Jb)tRr+RW!BL=&|JAf6Ig+e0;lvEPv;Shv3LaX<>6{jC5("
    "nRV~vNlNIk2H?#BUn(v;PRHX>s$Y64quENt-h@_aJrKFRw<etR9?7jEM)ZpK=tuJhAhZJht@s&*fM6~Cmui*2gC!Fev"
    "3we3LEr@PG9oxm&^+jXXelpFo>Tfh9HU;fh{KU|)nrmN&=I2soA#wWU1_>9rckBjF0r^s|R>3somBPu2",
    "char": "c-r$1au#G@;9?VE;b0D6a0N0IxL6rLKuDZ}SxJzKHBkWwgxC(R1kn--0St-^3}7*cNMcfQN-8G<gBw#=Kp@"
    "B@4mJS>32rdWD4`0Z8G*DgkY)nX>_SW&3_#4}4pgeh1-6t+5{E?*Qi~ZFIG6=0q_}{jfrONTwg$5j2M3Q3Bcl{!vJwl2"
    "paQD_vlZABE8M0yOz`tyh+s@&HPSQIGvEjjV3lZS5Kv-b;L%Vs;B5NB%<LcJEDiv}Vk2h",
}
HARMLESS = """
import sys
import r2d2
graph = r2d2.find(sys.argv[1])
print(sum(table.unreadable for table in graph.tables), *sorted(graph.classes())[0])
"""


def java(lake: Path, name: str) -> Table:
    """The table of one file that Java wrote."""
    (lake / "t.orc").write_bytes(zlib.decompress(base64.b85decode(JAVA[name])))
    return the_table(lake)


def orc_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.orc.write_table(table, sink, **options)
    return sink.getvalue()


def write(lake: Path, table: pa.Table, **options: Any) -> Table:
    (lake / "t.orc").write_bytes(orc_bytes(table, **options))
    return the_table(lake)


def the_table(lake: Path) -> Table:
    (found,) = r2d2.tables(lake).tables
    return found


def batches(lake: Path, table: Table, *names: str) -> list[pa.RecordBatch]:
    storage = storage_of(str(lake))
    wanted = names or tuple(column.path[0] for column in table.columns)
    return [batch for split in table.splits for batch in read_split(storage, split, wanted)]


def rows(lake: Path, table: Table) -> list[dict[str, Any]]:
    assert table.problem is None
    return [row for batch in batches(lake, table) for row in batch.to_pylist()]


def with_footer(data: bytes, change: Any) -> bytes:
    """An uncompressed file with another footer, as a foreign writer might have written it."""
    postscript = data[-1 - data[-1] : -1]
    size_bytes, rest = number_at(postscript, 1)
    end = len(data) - 1 - len(postscript)
    footer = change(data[end - size_bytes : end])
    postscript = b"\x08" + varint(len(footer)) + postscript[rest:]
    return data[: end - size_bytes] + footer + postscript + bytes([len(postscript)])


def number_at(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return number, at


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


def test_orc_avro_and_parquet_copies_of_one_table_are_equal(tmp_path: Path) -> None:
    table = pa.table(
        {
            "number": pa.array([1, None, -(2**63)]),
            "small": pa.array([1, 2, None], pa.int32()),
            "text": ["é", None, ""],
            "ratio": [0.1, float("nan"), None],
            "yes": [True, None, False],
            "day": pa.array([0, -100_000, None], pa.date32()),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2")], pa.decimal128(9, 2)),
            "when": pa.array([0, 1_600_000_000_123_456_000, None], pa.timestamp("ns", "UTC")),
            "list": [["a", None], [], None],
            "inner": [{"x": 1, "y": "b"}, {"x": None, "y": None}, {"x": 2, "y": ""}],
        }
    )
    pa.orc.write_table(table, tmp_path / "copy.orc")
    pq.write_table(table, tmp_path / "copy.parquet")
    types = [
        "long",
        "int",
        "string",
        "double",
        "boolean",
        {"type": "int", "logicalType": "date"},
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "array", "items": ["null", "string"]},
    ]
    inner = [{"name": "x", "type": ["null", "long"]}, {"name": "y", "type": ["null", "string"]}]
    fields = [
        {"name": name, "type": ["null", type_]}
        for name, type_ in zip(table.column_names, types, strict=False)
    ]
    fields.append({"name": "inner", "type": {"type": "record", "name": "i", "fields": inner}})
    with (tmp_path / "copy.avro").open("wb") as file:
        coarse = table.set_column(7, "when", table["when"].cast(pa.timestamp("us", "UTC")))
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, coarse.to_pylist())
    (copies,) = r2d2.find(tmp_path).classes()
    assert copies == ("copy.avro", "copy.orc", "copy.parquet")


SCALARS = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    (pa.binary(), st.binary(max_size=8)),
    (pa.date32(), st.integers(-700_000, 2_900_000)),
    (pa.timestamp("ns"), st.integers(0, 2**63 - 10**9)),
    (pa.timestamp("ns", "UTC"), st.integers(0, 2**63 - 10**9)),
    (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    (pa.decimal128(5, 0), st.integers(-99_999, 99_999).map(Decimal)),
]


def arrays(length: int) -> st.SearchStrategy[pa.Array]:
    def of(scalar: tuple[pa.DataType, Any]) -> st.SearchStrategy[pa.Array]:
        type_, values = scalar
        nullable = st.none() | values
        several = st.lists(nullable, max_size=3)
        entries = st.dictionaries(st.text("ab", max_size=2), nullable, max_size=3)
        kinds = [
            (type_, nullable),
            (pa.list_(type_), st.none() | several),
            (pa.struct([("f", type_)]), st.none() | nullable.map(lambda value: {"f": value})),
            (pa.map_(pa.string(), type_), st.none() | entries.map(lambda e: list(e.items()))),
        ]
        return st.sampled_from(kinds).flatmap(
            lambda kind: st.lists(kind[1], min_size=length, max_size=length).map(
                lambda found: pa.array(found, kind[0])
            )
        )

    return st.sampled_from(SCALARS).flatmap(of)


TABLES = st.integers(0, 5).flatmap(
    lambda length: st.lists(arrays(length), min_size=1, max_size=4).map(
        lambda found: pa.table(found, [f"c{place}" for place in range(len(found))])
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TABLES, st.sampled_from(["uncompressed", "zlib", "snappy", "lz4", "zstd"]))
def test_random_tables_come_back_as_they_were(table: pa.Table, compression: str) -> None:
    with TemporaryDirectory() as folder:
        found = write(Path(folder), table, compression=compression)
        assert found.problem is None
        read = pa.Table.from_batches(batches(Path(folder), found), table.schema)
    assert found.rows == table.num_rows
    assert repr(read.to_pydict()) == repr(table.to_pydict())


def test_stripes_are_splits_and_batches_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "SPLIT_BYTES", 1)
    table = pa.table({"x": pa.array(Random(0).randbytes(1) for _ in range(70_000))})
    found = write(tmp_path, table, stripe_size=1 << 12, batch_size=7_000)
    assert len(found.splits) > 2
    assert sum(split.rows or 0 for split in found.splits) == found.rows == 70_000
    assert [row["x"] for row in rows(tmp_path, found)] == table["x"].to_pylist()
    one = write(tmp_path, table, batch_size=70_000)
    assert [batch.num_rows for batch in batches(tmp_path, one)] == [1 << 16, 70_000 - (1 << 16)]


def test_a_file_of_large_stripes_is_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "STRIPE_VALUES", 100)
    table = pa.table({"x": range(150_000), "a": [{"b.c": "x"}] * 150_000})
    found = write(tmp_path, table)
    assert [split.row_groups for split in found.splits] == [()]
    assert max(batch.num_rows for batch in batches(tmp_path, found, "a")) <= 1 << 16
    assert pa.Table.from_batches(batches(tmp_path, found)).equals(table)


def test_a_file_of_large_stripes_with_a_dotted_name_is_not_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "STRIPE_VALUES", 100)
    table = pa.table({"a.b": range(1000), "a": [{"b": "x"}] * 1000})
    found = write(tmp_path, table)
    assert pa.Table.from_batches(batches(tmp_path, found)).equals(table)


def test_names_are_verbatim_and_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    table = pa.table({"a.b": [1], "a": [{"b": "inner"}], "Ä x": [2], "`": [3]})
    found = write(tmp_path, table)
    assert [column.name for column in found.columns] == ["`a.b`", "a.b", "Ä x", "````"]
    assert batches(tmp_path, found, "a.b")[0].to_pylist() == [{"a.b": 1}]
    assert batches(tmp_path, found, "a")[0].to_pylist() == [{"a": {"b": "inner"}}]
    assert batches(tmp_path, found, "`")[0].to_pylist() == [{"`": 3}]
    assert batches(tmp_path, found, "none of them")[0].num_rows == 1


def test_a_file_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    found = write(tmp_path, pa.table({"x": pa.array([], pa.int32())}))
    assert (found.rows, found.problem, batches(tmp_path, found)) == (0, None, [])


def test_orc_under_hive_folders_is_one_table(tmp_path: Path) -> None:
    for key in (1, 2):
        (tmp_path / "t" / f"k={key}").mkdir(parents=True)
        pa.orc.write_table(pa.table({"x": ["a"]}), tmp_path / "t" / f"k={key}" / "part.orc")
    found = the_table(tmp_path)
    assert (found.location, found.rows) == ("t", 2)
    assert rows(tmp_path, found) == [{"x": "a", "k": 1}, {"x": "a", "k": 2}]


def test_old_dates_of_the_hybrid_calendar_make_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "date_hybrid")
    assert "Julian calendar" in str(found.problem)
    assert not found.unreadable


def test_old_dates_of_the_proleptic_calendar_are_read(tmp_path: Path) -> None:
    assert [str(row["d"]) for row in rows(tmp_path, java(tmp_path, "date_proleptic"))] == [
        "1422-05-25",
        "1970-01-01",
        "1970-01-02",
    ]


def test_old_timestamps_written_outside_utc_make_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "timestamp_new_york")
    assert "America/New_York" in str(found.problem)
    assert not found.unreadable


def test_timestamps_written_in_utc_are_read_as_java_reads_them(tmp_path: Path) -> None:
    found = java(tmp_path, "timestamp_utc")
    assert [column.type for column in found.columns] == ["timestamp"]
    assert [str(row["t"]) for row in rows(tmp_path, found)] == [
        "1970-01-01 00:00:00",
        "2020-09-13 12:26:40.123456789",
        "1970-01-01 00:00:00.500000",
        "1969-12-31 23:59:58.500000",
        "1890-01-19 23:59:59.999000",
        "1899-01-18 00:00:00",
    ]


def test_timestamps_that_arrow_cannot_hold_make_the_table_unreadable(tmp_path: Path) -> None:
    found = write(tmp_path, pa.table({"t": pa.array([datetime(9999, 12, 31)])}))
    assert found.unreadable
    assert "1677–2262" in str(found.problem)


def test_a_padded_char_is_read_with_its_padding(tmp_path: Path) -> None:
    found = java(tmp_path, "char")
    assert [row["c"] for row in rows(tmp_path, found)] == ["a    ", "é    ", "abcde"]


def test_a_union_makes_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "union")
    assert (found.unreadable, found.problem) == (False, "t.orc: column u: its type is a union")


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        (b"\x08\x04\x3a\x27\x0a\x17spark.sql.catalyst.type\x12\x0cinterval day", "interval day"),
        (b"\x08\x0e", "Hive 0.11"),
        (b"\x08\x13", "number 19"),
    ],
)
def test_a_number_that_stands_for_something_else_makes_the_table_ineligible(
    tmp_path: Path, type_: bytes, reason: str
) -> None:
    data = orc_bytes(pa.table({"x": [1]}))
    long = field(4, b"\x08\x04\x20\x00\x28\x00\x30\x00")
    assert data.count(long) == 1
    made = with_footer(data, lambda footer: footer.replace(long, field(4, type_)))
    (tmp_path / "t.orc").write_bytes(made)
    found = the_table(tmp_path)
    assert reason in str(found.problem)
    assert not found.unreadable


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_encrypted_columns_make_the_table_ineligible(tmp_path: Path) -> None:
    data = orc_bytes(pa.table({"x": [1]}))
    (tmp_path / "t.orc").write_bytes(with_footer(data, lambda old: old + field(10, b"")))
    assert the_table(tmp_path).problem == "t.orc: columns are encrypted"


def test_a_null_as_a_maps_key_makes_the_table_unreadable_and_ends_no_process(
    tmp_path: Path,
) -> None:
    keys = pa.table({"m": pa.array([[("a", 1), ("b", 2)]], pa.map_(pa.string(), pa.int64()))})
    data = orc_bytes(keys)
    # The keys' DATA stream (kind 1 of column 2) is declared to be PRESENT (kind 0).
    assert data.count(b"\x08\x01\x10\x02\x18") == 1
    (tmp_path / "t.orc").write_bytes(data.replace(b"\x08\x01\x10\x02\x18", b"\x08\x00\x10\x02\x18"))
    with pytest.raises(r2d2.R2D2Error, match="a map's key is NULL"):
        batches(tmp_path, the_table(tmp_path))


def test_a_file_that_ends_the_process_that_decodes_it_is_unreadable_and_no_more(
    tmp_path: Path,
) -> None:
    data = orc_bytes(pa.table({"x": [[1]] * 300}))
    # The lists' lengths: 300 times one; then one less 49 each time.
    assert data.count(b"\xc1\x2b\x01\x00") == 1
    (tmp_path / "t.orc").write_bytes(data.replace(b"\xc1\x2b\x01\x00", b"\xc1\x2b\x01\x61"))
    for name in ("good.orc", "same.orc"):
        (tmp_path / name).write_bytes(data)
    graph = r2d2.find(tmp_path)
    assert graph.classes() == (("good.orc", "same.orc"),)
    (reason,) = [table.problem for table in graph.tables if table.location == "t.orc"]
    assert "damaged" in str(reason)


@pytest.mark.parametrize("kind", [b"\x0a", b"\x0c"])
def test_types_nested_ten_thousandfold_end_no_process(tmp_path: Path, kind: bytes) -> None:
    name = b"\x1a\x01a" if kind == b"\x0c" else b""
    chain = [field(4, b"\x08" + kind + field(2, varint(n + 2)) + name) for n in range(10_000)]
    root = field(4, b"\x08\x0c\x12\x01\x01\x1a\x01a")
    footer = b"\x08\x03" + root + b"".join(chain) + field(4, b"\x08\x04") + b"\x30\x00"
    data = with_footer(orc_bytes(pa.table({"x": [1]})), lambda _: footer)
    (tmp_path / "t.orc").write_bytes(data)
    assert "nested too deep" in str(the_table(tmp_path).problem)


def test_a_file_that_declares_a_trillion_rows_is_refused_as_a_bomb(tmp_path: Path) -> None:
    data = orc_bytes(pa.table({"x": [1]}))

    def declare(footer: bytes) -> bytes:
        many = varint(10**12)
        stripe = footer.index(b"\x1a") + 1
        old = footer[stripe + 1 : stripe + 1 + footer[stripe]]
        assert old.endswith(b"\x28\x01")
        return footer.replace(b"\x1a" + bytes([len(old)]) + old, field(3, old[:-1] + many)).replace(
            b"\x30\x01", b"\x30" + many
        )

    (tmp_path / "t.orc").write_bytes(with_footer(data, declare))
    found = the_table(tmp_path)
    assert found.unreadable
    assert "bomb" in str(found.problem)


def test_damaged_files_are_unreadable_and_disturb_no_others(tmp_path: Path) -> None:
    """In a process of its own, which is seen to live."""
    chance = Random(0)
    table = pa.table(
        {
            "i": range(200),
            "s": [f"n{n % 7}" if n % 5 else None for n in range(200)],
            "l": [[1, None]] * 200,
            "m": pa.array([[("k", 1.5)]] * 200, pa.map_(pa.string(), pa.float64())),
            "t": pa.array(range(200), pa.timestamp("ns")),
            "d": pa.array([Decimal(n) for n in range(200)], pa.decimal128(9, 2)),
        }
    )
    flips = 0
    for compression in ("uncompressed", "zlib", "zstd"):
        data = orc_bytes(table, compression=compression)
        (tmp_path / f"cut_{compression}.orc").write_bytes(data[:-9])
        for number in range(60):
            flipped = bytearray(data)
            start = 0 if number % 2 else len(data) - 400
            flipped[chance.randrange(max(0, start), len(data))] ^= 1 << chance.randrange(8)
            (tmp_path / f"flip_{compression}_{number}.orc").write_bytes(flipped)
            flips += 1
    for name in ("a good.orc", "a same.orc"):
        (tmp_path / name).write_bytes(orc_bytes(pa.table({"good": [1, 2, 3]})))
    for name, content in {"empty": b"", "magic": b"ORC", "text": b"x,y\n1,2\n"}.items():
        (tmp_path / f"{name}.orc").write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-c", HARMLESS, str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    unreadable, *good = run.stdout.decode().split(maxsplit=1)
    assert int(unreadable) > flips / 4
    assert good == ["a good.orc a same.orc\n"]


@pytest.mark.spark
def test_what_spark_writes_is_read_as_spark_reads_it(tmp_path: Path, spark: Any) -> None:
    frame = spark.sql(
        """
        SELECT id, CAST(id AS INT) i, CAST(id AS TINYINT) y, IF(id % 3 = 0, NULL, 'é' || id) s,
          id / 7 d, CAST(id / 7 AS FLOAT) f, CAST(id / 7 AS DECIMAL(30, 9)) p, id % 2 = 0 b,
          DATE'1600-01-01' + CAST(id AS INT) * 1000 day, encode('x' || id, 'UTF-8') raw,
          TIMESTAMP'1890-01-01 00:00:00.25' + INTERVAL 1 DAY * CAST(id AS INT) * 1000 at,
          TIMESTAMP_NTZ'1890-01-01 00:00:00.25' + INTERVAL 1 DAY * CAST(id AS INT) * 1000 local,
          array(id, NULL) a, map('k', id) m, struct(id x, 'y' y) st,
          array(TIMESTAMP_NTZ'2020-01-01 00:00:00') locals
        FROM range(100)
        """
    )
    frame.coalesce(1).write.orc(str(tmp_path / "spark"))
    found = the_table(tmp_path)
    types = {column.name: column.type for column in found.columns}
    assert (types["at"], types["local"], types["locals"]) == (
        "timestamp",
        "timestamp",
        "list<timestamp>",
    )
    ours = pa.Table.from_batches(batches(tmp_path, found)).sort_by("id")
    theirs = spark.read.orc(str(tmp_path / "spark")).toArrow().sort_by("id")
    for name in theirs.column_names:
        known = theirs[name].cast(pa.timestamp("us")) if name == "at" else theirs[name]
        assert ours[name].cast(known.type).to_pylist() == known.to_pylist(), name
