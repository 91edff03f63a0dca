"""SIGINT, SIGTERM and SIGKILL at random moments of a command.

`r2d2 find --out` writes into a folder with an old run; other commands read such a folder.

A reader who knows nothing of r2d2 looks at the folder after each, before the next command. 100 of
each:

    R2D2_SIGNALS=100 python -m pytest -q -n 0 tests/cli/test_signals.py
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED
from r2d2.storage.switch import MARKER

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("R2D2_SIGNALS", "4"))
# Before the command has begun to listen, Python or the system ends the process.
CODES = {
    signal.SIGINT: {EXIT_INTERRUPTED, -signal.SIGINT},
    signal.SIGTERM: {EXIT_TERMINATED, -signal.SIGTERM},
    signal.SIGKILL: {-signal.SIGKILL},
}

# Python says so, and exits with 1, where Ctrl-C comes before it runs any program.
NOT_STARTED = (
    "Fatal Python error: init_",
    "Could not import runpy module",
    "Exception ignored in: <function _get_module_lock",
)


def is_not_started(told: str) -> bool:
    """Whether Ctrl-C came before Python ran a program."""
    return any(words in told for words in NOT_STARTED)


def asked(lake: Path, out: Path) -> list[str]:
    settings = lake.parent / "memory.toml"
    settings.write_text("[find]\nmemory_bytes = 1000\n")
    return ["find", str(lake), "--out", str(out), "--config", str(settings)]


def started(lake: Path, out: Path, scratch: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "r2d2", *asked(lake, out)],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(out: Path) -> Mapping[str, bytes]:
    """The run's files that a reader sees, but for the funnel, which has seconds in it."""
    here = [path for path in out.glob("*") if not path.name.startswith(".r2d2")]
    files = [path for path in here if path.is_file()]  # `earlier` has plans that were replaced
    return {path.name: path.read_bytes() for path in files if path.name != "funnel.json"}


def write_lake(lake: Path, rows: int) -> None:
    lake.mkdir(exist_ok=True)
    for name, count in (("one", rows), ("two", rows // 2)):
        pq.write_table(pa.table({"x": range(count)}), lake / f"{name}.parquet")


@pytest.mark.parametrize("sent", CODES)
def test_a_signal_at_any_moment_leaves_one_run_or_the_other(
    sent: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_lake, new_lake, scratch = tmp_path / "old", tmp_path / "new", tmp_path / "scratch"
    scratch.mkdir()
    write_lake(old_lake, 1_000)
    write_lake(new_lake, 200_000)
    # What is not interrupted needs no process of its own.
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    start = time.monotonic()
    process = started(new_lake, tmp_path / "run1", scratch)
    _, told = process.communicate(timeout=60)
    assert process.returncode == EXIT_OK, told
    length_s = time.monotonic() - start
    out, moments = tmp_path / "out", random.Random(sent)
    assert main(asked(old_lake, out)) == EXIT_OK
    runs = [contents(out), contents(tmp_path / "run1")]
    for _ in range(MOMENTS):
        process = started(new_lake, out, scratch)
        time.sleep(moments.uniform(0, 1.1 * length_s))
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
        assert process.returncode in CODES[sent] | {EXIT_OK} or is_not_started(told), told
        is_python = process.returncode == -sent or is_not_started(told)
        assert is_python or "Traceback" not in told, told
        assert contents(out) in runs
        assert main(asked(old_lake, out)) == EXIT_OK
        assert contents(out) == runs[0]
        assert [path.name for path in out.glob(".*")] == [MARKER]
        assert list(scratch.iterdir()) == []
        assert {path.name for path in tmp_path.glob(".*")} == set()


RUN_COMMANDS = {
    "plan": ["plan", "--run", "run"],
    "what-if": ["plan", "--run", "run", "--what-if", "--out", "other.json"],
    "check": ["check", "run/plan.json"],
    "recipe run": ["recipe", "run", "--run", "run", "--to", "restored"],
}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, and a run with a plan."""
    folder = tmp_path_factory.mktemp("signals")
    write_lake(folder / "lake", 200_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (["find", "lake", "--out", "run"], ["plan", "--run", "run"]):
            assert main(words) == EXIT_OK
    return folder


@pytest.mark.parametrize("sent", CODES)
@pytest.mark.parametrize("command", RUN_COMMANDS)
def test_every_command_ends_by_a_signal_with_its_exit_code(
    command: str, sent: signal.Signals, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run_folder)
    words = [sys.executable, "-m", "r2d2", *RUN_COMMANDS[command]]
    before, moments = contents(run_folder / "run"), random.Random(f"{command} {sent}")
    for _ in range(MOMENTS):
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        time.sleep(moments.uniform(0, 1))
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
        assert process.returncode in CODES[sent] | {EXIT_OK, EXIT_FAILED}, told
        is_there = "restored" in told or is_not_started(told)
        assert process.returncode != EXIT_FAILED or is_there, told
        is_python = process.returncode == -sent or is_not_started(told)
        assert is_python or "Traceback" not in told, told
        assert contents(run_folder / "run").keys() == before.keys()
    main(RUN_COMMANDS[command])
    left = [path.name for path in run_folder.rglob(".r2d2*")]
    assert set(left) <= {MARKER}


IMPORTED = (
    *("r2d2.storage.scratch", "r2d2.cli", "cyclopts", "attrs", "r2d2.cli.terminal"),
    *("r2d2.cli.find", "r2d2.pipeline", "pyarrow", "numpy", "r2d2.engines.local.lake"),
)
INTERRUPTS_ITSELF = """
import os, signal, sys
imported = sys.argv.pop(1)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == imported:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from r2d2.__main__ import run
run()
"""


@pytest.mark.parametrize("imported", IMPORTED)
def test_ctrl_c_while_a_module_is_imported_has_no_traceback(imported: str, tmp_path: Path) -> None:
    write_lake(tmp_path / "lake", 10)
    words = [sys.executable, "-c", INTERRUPTS_ITSELF, imported, "find", str(tmp_path / "lake")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in CODES[signal.SIGINT], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["out", "scratch"])
def test_a_full_disk_leaves_the_run_as_it_was_and_exits_with_1(place: str, tmp_path: Path) -> None:
    old_lake, new_lake, scratch = tmp_path / "old", tmp_path / "new", tmp_path / "scratch"
    scratch.mkdir()
    write_lake(old_lake, 1_000)
    write_lake(new_lake, 1_000)
    out = tmp_path / "out"
    assert main(asked(old_lake, out)) == EXIT_OK
    before = contents(out)
    # No file may grow over so many bytes: the system's own refusal, as a full disk's.
    most_bytes = 500 if place == "out" else 12_000
    if place == "scratch":
        write_lake(new_lake, 200_000)
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes},) * 2);"
        "from r2d2.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *asked(new_lake, out)],
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_FAILED, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert contents(out) == before
    assert [path.name for path in out.glob(".*")] == [MARKER]
    assert list(scratch.iterdir()) == []
