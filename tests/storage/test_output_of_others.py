"""Output takes the place of what r2d2 wrote, and of nothing else, whatever command writes."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_OK, EXIT_USAGE, UsageError
from r2d2.storage.output import write_files
from r2d2.storage.switch import MARKER

Refused = Callable[..., str]
PROFILE = {"profile": 1, "clusters": []}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    for name, rows in (("all", 90), ("some", 30)):
        pq.write_table(pa.table({"x": range(rows)}), folder / f"{name}.parquet")
    return folder


@pytest.fixture
def run(lake: Path, tmp_path: Path) -> Path:
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == EXIT_OK
    assert main(["plan", "--run", str(tmp_path / "run")]) == EXIT_OK
    return tmp_path / "run"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Calls a command that must be refused before it does anything; returns what it says."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == EXIT_USAGE
        told = capsys.readouterr()
        assert told.out == ""
        return told.err

    return call


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["edges.csv", "tables.csv", "graph.json", "funnel.json", MARKER])
def test_find_refuses_a_folder_with_somebody_elses_file_by_its_name(
    lake: Path, name: str, refused: Refused
) -> None:
    out = lake / "out"
    out.mkdir()
    (out / name).write_text('src,dst,w\n{"1": 2}\n')
    before = contents(lake)
    told = refused("find", lake, "--out", out)
    assert f"{out / name}: is there, and r2d2 did not write it; move it away" in told
    assert contents(lake) == before


def test_find_writes_its_own_folder_again(lake: Path, run: Path) -> None:
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK


def test_a_run_whose_marker_is_lost_is_known_by_its_content(lake: Path, run: Path) -> None:
    (run / MARKER).unlink()
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK
    assert main(["plan", "--run", str(run)]) == EXIT_OK


def test_find_leaves_a_plan_json_that_is_not_a_plan_where_it_is(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/plan.json").write_text('{"format_version": "1.2"}')
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == EXIT_OK
    assert (tmp_path / "run/plan.json").read_text() == '{"format_version": "1.2"}'
    assert not (tmp_path / "run/earlier").exists()


def test_a_plan_is_not_written_over_somebody_elses_plan_json(
    lake: Path, tmp_path: Path, refused: Refused
) -> None:
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == EXIT_OK
    (tmp_path / "run/plan.json").write_text('{"format_version": "1.2"}')
    assert "plan.json: is there, and r2d2 did not write it" in refused(
        "plan", "--run", tmp_path / "run"
    )


@pytest.mark.parametrize("place", ["lake/all.parquet", "run/graph.json", "run/recipes.json"])
def test_plan_out_takes_the_place_of_a_plan_only(
    lake: Path, run: Path, tmp_path: Path, place: str, refused: Refused
) -> None:
    before = contents(tmp_path)
    told = refused("plan", "--run", run, "--out", tmp_path / place)
    assert f"{tmp_path / place}: is there, and is no plan of r2d2's; give another name" in told
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("place", "told"),
    [("lake", "is a folder"), ("run/.r2d2_switch", "to itself"), ("run/graph.json/p", "no folder")],
)
def test_plan_out_is_a_file_in_a_folder(
    run: Path, tmp_path: Path, place: str, told: str, refused: Refused
) -> None:
    assert told in refused("plan", "--run", run, "--out", tmp_path / place)


def test_a_plan_saved_elsewhere_and_that_of_the_run_are_written_again(
    run: Path, tmp_path: Path
) -> None:
    for out in (tmp_path / "saved.json", tmp_path / "saved.json", run / "plan.json"):
        assert main(["plan", "--run", str(run), "--out", str(out)]) == EXIT_OK


def test_a_profile_takes_the_place_of_a_profile_only(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "graph.json").write_text("{}")
    told = refused("vmcost", "profile", "log", "--out", tmp_path / "graph.json")
    assert "graph.json: is there, and is no profile of r2d2's" in told
    (tmp_path / "profile.json").write_text(json.dumps(PROFILE))
    assert "profile.json" not in refused("vmcost", "profile", "--out", tmp_path / "profile.json")


@pytest.mark.parametrize("name", ["report.json", "report.html", "jobs.csv"])
def test_a_cost_report_is_refused_where_one_of_its_names_is_taken(
    tmp_path: Path, name: str, refused: Refused
) -> None:
    (tmp_path / name).write_text("mine")
    assert f"{name}: is there, and r2d2 did not" in refused("vmcost", "log", "--out", tmp_path)
    told = refused("vmcost", "profile", "log", "-o", tmp_path / "p.json", "--report", tmp_path)
    assert f"{name}: is there, and r2d2 did not" in told


@pytest.mark.parametrize(
    "command",
    [
        ["find", "lake", "--out"],
        ["plan", "--run", "run", "--out"],
        ["vmcost", "log", "--out"],
        ["vmcost", "profile", "log", "-o"],
        ["recipe", "run", "--run", "run", "--to"],
        ["init"],
    ],
    ids=lambda command: command[0],
)
def test_an_empty_place_is_refused_and_a_url_is_told_as_it_was_typed(
    command: Sequence[str], refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the place for output is empty" in refused(*command, "")
    assert "s3://bucket/x: output goes to a folder" in refused(*command, "s3://bucket/x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["residuals", "earlier"])
def test_a_folder_of_somebody_elses_is_not_mixed_with_what_a_plan_keeps_aside(
    lake: Path, run: Path, name: str, refused: Refused, tmp_path: Path
) -> None:
    dearer = tmp_path / "dearer.toml"
    dearer.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 3.0\n")
    shutil.rmtree(run / name, ignore_errors=True)
    (run / MARKER).unlink()
    (run / name).mkdir()
    assert main(["plan", "--run", str(run)]) == EXIT_OK
    (run / MARKER).unlink()
    (run / name / "mine.csv").write_text("mine")
    another = ("plan", "--run", run, "--config", dearer)
    assert f"{name}: is there, and r2d2 did not write it" in refused(*another)


def test_what_a_plan_keeps_aside_goes_with_it_also_where_the_marker_is_lost(
    lake: Path, run: Path
) -> None:
    (run / "residuals").mkdir(exist_ok=True)
    (run / "residuals" / f"{'0a' * 16}.parquet").write_text("rows")
    (run / MARKER).unlink()
    pq.write_table(pa.table({"y": range(3)}), lake / "new.parquet")
    assert main(["find", str(lake), "--out", str(run)]) == EXIT_OK
    (earlier,) = (run / "earlier").iterdir()
    assert (earlier / "plan.json").is_file()
    assert [path.read_text() for path in (earlier / "residuals").iterdir()] == ["rows"]
    assert not (run / "residuals").exists()


def test_output_never_takes_the_place_of_a_link_to_somebody_elses_file(
    lake: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/edges.csv").symlink_to(tmp_path / "away.csv")
    assert "edges.csv: is there" in refused("find", lake, "--out", tmp_path / "out")
    assert (tmp_path / "out/edges.csv").is_symlink()


def test_a_file_that_came_while_the_command_worked_is_not_replaced(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "old"})
    (tmp_path / "b.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"b\.csv: is there, and r2d2 did not write it"):
        write_files(tmp_path, {"a.csv": "new", "b.csv": "new"})
    assert (tmp_path / "a.csv").read_text() == "old"
