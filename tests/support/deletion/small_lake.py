"""A lake of few small tables with a plan that deletes some, for tests that delete them."""

import os
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.deletion import place as place_module
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import rename as rename_module
from r2d2.deletion.place import LocalPlace
from r2d2.deletion.verbs.approve import ApprovalLimits, approve
from r2d2.pipeline import find
from r2d2.plan import make_plan
from r2d2.plan.plan_form import Data
from r2d2.report import write_find
from r2d2.settings.find import Settings
from r2d2.settings.plan import Latency, PlanSettings, Prices
from r2d2.storage import local as local_module

ROWS = 300
COSTLY = PlanSettings(
    prices=Prices(date(2026, 1, 1), "a list", storage_usd_per_gb_month=1e9),
    latency=Latency(default_limit_s=1e6, unread_limit_s=1e6),
)


def write_lake(lake: Path) -> None:
    """A parent; a slice as one file, one as a folder of two files, and a random half."""
    whole = pa.table(
        {
            "id": range(ROWS),
            "city": [("Rome", "Oslo", "Lima")[n % 3] for n in range(ROWS)],
            "note": [sha256(str(n).encode()).hexdigest() for n in range(ROWS)],
        }
    )
    lake.mkdir(parents=True)
    pq.write_table(whole, lake / "whole.parquet")
    oslo = whole.filter(pc.equal(whole["city"], "Oslo"))
    pq.write_table(oslo, lake / "oslo.parquet")
    (lake / "rome").mkdir()
    rome = whole.filter(pc.equal(whole["city"], "Rome"))
    for number in range(2):
        part = rome.slice(number * 50, 50)
        pq.write_table(part, lake / "rome" / f"part-0000{number}-0.parquet")
    (lake / "rome" / "_SUCCESS").touch()
    half = pa.array([n * 2654435761 % 97 < 48 for n in range(ROWS)])
    pq.write_table(whole.filter(half), lake / "half.parquet")


def planned(lake: Path, run: Path, settings: PlanSettings = COSTLY) -> Data:
    """The plan for the lake, with its run's folder."""
    settings_of_find = Settings()
    write_find(run, find(str(lake), settings_of_find), settings_of_find, str(lake))
    return make_plan(run, settings)


def journal_of(lake: Path) -> Journal:
    """The lake's journal, read anew."""
    return Journal(LocalPlace(lake))


def approved(lake: Path, run: Path) -> Data:
    """A plan for the lake that somebody approved."""
    plan = planned(lake, run)
    approve(journal_of(lake), plan, run, ApprovalLimits())
    return plan


def files_of_lake(lake: Path) -> dict[str, bytes]:
    """The bytes of every file that is not r2d2's own."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for path in sorted(lake.rglob("*"))
        if path.is_file() and "_r2d2" not in path.parts and "deleted-by-r2d2" not in path.name
    }


def deleted_tables(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan deletes."""
    return [entry["table"] for entry in plan["tables"] if entry["choice"] == "delete"]


def times_alone(patch: pytest.MonkeyPatch) -> None:
    """A copy of a file with its times is the same file: a history begins with a copied lake."""

    def version_of(status: os.stat_result) -> str:
        return str(status.st_mtime_ns)

    for module in (local_module, place_module, rename_module):
        patch.setattr(module, "version_of", version_of)
