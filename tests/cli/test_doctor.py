"""What `r2d2 doctor` says of packages and jars."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from r2d2.cli import doctor
from r2d2.cli.doctor import CORE, DEVELOPERS_EXTRAS, Requirement, check_up, packages
from r2d2.engines.spark.session import coordinates
from r2d2.extras import PACKAGES, install

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]


def pyproject() -> tuple[list[str], dict[str, list[str]]]:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return project["dependencies"], project["optional-dependencies"]


def test_the_names_known_without_metadata_are_those_of_pyproject() -> None:
    core, extras = pyproject()
    assert [Requirement.parse(line).name for line in core] == list(CORE)
    for name, known in PACKAGES.items():
        assert tuple(Requirement.parse(line).name for line in extras[name]) == known
    assert set(extras) == {*PACKAGES, "all", *DEVELOPERS_EXTRAS}


def test_every_dependency_of_pyproject_is_looked_at() -> None:
    shown = {finding.name.partition(" ")[0] for finding in check_up()}
    assert {*CORE, *(name for own in PACKAGES.values() for name in own)} <= shown


def test_a_missing_core_package_fails_and_a_missing_extra_does_not() -> None:
    lines = ["no-such-core<3,>=2", "no-such-engine<5; extra == 'spark'"]
    core, extra = packages(map(Requirement.parse, lines))
    assert core.line() == f"FAILED   no-such-core: not installed → {install('')}"
    assert extra.line() == (
        f"missing  no-such-engine (extra spark): not installed → {install('spark')}"
    )


def test_a_version_outside_of_what_is_declared_is_named_with_what_is_needed() -> None:
    (finding,) = packages([Requirement.parse("numpy<2,>=1.20")])
    assert not finding.works
    assert finding.found == f"{importlib.metadata.version('numpy')}, but <2,>=1.20 is needed"


def test_the_developers_tools_are_one_line() -> None:
    lines = [f"{name}; extra == 'test'" for name in ("pytest", "no-such-tool")]
    (finding,) = packages(map(Requirement.parse, lines))
    assert (finding.works, finding.optional) == (False, True)
    assert finding.found == "no-such-tool not installed"


def test_the_extra_to_install_is_the_smallest_that_has_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = ("all", "renamed", "test", "vmcost")
    lines = [f"Requires-Dist: no-such-package>=1; extra == '{extra}'" for extra in extras]
    metadata = tmp_path / "no_such_distribution-1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("\n".join(["Name: no-such-distribution", "Version: 1", *lines, ""]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-distribution")
    (finding,) = (each for each in check_up() if each.name.startswith("no-such-package"))
    assert finding.name == "no-such-package (extra renamed)"
    assert finding.remedy == install("renamed")


@pytest.mark.parametrize(
    ("specifier", "within", "outside"),
    [
        ("<27,>=26", ["26", "26.0.1", "26.9"], ["25.9", "27", "27.0.0"]),
        ("==2.1.0", ["2.1", "2.1.0"], ["2.1.1"]),
        ("==3.3.*", ["3.3", "3.3.7"], ["3.4", "3"]),
        ("<=4.4.0,>=4.0", ["4.0.0", "4.4"], ["4.4.1"]),
        ("!=1.5", ["1.6"], ["1.5.0"]),
        ("", ["1"], []),
    ],
)
def test_versions_are_compared_by_number(
    specifier: str, within: list[str], outside: list[str]
) -> None:
    requirement = Requirement("package", specifier)
    assert [version for version in within + outside if requirement.admits(version)] == within


def test_without_metadata_the_names_are_looked_at_and_the_remedy_needs_no_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-distribution")
    monkeypatch.setattr("r2d2.extras._source", lambda: None)
    monkeypatch.setattr(doctor, "CORE", ("no-such-core",))
    findings = {finding.name: finding for finding in check_up()}
    assert findings["no-such-distribution"].found.endswith("versions are not checked")
    assert findings["no-such-core"].remedy.endswith(" -m pip install no-such-core")


@pytest.mark.parametrize(
    ("spark", "delta", "coordinate"),
    [
        ("4.0.1", "4.0.0", "io.delta:delta-spark_2.13:4.0.0"),
        ("4.0.1", "4.1.0", "io.delta:delta-spark_4.0_2.13:4.1.0"),
        ("4.1.1", "4.3.0", "io.delta:delta-spark_4.1_2.13:4.3.0"),
        ("4.2.0", "4.4.0", "io.delta:delta-spark_4.2_2.13:4.4.0"),
        ("4.2.0", None, "io.delta:delta-spark_4.2_2.13:4.4.0"),
        ("4.2.0", "4.3.1", ""),
        ("4.1.1", "4.0.0", ""),
    ],
)
def test_deltas_jar_is_of_both_versions(spark: str, delta: str | None, coordinate: str) -> None:
    assert coordinates(spark, delta)["delta-spark"] == coordinate


def test_sparks_jars_are_of_the_version_of_pyspark() -> None:
    for spark in ("4.0.1", "4.2.0"):
        assert coordinates(spark, None)["spark-avro"].endswith(f"spark-avro_2.13:{spark}")
    iceberg = coordinates("4.1.1", None)["iceberg-spark-runtime"]
    assert iceberg == "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0"
    assert coordinates("4.2.0", None)["iceberg-spark-runtime"] == ""
