"""The README is true: its output is what its commands print, its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
OUTPUTS = re.findall(r"<!-- output: r2d2 (.+?) -->\n```\n(.*?)```", README, re.S)


def timeless(output: str) -> list[str]:
    """The lines without the funnel's seconds, the solver's version and the prices' age."""
    output = re.sub(r"\(HiGHS [^)]*\)", "(HiGHS)", output)
    output = re.sub(r"[\d,]+ days? old", "old", output)
    return [re.sub(r"\d+\.\d\d$", "s", line) for line in output.splitlines()]


@pytest.mark.parametrize(("command", "output"), OUTPUTS)
def test_a_command_prints_what_the_readme_shows(command: str, output: str, tmp_path: Path) -> None:
    if "--run run" in command:
        printed("find sample_lake --out run", tmp_path)
    assert timeless(printed(command, tmp_path)) == timeless(output)


def printed(command: str, folder: Path) -> str:
    """What the command prints when `run` is that folder."""
    arguments = [str(folder) if word == "run" else word for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-m", "r2d2", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.replace(str(folder), "run")


def test_there_is_output_to_compare() -> None:
    assert OUTPUTS


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_a_link_leads_to_a_file(target: str) -> None:
    assert (REPOSITORY / target).exists()


@pytest.mark.parametrize(
    "named", re.findall(r"`((?:tests|jobs|sample_lake|\.ci)/[\w./]+)`", README)
)
def test_a_path_that_is_named_exists(named: str) -> None:
    assert (REPOSITORY / named).exists()
