"""The commands of the docs run, page by page, and print what the page shows.

Each `sh` block of a page is run by bash, in the page's order and in one folder with a copy of
`sample_lake`. What follows `<!-- prints -->` is what the block of commands before it prints; a line
of `…` stands for any lines. Only what `<!-- not run here: REASON -->` precedes is left out: it
needs a cluster or an account, or another test runs it, which the reason says.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_FOUND, EXIT_OK
from tests.support.servers import moto_server
from tests.test_readme import REPOSITORY, timeless

pytestmark = pytest.mark.slow
DOCS = REPOSITORY / "docs"
STEP = re.compile(
    r"(?:<!-- not run here: (?P<reason>[^>]+) -->\n+)?^```sh\n(?P<commands>.*?)^```$"
    r"|<!-- prints -->\n+^```\n(?P<shown>.*?)^```$",
    re.S | re.M,
)


def pages() -> list[Path]:
    """The pages of docs that show commands."""
    return [page for page in sorted(DOCS.rglob("*.md")) if list(STEP.finditer(page.read_text()))]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the sample lake and r2d2's tests, and one with the programs that pages call."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, call in (("r2d2", "-m r2d2 "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call}"$@"\n')
        program.chmod(0o755)
    shutil.copytree(REPOSITORY / "sample_lake", tmp_path / "here" / "sample_lake")
    (tmp_path / "here" / "tests").symlink_to(REPOSITORY / "tests")
    return tmp_path / "here"


@pytest.fixture
def environment(place: Path) -> Iterator[dict[str, str]]:
    """The shell's variables: this checkout's r2d2, and no settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("R2D2_")}
    path = f"{place.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100"}


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(DOCS))) for page in pages()]
)
def test_the_commands_of_a_page_run(page: Path, place: Path, environment: dict[str, str]) -> None:
    text = page.read_text(encoding="utf-8")
    run_here = [step["commands"] or "" for step in STEP.finditer(text) if not step["reason"]]
    if "s3://bucket/" not in "".join(run_here):
        run_all(text, place, environment)
        return
    with moto_server() as server:
        server.create_bucket("bucket")
        for file in sorted((place / "sample_lake").rglob("*.*")):
            if file.is_file():
                key = f"lake/{file.relative_to(place / 'sample_lake')}"
                server.put("bucket", key, file.read_bytes())
        run_all(text, place, environment | server.environment())


def run_all(text: str, place: Path, environment: dict[str, str]) -> None:
    """Runs the page's blocks one after the other, and compares what it shows."""
    printed = ""
    for step in STEP.finditer(text):
        if step["shown"] is not None:
            assert_shown(printed, step["shown"])
        elif not step["reason"]:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step["commands"]],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step['commands']}\n{done.stdout}{done.stderr}"
            printed = done.stdout


def assert_shown(printed: str, shown: str) -> None:
    """Fails unless the parts between lines of `…` were printed, each whole and in this order."""
    lines = timeless(printed)
    for part in re.split(r"^…$\n?", shown, flags=re.M):
        wanted = timeless(part.strip("\n"))
        starts = range(len(lines) - len(wanted) + 1)
        found = next((n for n in starts if lines[n : n + len(wanted)] == wanted), None)
        assert found is not None, f"not printed:\n{part}\nbut:\n{printed}"
        lines = lines[found + len(wanted) :]


def test_output_that_was_not_printed_is_noticed() -> None:
    assert_shown("a\nb\nc\nd\n", "a\n…\nc\nd\n")
    for shown in ("b\na\n", "a\nc\n", "a\n…\nd\nc\n"):
        with pytest.raises(AssertionError, match="not printed"):
            assert_shown("a\nb\nc\nd\n", shown)


def test_only_what_cannot_run_here_is_left_out() -> None:
    left_out = [
        (page.name, step["reason"])
        for page in pages()
        for step in STEP.finditer(page.read_text(encoding="utf-8"))
        if step["reason"]
    ]
    assert [each for each in left_out if len(each[1].split()) < 3] == []


PLACES = {
    "LAKE": "sample_lake",
    "DIR": "run",
    "CHILD": "exports/airlines.jsonl",
    "PARENT": "exports/airlines.csv",
    "TABLE": "exports/planes_boeing.csv",
    "PLACE": "restored",
    "LOG…": "tests/vmcost/logs/find-cluster-2.zstd",
}
"""What stands for the words in capitals of the README's list of commands."""
CODES = {"find LAKE --fail-on equal": EXIT_FOUND}


def test_the_commands_that_the_readme_lists_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `r2d2 ([^`]+)` \|", text, re.M)
    assert len(listed) > 10
    # With list prices nothing of a small lake would go, and no table would have to come back.
    settings = {"plan --run run": ["--config", "sample_lake/plan.toml"]}
    for command in listed:
        words = [PLACES.get(word, word) for word in command.split()]
        code = main([*words, *settings.get(command, [])])
        assert code == CODES.get(command, EXIT_OK), command
