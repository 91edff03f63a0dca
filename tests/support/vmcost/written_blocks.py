"""Bytes as Spark's Java libraries frame them, written apart from the reader."""

import struct

import pyarrow as pa
import xxhash

BLOCK = 32 * 1024


def lz4_stream(data: bytes, end: bool = True) -> bytes:
    """As lz4-java's `LZ4BlockOutputStream` writes."""
    out = b""
    for block in _blocks(data):
        packed = pa.Codec("lz4_raw").compress(block, asbytes=True)
        stored = len(packed) >= len(block)
        check = xxhash.xxh32_intdigest(block, 0x9747B28C) & 0x0FFFFFFF
        kept = block if stored else packed
        token = (0x10 if stored else 0x20) | 5
        out += b"LZ4Block" + struct.pack("<BiiI", token, len(kept), len(block), check) + kept
    return out + (b"LZ4Block" + struct.pack("<BiiI", 0x15, 0, 0, 0) if end else b"")


def snappy_stream(data: bytes) -> bytes:
    """As xerial's `SnappyOutputStream` writes."""
    out = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    for block in _blocks(data):
        packed = pa.Codec("snappy").compress(block, asbytes=True)
        out += struct.pack(">i", len(packed)) + packed
    return out


def lzf_stream(data: bytes) -> bytes:
    """As ning's `LZFOutputStream` writes what it cannot compress, and runs of one byte."""
    out = b""
    for block in _blocks(data):
        if len(block) > 4 and block == block[:1] * len(block):
            packed = _run(block)
            out += b"ZV\x01" + struct.pack(">HH", len(packed), len(block)) + packed
        else:
            out += b"ZV\x00" + struct.pack(">H", len(block)) + block
    return out


def _run(block: bytes) -> bytes:
    """A literal, and copies of it that run into themselves, of 9 to 264 bytes each."""
    packed, left = b"\x00" + block[:1], len(block) - 1
    while left:
        length = min(left, 264)
        if 0 < left - length < 9:
            length = left - 9
        if length < 9:
            packed += bytes([length - 1]) + block[:length]
        else:
            packed += bytes([7 << 5, length - 9, 0])
        left -= length
    return packed


def _blocks(data: bytes) -> list[bytes]:
    return [data[place : place + BLOCK] for place in range(0, len(data), BLOCK)]
