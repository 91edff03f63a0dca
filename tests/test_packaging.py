"""The wheel, the sdist and the images carry what they say, and r2d2 runs from the wheel alone."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import r2d2
from tools.image import instructions

REPOSITORY = Path(__file__).parents[1]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def built_wheel(folder: Path) -> Path:
    (wheel,) = WheelBuilder(str(REPOSITORY)).build(directory=str(folder), versions=["standard"])
    return Path(wheel)


def test_the_wheels_metadata_say_who_what_and_under_which_licence(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(built_wheel(tmp_path))
    (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    said = Parser().parsestr(archive.read(name).decode("utf-8"))
    assert (said["Name"], said["Version"]) == ("r2d2-lake", r2d2.__version__)
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.11"
    assert said["Description-Content-Type"] == "text/markdown"
    assert all(said[field] for field in ("Summary", "Author", "Keywords", "License-File"))
    assert "Typing :: Typed" in said.get_all("Classifier", [])
    assert set(said.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])


def test_every_extra_for_users_has_its_size_in_the_docs() -> None:
    page = (REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| .+ \| \d+ MB", page, re.M)
    assert {*told, "all", "docs", "test"} == set(PROJECT["optional-dependencies"])


@pytest.mark.slow
def test_r2d2_runs_from_the_wheel_alone(tmp_path: Path) -> None:
    wheel, place = built_wheel(tmp_path), tmp_path / "place"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, str(place), str(wheel)], check=True)
    done = subprocess.run(
        [place / "bin" / "r2d2", "find", REPOSITORY / "sample_lake", "--out", "run"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "43 tables" in done.stdout
    assert (tmp_path / "run" / "edges.csv").is_file()


def test_the_sdist_has_all_that_its_tests_and_docs_are_made_of(tmp_path: Path) -> None:
    (sdist,) = SdistBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "requirements.lock", "Dockerfile"} <= names
    assert {name.partition("/")[0] for name in names} >= {"r2d2", "docs", "tests", "sample_lake"}


def test_each_image_ends_with_a_user_without_rights_of_root() -> None:
    users: dict[str, str] = {}
    for word, rest in instructions(DOCKERFILE):
        if word == "FROM":
            stage = rest.split()[-1]
        elif word == "USER":
            users[stage] = rest
    assert users == {"core": "r2d2", "spark": "r2d2"}


def test_the_images_start_from_python_and_name_no_other_host() -> None:
    images = [rest.split()[0] for word, rest in instructions(DOCKERFILE) if word == "FROM"]
    assert {image.partition(":")[0] for image in images} == {"python", "core"}
    assert re.findall(r"://|--index-url|\b\w+\.(?:io|org|com|dev)\b", DOCKERFILE) == []


def test_the_images_install_with_hashes_what_the_lock_has() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if "/opt/r2d2/bin/pip install" in line]
    assert len(installs) > 2
    assert [line for line in installs if "--require-hashes" not in line] == [
        line for line in installs if "--no-deps /wheels/*.whl" in line
    ]


def test_the_changes_begin_with_this_version() -> None:
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    (version, *_) = re.findall(r"^## (\S+)", changes, re.M)
    assert version == r2d2.__version__


def test_lines_of_an_instruction_are_joined_and_remarks_left_out() -> None:
    dockerfile = "# a\nFROM x AS y\n\nRUN b \\\n# c\n && d\nUSER e\n"
    assert list(instructions(dockerfile)) == [
        ("FROM", "x AS y"),
        ("RUN", "b  && d"),
        ("USER", "e"),
    ]
