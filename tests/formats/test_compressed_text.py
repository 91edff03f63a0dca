"""Compressed files are read in pieces, in full or not at all."""

import gzip

import pyarrow as pa
import pytest

from r2d2.errors import UnreadableTableError
from r2d2.formats import compression

ROWS = [(str(number), f"name {number * number}") for number in range(30_000)]
CSV = "\n".join(["id,name", *map(",".join, ROWS)]).encode()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, "zstd", asbytes=True)


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
def test_compressed_text_is_the_text(lake, ending, pack):
    table = lake.table(f"a.csv{ending}", pack(CSV))
    assert lake.read(table) == ROWS
    assert table.details["compression"] in ("gzip", "zstd")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
def test_files_glued_together_are_read_to_the_end(lake, ending, pack):
    table = lake.table(f"A.CSV{ending.upper()}", pack(CSV[:5000]) + pack(CSV[5000:]))
    assert lake.read(table) == ROWS


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
@pytest.mark.parametrize("lost", [1, 9, 20_000])
def test_a_file_cut_off_is_unreadable(lake, ending, pack, lost):
    table = lake.table(f"a.tsv{ending}", pack(CSV)[:-lost])
    with pytest.raises(UnreadableTableError, match=r"a.tsv\.\w+: Truncated compressed stream"):
        lake.read(table)


@pytest.mark.parametrize("damage", [b"\0\0\0", b"junk"])
def test_bytes_behind_the_compressed_ones_make_it_unreadable(lake, damage):
    with pytest.raises(UnreadableTableError):
        lake.rows("a.csv.gz", gzip.compress(CSV) + damage)


def test_a_flipped_bit_makes_a_gzip_file_unreadable(lake):
    content = bytearray(gzip.compress(CSV))
    content[len(content) // 2] ^= 4
    with pytest.raises(UnreadableTableError):
        lake.rows("a.csv.gz", bytes(content))


def test_an_empty_or_foreign_file_is_named(lake):
    with pytest.raises(UnreadableTableError, match="no header, no table"):
        lake.table("a.csv.gz", b"")
    with pytest.raises(UnreadableTableError, match=r"a.csv.gz: zlib inflate failed"):
        lake.table("a.csv.gz", CSV)
    with pytest.raises(UnreadableTableError, match="no header, no table"):
        lake.table("a.csv.zst", zstd(b""))


def test_a_bomb_is_refused_where_it_passes_both_limits(lake, monkeypatch):
    content = gzip.compress(b"a,b\n" + b"0,0\n" * 1_000_000)
    monkeypatch.setattr(compression, "BOMB_BYTES", 1 << 20)
    with pytest.raises(UnreadableTableError, match="refused as a bomb"):
        lake.rows("a.csv.gz", content)
    monkeypatch.setattr(compression, "BOMB_RATIO", 2000)
    assert len(lake.rows("a.csv.gz", content)) == 1_000_000


def test_a_record_without_end_is_refused_in_bounded_memory(lake, monkeypatch):
    monkeypatch.setattr("r2d2.formats.csv.fast_path.RECORD_BYTES", 1 << 16)
    monkeypatch.setattr("r2d2.formats.compression.SMALL_FILE_BYTES", 0)
    content = b'a,b\n1,"' + b"x" * (20 << 20) + b'"\n'
    with pytest.raises(UnreadableTableError, match="line 2: a record longer than"):
        lake.rows("a.csv.gz", gzip.compress(content))


def test_a_file_changed_since_it_was_listed_is_unreadable(lake):
    table = lake.table("a.csv", CSV)
    (lake.root / "a.csv").write_bytes(CSV + b"\n1,2\n")
    with pytest.raises(UnreadableTableError, match="changed since it was listed"):
        lake.read(table)
