"""Random trees with one obstacle at any depth: its table is unreadable, all others are as before.

50 trees on the local engine by default; 1,000 with

    R2D2_OBSTACLES=1000 python -m pytest -q tests/lakes/test_obstacles.py
"""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from tests.support.oracle.asking import Answer, ask

TREES = int(os.environ.get("R2D2_OBSTACLES", "50"))
VALUES = range(6)


def csv_file(values: list[int], path: Path) -> None:
    path.write_text("x\n" + "".join(f"{value}\n" for value in values))


def json_file(values: list[int], path: Path) -> None:
    path.write_text("".join(json.dumps({"x": value}) + "\n" for value in values))


def parquet_file(values: list[int], path: Path) -> None:
    pq.write_table(pa.table({"x": values}), path)


def orc_file(values: list[int], path: Path) -> None:
    pyarrow.orc.write_table(pa.table({"x": values}), path)


def avro_file(values: list[int], path: Path) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, [{"x": value} for value in values])


FILES: dict[str, Callable[[list[int], Path], None]] = {
    "csv": csv_file,
    "jsonl": json_file,
    "parquet": parquet_file,
    "orc": orc_file,
    "avro": avro_file,
}


def some(chance: Random) -> list[int]:
    return chance.sample(VALUES, chance.randint(1, 3))


def hive(folder: Path, chance: Random) -> None:
    ending = chance.choice([*FILES])
    for key in range(chance.randint(2, 3)):
        deeper = "/j=1" if ending == "parquet" else ""
        part = folder / f"k={key}{deeper}"
        part.mkdir(parents=True)
        FILES[ending](some(chance), part / f"part.{ending}")


def export(folder: Path, chance: Random) -> None:
    """A folder of parts as Spark leaves it."""
    folder.mkdir(parents=True)
    ending = chance.choice([*FILES])
    for number in range(chance.randint(2, 3)):
        FILES[ending](some(chance), folder / f"part-{number:05}-c000.{ending}")
    (folder / "_SUCCESS").touch()


def delta(folder: Path, chance: Random) -> None:
    for _ in range(2):
        write_deltalake(str(folder), pa.table({"x": some(chance)}), mode="append")


def iceberg(folder: Path, chance: Random) -> None:
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata/v1.metadata.json").write_text("{}")
    (folder / "data").mkdir()
    parquet_file(some(chance), folder / "data/a.parquet")


def tree(lake: Path, chance: Random) -> list[Path]:
    """A lake's tables of one file, and the folders of the others, which are returned."""
    for number in range(4):
        folder = lake / "/".join(chance.choices("ab", k=chance.randint(0, 2)))
        folder.mkdir(parents=True, exist_ok=True)
        FILES["parquet"](some(chance), folder / f"single{number}.parquet")
    folders = []
    kinds = chance.choices([hive, export, delta, iceberg], [3, 3, 2, 1], k=3)
    for number, make in enumerate(kinds):
        folder = lake / "/".join([*chance.choices("ab", k=chance.randint(0, 2)), f"t{number}"])
        make(folder, chance)
        folders.append(folder)
    return folders


def away(path: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    path.rename(to)
    path.symlink_to(to)


def plant(lake: Path, folder: Path, chance: Random) -> None:
    """One obstacle somewhere below the folder, in the place of what was there or beside it."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "_S"))]
    place = chance.choice(files)
    kinds = ["inside", "hidden", "outside", "broken", "loop", "fifo", "socket", "bytes", "folder"]
    match chance.choice(kinds):
        case "inside":
            away(place, lake / "store" / "blob.bin")
        case "hidden":
            away(place, lake / ".store" / "blob.bin")
        case "outside":
            away(place, lake.parent / "outside" / "blob.bin")
        case "broken":
            place.unlink()
            place.symlink_to("nowhere")
        case "loop":
            place.unlink()
            place.symlink_to(place.name)
        case "fifo":
            place.unlink()
            os.mkfifo(place)
        case "socket":
            new = place.with_name("s.parquet")
            here = os.getcwd()
            os.chdir(place.parent)  # a socket's path is short
            try:
                with socket.socket(socket.AF_UNIX) as made:
                    made.bind(new.name)
            finally:
                os.chdir(here)
        case "bytes":
            os.rename(place, os.fsencode(place.parent) + b"/\xe9" + os.fsencode(place.name))
        case "folder":
            away(place.parent if place.parent != folder else place, lake.parent / "elsewhere")


def without(answer: Answer, table: str) -> set[tuple[tuple[str, str], tuple[float, int]]]:
    return {(pair, found) for pair, found in answer.edges.items() if table not in pair}


def check(tmp_path: Path, seed: int, engine: str) -> None:
    chance, lake = Random(seed), tmp_path / "lake"
    victim = chance.choice(tree(lake, chance))
    before = ask(lake, engine)
    plant(lake, victim, chance)
    after = ask(lake, engine)
    table = victim.relative_to(lake).as_posix()
    assert after.unreadable == {*before.unreadable, table}, seed
    assert after.columns.keys() == before.columns.keys(), seed
    assert without(after, table) == without(before, table), seed
    assert {pair for pair in after.edges if table in pair} == set(), seed
    others = {name: problem for name, problem in before.problems.items() if name != table}
    assert {name: after.problems[name] for name in others} == others, seed


@pytest.mark.parametrize("seed", range(TREES))
def test_one_obstacle_makes_its_table_unreadable_and_no_other(tmp_path: Path, seed: int) -> None:
    check(tmp_path, seed, "local")


@pytest.mark.parametrize("seed", range(5000, 5000 + max(3, TREES // 10)))
def test_the_engines_agree_on_obstacles(tmp_path: Path, seed: int, engine: str) -> None:
    check(tmp_path, seed, engine)
