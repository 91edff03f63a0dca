"""Tables that a run is asked not to look at: neither child nor parent, never planned, and told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import r2d2
from r2d2.cli import main
from r2d2.errors import EXIT_OK, EXIT_SOME_UNREADABLE
from r2d2.explain import explain_pair
from r2d2.graph import Graph
from r2d2.lake.selection import is_left_out_as_asked
from r2d2.model import Verdict
from r2d2.settings import is_among
from r2d2.settings.find import Settings

TABLES = {
    "gold/all.parquet": range(3000),
    "gold/half.parquet": range(1500),
    "backup/all.parquet": range(3000),
    "tmp/few.parquet": range(700),
    "tmp/deep/odd.parquet": range(2500, 4000),
    "one.parquet": range(600),
}


def write_lake(lake: Path) -> Path:
    for name, values in TABLES.items():
        (lake / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": list(values)}), lake / name)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("selection") / "lake")


def pairs(graph: Graph) -> set[tuple[str, str]]:
    return {(edge.child, edge.parent) for edge in graph.edges}


PATTERNS = st.sampled_from(["gold", "tmp", "tmp/deep", "*all*", "one.parquet", "./backup/", "none"])


@given(
    include=st.lists(PATTERNS, max_size=2, unique=True),
    exclude=st.lists(PATTERNS, max_size=3, unique=True),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_edges_are_those_of_all_tables_between_tables_that_are_looked_at(
    lake: Path, include: list[str], exclude: list[str]
) -> None:
    everything = r2d2.find(lake)
    graph = r2d2.find(lake, include=tuple(include), exclude=tuple(exclude))
    looked_at = {
        name
        for name in TABLES
        if not any(is_among(name, each) for each in exclude)
        and (not include or any(is_among(name, each) for each in include))
    }
    assert {table.location for table in graph.tables if table.eligible} == looked_at
    assert pairs(graph) == {pair for pair in pairs(everything) if set(pair) <= looked_at}
    assert {table.location for table in graph.tables} == set(TABLES)


@pytest.mark.parametrize("driver_tables", [0, 512])
def test_engines_leave_the_same_tables_out(
    lake: Path, engine: str, driver_tables: int, request: pytest.FixtureRequest
) -> None:
    session = request.getfixturevalue("spark") if engine == "spark" else None
    if session is not None:
        patch = request.getfixturevalue("monkeypatch")
        patch.setattr("r2d2.engines.spark.lake.DRIVER_TABLES", driver_tables)
    chosen = Settings(exclude=("tmp", "*half*"))
    graph = r2d2.find(lake, chosen, engine=engine, session=session)
    assert [table.location for table in graph.tables if is_left_out_as_asked(table)] == [
        *("gold/half.parquet", "tmp/deep/odd.parquet", "tmp/few.parquet"),
    ]
    assert pairs(graph) == pairs(r2d2.find(lake, chosen))


def test_an_excluded_table_that_is_damaged_is_not_opened(lake: Path, tmp_path: Path) -> None:
    damaged = write_lake(tmp_path / "lake")
    (damaged / "tmp/bad.parquet").write_bytes(b"PAR1 and no more")
    assert main(["find", str(damaged)]) == EXIT_SOME_UNREADABLE
    assert main(["find", str(damaged), "--exclude", "tmp"]) == EXIT_OK


def planned(lake: Path, run: Path, *flags: str) -> dict[str, Any]:
    prices = run.parent / "prices.toml"
    prices.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 10_000_000.0\n")
    assert main(["find", str(lake), "--out", str(run), *flags]) == EXIT_OK
    assert main(["plan", "--run", str(run), "--config", str(prices)]) == EXIT_OK
    assert main(["check", str(run / "plan.json")]) == EXIT_OK
    return {t["table"]: t for t in json.loads((run / "plan.json").read_text())["tables"]}


@pytest.mark.slow
def test_an_excluded_table_is_neither_deleted_nor_rebuilt_from(lake: Path, tmp_path: Path) -> None:
    free = planned(lake, tmp_path / "free")
    assert free["gold/half.parquet"]["choice"] == "delete"
    told = planned(lake, tmp_path / "run", "--exclude", "gold/half.parquet", "--exclude", "backup")
    for name in ("gold/half.parquet", "backup/all.parquet"):
        assert told[name]["choice"] == "keep"
        assert "excluded by" in told[name]["reason"]
    deleted = [entry for entry in told.values() if entry["choice"] == "delete"]
    assert {parent for entry in deleted for parent in entry["parents"]} == {"gold/all.parquet"}


def test_what_is_left_out_is_told_by_reason_and_not_table_by_table(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", str(lake), "--exclude", "tmp", "--exclude", "tpm"]) == EXIT_OK
    told = capsys.readouterr()
    assert "  left out 2: excluded by 'tmp'\n" in told.out
    assert (
        told.err
        == "r2d2: warning: exclude 'tpm' matches no table of the lake; did you mean 'tmp'?\n"
    )


def test_patterns_of_a_settings_file_leave_the_same_tables_out(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "r2d2.toml"
    path.write_text('[find]\nexclude = ["tmp"]\ninclude = ["gold", "tmp"]\n')
    assert (
        main(["find", str(lake), "--config", str(path), "--out", str(tmp_path / "run")]) == EXIT_OK
    )
    data = json.loads((tmp_path / "run/graph.json").read_text())
    reasons = {table["location"]: table["problem"] for table in data["tables"]}
    assert reasons == {
        "backup/all.parquet": "not included",
        "gold/all.parquet": None,
        "gold/half.parquet": None,
        "one.parquet": "not included",
        "tmp/deep/odd.parquet": "excluded by 'tmp'",
        "tmp/few.parquet": "excluded by 'tmp'",
    }


def test_explain_tells_that_a_table_is_excluded(lake: Path) -> None:
    told = explain_pair(
        str(lake), "tmp/few.parquet", "gold/all.parquet", Settings(exclude=("tmp",)), 0
    )
    assert told.evidence[-1].verdict is Verdict.NOT_JUDGED
    assert "excluded by 'tmp'" in told.evidence[-1].reason


def looked_at(graph: Graph) -> Sequence[str]:
    return [table.location for table in graph.tables if table.eligible]


@pytest.mark.parametrize("count", range(1, 9))
def test_a_sample_is_always_the_same_and_takes_tables_of_like_names_together(
    tmp_path: Path, count: int
) -> None:
    families = {
        "flights": ["a/flights_2013-01.parquet", "a/flights_2013-02.parquet", "b/flights.parquet"],
        "planes": ["a/planes.parquet", "b/Planes_v2.parquet"],
        "weather": ["c/weather.parquet", "d/weather.parquet", "d/weather_3.parquet"],
    }
    values = {name: range(20) for names in families.values() for name in names}
    for name, column in values.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"x": list(column)}), tmp_path / name)
    chosen = looked_at(r2d2.find(tmp_path, sample_tables=count))
    assert chosen == looked_at(r2d2.find(tmp_path, sample_tables=count))
    assert len(chosen) == count
    parts = [len(set(names) & set(chosen)) for names in families.values()]
    sizes = [len(names) for names in families.values()]
    assert sum(0 < part < size for part, size in zip(parts, sizes, strict=True)) <= 1


@pytest.mark.parametrize("count", range(1, len(TABLES)))
def test_the_edges_of_a_sample_are_those_between_its_tables(lake: Path, count: int) -> None:
    graph = r2d2.find(lake, sample_tables=count)
    chosen = set(looked_at(graph))
    assert pairs(graph) == {pair for pair in pairs(r2d2.find(lake)) if set(pair) <= chosen}


def test_a_sample_is_told_as_a_look_at_a_part_and_again_in_the_plan(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["find", str(lake), "--sample", "4", "--out", str(run)]) == EXIT_OK
    told = capsys.readouterr()
    assert told.out.startswith("a look at a part of the lake, 4 of 6 tables; without --sample, all")
    assert "a look at a part" not in told.err
    again = f"next: r2d2 find {lake} --sample 4 --out"
    assert main(["find", str(lake), "--sample", "4"]) == EXIT_OK
    assert again in capsys.readouterr().out
    assert main(["find", str(lake), "--sample", "4", "--json"]) == EXIT_OK
    assert "a look at a part: 4 of 6 tables" in capsys.readouterr().err
    assert main(["plan", "--run", str(run)]) == EXIT_OK
    assert "warning: a look at a part: 4 of 6 tables" in capsys.readouterr().out


def test_a_sample_greater_than_the_lake_is_the_lake(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", str(lake), "--sample", "99"]) == EXIT_OK
    told = capsys.readouterr()
    assert "a look at a part" not in told.out + told.err


def test_files_of_an_excluded_table_are_no_tables_of_their_own(tmp_path: Path) -> None:
    for key in (1, 2):
        place = tmp_path / f"lake/events/day={key}"
        place.mkdir(parents=True)
        pq.write_table(pa.table({"x": list(range(key * 10))}), place / "part.parquet")
    graph = r2d2.find(tmp_path / "lake", exclude=("events/day=1",))
    assert [table.location for table in graph.tables] == ["events"]
    assert looked_at(graph) == ["events"]
