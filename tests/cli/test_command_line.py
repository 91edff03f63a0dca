"""What all commands share: flags in the environment, -V, -q, -v; names that are nearly right."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2 import __version__
from r2d2.cli import COMMANDS, command_line, main
from r2d2.errors import EXIT_OK, EXIT_USAGE


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


def test_a_flag_of_a_command_of_a_command_is_set_in_the_environment(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("R2D2_PLAN_SHOW_CHOICE", "keep")
    assert main(["plan", "show", str(run)]) == EXIT_OK
    assert " to keep: " in capsys.readouterr().out
    assert main(["plan", "show", str(run), "--choice", "delete"]) == EXIT_OK
    assert " to delete: " in capsys.readouterr().out


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
