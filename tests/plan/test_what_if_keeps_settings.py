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
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lake, run, config = tmp_path / "lake", tmp_path / "run", tmp_path / "plan.toml"
    lake.mkdir()
    pq.write_table(pa.table({"x": range(2000)}), lake / "all.parquet")
    pq.write_table(pa.table({"x": range(1000)}), lake / "some.parquet")
    (tmp_path / "reads.csv").write_text("table,reads_per_month,consumers\nsome,0.5,a;b\n")
    capped = PRICES.read_text().replace("min_sav", "max_deleted_share = 0.9\nmin_sav", 1)
    config.write_text(capped + RULES)
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


@pytest.mark.parametrize("pattern", ["some", "/some.parquet", "some.parquet/x", ""])
def test_a_pattern_to_protect_that_matches_no_table_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    out = run.parent / "varied.json"
    capsys.readouterr()
    asked = ["plan", "--run", str(run), "--protect", pattern, "--out", str(out)]
    assert main(asked) == EXIT_USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert f"--protect {pattern!r}" in told.err or "a slash at its beginning" in told.err
    assert not out.exists()


@pytest.mark.parametrize("pattern", [".", "./some.parquet", "some.parquet/", "[s]ome.parquet"])
def test_a_table_is_protected_however_its_location_is_written(
    run: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    kept = what_if(run, capsys, "--protect", pattern)
    (some,) = (table for table in kept["tables"] if table["table"] == "some.parquet")
    assert (some["choice"], some["must_keep"]) == ("keep", "protected: asked for")


def test_a_name_with_glob_characters_protects_its_own_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lake" / "x").mkdir(parents=True)
    for name, rows in {"all.parquet": 900, "x/a[DE].parquet": 100, "x/b.parquet": 200}.items():
        pq.write_table(pa.table({"x": range(rows)}), tmp_path / "lake" / name)
    assert main(["find", str(tmp_path / "lake"), "--out", str(tmp_path / "run")]) == 0
    dear = tmp_path / "dear.toml"
    dear.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e9\n")
    assert main(["plan", "--run", str(tmp_path / "run"), "--config", str(dear)]) == 0

    def gone(*flags: str) -> list[str]:
        tables = what_if(tmp_path / "run", capsys, *flags)["tables"]
        return [table["table"] for table in tables if table["choice"] == "delete"]

    assert gone("--what-if") == ["x/a[DE].parquet", "x/b.parquet"]
    assert gone("--protect", "x/a[DE].parquet") == ["x/b.parquet"]
    assert gone("--protect", "x") == gone("--protect", "./x/") == []
