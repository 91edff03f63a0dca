"""Every codec gives back what was written, whole or as far as it goes, a piece at a time."""

import gzip
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.events.codecs import (
    DamagedError,
    TruncatedError,
    chunks,
    lz4_blocks,
    lzf_chunks,
    snappy_chunks,
)
from r2d2.vmcost.events.problems import EventLogError, LogProblem, LogProblemCounts
from tests.support.vmcost.written_blocks import lz4_stream, lzf_stream, snappy_stream

WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "zstd": zstandard.ZstdCompressor(level=1, write_checksum=True).compress,
    "gzip": gzip.compress,
    "lz4": lz4_stream,
    "snappy": snappy_stream,
    "lzf": lzf_stream,
}
MIXED = b"".join(
    [b'{"Event":"x"}\n' * 9_000, b"\x00" * 70_000, random.Random(1).randbytes(70_000), b"end\n"]
)


def read(data: bytes, folder: Path) -> tuple[bytes, LogProblemCounts]:
    path = folder / "log"
    path.write_bytes(data)
    problems = LogProblemCounts()
    return b"".join(chunks(path, problems)), problems


@pytest.mark.parametrize("codec", WRITERS)
def test_a_codec_is_known_by_its_first_bytes(codec: str, tmp_path: Path) -> None:
    assert read(WRITERS[codec](MIXED), tmp_path) == (MIXED, LogProblemCounts())


@pytest.mark.parametrize("codec", WRITERS)
def test_streams_one_after_the_other_are_one_log(codec: str, tmp_path: Path) -> None:
    twice = WRITERS[codec](MIXED) + WRITERS[codec](b"more\n")
    assert read(twice, tmp_path) == (MIXED + b"more\n", LogProblemCounts())


@pytest.mark.parametrize("codec", ["zstd", "gzip", "lz4", "snappy", "lzf"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.999])
def test_a_stream_that_stops_is_read_as_far_as_it_goes(
    codec: str, kept: float, tmp_path: Path
) -> None:
    packed = WRITERS[codec](MIXED)
    found, problems = read(packed[: int(kept * len(packed))], tmp_path)
    assert MIXED.startswith(found)
    assert len(found) >= 0.2 * len(MIXED)
    assert problems == {LogProblem.FILE_TRUNCATED: 1}


def test_a_frame_that_a_dead_driver_left_open_loses_nothing_that_was_flushed(
    tmp_path: Path,
) -> None:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    packed = packer.compress(MIXED) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert read(packed, tmp_path) == (MIXED, {LogProblem.FILE_TRUNCATED: 1})


@pytest.mark.parametrize("codec", ["zstd", "gzip", "lz4", "snappy"])
def test_a_stream_that_was_overwritten_is_read_up_to_there(codec: str, tmp_path: Path) -> None:
    chance = random.Random(2)
    data = b"".join(b'{"Event":"x","Number":%d}\n' % chance.randrange(10**9) for _ in range(40_000))
    packed = WRITERS[codec](data)
    middle = len(packed) // 2
    found, problems = read(packed[:middle] + b"\xff" * 4_000 + packed[middle + 4_000 :], tmp_path)
    assert problems == {LogProblem.FILE_DAMAGED: 1}
    assert len(found) > 0.4 * len(data)
    assert data.startswith(found[: int(0.4 * len(data))])


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_bomb_comes_in_pieces(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    size = 300 * 2**20
    if codec == "zstd":
        packer = zstandard.ZstdCompressor(level=1).compressobj(size=size)
        packed = [packer.compress(bytes(2**20)) for _ in range(300)]
        path.write_bytes(b"".join([*packed, packer.flush()]))
    else:
        with gzip.open(path, "wb", 1) as out:
            for _ in range(300):
                out.write(bytes(2**20))
    sizes = [len(piece) for piece in chunks(path, LogProblemCounts())]
    assert (sum(sizes), max(sizes) <= 17 * 2**20) == (size, True)


@pytest.mark.parametrize(
    "head",
    [
        b"LZ4Block\x25" + b"\xff\xff\xff\x7f" * 3,
        b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + b"\x7f\xff\xff\xff\xff\xff",
        b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + b"\x00\x00\x00\x05\xff\xff\xff\xff\x07",
        b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + b"\x00\x00\x00\x05\xff\xff\xff\xff\xff",
    ],
)
def test_a_block_that_claims_gigabytes_is_damaged(head: bytes, tmp_path: Path) -> None:
    assert read(head, tmp_path) == (b"", {LogProblem.FILE_DAMAGED: 1})


@pytest.mark.parametrize("decode", [lz4_blocks, snappy_chunks, lzf_chunks])
@given(data=st.binary(), seed=st.integers(0, 2**16), kept=st.integers(0, 300))
def test_whatever_the_bytes_a_decoder_says_that_they_are_wrong(
    decode: Callable[[Any], Any], data: bytes, seed: int, kept: int
) -> None:
    """Of random bytes, and of a good stream with random bytes in its midst."""
    writer = {lz4_blocks: lz4_stream, snappy_chunks: snappy_stream, lzf_chunks: lzf_stream}[decode]
    good = writer(bytes(500) + random.Random(seed).randbytes(300))
    for stream in (data, good[:kept] + data + good[kept + len(data) :]):
        try:
            pieces = list(decode(BytesIO(stream)))
        except (DamagedError, TruncatedError):
            continue
        assert all(isinstance(piece, bytes) for piece in pieces)


def test_an_archive_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EventLogError, match="unpack"):
        read(b"PK\x03\x04rest", tmp_path)


@pytest.mark.spark
@pytest.mark.parametrize("codec", ["lz4", "lzf", "snappy", "zstd"])
def test_what_spark_itself_compresses_is_read(codec: str, spark: Any, tmp_path: Path) -> None:
    path = tmp_path / "log"
    jvm, conf = spark._jvm, spark.sparkContext._jsc.sc().conf()
    plain = jvm.java.io.FileOutputStream(str(path))
    made = jvm.org.apache.spark.io.CompressionCodec.createCodec(conf, codec)
    stream = made.compressedOutputStream(plain)
    stream.write(bytearray(MIXED))
    stream.close()
    problems = LogProblemCounts()
    assert b"".join(chunks(path, problems)) == MIXED
    assert problems == {}
