"""The docs are built whole, without a warning, and ask nothing of the network."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import r2d2
from r2d2.cli import COMMANDS
from tools.docs import REPOSITORY, collect, command_names, help_of, relinked, remote


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sphinx") is None, reason="no Sphinx: install the extra `docs`")
def test_the_docs_are_built_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "tools.docs", str(tmp_path)]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    python = (tmp_path / "reference" / "python.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="r2d2\.(?:api\.)?(\w+)"', python))
    assert set(r2d2.__all__) <= shown


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all pages as Sphinx is to see them."""
    folder = tmp_path_factory.mktemp("collected")
    collect(folder)
    return folder


@pytest.mark.slow
def test_every_command_has_its_help_in_the_reference(collected: Path) -> None:
    text = (collected / "reference" / "commands.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## r2d2 (.+)$", text, re.M)
    assert set(COMMANDS) < set(headings)
    assert {"recipe run", "recipe show", "vmcost diff", "vmcost profile"} < set(headings)
    assert text.count("\nUsage: r2d2") == len(list(command_names()))
    assert "--min-fraction FLOAT" in help_of(["find"])


@pytest.mark.slow
def test_every_section_of_the_first_page_is_in_the_table_of_contents(collected: Path) -> None:
    index = (collected / "index.md").read_text(encoding="utf-8")
    captions = re.findall(r"^:caption: (.+)$", index, re.M)
    assert captions == re.findall(r"^## (.+)$", index, re.M)


def test_a_link_leads_to_the_place_of_its_page_and_one_to_a_source_is_its_words() -> None:
    page = REPOSITORY / "docs" / "decisions" / "README.md"
    places = {
        page: Path("decisions/README.md"),
        REPOSITORY / "CHANGELOG.md": Path("changelog.md"),
    }
    text = "[a](../../CHANGELOG.md#b) [c](../../r2d2/graph.py) [d](https://e) [f](#g)"
    linked = relinked(text, page, places)
    assert linked == "[a](../changelog.md#b) c [d](https://e) [f](#g)"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script async src="https://cdn/x.js">'),
        ("a.html", '<link rel="stylesheet" href="//cdn/x.css">'),
        ("a.css", "@import '//cdn/x.css'"),
        ("a.css", "src: url(https://cdn/x.woff)"),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_noticed(
    tmp_path: Path, name: str, text: str
) -> None:
    page = tmp_path / name
    page.write_text(text, encoding="utf-8")
    assert len(remote(page)) == 1
    page.write_text('<a href="https://cdn/x.js">a link</a> url(data:x)', encoding="utf-8")
    assert remote(page) == []
