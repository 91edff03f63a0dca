"""requirements.lock fits pyproject.toml, hashes every package, and names no address."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
ENTRY = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+)? \\$", re.M)


def declared() -> Iterator[str]:
    """What the project and its extras ask for, but for the project itself."""
    extras = PROJECT.get("optional-dependencies", {}).values()
    for line in (*PROJECT["dependencies"], *(line for extra in extras for line in extra)):
        if canonicalize_name(Requirement(line).name) != canonicalize_name(PROJECT["name"]):
            yield line


def locked(name: str) -> list[str]:
    """The versions of a package in the lock; several where platforms or Pythons differ."""
    return [
        found["version"]
        for found in ENTRY.finditer(LOCK)
        if canonicalize_name(found["name"]) == canonicalize_name(name)
    ]


@pytest.mark.parametrize("line", sorted(set(declared())))
def test_what_is_declared_is_locked_within_its_range(line: str) -> None:
    requirement = Requirement(line)
    versions = locked(requirement.name)
    assert versions, "run `make lock`"
    assert [v for v in versions if Version(v) not in requirement.specifier] == []


def test_every_locked_package_has_a_hash() -> None:
    starts = [line for line in LOCK.splitlines() if line and line[0] not in " #"]
    assert len(starts) == len(ENTRY.findall(LOCK)) > len(PROJECT["dependencies"])
    for entry in re.split(r"^(?=[\w])", LOCK, flags=re.M)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


def test_the_lock_names_no_address() -> None:
    assert "://" not in LOCK
    assert (
        re.findall(r"^\s*(?:-i|-f|-e|--(?:extra-)?index-url|--find-links|.+ @ )", LOCK, re.M) == []
    )
