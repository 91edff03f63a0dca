"""The layout of the code holds: sizes, folders, names, imports, first lines, the mirror in tests.

Each limit is a rule of thumb that was agreed on; a test that fails asks for a better cut, or for a
reason to change the limit.
"""

import ast
from collections import Counter, defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
MODULES = sorted((REPOSITORY / "r2d2").rglob("*.py"))
MOST_MODULES, MOST_IN_A_FOLDER, MOST_LINES = 302, 12, 400
RIDDLES = {"Which", "What", "Where", "How", "When", "Who", "Why"}

BESIDE_THE_PACKAGES = {
    "tests": {
        "dag",
        "docs",
        "docs_commands",
        "house",
        "hypothesis_profile",
        "lock",
        "packaging",
        "readme",
    },
    "tests/benchmarks": None,
    "tests/golden": None,
    "tests/lakes": None,
    "tests/oracle": None,
    "tests/semantics": None,
    "tests/vmcost/oracle": None,
}
"""Tests of more than one package: of these names in the folder, or (None) all in it."""


def name_of(path: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def parsed() -> None:
    """All modules, parsed for all tests: the first that asks is not slow for it."""
    for path in MODULES:
        tree_of(path)


def imports_of(path: Path, known: frozenset[str]) -> set[str]:
    """The modules of r2d2 that a module imports, those within functions too."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Import(aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(str(module), aliases):
                members = {f"{module}.{alias.name}" for alias in aliases}
                names |= (members & known) | ({module} if members - known else set())
    return (names & known) - {name_of(path)}


def test_the_modules_are_not_too_many() -> None:
    assert len(MODULES) <= MOST_MODULES


def test_no_folder_is_too_long_to_be_read_at_a_glance() -> None:
    folders = Counter(path.parent.relative_to(REPOSITORY) for path in MODULES)
    assert {str(folder): n for folder, n in folders.items() if n > MOST_IN_A_FOLDER} == {}


def test_no_module_is_too_long() -> None:
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_public_class_has_the_name_of_another() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name_of(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = frozenset(map(name_of, MODULES))
    imports = {name_of(path): imports_of(path, known) for path in MODULES}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" ← ".join(error.args[1]))


def test_a_module_is_introduced_by_what_it_is_and_not_by_a_riddle() -> None:
    first_words = {
        name_of(path): (ast.get_docstring(tree_of(path)) or "Where").split()[0] for path in MODULES
    }
    assert [name for name, word in first_words.items() if word in RIDDLES] == []


def test_tests_mirror_the_packages() -> None:
    astray = []
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        folder = str(path.parent.relative_to(REPOSITORY))
        beside = BESIDE_THE_PACKAGES.get(folder, set())
        name = path.stem.removeprefix("test_")
        package = REPOSITORY / "r2d2" / path.parent.relative_to(REPOSITORY / "tests")
        mirrored = package.is_dir() if folder != "tests" else (package / f"{name}.py").is_file()
        if not mirrored and beside is not None and name not in beside:
            astray.append(str(path.relative_to(REPOSITORY)))
    assert astray == []
