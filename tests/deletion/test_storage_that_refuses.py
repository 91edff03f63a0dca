"""A file system that is full, or read-only, or closed to this user: each verb names it, and stops.

Real ones: for whoever may mount; else these tests are not there.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.undo import undo, undoable
from tests.deletion.test_security import NOBODY, as_nobody
from tests.support.deletion.small_lake import approved, files_of_lake, journal_of, write_lake


def mounted(place: Path, options: str) -> bool:
    """Mounts a small file system in memory, if this user may."""
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def may_mount() -> bool:
    """Whether this user may mount a file system."""
    with tempfile.TemporaryDirectory() as place:
        if os.getuid() or not mounted(Path(place), "size=1m"):
            return False
        subprocess.run(["umount", place], check=True)
    return True


__test__ = may_mount()
pytestmark = pytest.mark.slow
VERBS = ("apply", "undo", "purge", "rebuild", "fsck", "approve")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    assert mounted(place, "size=4m")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def full(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def command(verb: str, lake: Path, run: Path) -> list[str]:
    """The verb, told to do it."""
    now = run.with_name("now.toml")
    now.write_text("[deletion]\nretention_days = 0\n")
    plan = str(run / "plan.json")
    return {
        "apply": ["apply", plan, "--yes", "--no-catalogue"],
        "undo": ["undo", "--all", str(lake), "--yes"],
        "purge": ["purge", str(lake), "--config", str(now), "--yes"],
        "rebuild": ["rebuild", "rome", str(lake)],
        "fsck": ["fsck", str(lake), "--yes"],
        "approve": ["approve", plan],
    }[verb]


@pytest.mark.parametrize(
    ("make", "told"),
    [(read_only, "Read-only file system"), (full, "No space left on device")],
    ids=["read-only", "full"],
)
def test_each_verb_names_the_storage_that_refuses_and_changes_nothing(
    disk: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    told: str,
) -> None:
    lake, run = disk / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    for is_applied in (False, True):
        if is_applied:
            list(apply(journal_of(lake), plan, run))
        make(disk)
        before = {path: path.stat().st_mtime_ns for path in lake.rglob("*") if path.is_file()}
        for verb in VERBS if is_applied else ("apply", "purge", "fsck", "approve"):
            assert main(command(verb, lake, run)) == 1
            error = capsys.readouterr().err
            assert f"{lake}/_r2d2: {told}; nothing more was done: " in error, error
            assert "Traceback" not in error
        assert main(["status", str(lake)]) == 0
        after = {path: path.stat().st_mtime_ns for path in lake.rglob("*") if path.is_file()}
        assert after == before
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        (disk / "filler").unlink(missing_ok=True)


@pytest.mark.parametrize("pages", [2, 6, 10, 24])
def test_what_a_disk_that_ran_full_left_half_done_is_settled_and_nothing_is_lost(
    disk: Path, tmp_path: Path, pages: int
) -> None:
    lake, run = disk / "lake", tmp_path / "run"
    write_lake(lake)
    approved(lake, run)
    before = files_of_lake(lake)
    full(disk)
    with (disk / "filler").open("r+b") as file:
        file.truncate((disk / "filler").stat().st_size - pages * 4096)
    words = [sys.executable, "-m", "r2d2", *command("apply", lake, run)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == (0 if pages == 24 else 1), ended
    assert pages == 24 or "No space left on device" in ended.stderr, ended
    assert "Traceback" not in ended.stderr
    (disk / "filler").unlink()
    assert main(command("fsck", lake, run)) == 0
    assert list(discrepancies(journal_of(lake))) == []
    journal = journal_of(lake)
    list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert files_of_lake(lake) == before


@pytest.mark.parametrize("shut", ["_r2d2", "_r2d2/journal", "_r2d2/head.json", "record"])
def test_a_journal_that_this_user_may_not_read_stops_each_verb(
    open_folder: Path, shut: str
) -> None:
    lake, run = open_folder / "lake", open_folder / "run"
    write_lake(lake)
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))
    closed = lake / shut if shut != "record" else lake / "_r2d2/journal/0000000002.json"
    before = files_of_lake(lake)
    for path in (lake, *lake.rglob("*"), run, *run.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.chown(closed, 0, 0)
    commands = [command(verb, lake, run) for verb in VERBS]
    more = [[verb, str(lake)] for verb in ("status", "audit", "find")]
    codes, told = as_nobody([["status", str(lake)]], [*commands, *more], open_folder)
    assert codes == [1] * len(codes), told
    assert "Traceback" not in told
    lines = [line for line in told.splitlines() if line.startswith("r2d2: ")]
    assert len(lines) == len(codes)
    assert all("Permission denied" in line and "_r2d2" in line for line in lines), lines
    assert all("let this user" in line or "who may" in line for line in lines), lines
    assert files_of_lake(lake) == before


def full_and_stopped(disk: Path) -> None:
    full(disk)
    raise OSError("No space left")


def test_a_process_that_could_not_give_its_lease_back_goes_on_once_there_is_space(
    disk: Path, tmp_path: Path
) -> None:
    lake = disk / "lake"
    write_lake(lake)
    before, plan = files_of_lake(lake), approved(lake, tmp_path / "run")
    list(apply(journal_of(lake), plan, tmp_path / "run"))
    journal = journal_of(lake)
    with pytest.raises(OSError, match="No space left"), journal.lease("undo"):
        full_and_stopped(disk)
    assert journal_of(lake).state.lease is not None
    (disk / "filler").unlink()
    list(undo(journal_of(lake), [deletion.id for deletion in undoable(journal)]))
    assert files_of_lake(lake) == before
