"""Builds the docs as HTML that asks nothing of the network: `python -m tools.docs [OUT]`.

The pages are those of `docs/` and a few of the repository's root. Their links are turned to where
the pages are, the help of every command and the public names of `r2d2` are put in, and Sphinx makes
HTML of them. A warning fails the build; so does a page that would load something from elsewhere.
"""

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import r2d2
from r2d2.cli import COMMANDS, command_line

REPOSITORY = Path(__file__).parents[1]
ROOT_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "jobs/usage_exports.md": "usage_exports.md",
    "sample_lake/README.md": "sample_lake.md",
}
"""Pages outside of `docs/`, and their places among the built ones."""

SHORT = re.compile(r"In the source folder this page is short: .*?\(`make docs`\)\.\n", re.DOTALL)
"""A sentence that is not so of a built page."""
HELP, NAMES = "<!-- the help of every command -->\n", "<!-- every public name -->\n"
WIDTH = "92"
"""Columns of the help that is shown."""


def main(arguments: Sequence[str]) -> int:
    """Builds into the folder that is named, or `build/docs`; 0 where nothing was wrong."""
    from sphinx.cmd.build import main as sphinx

    out = Path(arguments[0] if arguments else REPOSITORY / "build" / "docs")
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        collect(source)
        config = ["-c", str(REPOSITORY / "docs"), "-d", str(Path(scratch) / "doctrees")]
        failed = sphinx(["-q", "-E", "-W", "--keep-going", *config, str(source), str(out)])
    built = sorted(page for page in out.rglob("*") if page.suffix in (".html", ".css"))
    requests = [found for page in built for found in remote(page)]
    sys.stderr.writelines(f"loads from elsewhere: {each}\n" for each in requests)
    if not (failed or requests):
        sys.stdout.write(f"{out / 'index.html'}\n")
    return 1 if failed or requests else 0


def collect(source: Path) -> None:
    """Writes all pages into the folder, as Sphinx is to see them."""
    places = pages()
    for path, place in places.items():
        text = relinked(path.read_text(encoding="utf-8"), path, places)
        text = re.sub(r"^```(?:mermaid|csv)$", "```text", text, flags=re.M)  # no lexer knows them
        text = SHORT.sub("", text)
        for marker, written in ((HELP, help_of_commands), (NAMES, public_names)):
            if marker in text:
                text = text.replace(marker, written())
        if place == Path("index.md"):
            text += contents(text)
        elif place == Path("decisions/README.md"):
            text += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        (source / place).write_text(text, encoding="utf-8")
    for picture in (REPOSITORY / "docs").rglob("*.png"):
        place = picture.relative_to(REPOSITORY / "docs")
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, source / place)


def pages() -> dict[Path, Path]:
    """The repository's pages, and the place of each among the built ones."""
    docs = REPOSITORY / "docs"
    own = {page: Path(page.relative_to(docs)) for page in sorted(docs.rglob("*.md"))}
    return own | {REPOSITORY / page: Path(place) for page, place in ROOT_PAGES.items()}


def relinked(text: str, page: Path, places: Mapping[Path, Path]) -> str:
    """The page's text with links to where pages are built; a link to a source is its words."""

    def turned(link: re.Match[str]) -> str:
        words, target = link["words"], link["target"]
        path, hash_, heading = target.partition("#")
        linked = Path(os.path.normpath(page.parent / path))
        if not path or target.startswith(("http:", "https:")) or linked.suffix == ".png":
            return link[0]
        if linked not in places:
            return words
        up = os.path.relpath(places[linked], places[page].parent)
        return f"[{words}]({up}{hash_}{heading})"

    return re.sub(r"\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)", turned, text)


def contents(index: str) -> str:
    """A hidden table of contents: the pages that each section of the first page links to."""
    text = ""
    for section in index.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        linked = re.findall(r"^- \[[^\]]+\]\(([^)#]+)\.md\)", section, re.M)
        if linked:
            lines = "\n".join(linked)
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{lines}\n```\n"
    return text


def help_of_commands() -> str:
    """Each command, and each of its own commands, with what `--help` prints."""
    return "\n".join(
        f"## {' '.join(('r2d2', *words))}\n\n```text\n{help_of(words)}\n```\n"
        for words in command_names()
    )


def command_names() -> Iterator[tuple[str, ...]]:
    """The words of each command, in alphabetical order; none for `r2d2` itself."""
    yield ()
    for command in sorted(COMMANDS):
        yield (command,)
        subcommands = command_line([command])[command]
        names = (name for name in subcommands if not name.startswith("-"))
        yield from ((command, name) for name in sorted(names))


def help_of(words: Sequence[str]) -> str:
    """What `r2d2 … --help` prints to a terminal of `WIDTH` columns."""
    shown, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        with redirect_stdout(shown):
            command_line(words)([*words, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())


def public_names() -> str:
    """A directive of autodoc for each name of `r2d2.__all__`: functions, then classes."""
    kinds: dict[str, list[str]] = {"function": [], "exception": [], "class": []}
    for name in r2d2.__all__:
        thing = getattr(r2d2, name)
        is_class = isinstance(thing, type)
        is_error = is_class and issubclass(thing, BaseException)
        kinds["exception" if is_error else "class" if is_class else "function"].append(name)
    text = ""
    for kind, title in (("function", "Functions"), ("class", "Classes"), ("exception", "Errors")):
        options = "" if kind == "function" else "   :members:\n"
        # `r2d2.plan` and `r2d2.vmcost` are packages, too.
        home = "r2d2.api" if kind == "function" else "r2d2"
        lines = [f".. auto{kind}:: {home}.{name}\n{options}" for name in kinds[kind]]
        text += f"## {title}\n\n```{{eval-rst}}\n" + "\n".join(lines) + "```\n\n"
    return text


def remote(page: Path) -> list[str]:
    """What the page would load from another host, after the page's name."""
    if page.suffix == ".css":
        pattern = r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)"
    else:
        pattern = (
            r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=\"((?:https?:)?//[^\"]+)\""
        )
    loaded = re.findall(pattern, page.read_text(encoding="utf-8"))
    return [f"{page.name}: {address}" for address in loaded]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
