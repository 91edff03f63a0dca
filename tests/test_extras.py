"""The core finds; what only other commands need may be absent, and they say what to install."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from r2d2 import extras
from r2d2.errors import EXIT_FAILED, EXIT_OK
from r2d2.extras import PACKAGES

ROOT = Path(__file__).parents[1]
LAKE = ROOT / "sample_lake"
EXTRAS = {name for names in PACKAGES.values() for name in names}
# pyarrow asks a pandas that is there but None for its version.
ABSENT = sorted({"polars", *EXTRAS} - {"pandas"})
CORE_ONLY = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))  # importing what is None there fails
from r2d2.__main__ import run
run()
"""
pytestmark = pytest.mark.slow


def core_only(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """r2d2 where no extra is installed."""
    command = [sys.executable, "-c", CORE_ONLY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_packages_of_each_extra_are_those_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    for extra, packages in PACKAGES.items():
        named = [re.split(r"[<>=\[]", requirement)[0] for requirement in optional[extra]]
        assert sorted(named) == sorted(packages)
    core = {re.split(r"[<>=\[]", requirement)[0] for requirement in project["dependencies"]}
    assert not core & set(ABSENT)


@pytest.mark.parametrize("types", ["strict", "widened"])
def test_the_core_alone_finds_in_every_format(tmp_path: Path, types: str) -> None:
    done = core_only("find", LAKE, "--types", types, "--out", tmp_path / "run")
    assert done.returncode == EXIT_OK, done.stderr
    assert "43 tables (1 avro, 7 csv, 2 delta, 2 json, 1 orc, 30 parquet)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["plan", "--run", "run"], "plan"),
        (["find", LAKE, "--renamed"], "renamed"),
        (["tables", "s3://bucket/lake"], "cloud"),
        (["find", "gs://bucket/lake"], "cloud"),
        (["vmcost", "eventlog"], "vmcost"),
        (["vmcost", "profile", "eventlog", "-o", "profile.json"], "vmcost"),
        (["vmcost", "s3://bucket/logs"], "vmcost"),
    ],
    ids=str,
)
def test_a_command_names_what_it_lacks_and_what_to_type(
    arguments: list[str | Path], extra: str
) -> None:
    done = core_only(*arguments)
    assert done.returncode == EXIT_FAILED
    (line,) = done.stderr.splitlines()
    assert line.startswith("r2d2: ")
    assert all(name in line for name in PACKAGES[extra])
    assert line.endswith(f", not installed here; install it with {extras.install(extra)}")


def test_a_command_that_installs_names_what_r2d2_was_installed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "a b" / "r2d2_lake-1-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    origin = {"url": wheel.as_uri(), "archive_info": {}}
    distribution = tmp_path / "no_such_distribution-1.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Name: no-such-distribution\nVersion: 1\n")
    (distribution / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(extras, "DISTRIBUTION", "no-such-distribution")
    assert shlex.split(extras.install("plan"))[1:] == ["-m", "pip", "install", f"{wheel}[plan]"]
    origin = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    (distribution / "direct_url.json").write_text(json.dumps(origin))
    assert shlex.split(extras.install(""))[-2:] == ["-e", str(tmp_path)]


def test_without_a_source_the_packages_themselves_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "DISTRIBUTION", "no-such-distribution")
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "r2d2" / "extras.py"))
    assert shlex.split(extras.install("cloud"))[1:] == ["-m", "pip", "install", "obstore"]
