"""A plan with the companion job's profile: measured figures take the place of assumed ones."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.plan.diff import DifferenceKind, differences
from r2d2.plan.plan_file import load_plan
from r2d2.settings.plan import Prices, Rates

PRICES, RATES = Prices(), Rates()
SETTINGS = "[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e9\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run on a lake with one table that can be deleted."""
    lake = tmp_path / "lake"
    lake.mkdir()
    table = pa.table({"id": range(1000), "kind": [str(n % 7) for n in range(1000)]})
    pq.write_table(table, lake / "all.parquet")
    pq.write_table(table.filter(pa.compute.equal(table["kind"], "3")), lake / "three.parquet")
    (tmp_path / "r2d2.toml").write_text(SETTINGS)
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def profile(start_up_p95_s: float = RATES.start_up_p95_s) -> dict[str, Any]:
    """A profile whose figures are the defaults' own."""
    return {
        "profile": 1,
        "id": "4f2a",
        "as_of": "2026-09-01",
        "read": {
            "s_per_gb": {"p50": RATES.read_p50_s_per_gb, "p95": RATES.read_p95_s_per_gb},
            "usd_per_gb": PRICES.read_usd_per_gb,
        },
        "write": {
            "s_per_gb": {"p50": RATES.write_p50_s_per_gb, "p95": RATES.write_p95_s_per_gb},
            "usd_per_gb": PRICES.write_usd_per_gb,
        },
        "clusters": [
            {
                "vm_type": "m5.xlarge",
                "vm_count": 1,
                "vm_usd_per_hour": PRICES.vm_usd_per_hour,
                "start_up_p95_s": start_up_p95_s,
            }
        ],
    }


def planned(run: Path, *flags: str) -> dict[str, Any]:
    out = run / "made.json"
    config = str(run.parent / "r2d2.toml")
    assert main(["plan", "--run", str(run), "--config", config, "--out", str(out), *flags]) == 0
    return load_plan(out)


def with_profile(run: Path, found: dict[str, Any]) -> list[str]:
    path = run.parent / "profile.json"
    path.write_text(json.dumps(found))
    return ["--profile", str(path), "--what-if"]


def test_a_profile_equal_to_the_constants_gives_the_same_plan_and_its_id_is_told(run: Path) -> None:
    plain = planned(run)
    measured = planned(run, *with_profile(run, profile()))
    (difference,) = differences(plain, measured)
    assert (difference.kind, difference.key) == (DifferenceKind.SETTING, "settings.rates.source")
    assert difference.new == "profile 4f2a of 2026-09-01"
    assert measured["totals"]["deleted"] == 1


def test_the_plan_tells_the_start_up_by_its_distribution(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = profile(39.0)
    spread = {"p5": 9, "p25": 9, "p50": 9, "p75": 39, "p95": 39, "mean": 19, "sd": 14.1}
    found["clusters"][0] |= {"start_up_s": spread, "starts": 3}
    planned(run, *with_profile(run, found)[:2], "--explain", "three.parquet")
    told = capsys.readouterr().out
    source = "profile 4f2a of 2026-09-01, start-up 9 s at p50, 39 s at p95 of 3 starts"
    assert f"  and takes 39.2 s at p95, 39 s of it for starting ({source})\n" in told


def test_a_start_up_above_the_limit_keeps_the_table(run: Path) -> None:
    planned(run)
    slow = planned(run, *with_profile(run, profile(start_up_p95_s=3601.0)))
    kept = {table["table"]: table["reason"] for table in slow["tables"]}
    assert slow["totals"]["deleted"] == 0
    assert "its readers may wait 1 h" in kept["three.parquet"]
