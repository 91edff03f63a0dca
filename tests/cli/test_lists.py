"""`r2d2 edges` and `r2d2 plan show`: rows chosen, sorted, as text, CSV and JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_OK, EXIT_USAGE


def write(place: Path, values: list[int]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": values}), place)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a lake with two equal tables, one contained in them, one nearly; and its plan."""
    folder = tmp_path_factory.mktemp("lists")
    lake = folder / "lake"
    write(lake / "gold/all.parquet", list(range(20_000)))
    write(lake / "backup/all.parquet", list(range(20_000)))
    write(lake / "exports/some.parquet", list(range(5_000)))
    write(lake / "exports/near.parquet", [*range(999), 10**9])
    (lake / "odd").mkdir()
    (lake / "odd/x,\x1b[1m.csv").write_text("x\n1\n")
    (lake / "odd/y.csv").write_text("x\n1\n2\n")
    settings = folder / "plan.toml"
    settings.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1_000_000.0\n")
    out = folder / "run"
    assert main(["find", str(lake), "--min-fraction", "0.9", "--out", str(out), "-q"]) == EXIT_OK
    assert main(["plan", "--run", str(out), "--config", str(settings), "-q"]) == EXIT_OK
    return out


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(list(map(str, words))) == EXIT_OK
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    return list(json.loads(told(capsys, *words, "--json")))


def test_equal_tables_are_one_line_and_the_largest_children_come_first(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(capsys, "edges", run).splitlines()
    assert [line.split()[2:5] for line in lines[1:4]] == [
        ["backup/all.parquet", "=", "gold/all.parquet"],
        ["exports/some.parquet", "⊆", "backup/all.parquet"],
        ["exports/some.parquet", "⊆", "gold/all.parquet"],
    ]
    assert lines[-1] == "1 group of equal tables, 6 other edges"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--kind", "equal"], {("backup", "gold"), ("gold", "backup")}),
        (["--kind", "near"], {("exports", "backup"), ("exports", "gold"), ("exports", "exports")}),
        (["--child", "exports", "--parent", "gold"], {("exports", "gold")}),
        (["--table", "odd"], {("odd", "odd")}),
        (["--format", "csv"], {("odd", "odd")}),
        (["--min-fraction", "1", "--child", "*some*", "--parent", "gold"], {("exports", "gold")}),
        (["--child", "odd", "--parent", "gold"], set()),
    ],
)
def test_edges_are_chosen_by_table_folder_kind_fraction_and_format(
    run: Path, capsys: pytest.CaptureFixture[str], flags: list[str], expected: set[tuple[str, str]]
) -> None:
    found = rows(capsys, "edges", run, *flags)
    folders = {(row["child"].split("/")[0], row["parent"].split("/")[0]) for row in found}
    assert folders == expected


def test_without_filters_the_edges_are_those_of_edges_csv(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_csv = list(csv.DictReader(io.StringIO(told(capsys, "edges", run, "--csv"))))
    written = list(csv.DictReader(io.StringIO((run / "edges.csv").read_text())))
    assert {(row["child"], row["parent"], row["fraction"]) for row in as_csv} == {
        (row["child"], row["parent"], row["fraction"]) for row in written
    }
    assert as_csv[0]["child"] == "backup/all.parquet"


def test_a_name_that_would_steer_the_terminal_is_escaped_in_text(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["edges", run], ["plan", "show", run, "--choice", "all"]):
        out = told(capsys, *words)
        assert "\x1b" not in out
        assert "odd/x,\\x1b[1m.csv" in out


@pytest.mark.parametrize("command", [["edges"], ["plan", "show"]])
def test_a_pattern_that_names_nothing_is_refused_with_the_name_that_was_meant(
    run: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    for wrong, meant in (("exprots", "exports"), ("some", "exports/some.parquet")):
        assert main([*command, str(run), "--table", wrong]) == EXIT_USAGE
        told = f"--table {wrong!r} names no table; did you mean {meant!r}?"
        assert told in capsys.readouterr().err


def test_flags_that_no_edge_fits_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(run), "--child", "odd", "--parent", "gold"]) == EXIT_OK
    told = "no containment of this run fits the flags; near ones need `find --min-fraction`\n"
    assert capsys.readouterr().out == told


def test_a_plan_that_is_not_there_comes_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "show", str(tmp_path)]) == EXIT_USAGE
    told = f"there is no such plan; make it by `r2d2 plan --run {tmp_path}`\n"
    assert capsys.readouterr().err.endswith(told)
    assert main(["plan", "show", str(tmp_path / "none.json")]) == EXIT_USAGE
    told = "there is no such plan; give a plan's file, or the folder of a run with a plan\n"
    assert capsys.readouterr().err.endswith(told)


def test_csv_and_json_at_once_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(run), "--csv", "--json"]) == EXIT_USAGE
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sort", "key"),
    [("saving", "saving_usd_per_month"), ("bytes", "size_bytes"), ("reads", "reads_per_month")],
)
def test_a_plan_is_listed_in_the_order_that_is_asked_for(
    run: Path, capsys: pytest.CaptureFixture[str], sort: str, key: str
) -> None:
    found = rows(capsys, "plan", "show", run / "plan.json", "--choice", "all", "--sort", sort)
    assert len(found) == 6
    assert [row[key] for row in found] == sorted((row[key] for row in found), reverse=True)


def test_what_a_plan_shows_is_what_its_file_says(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads((run / "plan.json").read_text())
    deleted = {t["table"]: t["frees_bytes"] for t in plan["tables"] if t["choice"] == "delete"}
    assert deleted
    found = rows(capsys, "plan", "show", run, "--choice", "delete")
    assert {row["table"]: row["frees_bytes"] for row in found} == deleted
    every = rows(capsys, "plan", "show", run)
    assert {row["table"] for row in every} == {table["table"] for table in plan["tables"]}
    *_, sums, digest = told(capsys, "plan", "show", run).splitlines()
    assert sums.startswith(f"{len(deleted)} of {len(every)} tables to delete")
    freed = sum(deleted.values())
    assert sum(row["frees_bytes"] for row in every) == freed == plan["totals"]["freed_bytes"]
    assert {row["table"]: row["size_bytes"] for row in every} == {
        table["table"]: table["size_bytes"] for table in plan["tables"]
    }
    assert {row["table"]: row["parents"] for row in found} == {
        t["table"]: t["parents"] for t in plan["tables"] if t["choice"] == "delete"
    }
    assert digest == f"The plan's SHA-256: {plan['sha256']}"
    as_csv = told(capsys, "plan", "show", run, "--choice", "keep", "--csv")
    kept = list(csv.DictReader(io.StringIO(as_csv)))
    assert len(kept) == len(plan["tables"]) - len(deleted)
    assert {row["choice"] for row in kept} == {"keep"}


def test_a_fraction_beyond_all_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(run), "--min-fraction", "2"]) == EXIT_USAGE
    assert "--min-fraction 2: give a number from 0 to 1" in capsys.readouterr().err


def test_what_is_not_listed_is_not_counted(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *_, equal = told(capsys, "edges", run, "--kind", "equal").splitlines()
    *_, others = told(capsys, "edges", run, "--kind", "contained").splitlines()
    assert (equal, others) == ("1 group of equal tables", "3 edges")


def test_a_plan_is_checked_by_its_folder_too(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [told(capsys, "check", place) for place in (run, run / "plan.json")]
    assert both[0] == both[1]
    assert "the plan holds" in both[0]


def test_a_folder_to_be_explained_comes_with_the_command_that_lists_it(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "--run", str(run), "--explain", "exports", "--out", str(run / "other.json")]
    assert main(words) == EXIT_USAGE
    told = "'exports' is a folder of the lake: `r2d2 plan show RUN --table exports` lists its"
    assert told in capsys.readouterr().err
