"""A plan of a small lake needs no pandas, which takes longer to import than it."""

import datetime as dt
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.recipes.predicate.encode import SORTED_ROWS

SLOW = ("pandas",)
PROGRAM = f"""
import sys
from r2d2.cli import main
code = main(sys.argv[1:])
print(code, [name for name in {SLOW} if name in sys.modules])
"""


def write_lake(lake: Path, rows: int) -> None:
    """A table of many types, and a table for each kind of recipe."""
    midnight = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    whole = pa.table(
        {
            "id": pa.array(range(rows)),
            "city": [("Rome", "Oslo", "Lima", None)[n % 4] for n in range(rows)],
            "price": [n * 7919 % 1009 / 8 for n in range(rows)],
            "day": [midnight.date() + dt.timedelta(n % 100) for n in range(rows)],
            "at": [midnight + dt.timedelta(seconds=n * 7919 % rows) for n in range(rows)],
            "paid": [n % 3 == 0 for n in range(rows)],
            "note": [f"note {n * n}" for n in range(rows)],
        }
    )
    chance = pa.array([n * 2654435761 % 97 < 30 for n in range(rows)])
    tables = {
        "whole": whole,
        "columns": whole.select(["price", "day", "id"]),
        "oslo": whole.filter(pc.equal(whole["city"], "Oslo")),
        "january": whole.filter(pc.less(whole["day"], dt.date(2024, 2, 1))),
        "paid": whole.filter(whole["paid"]),
        "some": whole.filter(chance),
    }
    lake.mkdir()
    for name, table in tables.items():
        pq.write_table(table, lake / f"{name}.parquet")


def told(*arguments: str) -> str:
    """The exit code of a command in a process of its own, and what of the slow it imported."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("rows", [400, SORTED_ROWS + 1000])
def test_find_and_plan_of_a_small_lake_import_no_pandas(tmp_path: Path, rows: int) -> None:
    assert all(map(find_spec, SLOW)), "they could be imported"
    run, plan = tmp_path / "run", tmp_path / "plan.json"
    write_lake(tmp_path / "lake", rows)
    assert told("find", str(tmp_path / "lake"), "--out", str(run)) == "0 []"
    # At common prices none of it is worth deleting: recipes are found, and none is run.
    assert told("plan", "--run", str(run), "--out", str(plan)) == "0 []"
    found = {
        (one["table"], one["recipe"]["kind"])
        for one in json.loads((run / "recipes.json").read_text())["candidates"]
    }
    assert found >= {
        ("columns.parquet", "project"),
        ("oslo.parquet", "select"),
        ("january.parquet", "select"),
        ("paid.parquet", "select"),
        ("some.parquet", "rows"),
    }
