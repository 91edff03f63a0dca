"""Only the verbs of deletion write into a lake, and only when they are told to."""

import subprocess
import sys
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.deletion.verbs.apply import apply
from tests.support.deletion.small_lake import approved, journal_of, write_lake

pytestmark = pytest.mark.slow
Stats = dict[str, tuple[int, int, int]]


def stats(lake: Path) -> Stats:
    """What any write to a file or folder of the lake would change."""
    return {
        str(path): (about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
        for path in [lake, *sorted(lake.rglob("*"))]
        if (about := path.lstat())
    }


def test_all_other_commands_and_dry_runs_leave_the_lake_as_it_is(tmp_path: Path) -> None:
    lake, run, again = tmp_path / "lake", tmp_path / "run", tmp_path / "again"
    write_lake(lake)
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    settings = tmp_path / "now.toml"
    settings.write_text("[deletion]\nretention_days = 0\n")
    before = stats(lake)
    for command in (
        ["find", lake, "--out", again],
        ["tables", lake],
        ["explain", "whole.parquet", "whole.parquet", lake],
        ["plan", "--run", again],
        ["report", again],
        ["check", again / "plan.json"],
        ["status", lake],
        ["fsck", lake],
        ["audit", lake],
        ["apply", run / "plan.json"],
        ["undo", "--all", lake],
        ["purge", lake, "--config", settings],
        ["rebuild", "rome", lake, "--to", tmp_path / "back"],
    ):
        words = [sys.executable, "-m", "r2d2", *map(str, command)]
        ended = subprocess.run(words, capture_output=True, text=True)
        assert ended.returncode in (0, 2, 3), (command, ended.stderr)
        assert stats(lake) == before, command


def test_a_recipe_does_not_bring_a_deleted_table_back_past_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    before = stats(lake)
    assert main(["recipe", "run", "--run", str(run), "--to", str(lake)]) == 2
    assert "is deleted there: `r2d2 status` tells how it comes back" in capsys.readouterr().err
    assert stats(lake) == before


def test_ctrl_c_in_a_verb_that_writes_names_the_command_that_settles(tmp_path: Path) -> None:
    program = """
import os, signal, sys, time
from pathlib import Path
from r2d2.deletion.journal import Journal
from r2d2.deletion.place import LocalPlace
from r2d2.storage.scratch import end_on_signals
end_on_signals()
with Journal(LocalPlace(Path(sys.argv[1]))).lease("undo"):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""
    words = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    settles = f"`r2d2 fsck {tmp_path} --yes` settles what was begun"
    assert ended.stderr == f"r2d2: interrupted; {settles}\n"
