"""Avro blocks: every codec is read; bombs, and blocks that hold something else, are refused."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import r2d2
from r2d2.formats.avro import read as avro
from tests.support.formats.avro_files import long, read, record, text, values, write, write_raw
from tests.support.formats.one_table import batches, the_table


def snappy(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="snappy", asbytes=True)
    return packed + zlib.crc32(content).to_bytes(4, "big")


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda content: zlib.compress(content)[2:-4],
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "snappy": snappy,
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_of_the_specification_is_read(tmp_path: Path, codec: str) -> None:
    blocks = [(3, long(1) + long(2) + long(3)), (0, b""), (5000, long(7) * 5000)]
    packed = [(rows, CODECS[codec](content)) for rows, content in blocks]
    found = write_raw(tmp_path, record("long"), packed, codec)
    assert found.rows == 5003
    assert values(tmp_path, found) == [1, 2, 3] + [7] * 5000


@pytest.mark.parametrize("codec", sorted(CODECS.keys() - {"null"}))
def test_a_block_that_blows_up_is_refused_as_a_bomb(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "BLOCK_BYTES", 1 << 16)
    bomb = CODECS[codec](bytes(1 << 20))
    found = write_raw(tmp_path, record("long"), [(1 << 20, bomb)], codec)
    with pytest.raises(r2d2.R2D2Error, match="bomb"):
        read(tmp_path, found)


def test_blocks_that_blow_up_together_are_refused_as_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "BOMB_BYTES", 1 << 16)
    monkeypatch.setattr(avro, "BOMB_RATIO", 10)
    block = (1 << 14, CODECS["deflate"](bytes(1 << 14)))
    found = write_raw(tmp_path, record("long"), [block] * 20, "deflate")
    with pytest.raises(r2d2.R2D2Error, match="bomb"):
        read(tmp_path, found)


@pytest.mark.parametrize(
    ("types", "rows"), [(["long"], 2**40), (["null"], 2**40), ([], 2**40), (["long"], -1)]
)
def test_a_block_of_more_rows_than_it_can_hold_makes_the_table_unreadable(
    tmp_path: Path, types: list[Any], rows: int
) -> None:
    found = write_raw(tmp_path, record(*types), [(rows, b"\0")])
    if not found.unreadable:
        with pytest.raises(r2d2.R2D2Error, match="cannot hold"):
            read(tmp_path, found)


def test_a_codec_that_is_not_avros_is_named(tmp_path: Path) -> None:
    found = write_raw(tmp_path, record("long"), [], "lz4")
    assert found.unreadable
    assert "codec 'lz4'" in str(found.problem)


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([(2, long(1))], "cannot hold 2 rows"),
        ([(1, long(1) + long(2))], "more than the 1 row it"),
        ([(1, b"\xff" * 11)], "damaged"),
    ],
)
def test_a_block_that_does_not_hold_what_it_declares_makes_the_table_unreadable(
    tmp_path: Path, blocks: list[tuple[int, bytes]], reason: str
) -> None:
    found = write_raw(tmp_path, record("long"), blocks)
    with pytest.raises(r2d2.R2D2Error, match=reason):
        read(tmp_path, found)


def test_a_snappy_block_with_another_checksum_makes_the_table_unreadable(tmp_path: Path) -> None:
    content = snappy(long(1))[:-1] + b"\0"
    found = write_raw(tmp_path, record("long"), [(1, content)], "snappy")
    with pytest.raises(r2d2.R2D2Error, match="checksum"):
        read(tmp_path, found)


@pytest.mark.parametrize("cut", [1, 16, 17, 20, 40, 120, 10_000])
def test_a_file_cut_short_is_unreadable(tmp_path: Path, cut: int) -> None:
    write_raw(tmp_path, record("long", "string"), [(2, (long(1) + text(b"word")) * 2)] * 2)
    data = (tmp_path / "t.avro").read_bytes()
    (tmp_path / "t.avro").write_bytes(data[:-cut] if cut < len(data) else b"")
    assert the_table(tmp_path).unreadable


def test_a_block_without_its_sync_marker_makes_the_table_unreadable(tmp_path: Path) -> None:
    write_raw(tmp_path, record("long"), [(1, long(1))] * 2)
    data = (tmp_path / "t.avro").read_bytes()
    (tmp_path / "t.avro").write_bytes(data[:-1] + b"!")
    assert "sync marker" in str(the_table(tmp_path).problem)


def test_blocks_are_splits_and_batches_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "SPLIT_BYTES", 3000)
    monkeypatch.setattr(avro, "BATCH_ROWS", 100)
    numbers = list(range(5000))
    found = write(tmp_path, record("long"), [{"a": n} for n in numbers], sync_interval=1000)
    assert len(found.splits) > 2
    assert sum(split.rows or 0 for split in found.splits) == found.rows == 5000
    assert {batch.num_rows <= 100 for batch in batches(tmp_path, found)} == {True}
    assert values(tmp_path, found) == numbers
    monkeypatch.setattr(avro, "BATCH_BYTES", 50)
    assert max(batch.num_rows for batch in batches(tmp_path, found)) <= 50
    assert values(tmp_path, found) == numbers
