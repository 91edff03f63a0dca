"""Flipped bits and truncations over all formats: no run is lost, and no wrong edge is told.

150 by default; 2,000 with

    R2D2_FLIPS=2000 python -m pytest -q tests/lakes/test_flips.py

A flip may well give another valid file. What r2d2 then says of it must be what another reader sees.
"""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from tests.lakes.test_damaged_input import in_a_process
from tests.support.oracle.asking import ask

FLIPS = int(os.environ.get("R2D2_FLIPS", "150"))
VALUES = [f"value {number}" for number in range(40)]
ROWS = pa.table({"x": VALUES})


def write_csv(path: Path) -> None:
    path.write_text("x\n" + "\n".join(VALUES) + "\n")


def write_json(path: Path) -> None:
    path.write_text("".join(json.dumps({"x": value}) + "\n" for value in VALUES))


def write_avro(path: Path) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": "string"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, [{"x": value} for value in VALUES])


def read_avro(path: Path) -> set[object]:
    with path.open("rb") as file:
        return {row["x"] for row in fastavro.reader(file)}  # type: ignore[index, call-overload]


def read_csv(path: Path) -> set[object]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row[0] for row in list(csv.reader(file))[1:]}


WRITE: dict[str, Callable[[Path], object]] = {
    "parquet": lambda path: pq.write_table(ROWS, path, write_page_checksum=True),
    "orc": lambda path: pyarrow.orc.write_table(ROWS, path),
    "csv": write_csv,
    "jsonl": write_json,
    "avro": write_avro,
}
READ: dict[str, Callable[[Path], set[object]]] = {
    "parquet": lambda path: set(pq.read_table(path).column(0).to_pylist()),
    "orc": lambda path: set(pyarrow.orc.read_table(path).column(0).to_pylist()),
    "csv": read_csv,
    "jsonl": lambda path: {json.loads(line)["x"] for line in path.read_text().splitlines()},
    "avro": read_avro,
}


def damaged(data: bytes, chance: Random) -> bytes:
    """The bytes with a bit flipped, or cut."""
    if chance.random() < 0.25:
        return data[: chance.randrange(len(data))]
    flipped = bytearray(data)
    flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


@pytest.mark.parametrize("ending", WRITE)
def test_damage_loses_no_run_and_tells_no_wrong_edge(tmp_path: Path, ending: str) -> None:
    lake, chance = tmp_path / "lake", Random(ending)
    lake.mkdir()
    WRITE[ending](lake / f"whole.{ending}")
    WRITE[ending](lake / f"copy.{ending}")
    data = (lake / f"whole.{ending}").read_bytes()
    for number in range(FLIPS // len(WRITE)):
        (lake / f"flip{number}.{ending}").write_bytes(damaged(data, chance))
    answer, _ = in_a_process(lake)
    whole = f"whole.{ending}"
    assert {(whole, f"copy.{ending}"), (f"copy.{ending}", whole)} <= answer.edges.keys()
    for child, parent in answer.edges:
        if whole in (child, parent) and parent != child:
            rows = READ[ending](lake / child)
            assert rows <= READ[ending](lake / parent), (child, parent)


def test_damage_in_a_delta_table_costs_that_table(tmp_path: Path) -> None:
    lake, chance = tmp_path / "lake", Random("delta")
    lake.mkdir()
    WRITE["parquet"](lake / "whole.parquet")
    WRITE["parquet"](lake / "copy.parquet")
    for number in range(FLIPS // 10):
        table = lake / f"t{number}"
        write_deltalake(str(table), ROWS.slice(0, 20))
        write_deltalake(str(table), ROWS.slice(20), mode="append")
        files = sorted(path for path in table.rglob("*") if path.is_file())
        file = chance.choice(files)
        file.write_bytes(damaged(file.read_bytes(), chance))
    answer, _ = in_a_process(lake)
    assert {("whole.parquet", "copy.parquet"), ("copy.parquet", "whole.parquet")} <= (
        answer.edges.keys()
    )
    assert {name for pair in answer.edges for name in pair}.isdisjoint(answer.problems)


def test_both_engines_say_the_same_of_damage(tmp_path: Path, engine: str) -> None:
    """The local engine's answer is held against the files above."""
    lake, chance = tmp_path / "lake", Random("engines")
    for ending, write in WRITE.items():
        (lake / ending).mkdir(parents=True)
        write(lake / f"{ending}/whole.{ending}")
        data = (lake / f"{ending}/whole.{ending}").read_bytes()
        for number in range(FLIPS // len(WRITE)):
            (lake / f"{ending}/flip{number}x.{ending}").write_bytes(damaged(data, chance))
    local, _ = in_a_process(lake)
    answer = ask(lake, engine)
    assert answer.edges == local.edges
    assert answer.problems == local.problems
