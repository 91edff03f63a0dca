"""Deletion vectors: every form of the bitmap, wherever it is kept, damaged or not."""

import json
import struct
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta import deletion_vectors

MAGIC = struct.pack("<I", 1681511377)
ROWS = pa.table({"a": range(30)})


def encoded(members: set[int], kind: str) -> bytes:
    """A portable 64-bit bitmap, by the format's specification; containers are of the kind."""
    highs = sorted({member >> 32 for member in members})
    buckets = [
        struct.pack("<I", high)
        + _bucket(sorted({m & 0xFFFFFFFF for m in members if m >> 32 == high}), kind)
        for high in highs
    ]
    return struct.pack("<Q", len(highs)) + b"".join(buckets)


def _bucket(members: list[int], kind: str) -> bytes:
    groups: dict[int, list[int]] = {}
    for member in members:
        groups.setdefault(member >> 16, []).append(member & 0xFFFF)
    described = b"".join(struct.pack("<HH", key, len(g) - 1) for key, g in groups.items())
    bodies = [_runs(g) if kind == "runs" else _plain(g) for g in groups.values()]
    offsets = struct.pack(f"<{len(groups)}I", *range(len(groups)))
    if kind != "runs":
        return struct.pack("<II", 12346, len(groups)) + described + offsets + b"".join(bodies)
    flags = np.packbits(np.ones(len(groups), bool), bitorder="little").tobytes()
    head = struct.pack("<I", 12347 | (len(groups) - 1) << 16) + flags + described
    return head + (offsets if len(groups) >= 4 else b"") + b"".join(bodies)


def _plain(group: list[int]) -> bytes:
    if len(group) <= 4096:
        return np.array(group, "<u2").tobytes()
    bits = np.zeros(1 << 16, bool)
    bits[group] = True
    return np.packbits(bits, bitorder="little").tobytes()


def _runs(group: list[int]) -> bytes:
    cuts = np.flatnonzero(np.diff(group) != 1) + 1
    runs = np.split(np.array(group), cuts)
    pairs = b"".join(struct.pack("<HH", run[0], len(run) - 1) for run in runs)
    return struct.pack("<H", len(runs)) + pairs


members = st.sets(
    st.one_of(st.integers(0, 300), st.integers(65_500, 65_600), st.integers(0, 2**63 - 1)),
    max_size=60,
)
ranges = st.builds(
    lambda start, length: set(range(start, start + length)),
    st.integers(0, 2**34),
    st.integers(0, 9000),
)


@given(st.one_of(members, ranges, st.builds(set.union, members, ranges)), st.booleans())
def test_every_bitmap_is_decoded(numbers: set[int], in_runs: bool) -> None:
    data = encoded(numbers, "runs" if in_runs else "plain")
    assert deletion_vectors.decoded(data).tolist() == sorted(numbers)


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_bitmap_never_ends_the_process(data: bytes, place: int, byte: int) -> None:
    whole = bytearray(encoded({1, 2, 3, 70_000, 2**40}, "runs"))
    whole[place % len(whole)] = byte
    for damaged in (data, bytes(whole), bytes(whole[:place])):
        try:
            found = deletion_vectors.decoded(damaged)
        except (ValueError, struct.error):
            continue
        assert (np.diff(found) > 0).all()


def deleted(lake: Any, vector: dict[str, Any]) -> None:
    """Makes table t of thirty rows, with a deletion vector."""
    add = lake.create("t", ROWS)
    features = ["deletionVectors"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features,
        "writerFeatures": features,
    }
    lake.write_commit(
        "t",
        1,
        {"protocol": protocol},
        {"remove": {"path": "f.parquet"}},
        {"add": add["add"] | {"deletionVector": vector}},
    )


def stored(lake: Any, numbers: set[int], **change: Any) -> dict[str, Any]:
    """A vector in the file whose name the protocol's own example gives."""
    data = MAGIC + encoded(numbers, "plain")
    block = struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))
    path = lake.root / "t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x01" + b"other" + block)
    vector = {
        "storageType": "u",
        "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 6,
        "sizeInBytes": len(data),
        "cardinality": len(numbers),
    }
    return vector | change


# PROTOCOL.md's example, with the format's number as it came to be; delta-kernel-rs tests with it.
INLINE = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
    "sizeInBytes": 44,
    "cardinality": 6,
}


def test_an_inline_vector_is_read(lake: Any) -> None:
    deleted(lake, INLINE)
    gone = {3, 4, 7, 11, 18, 29}
    assert lake.read("t")["a"].to_pylist() == [row for row in range(30) if row not in gone]


def test_a_vector_is_found_by_prefix_and_offset(lake: Any) -> None:
    deleted(lake, stored(lake, {0, 29}))
    assert lake.read("t")["a"].to_pylist() == list(range(1, 29))


def test_a_vector_with_an_absolute_path_is_found_in_the_lake(lake: Any) -> None:
    vector = stored(lake, {0, 29}, storageType="p")
    path = f"{lake.root}/t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
    deleted(lake, vector | {"pathOrInlineDv": f"file:{path}"})
    assert lake.read("t").num_rows == 28


def test_deletions_are_part_of_a_files_identity(lake: Any) -> None:
    lake.create("u", ROWS)
    deleted(lake, INLINE)
    (file,) = lake.inspect("t").files
    assert file.version != lake.files()["t/f.parquet"].version
    (split,) = lake.inspect("t").splits
    assert split.file == lake.files()["t/f.parquet"]
    assert split.rows == 24


def test_bounds_of_a_file_with_deletions_are_widened_outward(lake: Any) -> None:
    deleted(lake, INLINE)
    bounds, whole = lake.inspect("t").bounds["a"], None
    lake.create("u", ROWS)
    whole = lake.inspect("u").bounds["a"]
    assert (bounds.min_low, bounds.max_high) == (whole.min_low, whole.max_high)
    assert bounds.min_high > whole.max_high
    assert bounds.max_low < whole.min_low
    assert (bounds.has_nulls, bounds.has_values) == (False, None)


def test_a_file_with_all_rows_deleted_is_not_read(lake: Any) -> None:
    deleted(lake, stored(lake, set(range(30))))
    table = lake.inspect("t")
    assert (table.rows, len(table.files), table.splits) == (0, 1, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cardinality": 3}, "has 2 rows, not 3"),
        ({"offset": 5}, "is damaged"),
        ({"sizeInBytes": 20}, "is damaged"),
        ({"sizeInBytes": 10_000}, "is damaged"),
        ({"offset": 10_000}, "is damaged"),
    ],
)
def test_a_vector_that_is_not_as_the_log_tells_is_unreadable(
    lake: Any, change: dict[str, Any], message: str
) -> None:
    deleted(lake, stored(lake, {0, 29}, **change))
    with pytest.raises(UnreadableTableError, match=message):
        lake.read("t")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storageType": "x"}, "unknown storage 'x'"),
        ({"pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k~"}, "not base 85"),
        ({"pathOrInlineDv": "short"}, "names no file|is missing"),
        ({"pathOrInlineDv": "zz^-aqEH.-t@S}K{vb[*k^"}, "is missing"),
        ({"pathOrInlineDv": "..^-aqEH.-t@S}K{vb[*k^"}, "a path with `..` is refused"),
    ],
)
def test_a_vector_that_cannot_be_found_is_unreadable(
    lake: Any, change: dict[str, Any], message: str
) -> None:
    deleted(lake, stored(lake, {0, 29}, **change))
    with pytest.raises(UnreadableTableError, match=message):
        lake.inspect("t")


@pytest.mark.parametrize("cardinality", [-1, 31])
def test_more_deletions_than_rows_are_unreadable(lake: Any, cardinality: int) -> None:
    deleted(lake, INLINE | {"cardinality": cardinality})
    with pytest.raises(UnreadableTableError, match="deleted by _delta_log"):
        lake.inspect("t")


def test_a_deleted_row_beyond_the_file_is_unreadable(lake: Any) -> None:
    deleted(lake, stored(lake, {0, 30}))
    with pytest.raises(UnreadableTableError, match="row 30 is deleted, of 30 rows"):
        lake.read("t")


def test_a_vector_of_another_format_is_unreadable(lake: Any) -> None:
    deleted(lake, INLINE | {"pathOrInlineDv": "00000" + INLINE["pathOrInlineDv"][5:]})
    with pytest.raises(UnreadableTableError, match="format 0 is not known"):
        lake.read("t")


def test_one_file_twice_with_different_deletions_is_unreadable(lake: Any) -> None:
    deleted(lake, INLINE)
    add = lake.actions("t", "add")[0]
    lake.write_commit("t", 2, {"add": add | {"stats": json.dumps({"numRecords": 30})}})
    with pytest.raises(UnreadableTableError, match="is live 2 times"):
        lake.inspect("t")
