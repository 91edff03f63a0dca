"""What all commands share: flags in the environment, -V, -q, -v; names that are nearly right."""

import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cyclopts import App

from r2d2 import __version__
from r2d2.cli import COMMANDS, ENVIRONMENT, command_line, main
from r2d2.errors import EXIT_OK, EXIT_USAGE
from r2d2.storage.connection import Patience


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a plan, beside its lake."""
    folder = tmp_path_factory.mktemp("command_line")
    (folder / "lake/gold").mkdir(parents=True)
    pq.write_table(pa.table({"x": range(3000)}), folder / "lake/gold/orders.parquet")
    pq.write_table(pa.table({"x": range(1000)}), folder / "lake/gold/orders_2024.parquet")
    pq.write_table(pa.table({"x": [1, 10**9]}), folder / "lake/other.parquet")
    prices = folder / "plan.toml"
    prices.write_text("[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 10_000_000.0\n")
    out = folder / "run"
    assert main(["find", str(folder / "lake"), "--out", str(out), "-q"]) == EXIT_OK
    assert main(["plan", "--run", str(out), "--config", str(prices), "-q"]) == EXIT_OK
    return out


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and command of a command."""
    root = command_line([*COMMANDS])  # else the shared commands would lose their long help
    for name in COMMANDS:
        yield (name,)
        child = root[name]
        yield from ((name, each) for each in child if not each.startswith("-"))


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_the_help_of_a_command_names_the_variable_of_each_flag(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == EXIT_OK
    told = capsys.readouterr().out
    panel = re.sub(r"[\s│]+", " ", told.partition("─ Parameters ─")[2].partition("╰")[0])
    flags = set(re.findall(r"(?<=\s)--([a-z][a-z0-9-]*)(?= )", panel))
    positive = {flag for flag in flags if not flag.startswith(("no-", "empty-"))}
    prefix = "_".join(("R2D2", *command, "")).upper().replace("-", "_")
    named = set(re.findall(r"env var: ([A-Z0-9_]+)", panel))
    variables = {flag: f"{prefix}{flag.upper().replace('-', '_')}" for flag in flags}
    assert {variables[flag] for flag in positive} <= named <= set(variables.values())


def test_the_help_of_a_command_tells_no_exit_codes_that_it_does_not_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["edges", "--help"]) == EXIT_OK
    assert "--fail-on" not in capsys.readouterr().out
    assert main(["--help"]) == EXIT_OK
    assert "3 found what --fail-on" in " ".join(capsys.readouterr().out.split())


def test_a_flag_of_a_command_of_a_command_is_set_in_the_environment(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("R2D2_PLAN_SHOW_CHOICE", "keep")
    assert main(["plan", "show", str(run)]) == EXIT_OK
    assert " to keep: " in capsys.readouterr().out
    assert main(["plan", "show", str(run), "--choice", "delete"]) == EXIT_OK
    assert " to delete: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", [name for name, (module, _) in COMMANDS.items() if not module.startswith("deletion")]
)
def test_no_paragraph_of_help_is_wider_than_a_terminal(name: str) -> None:
    """Of 80 columns, that is: a longer line would be broken once more, in its middle."""
    command = getattr(import_module(f"r2d2.cli.{COMMANDS[name][0]}"), name)
    calls = [command]
    if isinstance(command, App):
        inner = [command[each].default_command for each in command if not each.startswith("-")]
        calls = [command.default_command, *inner]
    for call in calls:
        for paragraph in (inspect.getdoc(call) or "").split("\n\n"):
            lines = paragraph.split("\n")
            assert len(lines) == 1 or max(map(len, lines)) <= 80, paragraph


def test_a_master_without_its_engine_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", str(run.parent / "lake"), "--master", "local[1]", "-q"]) == EXIT_OK
    assert (
        capsys.readouterr().err == "r2d2: warning: --master has no effect without --engine spark\n"
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("R2D2_EDGES_KINDS", "R2D2_EDGES_KIND"),
        ("R2D2_EDGES_FROMAT", "R2D2_EDGES_FORMAT"),
        ("R2D2_EDGSE_KIND", "R2D2_EDGES_KIND"),
        ("R2D2_KIND", "R2D2_EDGES_KIND"),
        ("R2D2_UMSAK", "R2D2_UMASK"),
        ("R2D2_STORE_RETRYS", "R2D2_STORE_RETRY_S"),
        ("R2D2_EDGES_XYZ", ""),
    ],
)
def test_a_variable_that_no_setting_has_is_told_with_the_one_that_was_meant(
    run: Path,
    variable: str,
    meant: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, "7")
    assert main(["edges", str(run), "-q"]) == EXIT_OK
    told = capsys.readouterr().err
    remedy = f"did you mean {meant}?" if meant else "`r2d2 edges --help` names those that are"
    assert told == f"r2d2: warning: {variable} is not read; {remedy}\n"


@pytest.mark.parametrize(
    "variable",
    ["R2D2_PLAN_SHOW_CHOICE", "R2D2_FIND_TYPE", "R2D2_SHARED", "R2D2_UMASK", "R2D2_STORE_RETRIES"],
)
def test_a_variable_of_another_command_or_of_somebody_else_is_not_told(
    run: Path,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, "077")
    assert main(["edges", str(run), "-q"]) == EXIT_OK
    assert capsys.readouterr() == ("", "")


def test_the_variables_of_no_command_are_those_that_are_read() -> None:
    limits = {f"R2D2_STORE_{limit.name.upper()}" for limit in fields(Patience)}
    assert set(ENVIRONMENT) == {*limits, "R2D2_UMASK"}


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_variable_is_one_that_is_not_set(
    run: Path, blank: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = str(run.parent / "lake")
    assert main(["find", lake]) == EXIT_OK
    told = capsys.readouterr().out.split("seconds:")[0]
    for flag in ("INCLUDE", "TYPES", "SAMPLE", "REPORT", "MIN_FRACTION"):
        monkeypatch.setenv(f"R2D2_FIND_{flag}", blank)
    assert main(["find", lake]) == EXIT_OK
    assert capsys.readouterr().out.split("seconds:")[0] == told


def test_a_page_and_a_plan_that_were_written_are_told_with_their_places(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, plan = tmp_path / "page.html", tmp_path / "other.json"
    told = f"page written to {page}: open it in a browser\n"
    assert main(["find", str(run.parent / "lake"), "--report", str(page)]) == EXIT_OK
    assert told in capsys.readouterr().out
    varied = ["plan", "--run", str(run), "--max-latency", "1"]
    assert main([*varied, "--report", str(page)]) == EXIT_OK
    out = capsys.readouterr().out
    assert told in out
    assert "what-if: no plan was written; --out FILE writes it" in out
    assert "next:" not in out
    assert main([*varied, "--out", str(plan)]) == EXIT_OK
    assert f"written to {plan}\n" in capsys.readouterr().out
    explain = ["plan", "--run", str(run), "--explain", "other.parquet", "--report", str(page)]
    assert main(explain) == EXIT_OK
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("other", ["--report x.html", "--run RUN", "--explain x", "--out x.json"])
def test_a_difference_of_plans_refuses_flags_that_it_would_not_heed(
    run: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    diff = ["plan", "--diff", str(run / "plan.json"), str(run / "plan.json")]
    assert main([*diff, *other.replace("RUN", str(run)).split()]) == EXIT_USAGE
    flag = other.split()[0]
    assert capsys.readouterr().err.endswith(f"does nothing else: leave out {flag}\n")
    assert main(diff) == EXIT_OK


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_printed(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([flag])
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_quiet_prints_nothing_wherever_it_stands(
    run: Path, flag: str, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["edges", str(run)]
    words.insert(place, flag)
    assert main(words) == EXIT_OK
    assert capsys.readouterr() == ("", "")


def test_quiet_still_prints_json_and_problems(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edges", str(run), "--json", "-q"]) == EXIT_OK
    assert capsys.readouterr().out.startswith("[")
    assert main(["edges", str(run), "--table", "gild", "-q"]) == EXIT_USAGE
    assert "did you mean 'gold'?" in capsys.readouterr().err


def test_quiet_is_of_one_call(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", str(run), "-q"]) == main(["edges", str(run)]) == EXIT_OK
    assert "gold/orders.parquet" in capsys.readouterr().out


def test_verbose_shows_the_stages(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = str(run.parent / "lake")
    assert main(["find", lake]) == EXIT_OK
    assert "metadata" not in capsys.readouterr().out
    assert main(["find", lake, "-v"]) == EXIT_OK
    assert "metadata" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("explain orders.parquet other.parquet --lake LAKE", "gold/orders.parquet"),
        ("explain gold/order.parquet other.parquet --lake LAKE", "gold/orders.parquet"),
        ("plan --run RUN --explain Other.parquet", "other.parquet"),
        ("recipe show gold/orders_2042.parquet --run RUN", "gold/orders_2024.parquet"),
        ("recipe run orders_2024 --run RUN --to restored", "gold/orders_2024.parquet"),
        ("edges RUN --child order", "gold/orders.parquet"),
        ("find LAKE/../lakes", "LAKE"),
    ],
)
def test_a_name_that_is_nearly_right_comes_with_the_right_one(
    run: Path,
    command: str,
    meant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lake = str(run.parent / "lake")
    words = [word.replace("LAKE", lake).replace("RUN", str(run)) for word in command.split()]
    assert main(words) == EXIT_USAGE
    told = capsys.readouterr().err
    assert "did you mean" in told
    offered = told.partition("did you mean '")[2].partition("'")[0]
    assert Path(offered).name == Path(meant.replace("LAKE", lake)).name
    assert not list(tmp_path.iterdir())


def test_a_file_as_lake_is_refused_with_the_words_that_look_at_it_alone(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run.parent / "lake/other.parquet"
    assert main(["tables", str(file)]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert "is a file, not a folder" in told
    folder, flag, name = told.partition("(")[2].partition(",")[0].split()
    assert main(["tables", folder, flag, name]) == EXIT_OK
    assert "1 table (1 parquet)" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["find", "tables"])
def test_an_empty_lake_says_so(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("none of these is data")
    assert main([command, str(tmp_path)]) == EXIT_OK
    told = capsys.readouterr().out
    assert "no table: the lake has no file that is named as data" in told
    assert "skipped 1: no data file by its name" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("find", "LAKE is missing: Folder or URL that holds the tables; see `r2d2 find --help`"),
        ("find a 'b c'", "not understood: 'b c'; see `r2d2 find --help`"),
        ("find a https://me:SECRET@b/c", "not understood: https://…@b/c; see `r2d2 find --help`"),
        ("find a --typs x", "unknown option: --typs. Did you mean --types? See `r2d2 find --help`"),
        (
            "plan --run",
            "--run has no value: Folder that `r2d2 find --out` wrote; see `r2d2 plan --help`",
        ),
        (
            "explain -- a b --lake c",
            "flags go before --, behind which --lake is a name; see `r2d2 explain --help`",
        ),
        (
            "find a --threads x",
            'invalid value for --threads: unable to convert "x" into int; see `r2d2 find --help`',
        ),
    ],
)
def test_arguments_that_are_not_understood_are_told_in_one_line(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(words)) == EXIT_USAGE
    assert capsys.readouterr().err == f"r2d2: {told}\n"
