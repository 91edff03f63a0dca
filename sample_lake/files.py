"""Reads what the packages hold and writes tables in the formats that teams use."""

import csv
import gzip
import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


def packaged(package: str, path: str) -> bytes:
    """The bytes of a package's data file, unzipped; the package is found, not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: see the first lines of make.py")
    content = (Path(spec.submodule_search_locations[0]) / path).read_bytes()
    if not path.endswith(".zip"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return packed.read(packed.namelist()[0])


def typed(text: bytes) -> pa.Table:
    """A CSV's rows with types; NA is NULL; timestamps in microseconds, as Spark writes them."""
    options = pa.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    table = pa.csv.read_csv(io.BytesIO(text), convert_options=options).combine_chunks()
    return table.cast(retyped(table.schema, pa.types.is_timestamp, pa.timestamp("us", "UTC")))


def narrowed(table: pa.Table) -> pa.Table:
    """The table with its integers in 32 bits."""
    return table.cast(retyped(table.schema, pa.types.is_int64, pa.int32()))


def retyped(schema: pa.Schema, which: Callable[[pa.DataType], bool], to: pa.DataType) -> pa.Schema:
    """The schema with the type `to` wherever `which` holds."""
    return pa.schema([field.with_type(to) if which(field.type) else field for field in schema])


def parquet(path: Path, table: pa.Table) -> None:
    """Write one Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=9)


def avro(path: Path, table: pa.Table) -> None:
    """Write one Avro file with nullable fields and a fixed sync marker."""
    names = {"int64": "long", "double": "double", "string": "string"}
    fields = [{"name": f.name, "type": ["null", names[str(f.type)]]} for f in table.schema]
    schema = {"type": "record", "name": "penguin", "fields": fields}
    with path.open("wb") as file:
        fastavro.writer(file, schema, table.to_pylist(), codec="deflate", sync_marker=bytes(16))


def as_json(row: Mapping[str, str]) -> dict[str, object]:
    """A CSV row with NA as null and numbers as numbers, written as they were."""
    return {name: None if text == "NA" else number(text) for name, text in row.items()}


def number(text: str) -> int | float | str:
    """The number that is written so, else the text."""
    return int(text) if text.isdigit() else float(text) if text[:1].isdigit() else text


def json_lines(rows: Iterable[Mapping[str, object]]) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_text(
    rows: Iterable[Mapping[str, str]], names: Sequence[str], delimiter: str = ","
) -> bytes:
    """A header and the rows' named columns."""
    text = io.StringIO()
    out = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    out.writerow(names)
    out.writerows([row[name] for name in names] for row in rows)
    return text.getvalue().encode()


def gzipped(content: bytes) -> bytes:
    """The content compressed, with no time of compression in the header."""
    return gzip.compress(content, mtime=0)


def zstd(content: bytes) -> bytes:
    """The content compressed in one frame."""
    return bytes(pa.Codec("zstd", compression_level=9).compress(content, asbytes=True))


def write(path: Path, content: bytes) -> None:
    """Write one file of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
