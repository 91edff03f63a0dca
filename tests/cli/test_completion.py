"""TAB in real shells: commands, flags, choices and tables of a run."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import COMMANDS, main
from r2d2.errors import EXIT_OK

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
NAMES = ("gold/all.parquet", "gold/some.parquet", "odd/a b.parquet", "odd/a;$(touch x).parquet")
Completed = Callable[[str], set[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that is named like a command, the scripts, and `r2d2` as a program."""
    place = tmp_path_factory.mktemp("completion")
    for name in NAMES:
        (place / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1, 2]}), place / "lake" / name)
    assert main(["find", str(place / "lake"), "--out", str(place / "run"), "-q"]) == EXIT_OK
    (place / "bin").mkdir()
    program = place / "bin" / "r2d2"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m r2d2 "$@"\n')
    program.chmod(0o755)
    return place


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}


def ran(folder: Path, *words: str) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_bash(folder: Path, line: str) -> set[str]:
    """The candidates that bash is offered at the end of the line."""
    script = (
        'source <(r2d2 completion bash); read -ra COMP_WORDS <<< "$1"'
        '; [[ "$1" == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))'
        '; _r2d2; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return set(ran(folder, "bash", "-c", script, "bash", line).splitlines()) - {""}


def in_fish(folder: Path, line: str) -> set[str]:
    """The candidates that fish offers at the end of the line."""
    script = "r2d2 completion fish | source; complete -C $argv[1]"
    told = ran(folder, "fish", "--no-config", "-c", script, line)
    return {line.partition("\t")[0] for line in told.splitlines()}


def in_zsh(folder: Path, line: str) -> set[str]:
    """The candidates that an interactive zsh lists after TAB, each followed by its description."""
    (folder / ".zshrc").write_text(
        "PS1='> '; autoload -Uz compinit; compinit -u -D; source <(r2d2 completion zsh)\n"
        "zstyle ':completion:*' list-separator '--'; setopt no_always_last_prompt\n"
        "LISTMAX=1000; COLUMNS=200; bindkey '^I' list-choices; print ready\n"
    )
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-i"], {**environment(folder), "TERM": "dumb"})
    try:
        told = _read_until(terminal, b"ready")
        os.write(terminal, line.encode() + b"\t")
        told = _read_until(terminal, None)
    finally:
        os.write(terminal, b"\x15exit\n")
        os.close(terminal)
        os.waitpid(process, 0)
    listed = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", told).decode()
    _, _, listed = listed.replace("\r", "").partition("\n")
    return {word for row in listed.split("\n") for word in re.split(r"\s{2,}|\s+--\s", row)} - {""}


def _read_until(terminal: int, end: bytes | None, patience_s: float = 20.0) -> bytes:
    """What the terminal shows up to `end`, or until it shows nothing more for a while."""
    told, limit = b"", time.monotonic() + patience_s
    while time.monotonic() < limit and (end is None or end not in told):
        quiet_s = 5.0 if end is None and told.count(b"\n") == 0 else 1.5
        if not select.select([terminal], [], [], quiet_s)[0]:
            if end is None:
                break
            continue
        told += os.read(terminal, 1 << 16)
    return told


SHELLS = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.fixture(params=[shell for shell in SHELLS if shutil.which(shell) is not None])
def completed(request: pytest.FixtureRequest, folder: Path) -> Completed:
    shell = str(request.param)
    return lambda line: SHELLS[shell](folder, line)


def test_commands_are_completed(completed: Completed) -> None:
    assert completed("r2d2 ") >= set(COMMANDS)
    assert "show" in completed("r2d2 plan ")


def test_flags_are_completed(completed: Completed) -> None:
    assert completed("r2d2 find lake --t") >= {"--types", "--text-exports", "--threads"}


def test_choices_are_completed_although_the_run_is_named_like_a_command(
    completed: Completed,
) -> None:
    assert completed("r2d2 edges run --sort ") >= {"bytes", "fraction", "name"}


@pytest.mark.parametrize(
    "line",
    ["r2d2 edges run --table g", "r2d2 recipe run --run run g", "r2d2 plan --run run --explain g"],
)
def test_tables_of_a_run_are_completed(completed: Completed, line: str) -> None:
    assert completed(line) >= {"gold/all.parquet", "gold/some.parquet"}


def test_a_hostile_name_is_a_word_and_runs_nothing(completed: Completed, folder: Path) -> None:
    assert completed("r2d2 edges run --table odd/")
    assert not (folder / "x").exists()


def test_bash_quotes_what_it_inserts(folder: Path) -> None:
    assert in_bash(folder, "r2d2 edges run --table odd/") == {
        r"odd/a\ b.parquet",
        r"odd/a\;\$\(touch\ x\).parquet",
    }


def test_a_folder_without_a_run_has_no_tables_to_offer(folder: Path) -> None:
    assert in_bash(folder, "r2d2 edges lake --table g") == set()
