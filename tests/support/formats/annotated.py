"""Parquet files whose column `x` has an annotation that pyarrow does not write."""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

EPSG = "geometry(srid:5070)"
# Thrift's compact protocol: a SchemaElement's converted type (field 6) and logical type (field 10).
_OF_JSON = b"\x25\x26\x4c\xcc\x00\x00"
_OF = {
    "json": _OF_JSON,
    "enum": b"\x25\x08\x4c\x4c\x00\x00",
    "bson": b"\x25\x28\x4c\xdc\x00\x00",
    "": b"",
}


def put_annotated(path: Path, values: Sequence[bytes], kind: str) -> None:
    """A file of the values under `enum`, `bson`, `geometry(CRS)`, `geography(CRS)`, or nothing."""
    written = BytesIO()
    table = pa.table({"x": pa.array([value.decode() for value in values], pa.json_())})
    pq.write_table(table, written, store_schema=False, write_statistics=False)
    content = written.getvalue()
    size = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - size : -8]
    assert footer.count(_OF_JSON) == 1
    footer = footer.replace(_OF_JSON, _OF[kind] if kind in _OF else _of_geometry(kind))
    path.write_bytes(
        content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + content[-4:]
    )


def _of_geometry(kind: str) -> bytes:
    """Geometry is field 17 of the union of logical types, geography 18; its system is field 1."""
    found = re.fullmatch(r"(geometry|geography)(?:\(([^)]*)\))?", kind)
    assert found
    number = {"geometry": 17, "geography": 18}[found[1]]
    system = (found[2] or "").encode()
    named = b"\x18" + bytes([len(system)]) + system if system else b""
    return b"\x6c\x0c" + bytes([2 * number]) + named + b"\x00\x00"
