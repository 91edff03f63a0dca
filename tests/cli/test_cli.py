"""The command line as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2 import cli, errors
from r2d2.cli import main
from r2d2.errors import EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE, EXIT_USAGE

FILES = {
    *("edges.csv", "degenerate.csv", "tables.csv", "graph.json", "funnel.json", "inventory.json"),
    ".r2d2",
}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    pq.write_table(pa.table({"x": [1, 2, 3]}), folder / "all.parquet")
    pq.write_table(pa.table({"x": [2, 3]}), folder / "some.parquet")
    pq.write_table(pa.table({"x": [2, 9]}), folder / "other.parquet")
    return folder


def test_find_writes_its_files_and_nothing_else(lake: Path, tmp_path: Path) -> None:
    assert main(["find", str(lake), "--out", str(tmp_path / "run")]) == EXIT_OK
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    lines = (tmp_path / "run/edges.csv").read_text().splitlines()
    assert lines == [
        "child,parent,fraction,missing_rows,child_rows,parent_rows,equal,stage,unmatched",
        "some.parquet,all.parquet,1.0,0,2,3,false,exact,",
    ]


def test_the_same_lake_and_settings_give_the_same_bytes(lake: Path, tmp_path: Path) -> None:
    for run in ("one", "two"):
        main(["find", str(lake), "--min-fraction", "0.3", "--out", str(tmp_path / run)])
    for name in FILES - {"funnel.json"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_json_on_stdout_is_the_graph(lake: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["find", str(lake), "--json"]) == EXIT_OK
    data = json.loads(capfdbinary.readouterr().out)
    assert [(e["child"], e["parent"]) for e in data["edges"]] == [("some.parquet", "all.parquet")]
    assert [row["stage"] for row in data["funnel"]] == ["schema", "metadata", "sketch", "exact"]


def test_an_unreadable_table_is_named_and_the_exit_code_says_so(
    lake: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (lake / "bad.parquet").write_bytes(b"PAR1 but no more than that")
    for command in ("tables", "find"):
        assert main([command, str(lake)]) == EXIT_SOME_UNREADABLE
        assert b"bad.parquet" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("edges", EXIT_FOUND), ("equal", EXIT_OK), ("unreadable", EXIT_OK)],
)
def test_fail_on_tells_by_the_exit_code_what_was_found(
    lake: Path, asked: str, expected: int
) -> None:
    assert main(["find", "--fail-on", asked, str(lake)]) == expected


def test_fail_on_may_be_repeated_and_goes_before_tables_that_are_unreadable(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lake / "bad.parquet").write_bytes(b"PAR1 but no more than that")
    assert main(["find", str(lake), "--fail-on", "equal"]) == EXIT_SOME_UNREADABLE
    asked = ["--fail-on", "edges", "--fail-on", "unreadable", "--out", str(tmp_path / "run")]
    assert main(["find", str(lake), *asked]) == EXIT_FOUND
    assert capsys.readouterr().err == "r2d2: --fail-on found edges (1), unreadable (1)\n"
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_fail_on_can_be_set_in_the_environment(lake: Path) -> None:
    environment = {**os.environ, "R2D2_FIND_FAIL_ON": "equal edges"}
    assert r2d2("find", str(lake), environment=environment).returncode == EXIT_FOUND


def test_a_variable_is_of_one_command_and_one_without_a_command_is_named(
    lake: Path, tmp_path: Path
) -> None:
    run, plan, other = tmp_path / "run", tmp_path / "plan.json", tmp_path / "other"
    places = {"R2D2_FIND_OUT": str(run), "R2D2_PLAN_OUT": str(plan), "R2D2_OUT": str(other)}
    environment = {**os.environ, **places, "R2D2_PLAN_RUN": str(run)}
    found = r2d2("find", str(lake), environment=environment)
    planned = r2d2("plan", environment=environment)
    assert (found.returncode, planned.returncode) == (EXIT_OK, EXIT_OK)
    assert (run / "graph.json").is_file()
    assert plan.is_file()
    assert not other.exists()
    assert found.stderr == "r2d2: warning: R2D2_OUT is not read; did you mean R2D2_FIND_OUT?\n"


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes == {0, 1, 2, 3, 4, 130, 143}
    assert all(re.search(rf"[ ,]{code} [a-z]", told) for code in codes)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--types", "loose"], "strict"),
        (["--stages", "schema,guess"], "metadata"),
        (["--stages", "exact"], "schema"),
        (["--min-fraction", "1.5"], "(0, 1]"),
        (["--fail-on", "anything"], "unreadable"),
        (["--no-such-flag"], "no-such-flag"),
    ],
)
def test_a_wrong_flag_is_a_usage_error_that_names_the_remedy(
    lake: Path, arguments: list[str], hint: str
) -> None:
    done = r2d2("find", str(lake), *arguments)
    assert done.returncode == EXIT_USAGE
    assert hint in done.stderr + done.stdout


@pytest.mark.parametrize("command", [["find"], ["tables"], ["explain", "a", "b", "--lake"]])
def test_a_lake_that_is_not_there_is_a_wrong_name_for_every_command(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for name, told in (("nowhere", "no such folder"), ("file", "is a file, not a folder")):
        assert main([*command, str(tmp_path / name)]) == EXIT_USAGE
        assert f"{name}: {told}; give the folder that holds the tables" in capsys.readouterr().err


@pytest.mark.slow
def test_help_has_examples_for_every_command() -> None:
    for command in ("tables", "find", "explain"):
        assert f"r2d2 {command} " in r2d2(command, "--help").stdout


def test_help_says_of_each_command_what_its_own_help_says_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--help"])
    overview = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for command, (_, summary) in cli.COMMANDS.items():
        assert f"{command} {summary}" in overview
        main([command, "--help"])
        paragraphs = capsys.readouterr().out.split("\n\n")
        assert " ".join(paragraphs[1].split()) == summary


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["--version"]], ids=" ".join)
def test_help_is_there_before_anything_heavy_is_imported(arguments: list[str]) -> None:
    code = """
import atexit, sys
from r2d2.__main__ import run
heavy = {"numpy", "pyarrow", "polars", "pandas", "scipy"}
atexit.register(lambda: sys.stderr.write(f"{sorted(heavy & set(sys.modules))}"))
run()
"""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout
    assert done.stderr == "[]"


@pytest.mark.slow
def test_doctor_names_what_is_missing_and_what_to_install() -> None:
    environment = {**os.environ, "PATH": "/nonexistent"}
    environment.pop("JAVA_HOME", None)
    done = r2d2("doctor", environment=environment)
    assert done.returncode == EXIT_OK
    assert "java: not on the PATH → install a JDK" in done.stdout


@pytest.mark.slow
def test_the_core_imports_no_pyspark() -> None:
    code = "import sys, r2d2, r2d2.cli; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_interrupt_ends_within_two_seconds_and_leaves_no_output(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    numbers = pa.table({"x": range(3_000_000), "y": [f"text {n}" for n in range(3_000_000)]})
    for name in ("one", "two", "three"):
        pq.write_table(numbers, lake / f"{name}.parquet", compression="zstd")
    command = [sys.executable, "-m", "r2d2", "find", str(lake), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    time.sleep(1.0)  # it is reading now, or still starting: both must end
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT), told
    assert not (tmp_path / "run").exists()


def r2d2(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "r2d2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


COMMANDS = [
    ["tables"],
    ["find"],
    ["explain"],
    ["plan"],
    ["check"],
    ["init"],
    ["recipe", "show"],
    ["recipe", "run"],
    ["vmcost"],
    ["vmcost", "profile"],
    ["vmcost", "diff"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example_of_each_command(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert told.count(f"r2d2 {' '.join(command)}") >= 2, "the usage line, and an example"


def test_init_prints_what_it_would_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--print"]) == EXIT_OK
    printed = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main(["init"]) == EXIT_OK
    assert (tmp_path / "r2d2.toml").read_text(encoding="utf-8") == printed
