"""README, docs and the other pages are true.

Their outputs are what the commands print, their command lines parse, their settings load, their
links and paths lead somewhere.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from cyclopts import CycloptsError, MissingArgumentError

from r2d2.cli import command_line, main
from r2d2.errors import EXIT_OK
from r2d2.recipes.sql_names import load_names
from r2d2.settings.find import load_settings
from r2d2.settings.plan import load_plan_settings
from r2d2.vmcost.settings import load_vmcost_settings

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "jobs/*.md", "sample_lake/*.md")
    for page in REPOSITORY.glob(pattern)
)
JOBS = {
    "find_containment.py": "find",
    "plan_deletions.py": "plan",
    "profile_vm_cost.py": "vmcost profile",
}
"""The scripts of `jobs/` and the command of `r2d2` whose flags each takes."""


def text_of(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def blocks(language: str) -> list[tuple[str, str]]:
    """The pages' code blocks in that language, each after the page's name."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.S | re.M)
    return [
        (page.name, block)
        for page in PAGES
        for block in pattern.findall(page.read_text(encoding="utf-8"))
    ]


OUTPUTS = [
    output
    for page in PAGES
    for output in re.findall(
        r"<!-- output: r2d2 (.+?) -->\n```\n(.*?)```", page.read_text(encoding="utf-8"), re.S
    )
]


def timeless(output: str) -> list[str]:
    """The lines without seconds that were measured, the solver's version and the prices' age."""
    output = re.sub(r"\(HiGHS [^)]*\)", "(HiGHS)", output)
    output = re.sub(r"[\d,]+ days? old", "old", output)
    output = re.sub(r"\b2 min \d s\b", "2 min", output)  # start-up, and what a busy machine adds
    output = re.sub(r" {2,}", "  ", output)  # which makes the columns wider
    return [re.sub(r"( *\d+\.\d\d)+$", " s", line) for line in output.splitlines()]


@pytest.mark.parametrize(("command", "output"), OUTPUTS)
def test_a_command_prints_what_the_page_shows(
    command: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(REPOSITORY)
    # The page's `run` is the test's own folder.
    of_run = [["find", "sample_lake", "--out", "run"]] if "--run run" in command else []
    for words in (*of_run, command.split()):
        capsys.readouterr()
        assert main([str(tmp_path) if word == "run" else word for word in words]) == EXIT_OK
    shown = capsys.readouterr().out.replace(str(tmp_path), "run")
    assert timeless(shown) == timeless(output)


def test_the_outputs_of_find_plan_and_vmcost_are_compared() -> None:
    assert {command.split()[0] for command, _ in OUTPUTS} == {"find", "plan", "vmcost"}


def command_lines() -> list[tuple[str, str]]:
    """The arguments of `r2d2` in each shell command of the pages, those of jobs among them."""
    return [
        (page, shlex.join(arguments))
        for page, block in blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
        for command in re.split(r"\s(?:&&|\|\|?|>)\s", line)
        if (arguments := r2d2_arguments(shlex.split(command, comments=True)))
    ]


def r2d2_arguments(words: list[str]) -> list[str]:
    """What follows `r2d2`, as a program or as a job's script; empty where neither is called."""
    for place, word in enumerate(words):
        name = word.rpartition("/")[2]
        if name == "r2d2" and place == 0:
            return words[1:]
        if name in JOBS and words[0] in ("spark-submit", word):
            return [*JOBS[name].split(), *words[place + 1 :]]
    return []


@pytest.mark.parametrize(("page", "arguments"), command_lines())
def test_a_command_line_is_understood(page: str, arguments: str) -> None:
    words = shlex.split(arguments)
    command_line(words).parse_args(words, exit_on_error=False, print_error=False)


def mentions() -> list[tuple[str, str]]:
    """Commands within sentences and tables: `r2d2 find --renamed`, which may leave out a lake."""
    return [
        (page.name, arguments)
        for page in PAGES
        for arguments in re.findall(r"`r2d2 ([^`]*)`", text_of(page))
        if "…" not in arguments.split()
    ]


@pytest.mark.parametrize(("page", "arguments"), mentions())
def test_a_command_in_a_sentence_has_a_known_name_and_known_flags(
    page: str, arguments: str
) -> None:
    with suppress(MissingArgumentError):  # a sentence may name a command without its lake
        words = shlex.split(arguments)
        command_line(words).parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    "arguments", ["fnd LAKE", "find LAKE --no-such-flag", "find --no-such-flag", "explain A"]
)
def test_a_command_line_that_is_wrong_would_be_noticed(arguments: str) -> None:
    with pytest.raises(CycloptsError):
        command_line(arguments).parse_args(arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_settings_that_a_page_shows_are_read(page: str, block: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(block, encoding="utf-8")
    if "[cluster]" in block:
        assert load_vmcost_settings(path) != load_vmcost_settings(None)
    elif "[[sql_name]]" in block:
        assert load_names(path)
    elif "[[prefer]]" in block or "[[view]]" in block:
        assert load_plan_settings(path) != load_plan_settings(None)
    else:
        assert load_settings(path) != load_settings(None)
        assert load_plan_settings(path) == load_plan_settings(None)
        assert tomllib.loads(block)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "block"), blocks("python"))
def test_python_that_a_page_shows_runs(page: str, block: str, tmp_path: Path) -> None:
    compile(block, page, "exec")
    if "import r2d2\n" in block:
        shutil.copytree(REPOSITORY / "sample_lake", tmp_path / "sample_lake")
        ran = subprocess.run(
            [sys.executable, "-c", dedent(block)], cwd=tmp_path, capture_output=True, check=True
        )
        assert len(ran.stdout.splitlines()) > 60 or "print" not in block


def links() -> list[tuple[Path, str]]:
    """Every link of a page that leads to a file or a heading of the repository."""
    return [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text_of(page))
    ]


@pytest.mark.parametrize(
    ("page", "target"), links(), ids=[f"{page.name}-{target}" for page, target in links()]
)
def test_a_link_leads_to_a_file_and_a_heading(page: Path, target: str) -> None:
    path, _, heading = target.partition("#")
    linked = page.parent / path if path else page
    assert linked.resolve().is_relative_to(REPOSITORY)
    assert linked.exists()
    if heading:
        assert heading in headings(linked)


def headings(page: Path) -> set[str]:
    """The names by which the page's headings are linked to."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


NAMED = re.compile(
    r"`((?:tests|jobs|sample_lake|docs|r2d2|benchmarks|tools|\.ci|\.github)/[\w./-]+)`"
)


@pytest.mark.parametrize(
    ("page", "named"),
    [(page.name, named) for page in PAGES for named in NAMED.findall(text_of(page))],
)
def test_a_path_that_is_named_exists(page: str, named: str) -> None:
    assert (REPOSITORY / named).exists()


SOURCES = {
    f"/{path.relative_to(REPOSITORY).as_posix()}"
    for folder in ("r2d2", "tests", "tools", "jobs", "benchmarks")
    for path in (REPOSITORY / folder, *(REPOSITORY / folder).rglob("*"))
}
"""The sources' files and folders, as paths below the repository."""


@pytest.mark.parametrize(
    ("page", "named"),
    sorted(
        {
            (page.relative_to(REPOSITORY).as_posix(), named)
            for page in PAGES
            if "architecture" in page.name or page.parent.name == "decisions"
            for named in re.findall(
                r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.py)`", page.read_text(encoding="utf-8")
            )
        }
    ),
)
def test_a_path_that_the_architecture_or_a_decision_names_exists(page: str, named: str) -> None:
    assert any(path.endswith("/" + named.rstrip("/")) for path in SOURCES)


@pytest.mark.parametrize(
    ("page", "module"),
    sorted(
        {
            (page.relative_to(REPOSITORY).as_posix(), module)
            for page in (REPOSITORY / "Makefile", REPOSITORY / ".ci/run", *PAGES)
            for module in re.findall(r"python3? -m ([\w.]+)", page.read_text(encoding="utf-8"))
        }
    ),
)
def test_a_module_that_is_run_exists(page: str, module: str) -> None:
    spec = find_spec(module)
    assert spec is not None
    assert spec.submodule_search_locations is None or find_spec(f"{module}.__main__")


def test_every_page_of_docs_is_linked_to() -> None:
    linked = {(page.parent / target.partition("#")[0]).resolve() for page, target in links()}
    assert {page for page in PAGES if page.is_relative_to(REPOSITORY / "docs")} <= linked


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page.name, target)
        for page in PAGES
        for line in re.findall(r"^make ([a-z -]+)|`make ([a-z -]+)`", page.read_text("utf-8"), re.M)
        for target in " ".join(line).split()
    ],
)
def test_a_target_of_make_that_is_named_exists(page: str, target: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.M)
