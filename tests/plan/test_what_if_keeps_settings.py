"""What-if varies the plan that was made: what no flag names stays as it was there."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_USAGE

PRICES = Path(__file__).parents[2] / "sample_lake" / "plan.toml"
RULES = """
[[limit]]
tables = "some*"
limit_s = 500.0

[[tenant]]
tables = "*"
name = "acme"

[plan]
max_deleted_share = 0.9
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lake, run, config = tmp_path / "lake", tmp_path / "run", tmp_path / "plan.toml"
    lake.mkdir()
    pq.write_table(pa.table({"x": range(2000)}), lake / "all.parquet")
    pq.write_table(pa.table({"x": range(1000)}), lake / "some.parquet")
    (tmp_path / "reads.csv").write_text("table,reads_per_month,consumers\nsome,0.5,a;b\n")
    config.write_text(PRICES.read_text() + RULES)
    assert main(["find", str(lake), "--out", str(run)]) == 0
    made = ["plan", "--run", str(run), "--config", str(config)]
    assert main([*made, "--usage", str(tmp_path / "reads.csv")]) == 0
    return run


def what_if(run: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> Any:
    capsys.readouterr()
    assert main(["plan", "--run", str(run), "--json", *flags]) == 0
    return json.loads(capsys.readouterr().out)


def test_with_nothing_varied_it_is_the_same_plan(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = json.loads((run / "plan.json").read_text())
    assert first["settings"]["limit"]
    assert first["totals"]["deleted"] == 1
    assert what_if(run, capsys, "--what-if") == first


def test_only_what_is_varied_differs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads((run / "plan.json").read_text())
    kept = what_if(run, capsys, "--protect", "some*")
    assert kept["totals"]["deleted"] == 0
    protect = [*first["settings"]["protect"], {"tables": "some*", "reason": "asked for"}]
    assert kept["settings"] == first["settings"] | {"protect": protect}
    assert [t["usage"] for t in kept["tables"]] == [t["usage"] for t in first["tables"]]


def test_other_usage_takes_the_place_of_all_of_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = json.loads((run / "plan.json").read_text())
    other = tmp_path / "other.csv"
    other.write_text("table,reads_per_month\nall,3\n")
    varied = what_if(run, capsys, "--what-if", "--usage", str(other))
    assert varied["settings"] == first["settings"]
    reads = {t["table"]: t["usage"]["reads_per_month"] for t in varied["tables"]}
    assert reads["all.parquet"] == 3
    assert reads["some.parquet"] == first["settings"]["usage"]["reads_per_month"]


def test_without_a_plan_there_is_nothing_to_vary(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "plan.json").unlink()
    assert main(["plan", "--run", str(run), "--what-if"]) == EXIT_USAGE
    assert "no plan to vary" in capsys.readouterr().err
