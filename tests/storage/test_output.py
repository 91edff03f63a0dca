"""Output folders: all files of a command or none, whatever ends it."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from r2d2.errors import R2D2Error, UsageError
from r2d2.storage import switch
from r2d2.storage.output import prepare, write_files
from r2d2.storage.scratch import ScratchFolder, remove_leftovers
from r2d2.storage.switch import MARKER, SWITCH

OLD = {"a.csv": "old a", "b.json": "old b"}
NEW = {"a.csv": "new a", "b.json": "new b", "c.json": "new c"}
# Every step, as `R2D2_SIGNALS=100` asks for, takes a process each.
STRIDE = 1 if os.environ.get("R2D2_SIGNALS") else 9
KILLED = """
import os, signal, sys
from pathlib import Path
from r2d2.storage import switch
from r2d2.storage.output import write_files

calls = 0
def killing(call):
    def counted(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return counted

def refused(*_):
    raise OSError("the system cannot")

for name in ("rename", "replace", "link", "mkdir", "fsync", "rmdir"):
    setattr(os, name, killing(getattr(os, name)))
switch.exchange = killing(switch.exchange) if sys.argv[3] == "yes" else refused
write_files(Path(sys.argv[1]), {"a.csv": "new a", "b.json": "new b", "c.json": "new c"})
"""


def contents(folder: Path) -> Mapping[str, str]:
    """The folder's files, after a look at the marker: it names those that r2d2 wrote."""
    found = {path.name: path.read_text() for path in folder.iterdir()}
    named = json.loads(found.pop(MARKER))["files"]
    assert named == sorted(found.keys() - {"mine"})
    return found


def seen(out: Path) -> Mapping[str, str]:
    """What a reader of the folder sees: r2d2's hidden files aside."""
    files = [path for path in out.glob("*") if not path.name.startswith(".r2d2")]
    return {path.name: path.read_text() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("exchanges", [True, False])
def test_a_kill_at_any_step_leaves_old_or_new_files(
    tmp_path: Path, exists: bool, exchanges: bool
) -> None:
    kinds = set()
    for step in range(1, 150, STRIDE):
        out = tmp_path / str(step) / "out"
        out.parent.mkdir()
        mine = {"mine": "mine"} if exists else {}
        if exists:
            write_files(out, OLD)
            (out / "mine").write_text("mine")
            number = out.stat().st_ino
        sides = [{**OLD, **mine} if exists else {}, {**NEW, **mine}]
        command = [sys.executable, "-c", KILLED, str(out), str(step), "yes" if exchanges else "no"]
        ended = subprocess.run(command, check=False).returncode
        if exchanges:
            assert seen(out) in sides, step
        prepare(out)
        found = contents(out) if out.exists() else {}
        assert found in sides, step
        assert not exists or out.stat().st_ino == number
        assert [path.name for path in out.parent.iterdir()] in (["out"], [])
        kinds.add(found.get("a.csv"))
        if ended == 0:
            break
    assert ended == 0
    assert len(kinds) == 2


def test_what_others_write_during_the_switch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "out", OLD)
    (tmp_path / "out" / "inside").mkdir()
    (tmp_path / "out" / "inside" / "old").write_text("old")
    exchange, times = switch.exchange, iter(("first", "second"))

    def written_at(one: Path, other: Path) -> None:
        exchange(one, other)
        (one / "inside" / next(times)).write_text("theirs")

    monkeypatch.setattr(switch, "exchange", written_at)
    write_files(tmp_path / "out", NEW)
    inside = {path.name for path in (tmp_path / "out" / "inside").iterdir()}
    assert inside == {"old", "first", "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    write_files(tmp_path, OLD)
    os.mkfifo(tmp_path / "c.json")
    with pytest.raises(R2D2Error, match=r"c\.json is there, and is no file"):
        write_files(tmp_path, NEW)
    assert (tmp_path / "c.json").is_fifo()


def test_where_one_target_is_a_folder_nothing_is_written(tmp_path: Path) -> None:
    write_files(tmp_path, OLD)
    (tmp_path / "c.json").mkdir()
    with pytest.raises(R2D2Error, match=r"c\.json"):
        write_files(tmp_path, NEW)
    (tmp_path / "c.json").rmdir()
    assert contents(tmp_path) == OLD


def test_where_the_last_file_cannot_be_moved_all_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, OLD)
    replace = os.replace

    def refusing(source: Path, target: Path) -> None:
        if target.name == "c.json":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    with pytest.raises(R2D2Error, match="not permitted"):
        write_files(tmp_path, NEW)
    assert contents(tmp_path) == OLD


@pytest.mark.parametrize("exists", [True, False])
def test_a_full_disk_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    out = tmp_path / "deep" / "out"
    if exists:
        write_files(out, OLD)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(R2D2Error, match="No space left"):
        write_files(out, NEW)
    assert contents(out) == OLD if exists else list(tmp_path.iterdir()) == []


def test_output_is_its_owners_alone_unless_a_umask_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def modes(out: Path) -> tuple[int, int]:
        write_files(out, OLD)
        return stat.S_IMODE(out.stat().st_mode), stat.S_IMODE((out / "a.csv").stat().st_mode)

    assert modes(tmp_path / "one") == (0o700, 0o600)
    monkeypatch.setenv("R2D2_UMASK", "022")
    assert modes(tmp_path / "two") == (0o755, 0o644)
    monkeypatch.setenv("R2D2_UMASK", "rw")
    with pytest.raises(UsageError, match="octal"):
        write_files(tmp_path / "three", OLD)


@pytest.mark.parametrize("url", ["s3://bucket/run", "gs://bucket/run", "file:///run"])
def test_a_url_is_refused_and_no_folder_of_that_name_is_made(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="folder"):
        write_files(Path(url), NEW)
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_a_killed_process_is_removed_and_that_of_a_live_one_is_not(
    tmp_path: Path,
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from r2d2.storage.scratch import ScratchFolder;"
        "ScratchFolder(Path(sys.argv[1])); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    mine = ScratchFolder(tmp_path)
    assert list(tmp_path.iterdir()) == [mine.path]
    assert mine.path != left
    remove_leftovers(tmp_path)
    assert mine.path.is_dir()
    mine.cleanup()
    assert list(tmp_path.iterdir()) == []


def test_a_switch_is_no_scratch_that_may_be_removed(tmp_path: Path) -> None:
    (tmp_path / SWITCH).mkdir()
    remove_leftovers(tmp_path)
    assert (tmp_path / SWITCH).is_dir()
