"""Runs as bytes, for shuffling: a header with the hash's version, then one lane after the other."""

import numpy as np

from r2d2.hashing.finaliser import HASH_VERSION, Lanes

_HEADER = bytes([HASH_VERSION]) + bytes(7)  # eight bytes keep the lanes aligned
_BYTES_PER_HASH = 16


def to_bytes(run: Lanes) -> bytes:
    """The run as bytes: version, seven zeros, first lane, second lane, all little-endian."""
    lanes = (lane.astype("<u8", copy=False).tobytes() for lane in (run.first, run.second))
    return b"".join((_HEADER, *lanes))


def from_bytes(blob: bytes | memoryview) -> Lanes:
    """The run that `to_bytes` wrote, read-only where it can be read in place.

    Raises ValueError for the hashes of another version.
    """
    if len(blob) < len(_HEADER) or (len(blob) - len(_HEADER)) % _BYTES_PER_HASH:
        raise ValueError(f"{len(blob)} bytes are no run of hashes")
    if bytes(blob[: len(_HEADER)]) != _HEADER:
        raise ValueError(f"hashes of version {blob[0]}, but this is version {HASH_VERSION}")
    lanes = np.frombuffer(blob, "<u8", offset=len(_HEADER))
    lanes = np.require(lanes, np.uint64, "A")
    half = len(lanes) // 2
    return Lanes(lanes[:half], lanes[half:])
