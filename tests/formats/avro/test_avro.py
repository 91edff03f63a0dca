"""Avro: what is read is what was written."""

import io
import os
import subprocess
import sys
from datetime import time
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.formats.avro_files import ENUM, FIXED, logical, read, record, write, write_raw
from tests.support.formats.one_table import batches, the_table

COUNT_UNREADABLE = """
import sys
import r2d2
graph = r2d2.find(sys.argv[1])
print(sum(table.unreadable for table in graph.tables), *sorted(graph.classes())[0])
"""


def test_a_file_without_blocks_is_an_empty_table(tmp_path: Path) -> None:
    found = write_raw(tmp_path, record("long"), [])
    assert (found.rows, found.problem, batches(tmp_path, found)) == (0, None, [])


def test_avro_under_hive_folders_is_one_table(tmp_path: Path) -> None:
    for key in (1, 2):
        folder = tmp_path / "t" / f"k={key}"
        folder.mkdir(parents=True)
        write(folder, record("string"), [{"a": "x"}])
    found = the_table(tmp_path)
    assert (found.location, found.rows) == ("t", 2)
    assert read(tmp_path, found).to_pylist() == [{"a": "x", "k": 1}, {"a": "x", "k": 2}]


LEAVES: list[tuple[Any, Any]] = [
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", st.integers(-(2**63), 2**63 - 1)),
    ("float", st.floats(width=32)),
    ("double", st.floats()),
    ("string", st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    ("bytes", st.binary(max_size=8)),
    (logical("int", "date"), st.dates()),
    (
        logical("long", "local-timestamp-micros"),
        st.datetimes().map(lambda when: when.replace(fold=0)),
    ),
    (logical("bytes", "decimal", precision=30, scale=5), st.decimals(-(10**20), 10**20, places=5)),
]


def nested(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    keys = st.text("ab", max_size=2)
    return inner.flatmap(
        lambda kind: st.sampled_from(
            [
                ({"type": "array", "items": kind[0]}, st.lists(kind[1], max_size=3)),
                ({"type": "map", "values": kind[0]}, st.dictionaries(keys, kind[1], max_size=3)),
                (
                    # Names are given below: each record's must be another.
                    {"type": "record", "fields": [{"name": "x", "type": kind[0]}]},
                    kind[1].map(lambda value: {"x": value}),
                ),
                *([] if isinstance(kind[0], list) else [(["null", kind[0]], st.none() | kind[1])]),
            ]
        )
    )


KINDS = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=3)


def rows_of(kinds: list[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, list[Any]]]:
    schema = record(*(named(kind, f"n{place}") for place, (kind, _) in enumerate(kinds)))
    fields = {chr(97 + place): strategy for place, (_, strategy) in enumerate(kinds)}
    return st.tuples(st.just(schema), st.lists(st.fixed_dictionaries(fields), max_size=5))


def named(schema: Any, name: str) -> Any:
    if isinstance(schema, list):
        return [named(branch, name) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: named(schema[key], name + "x") for key in ("items", "values") if key in schema}
    if "fields" in schema:
        (only,) = schema["fields"]
        inside = {"name": name, "fields": [{**only, "type": named(only["type"], name + "x")}]}
    return {**schema, **inside}


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.lists(KINDS, min_size=1, max_size=4).flatmap(rows_of), st.sampled_from(["null", "xz"]))
def test_random_tables_come_back_as_they_were(
    written: tuple[Any, list[dict[str, Any]]], codec: str
) -> None:
    schema, rows = written
    with TemporaryDirectory() as folder:
        found = write(Path(folder), schema, rows, codec=codec)
        read_rows = [row for batch in batches(Path(folder), found) for row in batch.to_pylist()]
    assert (found.problem, found.rows) == (None, len(rows))
    assert repr(read_rows) == repr([plain(row, schema) for row in rows])


def plain(value: Any, schema: Any) -> Any:
    """The value as Arrow shows it: a map as pairs, a float rounded to its width."""
    if value is None:
        return None
    if isinstance(schema, list):
        return plain(value, schema[1])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {
            field["name"]: plain(value[field["name"]], field["type"]) for field in schema["fields"]
        }
    if kind == "map":
        return [(key, plain(item, schema["values"])) for key, item in value.items()]
    return [plain(item, schema["items"]) for item in value] if kind == "array" else value


def test_damaged_files_are_unreadable_and_disturb_no_others(tmp_path: Path) -> None:
    """In a process of its own, which is seen to live."""
    chance = Random(0)
    schema = record(
        ["null", "long"],
        "string",
        ENUM,
        {"type": "array", "items": ["null", "int"]},
        {"type": "map", "values": "string"},
        logical("bytes", "decimal", precision=9, scale=2),
        logical("int", "time-millis"),
        {"type": "record", "name": "s", "fields": [{"name": "x", "type": FIXED}]},
    )
    row = {"a": None, "b": "é", "c": "A", "d": [1, None], "e": {"k": "v"}, "f": Decimal("1.50")}
    rows = [{**row, "g": time(1, 2, 3), "h": {"x": b"abc"}}] * 50
    for codec in ("null", "deflate", "bzip2"):
        sink = io.BytesIO()
        fastavro.writer(sink, schema, rows, codec=codec, sync_interval=500)
        for number in range(100):
            flipped = bytearray(sink.getvalue())
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            (tmp_path / f"{codec}_{number}.avro").write_bytes(flipped)
    for name in ("a good.avro", "a same.avro"):
        with (tmp_path / name).open("wb") as file:
            fastavro.writer(file, record("long"), [{"a": 1}, {"a": 2}])
    run = subprocess.run(
        [sys.executable, "-c", COUNT_UNREADABLE, str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    unreadable, good = run.stdout.decode().split(maxsplit=1)
    assert int(unreadable) > 100
    assert good == "a good.avro a same.avro\n"
